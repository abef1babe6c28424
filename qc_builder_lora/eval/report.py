"""The report a person reads before switching: one self-contained HTML file.

It carries the artefact's hash, and its own hash is what a promotion is bound to, so it is written
once and never touched again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from qc_builder_lora.errors import MissingExtra
from qc_builder_lora.eval import plots
from qc_builder_lora.eval.compare import Contest, Pair, regressions
from qc_builder_lora.eval.costs import HostedPrice, cost_note, cost_rows, or_unknown, traffic
from qc_builder_lora.eval.earnings import sharpe_sentence
from qc_builder_lora.eval.score import NOT_TAUGHT, RESERVED, Judged, Scores
from qc_builder_lora.eval.shown import highlighted, reached
from qc_builder_lora.eval.statistics import counted, wilson
from qc_builder_lora.files import write_text
from qc_builder_lora.ids import file_hash
from qc_builder_lora.kinds import RATES, SHOWN
from qc_builder_lora.lineage import lineage, lineage_limits
from qc_builder_lora.records import Model, Outcome

_CURVES, _PAIRS = 4, 3
_HASH, _TITLE = 64, 48
"""Characters of a SHA-256, and of a title made of a request's words."""


@dataclass(frozen=True, kw_only=True)
class Material:
    """Everything the page shows."""

    model: Model
    champion: Scores
    challenger: Scores
    contest: Contest
    suite_sha256: str
    champion_sha256: str | None
    """None for a hosted model."""
    engine: str
    data_note: str
    made: datetime
    training: Mapping[str, Any] = field(default_factory=dict)
    prices: Sequence[HostedPrice] = ()
    others: Sequence[Scores] = ()
    """Further arms on the same requests: the base as it comes, and with examples."""
    ratings: Mapping[str, Any] | None = None
    """What blind raters said, people and models: `raters` and their `agreement`."""
    live: Mapping[str, Any] | None = None
    """Of a comparison on the builder's own requests: see `eval.live.save_live`."""


def write_report(material: Material, path: Path) -> str:
    """Write the page atomically and return its SHA-256."""
    try:
        import jinja2
    except ImportError as error:
        raise MissingExtra("report", "jinja2") from error
    source = Path(__file__).with_name("report.html.j2").read_text("utf-8")
    # Instructions and code are a language model's: nothing of theirs may become markup.
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    write_text(path, environment.from_string(source).render(_page(material, path)))
    return file_hash(path)


def _page(material: Material, path: Path) -> dict[str, Any]:
    contest, parity = material.contest, material.model.manifest["parity"]
    return {
        "model": material.model,
        "champion_name": contest.champion,
        "suite": {"name": material.challenger.suite},
        "made": material.made.strftime("%Y-%m-%d %H:%M UTC"),
        "report_name": path.name,
        "verdict": {"kind": contest.kind.value, "sentence": contest.sentence},
        "rates": _rates(material),
        "metric": contest.rule.metric,
        "confidence": f"{100 * (1 - contest.rule.alpha):g}",
        "effect_plot": plots.effect(contest.path(), contest.rule.margin),
        "rates_plot": plots.rates(_rate_points(material)),
        "families_plot": _families_plot(material),
        "curves": _curves(contest),
        "sharpe": sharpe_sentence(contest.sharpe()),
        "data_note": material.data_note,
        "groups": _groups(contest),
        "costs": cost_rows(
            material.champion, material.challenger, material.prices, material.others
        ),
        "cost_note": cost_note(material.prices, hosted_asked=bool(material.live)),
        "training": _training(material.training),
        # Models released by an earlier rule lack both.
        "attempts": [{"nll_above_trained": None, **one} for one in parity["attempts"]],
        "parity": {"allowance": None, **parity},
        "provenance": _provenance(material),
        "limits": _limits(material),
        "others": [_other(scores) for scores in material.others],
        "ratings": _ratings(material.ratings or {}),
        "live": traffic(material.live) if material.live else None,
        "highlight_css": _highlight_css(),
    }


def _rates(material: Material) -> list[dict[str, Any]]:
    rows = []
    for rate in SHOWN:
        pairs = material.contest.outcome(rate)
        row = {
            "name": rate,
            "wins": pairs["wins"],
            "losses": pairs["losses"],
            "difference": _points(pairs["difference"]),
            "interval": " to ".join(_points(end) for end in pairs["interval"]),
            "p": f"{pairs['mcnemar_p']:.3g}",
            "e": f"{pairs['e_value']:.3g}",
        }
        arms = {"champion": material.champion, "challenger": material.challenger}
        for arm, scores in arms.items():
            row[arm], row[f"{arm}_interval"] = _rate(scores, rate)
        rows.append(row)
    return rows


def _points(difference: float | None) -> str:
    """A difference of rates in percentage points."""
    return "unknown" if difference is None else f"{100 * difference:+.0f}"


