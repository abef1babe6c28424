"""What a family is: a strategy with parameters, the code it becomes, and ways to ask for it.

A family is text with `$names` (string.Template), so that a reader sees the strategy itself. One
draw of its parameters gives a Draw: instruction, code and the parameters that identify it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from string import Template
from textwrap import dedent, indent
from typing import Any

from qc_builder_lora.harvest.corpus.specification import specification
from qc_builder_lora.ids import canonical_json, text_hash

Parameters = Mapping[str, Any]


def _any_parameters(_parameters: Parameters) -> bool:
    return True


@dataclass(frozen=True, kw_only=True)
class Family:
    """One kind of strategy.

    `initialize` and `rest` are templates: the lines after the cash is set, and the methods after
    `initialize`. `phrasings` are templates of the instruction, at least four. `names` fills
    further `$names` from the parameters drawn.
    """

    name: str
    theme: str
    class_name: str
    initialize: str
    rest: str
    phrasings: Sequence[str]
    parameters: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    further: Sequence[str] = ()
    """More phrasings, which the full corpus alone takes: suites ask in `phrasings` as they did."""
    assets: tuple[int, int] = (1, 1)
    """Fewest and most tickers it trades."""
    valid: Callable[[Parameters], bool] = _any_parameters
    names: Callable[[Parameters], Mapping[str, Any]] = lambda _parameters: {}

    def __post_init__(self) -> None:
        if len(self.phrasings) < 4:
            raise ValueError(f"{self.name}: at least 4 phrasings, got {len(self.phrasings)}")

    @property
    def styles(self) -> int:
        """Ways to ask: all phrasings, and after them a builder's specification."""
        return len(self.phrasings) + len(self.further) + 1

    def draw_parameters(self, source: random.Random, tickers: Sequence[str]) -> dict[str, Any]:
        """Parameters at random, valid together; the tickers are among them."""
        while True:
            drawn = {key: source.choice(list(values)) for key, values in self.parameters.items()}
            drawn["tickers"] = source.sample(list(tickers), source.randint(*self.assets))
            if self.valid(drawn):
                return drawn

    def code(self, parameters: Parameters, frame: Frame) -> str:
        """The strategy as one formatted file."""
        names = self._names(parameters)
        start, end = (f"{day.year}, {day.month}, {day.day}" for day in (frame.start, frame.end))
        head = (
            "from AlgorithmImports import *\n\n\n"
            f"class {self.class_name}(QCAlgorithm):\n"
            "    def initialize(self):\n"
            f"        self.set_start_date({start})\n"
            f"        self.set_end_date({end})\n"
            f"        self.set_cash({frame.cash})\n"
        )
        body = indent(_fill(self.initialize, names), " " * 8)
        return head + body + "\n" + indent(_fill(self.rest, names), " " * 4)

    def instruction(self, phrasing: int, parameters: Parameters, frame: Frame) -> str:
        """The request in one of the family's styles, with what the frame says of dates."""
        if phrasing == self.styles - 1:
            return self._specification(parameters, frame)
        text = self._said((*self.phrasings, *self.further)[phrasing], parameters)
        return text + frame.said(as_lines="\n" in text)

    def _said(self, template: str, parameters: Parameters) -> str:
        return _fill(template, self._names(parameters)).strip()

    def _specification(self, parameters: Parameters, frame: Frame) -> str:
        key = canonical_json([self.name, dict(parameters)])
        sentences = [text for text in (*self.phrasings, *self.further) if "\n" not in text]
        chosen = sentences[int(text_hash(key)[:8], 16) % len(sentences)]
        return specification(
            name=self.name,
            theme=self.theme,
            rule=self._said(chosen, parameters),
            parameters=parameters,
            period=(frame.start, frame.end),
            cash=frame.cash,
            key=key,
        )

    def _names(self, parameters: Parameters) -> dict[str, Any]:
        tickers = list(parameters["tickers"])
        return {
            "ticker": tickers[0],
            "second": tickers[-1],
            "list": _code_list(tickers),
            "tickers": _spoken_list(tickers),
            **parameters_as_text(parameters),
            **self.names(parameters),
        }


