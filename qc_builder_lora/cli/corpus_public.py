"""qc-lora corpus add qc-docs, lean and folder: what others have published."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from qc_builder_lora.cli.common import F, jobs_option, json_option, opened, say_json, table

if TYPE_CHECKING:
    from qc_builder_lora.source_job import Added

_SHOWN = 20


def _options(function: F) -> F:
    """The options that all of them take."""
    path = click.Path(path_type=Path)
    for option in (
        click.option(
            "--data",
            type=path,
            help="A LEAN data folder; default the setting, else random walks of the tickers named.",
        ),
        click.option("--limit", type=click.IntRange(1), help="Only so many, from its beginning."),
        jobs_option,
        click.option(
            "--again",
            is_flag=True,
            help="Execute also what was refused before on the same data.",
        ),
        json_option,
    ):
        function = option(function)
    return function


@click.command("qc-docs")
@click.option(
    "--wheel",
    type=click.Path(path_type=Path),
    help="The file qc_lean_mcp-1.2.0-py3-none-any.whl; default pip fetches it.",
)
@_options
def qc_docs(wheel: Path | None, as_json: bool, **options: Any) -> None:
    """The Python examples of QuantConnect's documentation, out of the wheel qc-lean-mcp.

    pip fetches the wheel without installing it; its SHA-256 must be the one known here. The wheel
    says that it is MIT; whether the pages behind it may be used so is not established. Its examples
    say both and stay out of a snapshot unless you ask for them there. They run on random walks
    under the tickers that they name, unless a data folder is set.

    \b
    Examples:
      qc-lora corpus add qc-docs
      qc-lora corpus add qc-docs --wheel qc_lean_mcp-1.2.0-py3-none-any.whl --limit 200
      qc-lora snapshot build --include-source qc-docs
    """
    from qc_builder_lora.progress import show_progress
    from qc_builder_lora.source_job import SourceOptions, add_qc_docs

    settings, store = opened()
    with store:
        added = add_qc_docs(settings, store, show_progress, wheel, SourceOptions(**options))
    _say(added, as_json)


@click.command()
@click.option(
    "--checkout",
    required=True,
    type=click.Path(path_type=Path),
    help="The top of a checkout of QuantConnect/Lean.",
)
@_options
def lean(checkout: Path, as_json: bool, **options: Any) -> None:
    """LEAN's own Python algorithms (Apache-2.0), each with its summary as the request.

    Left out are those that test the engine, and options, futures, indices and CFDs. They run on the
    checkout's own Data folder unless --data names another.

    \b
    Example:
      git clone --depth 1 https://github.com/QuantConnect/Lean
      qc-lora corpus add lean --checkout Lean
    """
    from qc_builder_lora.progress import show_progress
    from qc_builder_lora.source_job import SourceOptions, add_lean

    settings, store = opened()
    with store:
        added = add_lean(settings, store, show_progress, checkout, SourceOptions(**options))
    _say(added, as_json)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--licence",
    help="An SPDX expression (MIT, Apache-2.0); LicenseRef-own-work for your own code.",
)
@click.option(
    "--encoding",
    help="What files are in that are not UTF-8 and do not say what they are: cp1252, gb18030.",
)
@_options
def folder(
    folder: Path, licence: str | None, encoding: str | None, as_json: bool, **options: Any
) -> None:
    """Strategies of a folder: .py files, and the cells of notebooks with a QCAlgorithm class.

    Without a licence nothing is taken. A licence of your own naming (LicenseRef-…) is kept with the
    examples, which then stay out of a snapshot unless asked for. C# is counted and named; links out
    of the folder are not followed; secrets are taken out before anything is stored. No encoding is
    guessed: a file is in UTF-8, in what its coding line or byte order mark says, or in --encoding.

    Each runs on your data folder, or where none is set on random walks under the tickers it names
    (by the day, and by hour or minute of its own period where it asks for them, for as many as fit
    180 MB): what is found out is whether it runs and trades, not whether it earns.

    \b
    Examples:
      qc-lora corpus add folder strategies --licence Apache-2.0
      qc-lora corpus add folder mine --licence LicenseRef-own-work --json
      qc-lora corpus add folder altes --licence MIT --encoding cp1252
    """
    from qc_builder_lora.progress import show_progress
    from qc_builder_lora.source_job import SourceOptions, add_folder

    settings, store = opened()
    with store:
        added = add_folder(
            settings, store, show_progress, folder, licence, SourceOptions(**options), encoding
        )
    _say(added, as_json)


def _say(added: Added, as_json: bool) -> None:
    plain = added.plain()
    if as_json:
        say_json(plain)
        return
    steps = ("source", "in", "parsed", "compiles", "runs", "trades", "kept", "new", "unknown",
             "not applicable")  # fmt: skip
    table(steps, [[plain[step] for step in steps]])
    for reason, count in plain["stopped"].items():
        click.echo(f"  stopped: {reason}  {count}")
    for kind, count in plain["redacted"].items():
        click.echo(f"  taken out: {kind}  {count}")
    for one in added.refused[:_SHOWN]:
        click.echo(f"  not taken: {one[0]}: {one[1]}")
    if len(added.refused) > _SHOWN:
        click.echo(f"  … and {len(added.refused) - _SHOWN} more; all of them with --json")
