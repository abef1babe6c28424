"""Mistakes that only running shows: no data yet, look-ahead, wrong shapes of history, no trades."""

from __future__ import annotations

import random
import re

from qc_builder_lora.harvest.corpus.fixes.mutation import (
    Rewrite,
    both,
    every,
    initialize_of,
    lines_of,
    mutation,
    one,
)

_PRICE = r"self\.securities\[(self\._\w+|symbol|s)\]\.price"
_GUARD = r"^ +if self\.is_warming_up(?: or .*)?:\n +return\n"
_WARM_UP = r"^ +self\.set_warm_up\(.*\)\n"


def _stub(code: str, source: random.Random) -> str | None:
    """The last method's body is `pass`, as a generator leaves it that writes in two steps."""
    lines = lines_of(code)
    heads = [n for n, line in enumerate(lines) if re.match(r"    def (on_data|_rebalance)\(", line)]
    if not heads:
        return None
    last = heads[-1] + 1
    while last < len(lines) and (not lines[last].strip() or lines[last].startswith(" " * 8)):
        last += 1
    body = source.choice(("        pass\n", "        # TODO: entry and exit rules\n        pass\n"))
    return "".join([*lines[: heads[-1] + 1], body, *lines[last:]])


def _days_swapped(code: str, source: random.Random) -> str | None:
    found = re.search(r"set_start_date\((.*)\)\n(.*)set_end_date\((.*)\)", code)
    if found is None:
        return None
    first, between, last = found.groups()
    return code.replace(found[0], f"set_start_date({last})\n{between}set_end_date({first})")


def _ordered_early(code: str, source: random.Random) -> str | None:
    """An order as the last thing of `initialize`."""
    place = initialize_of(code)
    symbol = re.search(r"self\.(_\w+) = self\.add_equity\(.*\)\.symbol", code)
    if place is None or symbol is None:
        return None
    lines = lines_of(code)
    order = f"        self.set_holdings(self.{symbol[1]}, 1.0)\n"
    return "".join([*lines[: place[1]], order, *lines[place[1] :]])


def _unpacked(code: str, source: random.Random) -> str | None:
    """Two values come from a method that returns None while it warms up, and nobody asks."""
    found = re.search(
        r"^        if self\.is_warming_up:\n            return\n"
        r"        (\w+) = (self\._.*)\n        (\w+) = (self\._.*)\n",
        code,
        re.MULTILINE,
    )
    if found is None:
        return None
    one, first, other, second = found.groups()
    call = f"        {one}, {other} = self._levels()\n"
    method = (
        "\n    def _levels(self):\n        if self.is_warming_up:\n            return None\n"
        f"        return {first}, {second}\n"
    )
    return code.replace(found[0], call).rstrip("\n") + "\n" + method


def _without(*patterns: str) -> Rewrite:
    """All places of every pattern gone; None where one is not there."""
    return both(*(every(pattern, "") for pattern in patterns))


def _percent(code: str, source: random.Random) -> str | None:
    """Weights as percent, where there are any."""
    pattern = r"(set_holdings\([^,()]+, )(1\.0|0\.\d+)\)"
    if not re.search(pattern, code):
        return None
    return re.sub(pattern, lambda m: f"{m[1]}{float(m[2]) * 100:g})", code)


def _fractions(code: str, source: random.Random) -> str | None:
    """Thresholds of an RSI or a money flow as fractions of one."""
    pattern = r"((?:\brsi|\bflow|_rsi\.current\.value) < )(\d+)"
    if not re.search(pattern, code):
        return None
    return re.sub(pattern, lambda m: f"{m[1]}{int(m[2]) / 100:g}", code)


