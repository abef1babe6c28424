"""The pages as HTML: what is in the store, escaped, in the look of the reports."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from qc_builder_lora.errors import NotFound, QcLoraError
from qc_builder_lora.kinds import SHOWN
from qc_builder_lora.records import Preference, Promotion, Verdict
from qc_builder_lora.store import Store
from qc_builder_lora.web.blind import Blind, Pair
from qc_builder_lora.web.decisions import read_report

MOST, DECISIONS_SHOWN = 100, 10
_PAGES = Path(__file__).with_name("pages")


@dataclass(frozen=True)
class Typed:
    """What a person had typed when they were refused."""

    by: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Shown:
    """How the answers of a blind pair are drawn; each takes code and gives HTML or text."""

    code: Callable[[str], str]
    """Highlighted, as HTML that is safe to show."""
    note: Callable[[str], str]
    """What a backtest said of it, in a line."""
    has_plot: Callable[[str, str], bool]
    plot: Callable[[str, str], str]
    """Equity and drawdown of both as SVG; empty when neither was backtested."""


@dataclass(frozen=True)
class Row:
    """One report of the list."""

    verdict: Verdict
    rates: list[str]
    stage: str


class Views:
    """Renders the pages of one start; `token` goes into every link and form."""

    def __init__(self, store: Store, token: str) -> None:
        self._store = store
        css = (_PAGES / "page.css").read_text("utf-8")
        self.style_source = f"'sha256-{_digest(css)}'"
        """The one style sheet that these pages may have, as a content security policy says it."""
        self._environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(_PAGES),
            # Names, reasons and a model's words come from anywhere: none may become markup.
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
        )
        # Ours, and its hash is of the text as it is.
        script = (_PAGES / "keys.js").read_text("utf-8")
        self.script_source = f"'sha256-{_digest(script)}'"
        """The one script: keys of the blind review."""
        self._environment.globals.update(css=Markup(css), script=Markup(script), token=token)

    def listing(
        self, *, made: Promotion | None = None, refusal: str = "", typed: Typed | None = None
    ) -> str:
        """All reports, the decisions, and the way back."""
        verdicts = self._store.verdicts.find(limit=MOST + 1)
        stages = {model.id: model.stage.value for model in self._store.models.find()}
        return self._render(
            "list",
            rates=(*SHOWN, "Sharpe"),
            rows=[
                Row(
                    one,
                    [*(_won_and_lost(one, rate) for rate in SHOWN), _sharpe(one)],
                    _stage(stages, one),
                )
                for one in verdicts[:MOST]
            ],
            more=len(verdicts) > MOST,
            made=made,
            refusal=refusal,
            typed=typed or Typed(),
            **self._now(),
        )

    def report(self, verdict: Verdict, *, refusal: str = "", typed: Typed | None = None) -> str:
        """One report with the form below it, or with what is wrong with its file."""
        stages = {model.id: model.stage.value for model in self._store.models.find()}
        return self._render(
            "report",
            verdict=verdict,
            stage=_stage(stages, verdict),
            sentence=verdict.evidence.get("sentence") or f"Verdict: {verdict.kind.value}.",
            rates=[(rate, _won_and_lost(verdict, rate), *_effect(verdict, rate)) for rate in SHOWN],
            sharpe=_sharpe(verdict),
            fault=_fault(verdict),
            refusal=refusal,
            typed=typed or Typed(),
            **self._now(),
        )

    def rater(self, challenger: str, total: int, refusal: str = "") -> str:
        """Who rates?"""
        return self._render("rater", challenger=challenger, total=total, refusal=refusal)

    def blind(self, blind: Blind, pair: Pair, rater: str, show: Shown, refusal: str = "") -> str:
        """One pair to be rated."""
        sides = [
            {"name": name, "code": Markup(show.code(one.code)), "note": show.note(one.code)}
            for name, one in (("A", pair.a), ("B", pair.b))
        ]
        return self._render(
            "blind",
            challenger=blind.challenger,
            pair=pair,
            total=len(blind),
            done=len(blind.rated(rater)),
            rater=rater,
            sides=sides,
            plot=show.has_plot(pair.a.code, pair.b.code),
            choices=(("a", "A", "A"), ("b", "B", "B"), ("tie", "No difference", "T")),
            chosen=_chosen(pair),
            scored=str(pair.rated.score or "") if pair.rated else "",
            comment=(pair.rated.comment or "") if pair.rated else "",
            refusal=refusal,
        )

    def unblinded(self, blind: Blind, rater: str) -> str:
        """Who was who, what the raters said, and where to decide."""
        reports = self._store.verdicts.find(challenger=blind.challenger)
        return self._render(
            "unblinded",
            challenger=blind.challenger,
            rater=rater,
            summary=blind.summary(),
            report=next((one for one in reports if one.report_path), None),
        )

    def notice(self, title: str, message: str) -> str:
        """A page that only says why there is no other."""
        return self._render("notice", title=title, message=message)

    def _now(self) -> dict[str, Any]:
        decisions = self._store.promotions.find(limit=DECISIONS_SHOWN)
        return {
            "production": self._store.models.production(),
            "canary": self._store.promotions.course().canary,
            "decisions": decisions,
            "seen": decisions[0].id if decisions else "",
        }

    def _render(self, page: str, **given: Any) -> str:
        return self._environment.get_template(f"{page}.html.j2").render(given)


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _chosen(pair: Pair) -> str:
    if pair.rated is None:
        return ""
    if pair.rated.preferred is Preference.TIE:
        return "tie"
    return "a" if pair.rated.preferred is pair.first else "b"


def verdict_of(store: Store, key: str) -> Verdict:
    """The Verdict with that id; NotFound says where they are listed."""
    if not store.verdicts.has(key):
        raise NotFound("report", key, "See which there are: qc-lora report list")
    return store.verdicts.get(key)


def _stage(stages: dict[str, str], verdict: Verdict) -> str:
    return stages.get(verdict.challenger, "not in the store")


def _fault(verdict: Verdict) -> str:
    try:
        read_report(verdict)
    except QcLoraError as error:
        return str(error)
    return ""


def _won_and_lost(verdict: Verdict, rate: str) -> str:
    found = verdict.evidence.get("rates", {}).get(rate)
    return "unknown" if found is None else _tally(found)


def _tally(found: Mapping[str, Any]) -> str:
    gap = "\N{NO-BREAK SPACE}"
    return f"+{found['wins']}{gap}\N{MINUS SIGN}{found['losses']} of{gap}{found['pairs']}"


def _effect(verdict: Verdict, rate: str) -> tuple[str, str]:
    """The difference in percentage points with its interval, and the e-value."""
    found = verdict.evidence.get("rates", {}).get(rate, {})
    if found.get("difference") is None:
        return "unknown", "unknown"
    low, high = found["interval"]
    gap = f"{100 * found['difference']:+.0f} ({100 * low:+.0f} to {100 * high:+.0f})"
    return gap, f"{found['e_value']:.3g}"


def _sharpe(verdict: Verdict) -> str:
    """Whose Sharpe ratio is higher in how many pairs, with the signed rank's e-value."""
    found = verdict.evidence.get("sharpe")
    if not found or not found["pairs"]:
        return "unknown"
    return f"{_tally(found)}, e\N{NO-BREAK SPACE}{found['e_value']:.3g}"
