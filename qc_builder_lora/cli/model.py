"""qc-lora model: what can answer, and who let it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from qc_builder_lora.cli.common import SHORT, facts, json_option, opened, resolve, say_json, table
from qc_builder_lora.lineage import lineage

if TYPE_CHECKING:
    from qc_builder_lora.records import Model, Promotion
    from qc_builder_lora.store import Store


@click.group("model")
def command() -> None:
    """List models, promote one, go back.

    \b
    Examples:
      qc-lora model list
      qc-lora model promote gemma-3-270m-1f2e3d4c5b6a --report REPORT.html --by "Ada"
      qc-lora model promote gemma-3-270m-1f2e --share 0.1 --report REPORT.html --by "Ada"
      qc-lora model promote --full --by "Ada"
      qc-lora model rollback --by "Ada" --reason "more time-outs"
      qc-lora model history
    """


@command.command("list")
@json_option
def list_models(as_json: bool) -> None:
    """All models, newest first, with their stage and size.

    \b
    Example:
      qc-lora model list
    """
    _, store = opened()
    with store:
        found = store.models.find()
        canary = store.promotions.course().canary
    if as_json:
        say_json(
            [
                {
                    "id": one.id,
                    "stage": one.stage.value,
                    "canary_share": _share_of(one.id, canary),
                    "quantization": one.quantization,
                    "path": one.path,
                    "sha256": one.sha256,
                    "created_at": one.created_at,
                    "parity": one.manifest.get("parity"),
                }
                for one in found
            ]
        )
        return
    table(
        ("model", "stage", "kind", "MB", "NLL served", "made"),
        [
            (
                one.id,
                _stage(one, canary),
                one.quantization,
                round(one.manifest["bytes"] / 1e6) if "bytes" in one.manifest else None,
                one.manifest.get("parity", {}).get("nll_gguf"),
                f"{one.created_at:%Y-%m-%d %H:%M}",
            )
            for one in found
        ],
    )


@command.command()
@click.argument("model")
@json_option
def show(model: str, as_json: bool) -> None:
    """The manifest of one model: every hash, and the quantisations that were refused.

    \b
    Example:
      qc-lora model show 4c1d0e
    """
    _, store = opened()
    with store:
        found = resolve(store.models.find(), "model", model, "qc-lora model list")
        canary = store.promotions.course().canary
    if as_json:
        about = {"stage": found.stage.value, "canary_share": _share_of(found.id, canary)}
        say_json({**found.manifest, **about, "path": found.path})
        return
    manifest = found.manifest
    facts(
        [
            ("model", found.id),
            ("stage", _stage(found, canary)),
            ("file", found.path),
            ("sha256", found.sha256),
            ("base", manifest["base"]["name"]),
            ("adapter", manifest["adapter"]["sha256"]),
            ("snapshot", manifest["snapshot"]),
            *lineage(manifest),
            ("recipe", manifest["recipe"]["sha256"]),
            ("allowed off trained", manifest["parity"].get("allowance")),
        ]
    )
    table(
        ("kind", "MB", "NLL", "off trained", "verdict"),
        [
            (
                a["quantization"],
                a["gguf_mb"],
                a["nll"],
                a.get("nll_above_trained"),
                a["reason"] or "published",
            )
            for a in manifest["parity"]["attempts"]
        ],
    )


@command.command()
@click.argument("model", required=False)
@click.option(
    "--report",
    type=click.Path(path_type=Path),
    help="The report you have read; it must be about this very artefact. Not needed to finish or "
    "change a canary: its own report stands.",
)
@click.option(
    "--share",
    type=float,
    help="A canary: the part of the Builds for which it answers, such as 0.1. 1 is all of them.",
)
@click.option("--full", is_flag=True, help="All Builds: finishes a canary. The same as --share 1.")
@click.option(
    "--elsewhere",
    is_flag=True,
    help="Another machine serves: do not look whether this one has the memory for two models.",
)
@click.option("--by", required=True, help="Your name.")
@click.option("--reason", help="Why.")
@json_option
def promote(
    model: str | None,
    report: Path | None,
    share: float | None,
    full: bool,
    elsewhere: bool,
    by: str,
    reason: str | None,
    as_json: bool,
) -> None:
    """Let MODEL answer in production, because you have read REPORT.

    With --share it is a canary: it answers for that part of the Builds, picked by a stable hash,
    so that the same Build always gets the same model; production answers for the rest, and
    wherever the canary fails. Without MODEL the canary is meant. It ends with --full, with
    `qc-lora model rollback`, or by itself where its figures are worse (eval/rollback.toml).
    Both models are in memory meanwhile: refused where that does not suffice.

    \b
    Examples:
      qc-lora model promote gemma-3-270m-1f2e --share 0.1 --report REPORT.html --by "Ada"
      qc-lora model promote --share 0.5 --by "Ada"
      qc-lora model promote --full --by "Ada"
    """
    from qc_builder_lora.models.memory import refuse_without_room
    from qc_builder_lora.release.register import promote as decide

    part = _part(share, full)
    _refuse_machine_name(by)
    _, store = opened()
    with store:
        found = _meant(store, model)
        if part is not None and not elsewhere:
            refuse_without_room(Path(found.path))
        made = decide(store, found.id, report, by, reason, share=part)
    if as_json:
        say_json(_decision(made))
        return
    if made.share is not None:
        rest = made.previous_model_id or "hosted models, nothing is in production"
        click.echo(f"{made.model_id} is the canary for {made.share:.0%} of the Builds.")
        click.echo(f"The rest: {rest}. To finish: qc-lora model promote --full --by NAME")
    else:
        before = made.previous_model_id or "none"
        click.echo(f"{made.model_id} is in production (before: {before}).")
    click.echo("To take it back: qc-lora model rollback --by NAME")


def _part(share: float | None, full: bool) -> float | None:
    """The share of a canary, None for all Builds."""
    from qc_builder_lora.errors import InputError

    if share is not None and not 0 < share <= 1:
        raise InputError(f"--share is a fraction above 0 and at most 1, got {share:g}.")
    if full and share not in (None, 1):
        raise InputError(f"--full means all Builds, --share {share:g} a part of them: give one.")
    return None if full or share in (None, 1) else share


def _meant(store: Store, name: str | None) -> Model:
    from qc_builder_lora.errors import InputError

    if name is not None:
        found: Model = resolve(store.models.find(), "model", name, "qc-lora model list")
        return found
    canary = store.promotions.course().canary
    if canary is None:
        raise InputError(
            "No model is on trial as canary, so name the one to promote. See: qc-lora model list"
        )
    return store.models.get(canary.model_id)


def _refuse_machine_name(by: str) -> None:
    from qc_builder_lora.errors import InputError
    from qc_builder_lora.records import AUTOMATIC

    if by.strip().lower().startswith(AUTOMATIC):
        raise InputError(f"{by!r} marks what no person decided. Give your own name with --by.")


@command.command()
@click.option("--by", required=True, help="Your name.")
@click.option("--reason", help="Why.")
@click.option(
    "--to-hosted",
    is_flag=True,
    help="Also where no model was in production before: hosted models answer then.",
)
@json_option
def rollback(by: str, reason: str | None, to_hosted: bool, as_json: bool) -> None:
    """End the canary; without one, take the last promotion back: the model before it answers

    \b
    Example:
      qc-lora model rollback --by "Ada L." --reason "more time-outs"
    again."""
    _refuse_machine_name(by)
    _, store = opened()
    with store:
        made = store.promotions.rollback(by, reason, emptying=to_hosted)
        production = store.models.production()
    if as_json:
        say_json({**_decision(made), "production": production.id if production else None})
        return
    answers = f"{production.id} is in production" if production else "hosted models answer"
    click.echo(f"{made.previous_model_id} was taken back; {answers}.")


@command.command()
@click.argument("model")
@click.option(
    "--report",
    required=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The report you have read.",
)
@click.option("--by", required=True, help="Your name.")
@click.option("--reason", help="Why.")
@json_option
def reject(model: str, report: Path, by: str, reason: str | None, as_json: bool) -> None:
    """Archive MODEL because of what you have read in REPORT; who answers now does not change.

    \b
    Example:
      qc-lora model reject 4c1d0e --report report.html --by "Ada L." --reason "buys at any price"
    """
    from qc_builder_lora.ids import file_hash

    _refuse_machine_name(by)
    _, store = opened()
    with store:
        found = resolve(store.models.find(), "model", model, "qc-lora model list")
        made = store.promotions.reject(found.id, file_hash(report), by, reason)
    if as_json:
        say_json({"promotion": made.id, "model": made.model_id, "action": made.action.value})
        return
    click.echo(f"{made.model_id} is archived. Decided by {made.decided_by}.")


@command.command()
@json_option
def history(as_json: bool) -> None:
    """Every decision ever made, oldest first; rows are only added.

    \b
    Example:
      qc-lora model history
    """
    _, store = opened()
    with store:
        found = store.promotions.history()
    if as_json:
        say_json(
            [
                {
                    "at": one.created_at,
                    "action": one.action.value,
                    "model": one.model_id,
                    "sha256": one.model_sha256,
                    "report_sha256": one.report_sha256,
                    "was": one.previous_model_id,
                    "by": one.decided_by,
                    "automatic": one.automatic,
                    "share": one.share,
                    "reason": one.reason,
                }
                for one in found
            ]
        )
        return
    table(
        ("when", "what", "model", "by", "report", "reason"),
        [
            (
                f"{one.created_at:%Y-%m-%d %H:%M}",
                one.action.value + (f" {one.share:.0%}" if one.share is not None else ""),
                _whom(one),
                one.decided_by,
                (one.report_sha256 or "-")[:SHORT],
                one.reason or "-",
            )
            for one in found
        ],
    )


def _whom(one: Promotion) -> str:
    """The model that answers from then on; of a rollback also the one taken back."""
    if one.action.value != "rollback":
        return one.model_id
    if one.model_id == one.previous_model_id:
        return f"none (was {one.model_id})"
    return f"{one.model_id} (was {one.previous_model_id})"


def _decision(made: Promotion) -> dict[str, Any]:
    return {
        "promotion": made.id,
        "action": made.action.value,
        "model": made.model_id,
        "was": made.previous_model_id,
        "share": made.share,
    }


def _share_of(key: str, canary: Promotion | None) -> float | None:
    return canary.share if canary is not None and canary.model_id == key else None


def _stage(one: Model, canary: Promotion | None) -> str:
    share = _share_of(one.id, canary)
    return one.stage.value if share is None else f"canary {share:.0%}"
