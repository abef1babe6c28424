"""Sharpe ratios of two models, pair by pair: shown, never what the verdict is about.

A pair counts where both strategies traded and the engine gave a number for both; the others are
counted by the side that has none. Strategies of one request run over the same bars, so that the
difference is not the period's.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from qc_builder_lora.eval.sequential import signed_rank_e_value, signed_rank_p
from qc_builder_lora.eval.statistics import counted

if TYPE_CHECKING:
    from qc_builder_lora.eval.score import Judged

SHARPE = "Sharpe Ratio"
"""LEAN's key: annualised, without unit."""


def sharpe_of(one: Judged) -> float | None:
    """The Sharpe ratio of an answer that traded; None where there is none, or no number."""
    if not one.trades:
        return None
    try:
        value = float(one.statistics[SHARPE])
    except (KeyError, ValueError):
        return None
    return value if math.isfinite(value) else None


def sharpe_outcome(pairs: Sequence[tuple[Judged, Judged]]) -> dict[str, Any]:
    """Who has the higher Sharpe ratio of (champion, challenger), with Wilcoxon's signed rank.

    `p` is exact and holds for one look at a number of pairs fixed before; `e_value` at every look.
    """
    both, without = [], {"champion": 0, "challenger": 0}
    for pair in pairs:
        champion, challenger = (sharpe_of(one) for one in pair)
        without["champion"] += champion is None
        without["challenger"] += challenger is None
        if champion is not None and challenger is not None:
            both.append(challenger - champion)
    return {
        "pairs": len(both),
        "without": without,
        "wins": sum(gap > 0 for gap in both),
        "losses": sum(gap < 0 for gap in both),
        "median_difference": round(statistics.median(both), 4) if both else None,
        "signed_rank_p": signed_rank_p(both) if both else None,
        "e_value": signed_rank_e_value(both) if both else None,
    }


def sharpe_sentence(found: dict[str, Any]) -> str:
    """The same in words."""
    without = found["without"]
    equal = found["pairs"] - found["wins"] - found["losses"]
    left = (
        f"Without a Sharpe ratio: {without['champion']} of the champion's strategies, "
        f"{without['challenger']} of the challenger's."
    )
    if not found["pairs"]:
        return f"Sharpe ratio: unknown, in no pair have both strategies one. {left}"
    return (
        f"Sharpe ratio: higher {counted(found['wins'], 'time')}, lower "
        f"{counted(found['losses'], 'time')}, equal {counted(equal, 'time')} in the "
        f"{counted(found['pairs'], 'pair')} where both trade; median difference "
        f"{found['median_difference']:+.3f}; signed rank p {found['signed_rank_p']:.3g} for one "
        f"look, e-value {found['e_value']:.3g} at every look. {left}"
    )
