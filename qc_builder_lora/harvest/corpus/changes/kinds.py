"""All kinds of changes, by name."""

from __future__ import annotations

from qc_builder_lora.harvest.corpus.changes import edits, parameters
from qc_builder_lora.harvest.corpus.changes.change import Kind
from qc_builder_lora.harvest.corpus.changes.rules import RULES

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("one_number", "one parameter has another value", parameters.one_number, 5.0),
        Kind("several_numbers", "two or three parameters have other values",
             parameters.several_numbers, 3.0),
        Kind("entry_rule", "a risk rule gets another signal", parameters.entry_rule, 0.7),
        Kind("other_ticker", "one ticker in place of another", parameters.other_ticker, 1.0, ""),
        Kind("more_tickers", "a ticker more", parameters.more_tickers, 3.0, ""),
        Kind("fewer_tickers", "a ticker less", parameters.fewer_tickers, 3.0, ""),
        Kind("dates", "another period", parameters.dates, 0.5, ""),
        Kind("cash", "another amount of money", parameters.cash, 0.4, "", quiet=True),
        Kind("position_size", "another part of the portfolio", edits.position_size, 0.6, "risk"),
        Kind("invested_share", "a part stays cash", edits.invested_share, 0.8, "risk"),
        Kind("short_too", "short instead of flat", edits.short_too, 3.0),
        Kind("long_only", "flat instead of short", edits.long_only, 4.0, "risk"),
        Kind("other_average", "another kind of moving average", edits.other_average, 1.0),
        Kind("other_smoothing", "other averages inside an indicator", edits.other_smoothing, 0.5),
        Kind("calendar", "another calendar of rebalancing", edits.calendar, 1.0),
        *(kind for rule in RULES for kind in rule.kinds()),
    )
}  # fmt: skip
