"""Mistakes with names: members that LEAN does not have, attributes that hide its own, undefined."""

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
    renamed,
)

_METHODS = {
    "set_holdings": ("set_position", "order_target_percent", "set_weight"),
    "liquidate": ("close_position", "close_all", "exit_all"),
    "add_equity": ("add_stock", "subscribe_equity"),
    "set_warm_up": ("set_warmup_period", "warm_up_for"),
    "set_start_date": ("set_begin_date", "start_date_is"),
    "set_cash": ("set_capital", "set_initial_cash"),
    "momp": ("momentum_pct", "momentum"),
    "sma": ("simple_ma", "moving_average"),
    "ema": ("exp_moving_average",),
    "roc": ("rate_of_change_percentage",),
    "bb": ("bollinger",),
    "atr": ("average_range",),
    "std": ("stddev", "standard_dev"),
    "contains_key": ("has_data", "has_key", "contains"),
    "after_market_open": ("at_open", "after_open"),
    "month_start": ("start_of_month", "monthly"),
    "week_start": ("start_of_week", "weekly"),
    "market_order": ("order_market", "place_market_order"),
}
_PROPERTIES = {
    "current.value": ("current_value", "latest.value", "last_value"),
    "invested": ("is_invested", "has_position"),
    "is_warming_up": ("warming_up", "is_warmup"),
    "price": ("last_price", "current_price"),
    "quantity": ("shares", "position_size"),
    "previous.value": ("previous_value", "prior.value"),
    "unrealized_profit_percent": ("unrealized_return", "profit_percent"),
    "total_portfolio_value": ("equity", "total_value"),
    "lower_band": ("lower", "low_band"),
    "upper_band": ("upper", "up_band"),
    "middle_band": ("middle", "mid_band"),
}
_RESERVED = ("universe", "portfolio", "settings", "time", "transactions", "benchmark")


def _camel(code: str, source: random.Random) -> str | None:
    """One of LEAN's methods as JavaScript would write it, wherever it is called."""
    found = sorted(set(re.findall(r"self\.([a-z]+(?:_[a-z]+)+)\(", code)))
    found = [name for name in found if not re.search(rf"def {name}\b", code)]
    if not found:
        return None
    name = source.choice(found)
    first, *rest = name.split("_")
    camel = first + "".join(part.capitalize() for part in rest)
    return re.sub(rf"self\.{name}\(", f"self.{camel}(", code)


def _hidden(code: str, source: random.Random) -> str | None:
    """An indicator kept under the name of the method that made it."""
    pairs = re.findall(
        r"^ +self\.(_\w+) = (?:self\.|\{s: self\.)(\w+)\((?:self\._\w+|s),", code, re.MULTILINE
    )
    if not pairs:
        return None
    own, method = source.choice(pairs)
    return re.sub(rf"self\.{own}\b", f"self.{method}", code)


def _reserved(code: str, source: random.Random) -> str | None:
    """One of its own attributes under the name of one of LEAN's properties."""
    own = sorted(set(re.findall(r"^ +self\.(_\w+) = ", code, re.MULTILINE)))
    taken = [name for name in _RESERVED if not re.search(rf"\.{name}\b", code)]
    if not own or not taken:
        return None
    return re.sub(rf"self\.{source.choice(own)}\b", f"self.{source.choice(taken)}", code)


def _other_name(code: str, source: random.Random) -> str | None:
    """Set under one name in `initialize`, read under another one after it."""
    place = initialize_of(code)
    if place is None:
        return None
    lines = lines_of(code)
    before, after = "".join(lines[: place[1]]), "".join(lines[place[1] :])
    own = set(re.findall(r"self\.(_\w+) = ", before)) & set(re.findall(r"self\.(_\w+)", after))
    # What is set again later would be found under its new name.
    own -= set(re.findall(r"self\.(_\w+) = ", after))
    if not own:
        return None
    name = source.choice(sorted(own))
    other = source.choice((name[1:] + "_", name + "_indicator", name[:-1]))
    return before + re.sub(rf"self\.{name}\b", f"self.{other}", after)


def _never_set(code: str, source: random.Random) -> str | None:
    place = initialize_of(code)
    if place is None:
        return None
    lines = lines_of(code)
    found = [n for n in range(*place) if re.match(r" {8}self\._\w+ = .*[^(\[{,\n]\n$", lines[n])]
    if not found:
        return None
    number = source.choice(found)
    return "".join(lines[:number] + lines[number + 1 :])


