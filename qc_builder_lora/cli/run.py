"""qc-lora run: a builder's script, unchanged, with the hooks attached."""

from __future__ import annotations

import os
import sys

import click


@click.command("run", context_settings={"allow_interspersed_args": False})
@click.option("--verbose", is_flag=True, help="Say in one line, at the end, what was harvested.")
@click.argument("script")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(verbose: bool, script: str, arguments: tuple[str, ...]) -> int:
    """Run SCRIPT as `python SCRIPT ARGUMENTS` would, and harvest what it builds.

    Everything after SCRIPT belongs to the script. Its output and its exit code are its own; what
    we have to say goes to run.log in the home.

    \b
    Examples:
      qc-lora run autonomous_build.py
      qc-lora run --verbose examples/autonomous_build.py --specs 3
    """
    try:
        from qc_builder_lora.harvest.afterwards import ingest_afterwards
        from qc_builder_lora.harvest.supervise import leave_as
        from qc_builder_lora.plugin import run_script, usable_home

        home, problem = usable_home()
        home = home.absolute()
    except Exception as error:  # noqa: BLE001 (whatever it is, the script must run)
        if verbose:
            click.echo(f"qc-lora: run without hooks: {error}", err=True)
        os.execv(sys.executable, [sys.executable, script, *arguments])
    code = run_script(script, arguments, home)
    summary = ingest_afterwards(home, problem)
    if verbose:
        click.echo(f"qc-lora: {summary}", err=True)
    leave_as(code)
    return code
