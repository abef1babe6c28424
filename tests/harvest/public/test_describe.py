import ast

import pytest

from qc_builder_lora.harvest.corpus.public.describe import (
    describe,
    facts,
    spoken,
    steps,
    without_header,
)
from qc_builder_lora.harvest.corpus.public.request import asked, told

from .texts import STRATEGY, named

HEADER = (
    "# EXAMPLE.COM - Some Engine\n# Copyright 2014 Some Company.\n#\n"
    '# Licensed under the Apache License, Version 2.0 (the "License");\n'
)


def test_a_docstring_and_the_facts_of_the_code_make_the_request() -> None:
    said = describe(STRATEGY)
    assert said.origin == "docstring"
    assert said.instruction == (
        "Write a QuantConnect algorithm that buys IBM while it is above its average of twenty days "
        "and sells it below. Assets: IBM (daily). Indicators: sma(20). Trades by: target weights. "
        "Backtest from 2010-01-01 to 2010-12-31. Cash: 50,000."
    )


def test_without_a_docstring_the_comment_above_the_class_speaks_and_no_licence_header() -> None:
    code = STRATEGY.replace('    """Buys IBM while it is above its average of twenty days and '
                            'sells it below."""\n', "")  # fmt: skip
    above = code.replace("class Ibm", "# Holds IBM in an upward trend.\nclass Ibm")
    assert describe(HEADER + "\n" + above).instruction.startswith(
        "Write a QuantConnect algorithm that holds IBM in an upward trend. Assets"
    )
    said = describe(HEADER + "\n" + code)
    assert said.origin == "code"
    assert said.instruction.startswith("Write a QuantConnect algorithm: ibm above average. Assets")


def test_somebodys_words_about_it_come_before_its_own() -> None:
    said = describe(STRATEGY, "Follow the trend of IBM with an average.")
    assert said.origin == "text"
    assert "Follow the trend of IBM" in said.instruction
    assert "Buys IBM while" not in said.instruction


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("This algorithm sells at noon", "Write a QuantConnect algorithm that sells at noon."),
        (
            "This example algorithm demonstrates how to set a benchmark:",
            "Write a QuantConnect algorithm that demonstrates how to set a benchmark.",
        ),
        (
            "The following example algorithm short sells SPY.",
            "Write a QuantConnect algorithm that short sells SPY.",
        ),
        ("Algorithm showing the use of orders", "Write a QuantConnect algorithm that demonstrates "
                                                "the use of orders."),
        ("Buy IBM at the open.", "Buy IBM at the open."),
        ("Write a momentum strategy", "Write a momentum strategy."),
        ("Momentum of ETFs", "Write a QuantConnect algorithm. Momentum of ETFs."),
        ("Demonstration of daily bars", "Write a QuantConnect algorithm that demonstrates daily "
                                        "bars."),
        ("The demo alpha reads a file", "Write a QuantConnect algorithm that reads a file."),
        ("In this example we look at a crossing. It buys above.",
         "Write a QuantConnect algorithm to look at a crossing. It buys above."),
        ("Strategy example algorithm using an index", "Write a QuantConnect algorithm using an "
                                                      "index."),
        ("Using rolling windows", "Write a QuantConnect algorithm using rolling windows."),
        ("Ranks ETFs by strength", "Write a QuantConnect algorithm that ranks ETFs by strength."),
        ("MACD Example Algorithm", "Write a QuantConnect algorithm: MACD."),
        # No sentence about what the algorithm does.
        ("Momentum, week by week", "Write a QuantConnect algorithm. Momentum, week by week."),
    ],
)  # fmt: skip
def test_a_description_becomes_a_request(text: str, wanted: str) -> None:
    assert asked(text) == wanted


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Basic template algorithm simply initializes the date range and cash", ""),
        ("Trades daily bars.\nThis is a simple regression test algorithm.", "Trades daily bars."),
        ("TrendAlphaAlgorithm: example of a trend. See https://a.com/x", "example of a trend."),
        ("Ranks ETFs.\n\nSource: Somebody, S. (2018). A Book. pp. 90\n  and 91.\n\nBuys the first.",
         "Ranks ETFs. Buys the first."),
        ("This alpha is part of the Benchmark Alpha Series created by Us, open sourced so that "
         "others see it.", ""),
        ("Trades <see cref=\"A.B.SimpleAverage\"/> of a <c>Slice</c>.",
         "Trades SimpleAverage of a Slice."),
        ("Asks for history. As it uses quotes you should or", "Asks for history."),
        ("VIX EMA Cross The following algorithm adds bars.", "The following algorithm adds bars."),
        ("Rho Introduction Rates move it. To view it, see the LEAN GitHub repository.",
         "Rates move it."),
        ("This page explains how to ask for bars. Asks for bars.", "Asks for bars."),
        ("Bars of a day\nThis one waits", "Bars of a day. This one waits."),
        ("It needs comfort with C# events.\nBuys at noon.", "Buys at noon."),
    ],
)  # fmt: skip
def test_what_nobody_would_ask_for_is_left_out(text: str, kept: str) -> None:
    assert told(text) == kept


