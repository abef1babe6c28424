"""qc-lora doctor: what this machine gives, wall by wall and need by need, with the cures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from qc_builder_lora.cli.common import json_option, say_json

if TYPE_CHECKING:
    from qc_builder_lora.doctor.line import Line

_MARKS = {"ok": "ok  ", "note": "note", "bad": "BAD "}
_HEADINGS = {"sandbox": "The sandbox around strategies", "product": "Everything else"}


@click.command("doctor")
@json_option
def command(as_json: bool) -> int:
    """Look at this machine: each wall of the sandbox, tried from the inside, and what else is
    needed. Changes nothing and shows no key.

    Exit code: 0 when nothing has to be cured, 1 when something is BAD. A note is worth knowing and
    stops nothing.

    \b
    Examples:
      qc-lora doctor
      qc-lora doctor --json
    """
    from qc_builder_lora.config import load_settings
    from qc_builder_lora.doctor import examine

    lines = []
    for line in examine(load_settings()):
        lines.append(line)
        if not as_json:
            # As they come: some take seconds.
            _show(line, lines)
    bad = sum(line.state == "bad" for line in lines)
    if as_json:
        level = next(line.said.partition(":")[0] for line in lines if line.name == "level")
        say_json({"ok": not bad, "sandbox": level, "lines": [line.plain() for line in lines]})
    else:
        click.echo(f"\n{bad} to cure: see BAD above." if bad else "\nNothing has to be cured.")
    return 1 if bad else 0


def _show(line: Line, so_far: list[Line]) -> None:
    if all(other.area != line.area for other in so_far[:-1]):
        click.echo(("" if len(so_far) == 1 else "\n") + _HEADINGS[line.area])
    click.echo(f"  {_MARKS[line.state]}  {line.name:<18} {line.said}")
    # One cure often serves several walls.
    if line.cure and all(other.cure != line.cure for other in so_far[:-1]):
        click.echo(f"        {'':<18} cure: {line.cure}")
