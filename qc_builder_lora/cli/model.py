"""qc-lora model: what can answer, and who let it."""

from __future__ import annotations

from pathlib import Path

import click

from qc_builder_lora.cli.common import SHORT, facts, json_option, opened, resolve, say_json, table


@click.group("model")
def command() -> None:
    """List models, promote one, go back.

    \b
    Examples:
      qc-lora model list
      qc-lora model promote gemma-3-270m-1f2e3d4c5b6a --report REPORT.html --by "Ada"
      qc-lora model rollback --by "Ada" --reason "more time-outs"
      qc-lora model history
    """


@command.command("list")
@json_option
def list_models(as_json: bool) -> None:
    """All models, newest first, with their stage and size."""
    _, store = opened()
    with store:
        found = store.models.find()
    if as_json:
        say_json(
            [
                {
                    "id": one.id,
                    "stage": one.stage.value,
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
                one.stage.value,
                one.quantization,
                round(one.manifest["bytes"] / 1e6),
                one.manifest["parity"]["nll_gguf"],
                f"{one.created_at:%Y-%m-%d %H:%M}",
            )
            for one in found
        ],
    )


@command.command()
@click.argument("model")
@json_option
def show(model: str, as_json: bool) -> None:
    """The manifest of one model: every hash, and the quantisations that were refused."""
    _, store = opened()
    with store:
        found = resolve(store.models.find(), "model", model, "qc-lora model list")
    if as_json:
        say_json({**found.manifest, "stage": found.stage.value, "path": found.path})
        return
    manifest = found.manifest
    facts(
        [
            ("model", found.id),
            ("stage", found.stage.value),
            ("file", found.path),
            ("sha256", found.sha256),
            ("base", manifest["base"]["name"]),
            ("adapter", manifest["adapter"]["sha256"]),
            ("snapshot", manifest["snapshot"]),
            ("recipe", manifest["recipe"]["sha256"]),
        ]
    )
    table(
        ("kind", "MB", "NLL", "verdict"),
        [
            (a["quantization"], a["gguf_mb"], a["nll"], a["reason"] or "published")
            for a in manifest["parity"]["attempts"]
        ],
    )


@command.command()
@click.argument("model")
@click.option(
    "--report",
    required=True,
    type=click.Path(path_type=Path),
    help="The report you have read; it must be about this very artefact.",
)
@click.option("--by", required=True, help="Your name.")
@click.option("--reason", help="Why.")
@json_option
def promote(model: str, report: Path, by: str, reason: str | None, as_json: bool) -> None:
    """Let MODEL answer in production, because you have read REPORT."""
    from qc_builder_lora.release.register import promote as decide

    _, store = opened()
    with store:
        found = resolve(store.models.find(), "model", model, "qc-lora model list")
        made = decide(store, found.id, report, by, reason)
    if as_json:
        say_json({"promotion": made.id, "model": made.model_id, "was": made.previous_model_id})
        return
    click.echo(f"{made.model_id} is in production (before: {made.previous_model_id or 'none'}).")
    click.echo("To take it back: qc-lora model rollback --by NAME")


@command.command()
@click.option("--by", required=True, help="Your name.")
@click.option("--reason", help="Why.")
@json_option
def rollback(by: str, reason: str | None, as_json: bool) -> None:
    """Take the last promotion back: the model before it answers again."""
    _, store = opened()
    with store:
        made = store.promotions.rollback(by, reason)
    if as_json:
        say_json({"promotion": made.id, "model": made.model_id, "was": made.previous_model_id})
        return
    click.echo(f"{made.model_id} is in production again (before: {made.previous_model_id}).")


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
    """Archive MODEL because of what you have read in REPORT; who answers now does not change."""
    from qc_builder_lora.ids import file_hash

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
    """Every decision ever made, oldest first; rows are only added."""
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
                one.action.value,
                one.model_id,
                one.decided_by,
                (one.report_sha256 or "-")[:SHORT],
                one.reason or "-",
            )
            for one in found
        ],
    )
