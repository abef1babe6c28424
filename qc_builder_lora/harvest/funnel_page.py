"""The funnel as one self-contained page: what came in, where it stopped, and why.

No script, no font, no image from elsewhere; light and dark as the reader's system is set. Reasons
quote strategies and engines: everything is escaped. Bars are lengths in proportion to all
strategies; what is too few for a pixel still has one.
"""

from __future__ import annotations

from html import escape

from qc_builder_lora.harvest.cures import usual_cure
from qc_builder_lora.harvest.funnel import Explained, Step
from qc_builder_lora.records import Outcome

_STYLE = """
:root { color-scheme: light dark; --back: #fff; --text: #1d2329; --soft: #5b6670; --line: #dde3e8;
  --pass: #2f6f9f; --fail: #b86a1c; --unknown: #98a3ad; }
@media (prefers-color-scheme: dark) { :root { --back: #14181c; --text: #e4e9ed; --soft: #9aa6b0;
  --line: #2c343b; --pass: #5aa3d6; --fail: #e09a4e; --unknown: #6b7680; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 68rem; padding: 1.5rem; background: var(--back);
  color: var(--text); font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; } h2 { font-size: 1.1rem; margin: 2.2rem 0 .6rem; }
.soft { color: var(--soft); } code { font: 13px/1.45 ui-monospace, monospace; }
.facts { display: flex; flex-wrap: wrap; gap: 1rem 2.5rem; margin: 1.2rem 0; }
.facts div { min-width: 6rem; } .facts b { display: block; font-size: 1.5rem; }
.step { border-bottom: 1px solid var(--line); padding: .55rem 0; }
.head { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 1rem; }
.head .n { font-variant-numeric: tabular-nums; color: var(--soft); }
.bar { display: flex; height: 1rem; margin: .25rem 0; }
.bar i { display: block; min-width: 1px; } .pass { background: var(--pass); }
.fail { background: var(--fail); } .unknown { background: var(--unknown); }
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
        "<div class=facts>",
        *(f"<div><b>{count:,}</b>{name}</div>" for name, count in facts),
        "</div>",
        "<p class='soft key'>Of those that reached a gate: <i class=pass></i>PASS"
        "<i class=fail></i>FAIL<i class=unknown></i>UNKNOWN</p>",
        *(_step(step, found.strategies, reasons) for step in on_line),
    ]
    if beside:
        parts.append("<h2>Beside the line: asked of the accepted ones, stops nobody</h2>")
        parts += [_step(step, found.strategies, reasons) for step in beside]
    return (
        "<!doctype html><html lang=en><head><meta charset=utf-8>"
        "<meta name=viewport content='width=device-width, initial-scale=1'>"
        f"<title>Harvest: the funnel</title><style>{_STYLE}</style></head><body>"
        + "\n".join(parts)
        + "</body></html>\n"
    )


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
