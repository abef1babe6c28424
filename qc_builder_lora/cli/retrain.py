"""qc-lora retrain: a LoRA on the newest snapshot, or what one would take."""

from __future__ import annotations

from dataclasses import replace

import click

from qc_builder_lora.cli.common import facts, json_option, opened, resolve, say_json, table
from qc_builder_lora.lineage import parent_facts

_NONE_PROMOTED = (
    "No model is in production. Promote one (qc-lora model promote), name a model or a folder, or "
    "leave --continue-from out to train from the base."
)


@click.group("retrain", invoke_without_command=True)
@click.option("--recipe", help="A recipe's name, or a .yaml file; default: the setting `recipe`.")
@click.option("--snapshot", help="The first digits of a snapshot's id; default: the newest.")
@click.option(
    "--continue-from",
    metavar="MODEL|FOLDER",
    help="Start from an earlier adapter, not from zero: `production`, the first digits of a "
    "model's or an adapter's id, or an adapter's folder as peft writes it.",
)
@json_option
@click.pass_context
def command(
    context: click.Context,
    recipe: str | None,
    snapshot: str | None,
    continue_from: str | None,
    as_json: bool,
) -> None:
    """Fine-tune a base model on a snapshot, as its recipe says.

    Stop it with Ctrl-C and give the same command again: it goes on where it was.

    With --continue-from (or continue_from in the recipe) training is incremental: the adapter's
    weights are where it starts, optimiser and learning rate begin anew. Base, rank, alpha and
    targets must be the recipe's. A folder that the store does not know has been taught nobody
    knows what: everything measured later says so.

    \b
    Examples:
      qc-lora retrain --recipe gemma-3-270m
      qc-lora retrain --continue-from production
      qc-lora retrain --continue-from runs/mine/adapter --recipe gemma-3-270m-gpu
      qc-lora retrain plan --recipe codellama-7b --device rtx-4090
      qc-lora retrain recipes
    """
    if context.invoked_subcommand is not None:
        return
    from qc_builder_lora.errors import NotFound
    from qc_builder_lora.progress import show_progress
    from qc_builder_lora.retrain.recipe import load_base, load_recipe
    from qc_builder_lora.retrain.run import train

    settings, store = opened()
    chosen = load_recipe(recipe or settings.recipe)
    if continue_from is not None:
        chosen = replace(chosen, continue_from=continue_from)
    terms = load_base(chosen.base).terms
    if terms:
        click.echo(terms, err=True)
    with store, show_progress(f"Retrain {chosen.name}", 1) as progress:
        if continue_from == "production" and store.models.production() is None:
            raise NotFound("model", "production", _NONE_PROMOTED)
        found = _snapshot(store, snapshot)
        run, adapter = train(store, settings.home, settings.cache_folder, chosen, found, progress)
    metrics = {key: value for key, value in run.metrics.items() if key != "losses"}
    if as_json:
        say_json({"run": run.id, "adapter": adapter.id, "path": adapter.path, **metrics})
        return
    about = parent_facts(metrics, chosen.continue_from)
    metrics = {key: value for key, value in metrics.items() if key not in ("parent", "seen")}
    made = [("run", run.id), ("adapter", adapter.id), ("path", adapter.path)]
    facts([*made, *about, *metrics.items()])
    too_long = metrics.get("left_out_too_long", 0)
    if too_long:
        click.echo(
            f"{too_long} of {too_long + metrics['examples']} examples are longer than "
            f"{metrics['longest_tokens']} tokens and were left out, not cut. A recipe with a "
            "larger max_tokens (and more memory) takes them."
        )
    click.echo(f"next: qc-lora release {adapter.id[:12]}")


def _snapshot(store: object, name: str | None) -> str:
    from qc_builder_lora.errors import EmptySnapshot

    found = store.snapshots.find()  # type: ignore[attr-defined]
    if name:
        return str(resolve(found, "snapshot", name, "qc-lora snapshot list").id)
    if not found:
        raise EmptySnapshot("no snapshot has been built; run: qc-lora snapshot build")
    return str(found[0].id)


@command.command()
@json_option
def recipes(as_json: bool) -> None:
    """List the recipes that can be used from here.

    \b
    Example:
      qc-lora retrain recipes
    """
    from qc_builder_lora.retrain.recipe import load_recipe, recipe_names

    rows = []
    for name in recipe_names():
        one = load_recipe(name)
        rows.append(
            {
                "recipe": one.name,
                "base": one.base,
                "rank": one.lora.rank,
                "alpha": one.lora.alpha,
                "targets": len(one.lora.targets),
                "learning_rate": one.learning_rate,
                "batch": one.batch * one.accumulate,
                "epochs": one.epochs,
            }
        )
    if as_json:
        say_json(rows)
        return
    table(tuple(rows[0]), [tuple(row.values()) for row in rows])


@command.command()
@click.option("--recipe", default="gemma-3-270m", show_default=True)
@click.option(
    "--device",
    default="cpu",
    show_default=True,
    type=click.Choice(["cpu", "rtx-4090", "a100-40gb", "h100", "h200"]),
    help="Where it would run.",
)
@click.option("--examples", default=264, show_default=True, help="Training examples.")
@click.option("--tokens", default=340, show_default=True, help="Tokens an example.")
@json_option
def plan(recipe: str, device: str, examples: int, tokens: int, as_json: bool) -> None:
    """Estimate parameters, memory and time; loads no weights, downloads nothing.

    \b
    Example:
      qc-lora retrain plan --recipe mistral-7b-corrected --device a100-40gb --examples 2000
    """
    from qc_builder_lora.retrain.plan import plan as make_plan
    from qc_builder_lora.retrain.recipe import load_base, load_recipe

    chosen = load_recipe(recipe)
    made = make_plan(
        chosen,
        load_base(chosen.base),
        device=device,
        examples=examples,
        tokens_an_example=tokens,
    ).plain()
    if as_json:
        say_json(made)
        return
    memory = made.pop("memory_gb")
    facts(list(made.items()))
    click.echo("memory, GB (1e9 bytes):")
    for part, size in memory.items():
        click.echo(f"  {part:<14} {size:>8.2f}")