def test_a_name_of_the_api_is_spelt_as_the_code_spells_it() -> None:
    said = describe(STRATEGY, "Basic algorithm using SetHoldings and SetNothing").instruction
    assert said.startswith("Write a QuantConnect algorithm using set_holdings and SetNothing.")


def test_tickers_out_of_a_list_are_named_and_the_rest_counted() -> None:
    tickers = [f"T{n}" for n in range(15)]
    code = f"class A(QCAlgorithm):\n    def initialize(self):\n        for t in {tickers}:\n"
    said = facts(ast.parse(code + "            self.add_equity(t)\n"))
    assert said == f"Assets: {', '.join(tickers[:12])}, and 3 more."
    code = "a = Symbol.create('SPY', SecurityType.EQUITY)\nself.add_security(E, 'IBM')\n"
    assert facts(ast.parse(code)) == "Assets: SPY, IBM."
    assert facts(ast.parse("a = ['OPEN', 'low']; b = ['X', y]")) == ""


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("EmaCrossUniverseAlgorithm", "a QuantConnect algorithm: ema cross universe"),
        ("MACDTrend", "a QuantConnect algorithm: MACD trend"),
        ("my_strategy", "a QuantConnect algorithm: my"),
        ("Algorithm", "a QuantConnect algorithm"),
        ("BasicTemplateFillForwardAlgorithm", "a QuantConnect algorithm: fill forward"),
    ],
)
def test_a_class_name_is_spoken(name: str, words: str) -> None:
    assert spoken(name) == words


def test_facts_that_are_no_literals_are_left_unsaid() -> None:
    code = (
        "class A(QCAlgorithm):\n    def Initialize(self):\n        self.SetStartDate(START)\n"
        "        self.set_end_date(2013, 10, 11)\n        self.SetCash(cash)\n"
        "        for t in TICKERS: self.AddEquity(t)\n        self.AddEquity('SPY')\n"
        "        other.add_equity('QQQ')\n"
    )
    assert facts(ast.parse(code)) == "Assets: SPY. Backtest to 2013-10-11."


def test_comments_that_are_sentences_are_the_steps() -> None:
    code = (
        "x = 1\n# Request the index as\n# a market representative.\ny = 2\n# todo\n"
        "# self.sell(everything)\nz = 3 # Not at the end of a line that does something.\n"
    )
    assert steps(code) == ["Request the index as a market representative."]


def test_only_a_licence_header_at_the_top_is_taken_away() -> None:
    assert without_header(HEADER + "\n" + STRATEGY) == STRATEGY
    first = "# Momentum with a twist.\n" + STRATEGY
    assert without_header(first) == first
    inside = STRATEGY + "\n# Licensed under nothing at all\n"
    assert without_header(inside) == inside
    assert without_header("") == ""


@pytest.mark.parametrize(
    "code", ["", "x = 1\n", named("A").replace("sma", "SMA"), "class A(QCAlgorithm): pass"]
)
def test_whatever_parses_gets_a_request(code: str) -> None:
    assert len(describe(code).instruction) > 10


def test_tickers_of_a_loop_are_named_beside_those_that_are_added_alone() -> None:
    code = """
class Rotation(QCAlgorithm):
    def initialize(self):
        self.modes = ["BUY", "SELL"]
        self.safe = self.add_equity("TLT", Resolution.DAILY).symbol
"""
    loop = '        self.risky = [self.add_equity(t).symbol for t in ("SPY", "EFA")]\n'
    assert facts(ast.parse(code)) == "Assets: TLT (daily)."
    listed = facts(ast.parse(code.replace('["BUY", "SELL"]', "2") + loop))
    assert listed == "Assets: TLT (daily), SPY, EFA."
