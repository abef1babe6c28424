"""What alphas may be traded on: the tickers of a data folder, and the years that it has of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from qc_builder_lora.errors import InputError, SettingsError
from qc_builder_lora.harvest.corpus.alphas.evaluate import Conventions
from qc_builder_lora.harvest.corpus.alphas.lean import WEIGHTINGS
from qc_builder_lora.harvest.corpus.alphas.panel import Listing

MOST_ORDERS = 10_000
"""LEAN's own limit for a backtest of a free account; a symbol may trade every day."""
_MOST_TICKERS = 60
_FEWEST_TICKERS = 5
_FEWEST_YEARS = 3


@dataclass(frozen=True, kw_only=True)
class Market:
    """What alphas may be traded on, and what requests may say of dates and cash."""

    tickers: Sequence[str]
    listings: Mapping[str, Listing] = field(default_factory=dict)
    years: tuple[int, int] = (2005, 2012)
    most_orders: int = MOST_ORDERS
    """Which a strategy that may trade every symbol every day should not exceed."""
    cash: Sequence[int] = (10000, 25000, 50000, 100000, 250000, 1000000)
    default_cash: int = 100000
    symbols: tuple[int, int] = (4, 5)
    """Fewest and most tickers of one strategy."""
    weighting: str | None = None
    """One of WEIGHTINGS, or None for both in turn."""
    conventions: Conventions = field(default_factory=Conventions)

    def __post_init__(self) -> None:
        if len(self.tickers) < 2:
            raise SettingsError(
                f"An alpha compares symbols, and there is {len(self.tickers)}. "
                "Name two tickers at least, or a data folder that has them."
            )
        if self.weighting is not None and self.weighting not in WEIGHTINGS:
            raise SettingsError(
                f"weighting is {self.weighting!r}; it is {' or '.join(WEIGHTINGS)}."
            )


def market_of(
    folder: Path,
    tickers: Sequence[str] = (),
    listings: Mapping[str, Listing] | None = None,
    **more: Any,
) -> Market:
    """What a LEAN data folder offers: the tickers named, or those that have years in common.

    The first year of the bars is left to the longest warm-up.
    """
    from qc_builder_lora.backtest.simulator.folder import Folder

    reader = Folder(folder)
    sizes = {name: reader.whole_path(name, "daily").stat().st_size for name in reader.tickers()}
    most = sorted(sorted(sizes, key=lambda name: (-sizes[name], name))[:_MOST_TICKERS])
    names = list(dict.fromkeys(name.strip().upper() for name in tickers)) or most
    spans = _spans(folder, names, named=bool(tickers), known=list(sizes))
    if not tickers:
        spans = _in_common(spans)
    years = _years(spans) if spans else (0, 0)
    if years[1] - years[0] + 1 < _FEWEST_YEARS:
        raise InputError(
            f"{folder}: {', '.join(names)} do not have {_FEWEST_YEARS} years of daily bars in "
            "common after a year of warm-up. Name others with --tickers, or make bars with: "
            "qc-lora data convert"
        )
    return Market(tickers=list(spans), listings=listings or {}, years=years, **more)


Spans = dict[str, tuple[date, date]]


def _spans(folder: Path, names: Sequence[str], *, named: bool, known: Sequence[str]) -> Spans:
    from qc_builder_lora.backtest.simulator.calendar import date_of
    from qc_builder_lora.backtest.simulator.feed import NoData
    from qc_builder_lora.backtest.simulator.shelf import Shelf

    shelf, spans = Shelf(folder), Spans()
    for name in names:
        try:
            days = shelf.series(name).days
        except NoData as error:
            if not named:
                continue
            raise InputError(f"{error}. The folder has: {', '.join(known[:50])}.") from error
        if days:
            spans[name] = (date_of(days[0]), date_of(days[-1]))
    return spans


def _in_common(spans: Spans) -> Spans:
    """Without those whose bars end first or begin last, until the others have years in common."""
    spans = dict(spans)
    while len(spans) > _FEWEST_TICKERS and not _enough(spans):
        starts = sorted(start for start, _ in spans.values())
        ends = sorted(end for _, end in spans.values())
        # The end that costs the rest more goes first.
        if ends[1] - ends[0] >= starts[-1] - starts[-2]:
            spans.pop(min(spans, key=lambda name: spans[name][1]))
        else:
            spans.pop(max(spans, key=lambda name: spans[name][0]))
    return spans


def _enough(spans: Spans) -> bool:
    first, last = _years(spans)
    return last - first + 1 >= _FEWEST_YEARS


def _years(spans: Spans) -> tuple[int, int]:
    """The first and last whole year of all, a year of warm-up left out."""
    first = max(start for start, _ in spans.values())
    last = min(end for _, end in spans.values())
    return (
        first.year + (1 if (first.month, first.day) <= (1, 5) else 2),
        last.year if (last.month, last.day) >= (12, 24) else last.year - 1,
    )