RUNNING = (
    mutation(
        "not_ready", "indicators are read before they are ready: nothing is warmed up",
        "rules run", _without(_GUARD, _WARM_UP),
    ),
    mutation(
        "none_unpacked", "None is unpacked while the indicators warm up", "compile run",
        _unpacked,
        rare=6,
    ),
    mutation(
        "none_at_first", "a number starts as None", "compile run",
        one(r"^( +self\._\w+) = 0(?:\.0)?$", r"\1 = None"),
        rare=4,
    ),
    mutation(
        "unchecked_bar", "a bar is taken that may not be there", "rules run",
        every(_PRICE, r"data.get(\1).close", r"data.bars[\1].close"),
    ),
    mutation(
        "unchecked_slice", "the slice is not asked whether it holds the symbol", "rules run",
        both(every(r"^ +if not (?:all\()?data\.contains_key.*\n +return\n", ""),
             every(_PRICE, r"data[\1].close")),
        rare=10,
    ),
    mutation(
        "history_column", "a column of history is written in capitals", "rules run",
        every(_PRICE, r'self.history(\1, 1, Resolution.DAILY)["Close"].iloc[-1]'),
    ),
    mutation(
        "history_series", "a column of history is taken for a number", "compile run",
        every(_PRICE, r'self.history(\1, 2, Resolution.DAILY)["close"]'),
    ),
    mutation(
        "history_row", "history is indexed by a row that is not in it", "compile run",
        every(_PRICE, r'self.history(\1, 1, Resolution.DAILY).loc["CLOSE"]'),
    ),
    mutation(
        "history_without_length", "history is asked for without a length", "compile run",
        every(_PRICE, r'self.history(\1, Resolution.DAILY)["close"].iloc[-1]'),
    ),
    mutation(
        "looks_ahead", "history is asked for that is still to come", "rules",
        every(_PRICE, *(
            rf"self.history(\1, self.time, self.time + timedelta(days={days}), "
            r'Resolution.DAILY)["close"].iloc[-1]'
            for days in (1, 2, 5, 10, 21)
        )),
    ),
    mutation(
        "shifted_back", "tomorrow's close is taken for today's", "rules",
        every(_PRICE, *(
            rf'self.history(\1, {bars}, Resolution.DAILY)["close"].shift(-{days}).ffill().iloc[-1]'
            for bars, days in ((10, 1), (20, 1), (30, 5))
        )),
    ),
    mutation(
        "never_subscribed", "a ticker is used that was never added", "compile rules run",
        one(r"self\.securities\[(?:self\._\w+|symbol|s)\]", 'self.securities["VIX"]',
            'self.securities["SPX"]', 'self.securities["BND"]', 'self.securities["UVXY"]'),
    ),
    mutation(
        "index_too_far", "an index is beyond the end of the list", "run",
        one(r"(self\._symbols|ranked|best|calm)\[(0|-1)\]", r"\1[9]", r"\1[5]",
            r"\1[len(\1)]", r"\1[-8]"),
        rare=2,
    ),
    mutation(
        "wrong_key", "a dictionary is made with other keys than it is read with", "compile run",
        one(r"\{s: (self\..*) for s in self\._symbols\}",
            r"{n: \1 for n, s in enumerate(self._symbols)}"),
        rare=3,
    ),
    mutation("wall_clock", "the machine's clock is asked instead of the backtest's", "rules",
             every(r"self\.time(?=\.)", "datetime.now()"), rare=6),
    mutation("stub_left", "the method that trades is still a stub", "rules trades", _stub),
    mutation("order_in_initialize", "an order is placed in initialize", "rules run",
             _ordered_early),
    mutation("dates_swapped", "the end is before the start", "rules run", _days_swapped),
    mutation(
        "impossible_day", "a date does not exist", "rules run",
        one(r"set_end_date\((\d+), 12, 31\)", r"set_end_date(\1, 11, 31)",
            r"set_end_date(\1, 2, 30)"),
    ),
    mutation(
        "module_for_class", "datetime is taken for a module", "compile rules run",
        one(r"self\.time\.(month|day|year)\b", r"datetime.datetime.now().\1"),
        rare=12,
    ),
    mutation(
        "window_holds_the_bar", "the price is compared with a window that already holds it",
        "rules trades", every(r"\.previous\.value", ".current.value"),
        rare=12,
    ),
    mutation("wrong_scale", "a threshold is on another scale than the indicator", "trades",
             _fractions, rare=12),
    mutation(
        "inverted_guard", "it returns once it is warm", "rules trades",
        every(r"if self\.is_warming_up\b", "if not self.is_warming_up"),
    ),
    mutation(
        "inverted_position", "it only buys what it has already", "rules trades",
        every(r"not self\.portfolio(\[.*?\])?\.invested", r"self.portfolio\1.invested"),
    ),
    mutation(
        "dedented_return", "return stands outside its condition", "rules trades",
        every(r"^( +)(if self\.is_warming_up.*:)\n +return$", r"\1\2\n\1    pass\n\1return"),
    ),
    mutation(
        "never_scheduled", "the method that trades is never scheduled", "rules trades",
        every(r"^ +self\.schedule\.on\(\n(?: {12,}.*\n)+ +\)\n", ""),
        rare=2,
    ),
    mutation(
        "wrong_callback", "the method has a name that LEAN does not call", "rules trades",
        every(r"def on_data\(self, data\)", "def on_bar(self, data)", "def next(self, data)",
              "def handle_data(self, data)", "def on_tick(self, data)"),
    ),
    mutation("weight_in_percent", "weights are in percent, which no margin allows",
             "rules trades", _percent),
    mutation(
        "whole_division", "a weight is divided down to nothing", "trades",
        every(r"1\.0 / ", "1 // "),
        rare=6,
    ),
    mutation(
        "never_true", "a condition can never be true", "rules trades",
        one(r"^( +if )(\w+) > (\w+)( and not self\.portfolio)", r"\1\2 > \3 and \2 < \3\4"),
        rare=5,
    ),
)  # fmt: skip
