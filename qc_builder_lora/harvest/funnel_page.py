"""The funnel as one self-contained page: what came in, where it stopped, and why.

No script, no font, no image from elsewhere; light and dark as the reader's system is set. Reasons
quote strategies and engines: everything is escaped. Bars are lengths in proportion to all
strategies; what is too few for a pixel still has one.
"""

from __future__ import annotations

from html import escape

from qc_builder_lora.harvest.cures import usual_cure
from qc_builder_lora.harvest.funnel import Explained, Step
from qc_builder_lora.harvest.page import document, figures
from qc_builder_lora.records import Outcome

_STYLE = """
.step { border-bottom: 1px solid var(--line); padding: .55rem 0; }
.head { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 1rem; }
.head .n { font-variant-numeric: tabular-nums; color: var(--soft); }
.bar { display: flex; height: 1rem; margin: .25rem 0; }
.bar i { display: block; min-width: 1px; } .pass { background: var(--first); }
.fail { background: var(--second); } .unknown { background: var(--third); }
.key i { display: inline-block; width: .8rem; height: .8rem; margin: 0 .3rem 0 1rem; }
ul { margin: .2rem 0 .2rem; padding-left: 1.2rem; } li { overflow-wrap: anywhere; }
"""


def page(found: Explained, reasons: int = 5) -> str:
    """The whole page as HTML, with the `reasons` most frequent reasons of each gate."""
    facts = [
        ("answers came in", found.generations),
        ("without code", found.without_code),
        ("do not parse", found.unparsable),
        ("equal an earlier one", found.same_strategy),
        ("strategies", found.strategies),
        ("not asked yet", found.not_asked),
        ("accepted", found.accepted),
        ("of them promising", found.promising),
    ]
    on_line = [step for step in found.steps if step.on_line]
    beside = [step for step in found.steps if not step.on_line]
    parts = [
        "<h1>What may teach, and what stopped the rest</h1>",
        "<p class=soft>Gates in the order in which they are asked. A strategy stops at the first "
        "that it does not pass; UNKNOWN is never a pass.</p>",
        figures(facts),
        "<p class='soft key'>Of those that reached a gate: <i class=pass></i>PASS"
        "<i class=fail></i>FAIL<i class=unknown></i>UNKNOWN</p>",
        *(_step(step, found.strategies, reasons) for step in on_line),
    ]
    if beside:
        parts.append("<h2>Beside the line: asked of the accepted ones, stops nobody</h2>")
        parts += [_step(step, found.strategies, reasons) for step in beside]
    return document("Harvest: the funnel", _STYLE, parts)


def _step(step: Step, strategies: int, reasons: int) -> str:
    parts = (("pass", step.passed), ("fail", step.failed), ("unknown", step.unknown))
    bars = "".join(
        f"<i class={name} style='width:{100 * count / max(1, strategies):.3f}%' "
        f"title='{count:,} {name.upper()}'></i>"
        for name, count in parts
        if count
    )
    told = ", ".join(f"{count:,} {name.upper()}" for name, count in parts if count)
    why = "".join(
        f"<li>{count:,} × {escape(reason)}</li>"
        for reason, count in step.reasons.most_common(reasons)
    )
    more = len(step.reasons) - reasons
    if more > 0:
        why += f"<li class=soft>{more:,} more reasons</li>"
    return (
        f"<div class=step><div class=head><b>{escape(step.name)}</b>"
        f"<span class=n>{step.reached:,} reached it: {told or 'nothing'}</span></div>"
        f"<div class=bar>{bars}</div>" + (f"<ul>{why}</ul>" if why else "") + _cure(step) + "</div>"
    )


def _cure(step: Step) -> str:
    """What can be done about the most frequent way in which it stopped some."""
    if not step.failed and not step.unknown:
        return ""
    outcome = Outcome.FAIL if step.failed >= step.unknown else Outcome.UNKNOWN
    return f"<div class=soft>What to do: {escape(usual_cure(step.name, outcome))}</div>"
