"""qc-lora shadow: a second model on the same requests, and what the comparison says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from qc_builder_lora.cli.common import (
    facts,
    json_option,
    moment,
    opened,
    resolve,
    say_json,
    table,
)  # fmt: skip
from qc_builder_lora.kinds import SHOWN

if TYPE_CHECKING:
    from qc_builder_lora.records import Model
    from qc_builder_lora.store import Store


@click.group("shadow")
def command() -> None:
    """Ask a second model what was served, judge both answers, and see who is better.

    \b
    Examples:
      QC_LORA_SHADOW_SHARE=0.5 qc-lora serve --key-file .qc-lora/gateway.key
      qc-lora shadow replay --since 7d --limit 100
      qc-lora shadow replay --arm few-shot
      qc-lora shadow judge
      qc-lora shadow llm-judge --by openai
      qc-lora shadow status
      qc-lora report build --live
    """


@command.command()
@json_option
def status(as_json: bool) -> None:
    """What each `qc-lora serve` of this home asked the shadow, what it dropped and why; the pairs.

    All processes that serve now; where none does, the one that was the last.

    \b
    Example:
      qc-lora shadow status
    """
    from qc_builder_lora.models.telling import told

    settings, store = opened()
    processes = told(settings.home)
    with store:
        pairs = _pairs(store)
    if as_json:
        newest = processes[0] if processes else None
        say_json({"serving": newest, "processes": processes, "pairs": pairs})
        return
    if not processes:
        click.echo("No qc-lora serve has run here yet.\n")
    for one in [one for one in processes if one["serves"]] or processes[:1]:
        facts(_about(one))
        click.echo()
    table(("challenger", "shadow answers"), pairs)


def _about(process: Mapping[str, Any]) -> list[tuple[str, object]]:
    serves = "serves" if process["serves"] else "serves no more"
    rows: list[tuple[str, object]] = [
        ("process", f"{process['process']} ({serves})"),
        ("told at", process["at"]),
    ]
    for part in ("requests", "shadow"):
        values = process[part]
        if values is None:
            rows.append((part, "off"))
            continue
        rows += [(f"{part}: {name}", value) for name, value in values.items()]
    return rows


def _pairs(store: Store) -> list[tuple[str, int]]:
    from collections import Counter

    from qc_builder_lora.records import Role

    names = Counter(one.model or "unknown" for one in store.generations.find(role=Role.SHADOW))
    return names.most_common()


@command.command()
@click.argument("model", required=False)
@click.option("--since", default="30d", show_default=True, help="12h, 7d, 4w, or an ISO date.")
@click.option("--limit", default=200, show_default=True, help="Most requests to ask, newest first.")
@click.option("--hosted", help="Ask anthropic, openai or gemini instead of a local model.")
@click.option(
    "--arm",
    type=click.Choice(["base", "few-shot"]),
    help="Ask the model's base instead, as it comes or with the nearest examples before.",
)
@json_option
def replay(
    model: str | None,
    since: str,
    limit: int,
    hosted: str | None,
    arm: str | None,
    as_json: bool,
) -> None:
    """Ask MODEL (default: the newest) the stored requests it has not answered yet.

    Nothing is asked twice: an answer is kept by request and model. A hosted model spends within
    `shadow_daily_usd`; asked what it was served for, it shows how often it agrees with itself.
    The arms `base` and `few-shot` show what could be had without training.

    \b
    Examples:
      qc-lora shadow replay --since 7d
      qc-lora shadow replay --arm base --limit 20
    """
    from qc_builder_lora.progress import show_progress
    from qc_builder_lora.shadow_job import replay_requests

    settings, store = opened()
    with store:
        chosen = None if hosted else _model(store, model)
        made = replay_requests(
            settings, store, chosen, hosted=hosted, since=moment(since), limit=limit,
            show=show_progress, arm=arm,
        )  # fmt: skip
    if as_json:
        say_json(made)
        return
    facts(list(made.items()))
    click.echo("next: qc-lora shadow judge")


@command.command()
@click.argument("model", required=False)
@click.option("--against", help="The served model to compare with; default: the most frequent.")
@click.option("--since", default="30d", show_default=True, help="12h, 7d, 4w, or an ISO date.")
@json_option
def judge(model: str | None, against: str | None, since: str, as_json: bool) -> None:
    """Judge the pairs of MODEL (default: the newest) and of what was served, and say who wins.

    \b
    Example:
      qc-lora shadow judge
    """
    from qc_builder_lora.progress import show_progress
    from qc_builder_lora.shadow_job import judge_pairs

    settings, store = opened()
    with store:
        chosen = _model(store, model)
        made = judge_pairs(settings, store, chosen, against, moment(since), show_progress)
    if as_json:
        say_json(made)
        return
    _show(made)
    click.echo(f"next: qc-lora report build {chosen.id} --live")


@command.command("llm-judge")
@click.argument("model", required=False)
@click.option("--by", "name", required=True, help="Who judges: anthropic, openai or gemini.")
@click.option("--limit", default=200, show_default=True, help="Most pairs to ask about.")
@json_option
def llm_judge(model: str | None, name: str, limit: int, as_json: bool) -> None:
    """Let a hosted model say, blind, which answer to each pair of MODEL does what was asked.

    It rates as a person does in `qc-lora review`: without names, in random order. It must be of
    another family than both arms, spends within `shadow_daily_usd`, and is asked no pair twice.
    No verdict rests on it; its agreement with the people's ratings is shown.

    \b
    Example:
      qc-lora shadow llm-judge --by openai
    """
    from qc_builder_lora.progress import show_progress
    from qc_builder_lora.shadow_job import ask_judge

    settings, store = opened()
    with store:
        made = ask_judge(settings, store, _model(store, model), name, limit, show_progress)
    if as_json:
        say_json(made)
        return
    counts = ("judge", "pairs", "rated_before", "rated", "no_ruling")
    facts([(key, made[key]) for key in counts if key in made])
    click.echo()
    _show_raters(made)


def _show_raters(made: dict[str, Any]) -> None:
    columns = ("rater", "rated", "champion", "tie", "challenger", "first_preferred")
    rows = [[one[key] for key in columns] for one in made["raters"]]
    table(("rater", "rated", "champion", "tie", "challenger", "first stood first"), rows)
    for one in made["agreement"]:
        kappa = "unknown" if one["kappa"] is None else f"{one['kappa']:.2f}"
        click.echo(f"{' and '.join(one['raters'])}: kappa {kappa} over {one['pairs']} pairs")


def _show(made: dict[str, Any]) -> None:
    from qc_builder_lora.eval.earnings import sharpe_sentence
    from qc_builder_lora.eval.markdown import HEADINGS, cells

    for name, arm in made["arms"].items():
        steps = ", ".join(f"{rate} {arm[rate]}" for rate in SHOWN)
        click.echo(f"{name}: of {arm['n']} {steps}")
    rates = made["contest"]["rates"]
    table(HEADINGS, [cells(name, found) for name, found in rates.items()])
    click.echo(sharpe_sentence(made["contest"]["sharpe"]))
    for reason, count in made["dropped"].items():
        click.echo(f"{count} requests not paired: {reason}")
    saving = made["saving"]
    if saving["usd_a_month"] is not None:
        click.echo(
            f"{made['champion']} would cost ${saving['usd_a_month']} a month at this traffic"
        )
    click.echo("\n" + made["contest"]["sentence"])


def _model(store: Store, name: str | None) -> Model:
    from qc_builder_lora.stages import newest_model

    if name is None:
        return newest_model(store)
    found: Model = resolve(store.models.find(), "model", name, "qc-lora model list")
    return found
