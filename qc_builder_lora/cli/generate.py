"""qc-lora generate: one strategy for one prompt, on standard output or into a file."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from qc_builder_lora.config import load_settings
from qc_builder_lora.errors import InputError
from qc_builder_lora.files import write_text
from qc_builder_lora.models.writer import Draft

if TYPE_CHECKING:
    from qc_builder_lora.models.provider import StrategyProvider


@click.command()
@click.argument("prompt")
@click.option(
    "--context",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with what the prompt refers to: earlier code, an error message.",
)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="File for the code.")
@click.option("--json", "as_json", is_flag=True, help="Print code, provider, tokens and cost.")
@click.option("--stream", is_flag=True, help="Print the answer as it is written.")
def command(
    prompt: str, context: Path | None, out: Path | None, as_json: bool, stream: bool
) -> None:
    """Write one strategy with the first provider of the chain that can.

    \b
    Example:
      qc-lora generate "Buy SPY above its 200-day mean, else hold cash" --out main.py
    """
    from qc_builder_lora.models.provider import StrategyProvider

    if not prompt.strip():
        raise InputError("The prompt is empty. Say in a sentence what the strategy should do.")
    if stream and as_json:
        raise InputError("--stream prints text and --json an object: give one of the two.")
    text = context.read_text("utf-8") if context else ""
    with StrategyProvider(load_settings()) as provider:
        draft = _streamed(provider, prompt, text) if stream else provider.generate(prompt, text)
    if out:
        write_text(out, draft.code)
    if as_json:
        click.echo(json.dumps(asdict(draft), default=str, ensure_ascii=False))
    elif not stream and not out:
        click.echo(draft.code, nl=False)
    click.echo(_summary(draft, out), err=True)


def _streamed(provider: StrategyProvider, prompt: str, context: str) -> Draft:
    for chunk in provider.stream(prompt, context):
        sys.stdout.write(chunk.text)
        sys.stdout.flush()
        if chunk.draft:
            click.echo()
            return chunk.draft
    raise AssertionError("a chain's stream ends with a draft or an error")


def _summary(draft: Draft, out: Path | None) -> str:
    cost = "cost unknown" if draft.cost_usd is None else f"${draft.cost_usd:.4f}"
    tokens = "?" if draft.completion_tokens is None else draft.completion_tokens
    cut = ", cut off at QC_LORA_MAX_TOKENS" if draft.finish_reason == "length" else ""
    where = f" -> {out}" if out else ""
    seconds = f"{draft.latency_s:.1f} s" if draft.latency_s is not None else "?"
    return f"{draft.provider} ({draft.model}), {tokens} tokens, {seconds}, {cost}{cut}{where}"
