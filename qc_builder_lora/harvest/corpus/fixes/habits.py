"""Mistakes out of habit: .NET's collections and clocks, indicators made by hand."""

from __future__ import annotations

import random
import re

from qc_builder_lora.harvest.corpus.fixes.mutation import (
    every,
    initialize_of,
    lines_of,
    mapped,
    mutation,
    one,
)

_BY_HAND = {
    "sma": "SimpleMovingAverage",
    "ema": "ExponentialMovingAverage",
    "rsi": "RelativeStrengthIndex",
    "roc": "RateOfChange",
    "momp": "MomentumPercent",
    "std": "StandardDeviation",
    "atr": "AverageTrueRange",
    "max": "Maximum",
    "min": "Minimum",
    "cci": "CommodityChannelIndex",
    "wilr": "WilliamsPercentR",
}
_INDICATOR = re.compile(
    rf"self\.({'|'.join(_BY_HAND)})\((?:self\._\w+|s), (\d+)\)", re.MULTILINE
)  # fmt: skip


def _by_hand(code: str, source: random.Random) -> str | None:
    """One indicator made by its class, which nothing updates then."""
    places = list(_INDICATOR.finditer(code))
    if not places:
        return None
    place = source.choice(places)
    made = f"{_BY_HAND[place[1]]}({place[2]})"
    return code[: place.start()] + made + code[place.end() :]


def _on_every_bar(code: str, source: random.Random) -> str | None:
    """An indicator made where it is read, again with every bar."""
    place = initialize_of(code)
    if place is None:
        return None
    lines = lines_of(code)
    own = re.compile(r" {8}self\.(_\w+) = (self\.\w+\(self\._symbol, [\d., ]+\))\n")
    found = [(n, match) for n in range(*place) if (match := own.match(lines[n]))]
    found = [
        (n, match) for n, match in found
        if len(re.findall(rf"self\.{match[1]}\b", code)) > 1
        and len(re.findall(rf"self\.{match[1]}\b", "".join(lines[place[0] : place[1]]))) == 1
    ]  # fmt: skip
    if not found:
        return None
    number, match = source.choice(found)
    rest = "".join(lines[:number] + lines[number + 1 :])
    return re.sub(rf"self\.{match[1]}\b", lambda _: match[2], rest)


def _second_spelling(code: str, source: random.Random) -> str | None:
    """OnData beside on_data, as code has it that was put together from two sources."""
    if not re.search(r"^    def on_data\(self, data\):", code, re.MULTILINE):
        return None
    body = source.choice(("        pass\n", "        self.on_data(data)\n", "        return\n"))
    return f"{code.rstrip()}\n\n    def OnData(self, data):\n{body}"


HABITS = (
    mutation(
        "never_updated", "an indicator is made by hand and nothing updates it", "rules", _by_hand,
    ),
    mutation(
        "made_on_every_bar", "an indicator is made again with every bar", "rules trades",
        _on_every_bar,
    ),
    mutation(
        "both_spellings", "on_data stands there in both of LEAN's spellings", "rules",
        _second_spelling,
    ),
    mutation(
        "dotnet_list", "a list is made with .NET's method", "compile rules run",
        one(r"\blist\((self\._\w+)\)", r"\1.ToList()", r"\1.ToArray()", r"\1.to_list()"),
        rare=4,
    ),
    mutation(
        "keys_not_called", "LEAN's collection is walked over by a method that is not called",
        "compile rules run",
        one(r"for (symbol|s) in self\._symbols:", r"for \1 in self.portfolio.keys:",
            r"for \1 in self.securities.keys:", r"for \1 in self.portfolio.Keys:"),
        rare=4,
    ),
    mutation(
        "dotnet_time", "the time is asked as in .NET", "compile rules run",
        mapped(r"self\.time\.(?:month|day|weekday\(\)|year)\b|self\.time\.weekday\(\)",
               {"self.time.month": "self.time.Month", "self.time.day": "self.time.Day",
                "self.time.year": "self.time.Year",
                "self.time.weekday()": "self.time.DayOfWeek"}),
        rare=12,
    ),
    mutation(
        "invented_price", "a bar is asked for a price under a name that it does not have",
        "compile rules run",
        one(r"\b(bar|last)\.(close|open|high|low)\b", r"\1.\2_price", r"\1.adj_\2",
            r"\1.last_\2"),
        rare=4,
    ),
    mutation(
        "part_of_a_share", "a weight is given where a number of shares belongs", "rules trades",
        one(r"self\.set_holdings\((self\._\w+|symbol), (0\.\d+)\)",
            r"self.market_order(\1, \2)", r"self.buy(\1, \2)"),
        rare=2,
    ),
    mutation(
        "hour_of_a_daily_bar", "daily bars are asked for a time of the day", "rules trades",
        every(r"if self\.is_warming_up:", "if self.is_warming_up or self.time.hour != 10:",
              "if self.is_warming_up or self.time.hour < 9:",
              "if self.is_warming_up or self.time.hour != 15 or self.time.minute != 45:"),
    ),
)  # fmt: skip
