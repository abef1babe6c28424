"""qc-lora release: from an adapter to a model that llama.cpp serves."""

from __future__ import annotations

import click

from qc_builder_lora.cli.common import facts, json_option, opened, resolve, say_json


@click.command("release")
@click.argument("adapter", required=False)
@json_option
def command(adapter: str | None, as_json: bool) -> None:
    """Merge ADAPTER (default: the newest) into its base, quantise, and check that what is served
    is what was trained; the smallest quantisation that passes becomes a candidate model.

    \b
    Examples:
      qc-lora release
      qc-lora release 5c0d9e71aa02 --json
    """
    from qc_builder_lora.errors import NotFound
    from qc_builder_lora.progress import show_progress
    from qc_builder_lora.release.publish import LADDER
    from qc_builder_lora.stages import release_adapter

    settings, store = opened()
    with store:
        found = store.adapters.find()
        if not found:
            raise NotFound("adapter", adapter or "(newest)", "Make one with: qc-lora retrain")
        chosen = resolve(found, "adapter", adapter, "qc-lora retrain") if adapter else found[0]
        with show_progress("Release", 3 + len(LADDER)) as progress:
            made = release_adapter(settings, store, chosen.id, progress)
        model = store.models.get(made)
    if as_json:
        say_json(dict(model.manifest))
        return
    parity = model.manifest["parity"]
    for attempt in parity["attempts"]:
        verdict = "published" if attempt["passes"] else f"refused: {attempt['reason']}"
        click.echo(
            f"{attempt['quantization']:<7} {attempt['gguf_mb']:>7} MB  "
            f"NLL {_figure(attempt['nll'])}  off trained "
            f"{_figure(attempt.get('nll_above_trained'), '+')}  {verdict}"
        )
    facts(
        [
            ("model", model.id),
            ("file", model.path),
            (
                "NLL trained / served / base",
                f"{parity['nll_hf']} / {parity['nll_gguf']} / {parity['nll_base']}",
            ),
            ("allowed off trained", parity.get("allowance")),
        ]
    )
    click.echo(f"next: qc-lora eval {model.id}")


def _figure(value: float | None, sign: str = "") -> str:
    return "UNKNOWN" if value is None else f"{value:{sign}.5f}"
