"""The command line: `qc-lora NOUN VERB`. One file a noun, loaded only when it is named."""

from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module
from typing import Any

import click

from qc_builder_lora import __version__
from qc_builder_lora.errors import QcLoraError
from qc_builder_lora.leaving import leave

# noun → (module below this package, help line); a command is the module's attribute `command`.
_NOUNS: dict[str, tuple[str, str]] = {
    "alpha": ("alpha", "The language of formulaic alphas, and one as a strategy."),
    "backtest": ("backtest", "Run strategies on bars and print what came of it."),
    "check": ("check", "Find a strategy's mistakes before anything runs."),
    "corpus": ("corpus", "Examples of our own, executed before they count."),
    "cost": ("cost", "What hosted models cost, and what the local one saved."),
    "daemon": ("daemon", "Make a turn of the loop whenever one is due."),
    "data": ("data", "The market data: convert, show."),
    "demo": ("demo", "The whole loop, once, on this machine."),
    "doctor": ("doctor", "What this machine gives: the sandbox's walls and all else."),
    "eval": ("eval", "Score a model on a suite beside what answers now."),
    "generate": ("generate", "Ask the chain for one strategy."),
    "harvest": ("harvest", "Take what a builder made into the store."),
    "model": ("model", "List models, promote one, go back."),
    "release": ("release", "Turn an adapter into a model that llama.cpp serves."),
    "report": ("report", "Build, list, open and serve the pages a person reads."),
    "retrain": ("retrain", "Fine-tune a base model on a snapshot."),
    "review": ("review", "Rate two models' answers without knowing whose they are."),
    "run": ("run", "Run a builder's script, unchanged, and harvest what it builds."),
    "serve": ("serve", "Answer over the OpenAI protocol on this machine."),
    "shadow": ("shadow", "A second model on the same requests, and who is better."),
    "snapshot": ("snapshot", "Freeze what there is to learn from."),
    "status": ("status", "Who answers, the last turn, and what is waited for."),
    "store": ("store", "Upgrade, check, export and import the database."),
    "strategy": ("strategy", "What was harvested, and which gates it passed."),
    "suite": ("suite", "The prompts that models are measured by: list, show, make."),
    "turn": ("turn", "One turn of the loop, now."),
}


class _LazyGroup(click.Group):
    """Loads a noun's file when it is called, so that --help stays instant."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_NOUNS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _NOUNS:
            return None
        module = import_module(f"qc_builder_lora.cli.{_NOUNS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        close = get_close_matches(args[0], _NOUNS, n=1)
        if close and args[0] not in _NOUNS:
            raise click.UsageError(f"No such command {args[0]!r}. Did you mean {close[0]!r}?", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(noun, _NOUNS[noun][1]) for noun in sorted(_NOUNS)])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="qc-lora")
def root() -> None:
    """Turn an autonomous QuantConnect builder's own work into a cheaper local model.

    \b
    Examples:
      qc-lora run examples/autonomous_build.py    harvest from a builder, unchanged
      qc-lora backtest my_strategy.py --json      one backtest, offline
      qc-lora status                              models, last turn, what is awaited
    """


def main(arguments: list[str] | None = None) -> None:
    """The console script: errors become one line on standard error and an exit code."""
    try:
        result: Any = root.main(args=arguments, prog_name="qc-lora", standalone_mode=False)
    except QcLoraError as error:
        from qc_builder_lora.redact import for_a_message

        click.echo(for_a_message(f"qc-lora: {error}"), err=True)
        leave(error.exit_code)
    except click.ClickException as error:
        error.show()
        leave(error.exit_code)
    except OSError as error:
        if error.filename is None or error.strerror is None:
            raise
        click.echo(f"qc-lora: {error.filename}: {error.strerror}.", err=True)
        leave(1)
    except (click.Abort, KeyboardInterrupt):
        click.echo("qc-lora: stopped", err=True)
        leave(130)
    leave(result if isinstance(result, int) else 0)