def _rate(scores: Scores, rate: str) -> tuple[str, str]:
    """Of those that could be judged, how many; and Wilson's interval."""
    unknown = scores.unknown(rate)
    known = len(scores.judged) - unknown
    if not known:
        return f"unknown ({unknown})", "unknown"
    low, high = wilson(scores.count(rate), known)
    note = f" (+{unknown} unknown)" if unknown else ""
    return f"{scores.count(rate)}/{known}{note}", f"{100 * low:.0f}-{100 * high:.0f} %"


def _rate_points(
    material: Material,
) -> list[tuple[str, list[tuple[float | None, float, float]]]]:
    rows = []
    for rate in SHOWN:
        arms: list[tuple[float | None, float, float]] = []
        for scores in (material.champion, material.challenger):
            known = len(scores.judged) - scores.unknown(rate)
            share = scores.count(rate) / known if known else None
            arms.append((share, *wilson(scores.count(rate), known)))
        rows.append((rate, arms))
    return rows


def _families_plot(material: Material) -> str:
    """Empty for requests of the builder's own: what family they are of is not known."""
    return "" if material.live else plots.families(_family_shares(material))


def _family_shares(material: Material) -> dict[str, tuple[float | None, float | None]]:
    def share(pairs: Sequence[Judged]) -> float | None:
        steps = [getattr(one, rate) for one in pairs for rate in RATES]
        known = [step for step in steps if step is not None]
        return sum(known) / len(known) if known else None

    table: dict[str, list[Pair]] = {}
    for pair in material.contest.pairs:
        table.setdefault(pair.family, []).append(pair)
    return {
        family: (share([p.champion for p in pairs]), share([p.challenger for p in pairs]))
        for family, pairs in sorted(table.items())
    }


def _curves(contest: Contest) -> list[dict[str, str]]:
    """Pairs where both trade come first, then those where only the challenger does."""
    traded = [pair for pair in contest.pairs if pair.challenger.trades and pair.challenger.equity]
    traded.sort(key=lambda pair: not pair.champion.trades)
    found = []
    for pair in traded[:_CURVES]:
        champion = pair.champion.equity if pair.champion.trades else ()
        note = _statistics(pair.challenger.statistics)
        if not champion:
            known = "has no strategy that trades" if pair.champion.trades is False else "is unknown"
            note += f" ({contest.champion} {known} here.)"
        plot = plots.equity(champion, pair.challenger.equity)
        found.append({"title": _title(pair), "plot": plot, "note": note})
    return found


def _title(pair: Pair) -> str:
    """A suite's own name for a prompt; the first words of a request that has only a hash."""
    if len(pair.prompt_id) < _HASH:
        return pair.prompt_id
    words = " ".join(pair.instruction.split())
    return words if len(words) <= _TITLE else words[: _TITLE - 1] + "…"


def _statistics(statistics: Mapping[str, str]) -> str:
    wanted = ("Net Profit", "Drawdown", "Sharpe Ratio", "Total Orders")
    return ", ".join(f"{key} {statistics[key]}" for key in wanted if key in statistics)


def _groups(contest: Contest) -> list[dict[str, Any]]:
    worse = list(regressions(contest))
    others = [pair for pair in contest.pairs if pair not in worse]
    won = [p for p in others if p.challenger.trades and p.champion.trades is False]
    open_ = [p for p in others if None in (p.champion.trades, p.challenger.trades)]
    both = [p for p in others if p not in won and p not in open_]
    return [
        {"title": title, "pairs": [_side_by_side(pair) for pair in pairs[:_PAIRS]]}
        for title, pairs in (
            (f"Worse than before: {counted(len(worse), 'prompt')}", worse),
            (f"Now trades, did not before: {counted(len(won), 'prompt')}", won),
            (f"Cannot be told: {counted(len(open_), 'prompt')}", open_),
            (f"No difference in trading: {counted(len(both), 'prompt')}", both),
        )
        if pairs
    ]


def _side_by_side(pair: Pair) -> dict[str, Any]:
    return {
        "prompt_id": _title(pair),
        "family": pair.family,
        "instruction": pair.instruction,
        "summary": f"{_reached(pair.champion)} against {_reached(pair.challenger)}",
        "champion_note": _note(pair.champion),
        "challenger_note": _note(pair.challenger),
        "champion_code": highlighted(pair.champion.answer.code),
        "challenger_code": highlighted(pair.challenger.answer.code),
    }


def _reached(one: Judged) -> str:
    return reached({rate: getattr(one, rate) for rate in SHOWN})


def _note(one: Judged) -> str:
    missing = [
        str(found["evidence"]) for found in one.findings if found["outcome"] == Outcome.FAIL.value
    ]
    # A backtest that failed is the evidence of every constraint that it leaves open.
    said = "; ".join(dict.fromkeys([*([one.reason] if one.reason else []), *missing]))
    return _reached(one) + (f": {said}" if said else "")


