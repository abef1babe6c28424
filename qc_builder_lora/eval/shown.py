"""How answers are drawn for the blind review: highlighted code, a line of statistics, curves.

Curves come from the judged answers of the last evaluations and live comparisons, found by the code
itself: what was never backtested has none.
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qc_builder_lora.eval import plots
from qc_builder_lora.ids import text_hash
from qc_builder_lora.kinds import RATES, SHOWN

_TOLD = ("Net Profit", "Drawdown", "Sharpe Ratio", "Total Orders")


class Answers:
    """What evaluations under a home folder have found about pieces of code."""

    def __init__(self, home: Path) -> None:
        self._found: dict[str, Mapping[str, Any]] = {}
        for path in sorted((home / "evaluations").rglob("*.json")):
            saved = json.loads(path.read_text("utf-8"))
            for side in ("champion", "challenger"):
                for one in saved.get(side, {}).get("judged", ()):
                    self._found[text_hash(one["answer"]["code"])] = one

    def note(self, code: str) -> str:
        """How far it came and with what figures, in a line."""
        one = self._found.get(text_hash(code))
        if one is None:
            return "not judged yet"
        told = [f"{key} {one['statistics'][key]}" for key in _TOLD if key in one["statistics"]]
        return ", ".join([reached(one), *told])

    def has_plot(self, first: str, second: str) -> bool:
        """Whether either has an equity curve."""
        return bool(self._curve(first) or self._curve(second))

    def plot(self, first: str, second: str) -> str:
        """Equity and drawdown of both, SVG; empty text without a curve."""
        return plots.blind(self._curve(first), self._curve(second))

    def _curve(self, code: str) -> tuple[tuple[str, float], ...]:
        one = self._found.get(text_hash(code))
        return tuple((day, value) for day, value in one["equity"]) if one else ()


def reached(steps: Mapping[str, Any]) -> str:
    """How far an answer came, by its rates; what nobody knows is said to be unknown."""
    passed = [rate for rate in RATES if steps[rate]]
    open_ = [rate for rate in SHOWN if steps.get(rate) is None]
    found = passed[-1] if passed else "parses unknown" if "parses" in open_ else "does not parse"
    if passed and steps.get("faithful") is not None:
        found += ", faithful" if steps["faithful"] else ", not faithful"
    if not passed or not open_:
        return found
    return f"{found} ({', '.join(open_)} unknown)"


def highlighted(code: str) -> str:
    """Python as HTML with the classes of pygments; plain where that is not installed."""
    if not code.strip():
        return "<pre>(no code)</pre>"
    try:
        from pygments import highlight
        from pygments.formatters import HtmlFormatter
        from pygments.lexers import PythonLexer
    except ImportError:
        return f"<pre>{html.escape(code)}</pre>"
    formatter: Any = HtmlFormatter(nowrap=True)
    return f'<pre class="hl">{highlight(code, PythonLexer(), formatter)}</pre>'