# What a request says of dates and cash, as a sentence and as lines of a specification.
_WORDINGS = (
    ("", ""),
    (" From $first to $last.", "\nstart: $start\nend: $end"),
    (" Backtest from $start to $end with $$$money.", "\nstart: $start\nend: $end\ncash: $cash"),
    (" Start with $$$money.", "\ncash: $cash"),
    (" Period $first-$last, initial capital $cash.", "\nperiod: $first-$last\ncash: $cash"),
)
# The same in other words, which the full corpus alone takes.
_FURTHER_WORDINGS = (
    (),
    (
        (" Use data between $first and $last.", "\nstart_date: $start\nend_date: $end"),
        (" Dates: $start to $end.", "\nperiod: $first-$last"),
        (" Years: $first-$last.", "\ndates: $start to $end"),
    ),
    (
        (
            " Run it from $first to $last, starting with $$$money.",
            "\nstart_date: $start\nend_date: $end\ninitial_capital: $cash",
        ),
        (" Data between $start and $end, cash $$$money.", "\ndata: $start to $end\ncash: $cash"),
        (
            " Simulate $start to $end on a starting capital of $$$money.",
            "\ncash: $cash\nfrom: $start\nto: $end",
        ),
    ),
    (
        (" Cash: $$$money.", "\ninitial_capital: $cash"),
        (" Begin with $$$money.", "\nstarting_capital: $cash"),
        (" The account has a starting capital of $$$money.", "\ncash: $$$money"),
    ),
    (
        (" From $first to $last, cash $cash.", "\nyears: $first-$last\nstarting_capital: $cash"),
        (
            " Years $first to $last, starting capital $$$money.",
            "\nperiod: $first to $last\ninitial_capital: $cash",
        ),
        (" Between $first and $last with $$$money.", "\ncash: $cash\nyears: $first to $last"),
    ),
)


@dataclass(frozen=True, kw_only=True)
class Frame:
    """The part of a request that every family shares: dates, cash, and how they are said.

    `wording` 0 says nothing, so that the model learns what to take when nobody said.
    """

    start: date
    end: date
    cash: int
    wording: int
    variant: int = 0
    """Which words of those that a wording has, counted round; 0 are those that suites take."""

    def said(self, *, as_lines: bool) -> str:
        """What is appended to the instruction."""
        names = {
            "first": self.start.year,
            "last": self.end.year,
            "start": self.start.isoformat(),
            "end": self.end.isoformat(),
            "cash": self.cash,
            "money": f"{self.cash:,}",
        }
        worded = (_WORDINGS[self.wording], *_FURTHER_WORDINGS[self.wording])
        return Template(worded[self.variant % len(worded)][as_lines]).substitute(names)


DEFAULT_START, DEFAULT_END = date(2006, 1, 1), date(2012, 12, 31)


def draw_frame(
    source: random.Random, years: tuple[int, int], cash: Sequence[int], default_cash: int
) -> Frame:
    """Dates of whole years, at least three, and cash; the defaults where the wording is silent."""
    wording = source.randrange(len(_WORDINGS))
    first = source.randint(years[0], years[1] - 2)
    last = source.randint(first + 2, years[1])
    dated, funded = wording in (1, 2, 4), wording in (2, 3, 4)
    return Frame(
        start=date(first, 1, 1) if dated else DEFAULT_START,
        end=date(last, 12, 31) if dated else DEFAULT_END,
        cash=source.choice(cash) if funded else default_cash,
        wording=wording,
    )


@dataclass(frozen=True, kw_only=True)
class Draw:
    """One instruction and the code that answers it."""

    family: Family
    parameters: Parameters
    phrasing: int
    frame: Frame

    @property
    def instruction(self) -> str:
        return self.family.instruction(self.phrasing, self.parameters, self.frame)

    @property
    def code(self) -> str:
        return self.family.code(self.parameters, self.frame)

    @property
    def style(self) -> str:
        """How it asks, by name."""
        last = self.phrasing == self.family.styles - 1
        return "specification" if last else f"phrasing-{self.phrasing}"

    @property
    def key(self) -> str:
        """Family and parameters: what a held-out prompt must not share with training."""
        return canonical_json([self.family.name, dict(self.parameters)])


def parameters_as_text(parameters: Parameters) -> dict[str, str]:
    """Parameters as they stand in code and text; fractions also as `NAME_percent`."""
    names: dict[str, str] = {}
    for key, value in parameters.items():
        if key == "tickers":
            continue
        names[key] = str(value)
        if isinstance(value, float):
            names[f"{key}_percent"] = f"{value * 100:g}"
    return names


def _fill(template: str, names: Mapping[str, Any]) -> str:
    return Template(dedent(template).strip("\n") + "\n").substitute(names)


def _code_list(tickers: Sequence[str]) -> str:
    return ", ".join(f'"{ticker}"' for ticker in tickers)


def _spoken_list(tickers: Sequence[str]) -> str:
    return tickers[0] if len(tickers) == 1 else f"{', '.join(tickers[:-1])} and {tickers[-1]}"
