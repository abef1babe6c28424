import ast

import pytest

from qc_builder_lora.harvest.corpus.public.describe import (
    asked,
    describe,
    facts,
    spoken,
    steps,
    without_header,
)

from .texts import STRATEGY, named

HEADER = (
    "# EXAMPLE.COM - Some Engine\n# Copyright 2014 Some Company.\n#\n"
    '# Licensed under the Apache License, Version 2.0 (the "License");\n'
)


def test_a_docstring_and_the_facts_of_the_code_make_the_request() -> None:
    said = describe(STRATEGY)
    assert said.origin == "docstring"
    assert said.instruction == (
        "Write a QuantConnect algorithm. Buys IBM while it is above its average of twenty days and "
        "sells it below. Assets: IBM (daily). Indicators: sma(20). Backtest from 2010-01-01 to "
        "2010-12-31. Cash: 50,000."
    )


def test_without_a_docstring_the_comment_above_the_class_speaks_and_no_licence_header() -> None:
    code = STRATEGY.replace('    """Buys IBM while it is above its average of twenty days and '
                            'sells it below."""\n', "")  # fmt: skip
    above = code.replace("class Ibm", "# Holds IBM in an upward trend.\nclass Ibm")
    assert describe(HEADER + "\n" + above).instruction.startswith(
        "Write a QuantConnect algorithm. Holds IBM in an upward trend. Assets"
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
        # No sentence about what the algorithm does.
        ("Algorithm of the week", "Write a QuantConnect algorithm. Algorithm of the week."),
    ],
)  # fmt: skip
def test_a_description_becomes_a_request(text: str, wanted: str) -> None:
    assert asked(text) == wanted


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("EmaCrossUniverseAlgorithm", "a QuantConnect algorithm: ema cross universe"),
        ("MACDTrend", "a QuantConnect algorithm: MACD trend"),
        ("my_strategy", "a QuantConnect algorithm: my"),
        ("Algorithm", "a QuantConnect algorithm"),
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
