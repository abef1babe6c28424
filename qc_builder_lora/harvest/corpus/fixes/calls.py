"""Mistakes in calls: wrong order, wrong type, called or not called, methods with a wrong head."""

from __future__ import annotations

from qc_builder_lora.harvest.corpus.fixes.mutation import every, mutation, one

_INDICATOR = r"(?<=self\.)(sma|ema|rsi|momp|roc|std|max|min|atr|bb|adx|cci|mfi|wilr|trix|dch)"
_SYMBOL = r"(self\._\w+|s|symbol)"

CALLS = (
    mutation(
        "swapped_arguments", "an indicator's arguments are in the wrong order", "compile",
        one(rf"{_INDICATOR}\({_SYMBOL}, ([\d.]+)", r"\1(\3, \2"),
    ),
    mutation(
        "swapped_holdings", "set_holdings gets the weight before the symbol", "compile",
        one(r"set_holdings\(([^,()]+), ([^,()]+)\)", r"set_holdings(\2, \1)"),
    ),
    mutation(
        "text_resolution", "the resolution is given as text", "compile rules",
        every(r"Resolution\.DAILY", '"daily"', '"1d"', '"Daily"'),
    ),
    mutation(
        "text_number", "a number is given as text", "compile",
        one(rf"{_INDICATOR}\({_SYMBOL}, ([\d.]+)", r'\1(\2, "\3"'),
    ),
    mutation(
        "text_date", "a date is given as text", "compile",
        one(r"set_(start|end)_date\((\d+), (\d+), (\d+)\)", r'set_\1_date("\2-\3-\4")'),
    ),
    mutation(
        "misplaced_resolution", "a resolution stands where the kind of average belongs",
        "compile rules",
        one(r"self\.(rsi|atr)\(([^(),]+), (\d+)\)", r"self.\1(\2, \3, Resolution.DAILY)"),
        rare=6,
    ),
    mutation(
        "missing_period", "an indicator's period is left out", "compile rules",
        one(rf"{_INDICATOR}\({_SYMBOL}, [\d.]+\)", r"\1(\2)"),
    ),
    mutation(
        "one_argument_too_many", "a call has an argument too many", "compile",
        one(r"set_cash\((\d+)\)", r'set_cash(\1, "USD", 1.0, True)', r'set_cash("USD", \1, 1, 0)',
            r"set_cash(\1, 1.0, 0.0, 0)"),
    ),
    mutation(
        "camel_keyword", "a keyword is in C#'s spelling", "compile rules",
        one(r"set_holdings\(([^,()]+), ([^,()]+)\)",
            r"set_holdings(\1, \2, liquidateExistingHoldings=False)"),
    ),
    mutation(
        "forgotten_symbol", ".symbol is missing after add_equity", "compile run",
        one(r"(add_equity\([^()]*\))\.symbol", r"\1.ticker", r"\1.name"),
    ),
    mutation(
        "value_called", "a value is called as if it were a method", "compile rules",
        one(r"\.current\.value\b(?!\()", ".current.value()"),
    ),
    mutation(
        "property_called", "a property is called as if it were a method", "compile rules",
        one(r"\.(is_warming_up|invested|price|time|quantity)\b(?![(\w])", r".\1()"),
    ),
    mutation(
        "unknown_keyword", "a keyword is given that the method does not have", "compile rules",
        one(r"self\.liquidate\(\)$", "self.liquidate(all=True)",
            "self.liquidate(symbol=None, force=True)"),
    ),
    mutation(
        "rule_not_called", "a date or time rule is not called", "compile rules",
        one(r"(self\.(?:date|time)_rules\.\w+)\([^()\n]*\),$", r"\1,"),
    ),
    mutation(
        "called_not_passed", "the method to schedule is called instead of handed over",
        "compile rules run",
        one(r"^( +self\._\w+),$", r"\1(),"),
    ),
    mutation(
        "action_wrapper", "a .NET delegate is put around a method", "compile rules run",
        one(r"^( +)(self\._\w+),$", r"\1Action(\2),"),
    ),
    mutation(
        "swapped_rules", "the time rule stands before the date rule", "compile",
        one(r"^( +self\.date_rules.*,\n)( +self\.time_rules.*,\n)", r"\2\1"),
    ),
    mutation(
        "method_without_self", "a method lacks self", "compile rules run",
        one(r"def (\w+)\(self, data\)", r"def \1(data)"),
    ),
    mutation(
        "callback_without_data", "on_data does not take the slice", "compile rules run",
        every(r"def on_data\(self, data\)", "def on_data(self)", "def on_data(self, data, symbol)"),
    ),
    mutation(
        "misspelt_initialize", "initialize has another name, so that nothing is set up",
        "compile rules run",
        every(r"def initialize\(self\)", "def initialise(self)", "def setup(self)",
              "def on_start(self)"),
    ),
    mutation(
        "constructor", "the set-up stands in __init__", "compile rules run",
        every(r"def initialize\(self\)", "def __init__(self)"),
    ),
    mutation(
        "bar_in_brackets", "a bar's value is taken with brackets", "compile rules run",
        every(r"self\.securities\[(self\._\w+|symbol|s)\]\.price", r'data[\1]["close"]'),
    ),
    mutation(
        "bar_of_the_slice", "the slice itself is asked for a price", "compile rules run",
        every(r"self\.securities\[(self\._\w+)\]\.price", "data.close", "data.price"),
    ),
)  # fmt: skip