def _undefined(code: str, source: random.Random) -> str | None:
    """A local name is read whose line is gone."""
    place = initialize_of(code)
    lines = lines_of(code)
    start = 0 if place is None else place[1]
    found = []
    for number in range(start, len(lines)):
        match = re.match(r" {8,}([a-z]\w*) = .*[^(\[{,\n]\n$", lines[number])
        if match and re.search(rf"\b{match[1]}\b", "".join(lines[number + 1 :])):
            found.append(number)
    if not found:
        return None
    number = source.choice(found)
    return "".join(lines[:number] + lines[number + 1 :])


def _misspelt(code: str, source: random.Random) -> str | None:
    """A local name with a letter missing where it is read."""
    names = [
        match for match in re.finditer(r"^ {8,}([a-z]{4,}) = ", code, re.MULTILINE)
        if re.search(rf"[^.\w]{match[1]}\b(?! =)", code[match.end() :])
    ]  # fmt: skip
    if not names:
        return None
    match = source.choice(names)
    uses = list(re.finditer(rf"(?<=[^.\w]){match[1]}\b(?! =)", code[match.end() :]))
    use = source.choice(uses)
    at = source.randrange(1, len(match[1]) - 1)
    start = match.end() + use.start()
    wrong = match[1][:at] + match[1][at + 1 :]
    return code[:start] + wrong + code[match.end() + use.end() :]


NAMES = (
    mutation(
        "missing_import", "nothing is imported from AlgorithmImports", "compile rules run",
        every(r"^from AlgorithmImports import \*\n+", ""),
    ),
    mutation(
        "wrong_import", "the import names a module that LEAN does not have", "compile rules run",
        every(r"^from AlgorithmImports import \*$", "from AlgorithmImport import *",
              "from QuantConnect.Algorithms import *", "from lean.algorithm import *"),
    ),
    mutation(
        "other_library", "a library is imported that LEAN does not have", "compile rules run",
        every(r"^(from AlgorithmImports import \*)$", r"\1\nimport yfinance as yf",
              r"\1\nimport backtrader as bt", r"\1\nimport pandas_ta as ta",
              r"\1\nimport requests", r"\1\nimport ccxt", r"\1\nimport vectorbt as vbt",
              r"\1\nfrom alpaca_trade_api import REST", r"\1\nimport zipline.api as zp"),
    ),
    mutation("camel_case", "a method is written in camel case", "compile", _camel),
    mutation("invented_method", "a method is called that LEAN does not have", "compile",
             renamed(_METHODS)),
    mutation("invented_property", "a property is read that LEAN does not have", "compile",
             renamed(_PROPERTIES)),
    mutation(
        "invented_enum_member", "an enum has no such member", "compile",
        every(r"Resolution\.DAILY", "Resolution.DAY", "Resolution.EOD", "Resolution.D1",
              "Resolution.WEEKLY"),
    ),
    mutation(
        "invented_average", "MovingAverageType has no such member", "compile",
        every(r"MovingAverageType\.\w+", "MovingAverageType.EMA", "MovingAverageType.SMA",
              "MovingAverageType.EXP"),
        rare=16,
    ),
    mutation("hidden_method", "an attribute hides the method that made it", "compile rules run",
             _hidden),
    mutation("reserved_attribute", "an attribute has the name of one of LEAN's properties",
             "compile rules run", _reserved),
    mutation("other_name", "an attribute is read under another name than it was set under",
             "compile", _other_name),
    mutation("never_set", "an attribute is read that was never set", "compile", _never_set),
    mutation("undefined_name", "a name is used that was never defined", "compile", _undefined),
    mutation("misspelt_name", "a name is misspelt", "compile", _misspelt),
    mutation("missing_self", "self is missing before an attribute", "compile",
             one(r"self\.(_[a-z]\w+)(?=\.current|\.price|\[|\)|,)", r"\1", )),
    mutation(
        "foreign_constant", "a constant is written as in another language", "compile rules run",
        mapped(r"\b(?:True|False|None)\b", {"True": "true", "False": "false", "None": "null"}),
        rare=6,
    ),
)  # fmt: skip