def _highlight_css() -> str:
    try:
        from pygments.formatters import HtmlFormatter
    except ImportError:
        return ""
    light: Any = HtmlFormatter(style="friendly")
    dark: Any = HtmlFormatter(style="one-dark")
    rules = [
        _only_colours(light.get_style_defs(".hl")),
        "@media (prefers-color-scheme: dark) {",
        _only_colours(dark.get_style_defs(".hl")),
        "}",
    ]
    return "\n".join(rules)


def _only_colours(css: str) -> str:
    """Rules of tokens, without the style's own page background."""
    return "\n".join(line for line in css.splitlines() if line.startswith(".hl ."))


def _other(scores: Scores) -> dict[str, Any]:
    return {
        "name": scores.model,
        "n": len(scores.judged),
        "rates": [" ".join(_rate(scores, rate)) for rate in SHOWN],
    }


def _ratings(found: Mapping[str, Any]) -> dict[str, Any] | None:
    if not found.get("raters"):
        return None
    agreement = [
        {
            "raters": " and ".join(one["raters"]),
            "pairs": one["pairs"],
            "kappa": "unknown" if one["kappa"] is None else f"{one['kappa']:.2f}",
        }
        for one in found["agreement"]
    ]
    raters = [
        {**one, "first": _share(one["first_preferred"]), "score": or_unknown(one["mean_score"])}
        for one in found["raters"]
    ]
    return {"raters": raters, "agreement": agreement, "pairs": found["pairs"]}


def _share(value: float | None) -> str:
    return "unknown" if value is None else f"{100 * value:.0f} %"


def _training(metrics: Mapping[str, Any]) -> dict[str, Any] | None:
    if not metrics:
        return None
    names = {
        "examples": "examples",
        "steps": "steps",
        "tokens": "tokens",
        "tokens_per_s": "tokens a second",
        "minutes": "minutes",
        "peak_rss_mb": "peak memory, MB",
        "train_loss_first": "first training loss",
        "train_loss_last": "last training loss",
        "val_loss_first": "validation loss before",
        "val_loss_last": "validation loss after",
    }
    rows = [(label, metrics[key]) for key, label in names.items() if metrics.get(key) is not None]
    plot = plots.losses(metrics["losses"]) if metrics.get("losses") else ""
    return {"rows": rows, "plot": plot}


def _provenance(material: Material) -> list[tuple[str, str]]:
    manifest = material.model.manifest
    return [
        ("model", f"{material.model.id} ({material.model.quantization})"),
        ("artefact sha256", material.model.sha256),
        ("adapter sha256", manifest["adapter"]["sha256"]),
        ("base", f"{manifest['base']['name']} {manifest['base']['sha256']}"),
        ("champion sha256", material.champion_sha256 or "none: it is a hosted model"),
        ("snapshot", manifest["snapshot"]),
        *lineage(manifest),
        ("recipe sha256", manifest["recipe"]["sha256"]),
        ("suite sha256", material.suite_sha256),
        ("engine", material.engine),
        ("llama.cpp", manifest["llama_cpp"]),
    ]


def _limits(material: Material) -> list[str]:
    count = len(material.challenger.judged)
    low, high = wilson(round(0.8 * count), count)
    limits = [
        f"{counted(count, 'prompt')}: a rate of 80 % measured on so few may be anything from "
        f"{100 * low:.0f} to {100 * high:.0f} %.",
        "faithful means that nothing asked is missing, as far as a program can tell; not that the "
        "logic is right: read the code.",
        *lineage_limits(material.model.manifest),
    ]
    if material.live:
        return [
            *limits,
            "The requests are what the builder asked in that time; it may ask otherwise tomorrow.",
            "The builder went on with the champion's answers: how it would have gone on with the "
            "challenger's is not known.",
        ]
    return [
        *limits,
        _kinds(material),
        "No hosted model was asked: this is not a comparison with Claude or GPT-4.",
    ]


def _kinds(material: Material) -> str:
    """Whether the prompts are of kinds that were taught."""
    groups = Counter(one.group for one in material.challenger.judged)
    strange = groups[RESERVED] + groups[NOT_TAUGHT]
    parent = material.model.manifest.get("parent")
    if parent is not None and parent["snapshots"] is None:
        return "Whether the prompts are of kinds that the model was taught is UNKNOWN."
    if not strange:
        return (
            "The prompts are of the kinds the model was trained on, with other parameters; other "
            "kinds of request are not covered."
        )
    return (
        f"{strange} of the {groups.total()} prompts are of families that the model was not trained "
        f"on, {groups[RESERVED]} of them of families that nothing is ever trained on; qc-lora eval "
        "prints the rates of each apart."
    )
