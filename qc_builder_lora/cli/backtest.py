"""qc-lora backtest: run strategies on an engine, or on several beside one another."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from qc_builder_lora.cli.common import table
from qc_builder_lora.config import ENGINES, Settings, load_settings
from qc_builder_lora.errors import InputError, SettingsError
from qc_builder_lora.progress import SILENT, Progress, show_progress

if TYPE_CHECKING:
    from qc_builder_lora.backtest.check.handed_in import HandedIn
    from qc_builder_lora.backtest.compare import Comparison
    from qc_builder_lora.backtest.protocol import BacktestResult, BacktestSettings
    from qc_builder_lora.records import BacktestStatus

_EXIT = {"completed": 0, "failed": 1, "unknown": 3}
_SHOWN = (
    "Net Profit", "Compounding Annual Return", "Sharpe Ratio", "Sortino Ratio", "Drawdown",
    "Win Rate", "Total Orders", "Total Fees", "Start Equity", "End Equity",
)  # fmt: skip
_Group = tuple[list[int], dict[str, str]]
_DAY = click.DateTime(formats=["%Y-%m-%d"])


@click.command("backtest")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--engine", "engines", type=click.Choice(ENGINES), multiple=True,
    help="Default: the one in the settings. Several are compared; the first is the measure.",
)  # fmt: skip
@click.option("--data", type=click.Path(path_type=Path), help="A LEAN data folder.")
@click.option("--start", type=_DAY, help="First day, in place of the strategy's own.")
@click.option("--end", type=_DAY, help="Last day, in place of the strategy's own.")
@click.option("--cash", type=float, help="Cash to begin with, in place of the strategy's own.")
@click.option("--parameter", "parameters", multiple=True, metavar="NAME=VALUE",
              help="What get_parameter answers; may be given again.")  # fmt: skip
@click.option("--jobs", type=click.IntRange(1), help="Backtests at a time.")
@click.option("--unsafe", is_flag=True, help="Run even where no sandbox can be had.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path),
              help="Equity and drawdown as .html, .png or .svg; one file only.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON: one object, or a list for many.")
def command(
    paths: tuple[Path, ...], engines: tuple[str, ...], data: Path | None, start: datetime | None,
    end: datetime | None, cash: float | None, parameters: tuple[str, ...], jobs: int | None,
    unsafe: bool, out: Path | None, as_json: bool,
) -> int:  # fmt: skip
    """Backtest strategy files, or all *.py of folders.

    Modules that a file imports and that lie beside it go with it.

    Exit code: 0 completed, 1 failed, 3 unknown (the engine cannot say); of many, 1 if any failed,
    else 3 if any is unknown. 2 is ours: nothing was run. Ctrl-C stops what runs, in the cloud too.

    \b
    Examples:
      qc-lora backtest my_strategy.py
      qc-lora backtest strategies/ --jobs 2 --json > results.json
      qc-lora backtest my_strategy.py --data ~/Lean/Data --start 2015-01-01 --end 2019-12-31
      qc-lora backtest my_strategy.py --parameter fast=20 --parameter slow=60 --out equity.html
      qc-lora backtest my_strategy.py --engine simulator --engine quantconnect
    """
    from qc_builder_lora.backtest.check.handed_in import read, read_of_folder
    from qc_builder_lora.backtest.protocol import BacktestSettings

    settings = load_settings(data=data, allow_open_sandbox=True if unsafe else None)
    files = _files(paths)
    if out is not None and len(files) > 1:
        raise InputError(f"--out draws one strategy, {len(files)} were given. Name one file.")
    if out is not None:
        from qc_builder_lora.backtest.plot import kind_of

        kind_of(out)  # before anything runs
    chosen = BacktestSettings(
        start=start.date() if start else None,
        end=end.date() if end else None,
        cash=cash,
        parameters=_parameters(parameters),
    )
    if data is not None and "quantconnect" in (engines or (settings.engine,)):
        click.echo("quantconnect runs on its own data, not on --data", err=True)
    codes = [read(path) if path in paths else read_of_folder(path) for path in files]
    groups, failed = _by_siblings(files, codes)
    columns = [
        _run_all(settings, name, codes, groups, failed, chosen, jobs or settings.usable_jobs)
        for name in dict.fromkeys(engines or (settings.engine,))
    ]
    rows = list(zip(*columns, strict=True))
    single = len(files) == 1 and paths == tuple(files)
    if as_json:
        found = [_plain(path, row) for path, row in zip(files, rows, strict=True)]
        click.echo(json.dumps(found[0] if single else found))
    else:
        for path, row in zip(files, rows, strict=True):
            _print(path, row, brief=len(files) > 1)
    if out is not None:
        _draw(out, files[0], rows[0])
    return _worst(result for row in rows for result in row)


def _by_siblings(
    files: Sequence[Path], codes: Sequence[HandedIn]
) -> tuple[list[_Group], dict[int, str]]:
    """The places of the files that import the same modules beside them, and those modules; and why
    the others cannot be run."""
    from qc_builder_lora.backtest.siblings import siblings

    found: dict[tuple[tuple[str, str], ...], list[int]] = {}
    failed = {
        place: f"{path}: {code.refused}."
        for place, (path, code) in enumerate(zip(files, codes, strict=True))
        if not (code.decoded or code.unread)
    }
    for place, (path, code) in enumerate(zip(files, codes, strict=True)):
        if not code.decoded:
            continue
        try:
            beside = siblings(path, code.text)
        except InputError as error:
            failed[place] = str(error)
            continue
        found.setdefault(tuple(sorted(beside.items())), []).append(place)
    return [(places, dict(beside)) for beside, places in found.items()], failed


def _run_all(
    settings: Settings, name: str, codes: Sequence[HandedIn], groups: Iterable[_Group],
    failed: Mapping[int, str], chosen: BacktestSettings, jobs: int,
) -> list[BacktestResult]:  # fmt: skip
    from qc_builder_lora.records import BacktestStatus

    # One file that cannot be read must not hide the others. What is no text fails, as Python's
    # import of it does; what nobody could read is unknown.
    results = {
        place: _not_run(name, BacktestStatus.UNKNOWN, code.unread)
        for place, code in enumerate(codes) if code.unread
    }  # fmt: skip
    results |= {
        place: _not_run(name, BacktestStatus.FAILED, reason) for place, reason in failed.items()
    }
    for places, beside in groups:
        mine = [codes[place].text for place in places]
        found = _run(settings, name, mine, replace(chosen, files=beside), jobs)
        results.update(zip(places, found, strict=True))
    return [results[place] for place in range(len(codes))]


def _not_run(name: str, status: BacktestStatus, reason: str) -> BacktestResult:
    from qc_builder_lora.backtest.protocol import BacktestResult

    return BacktestResult(
        status=status, engine=name, engine_version=None, data_fingerprint=None,
        code_sha256="", phase="load", reason=reason,
    )  # fmt: skip


def _run(
    settings: Settings, name: str, codes: Sequence[str], chosen: BacktestSettings, jobs: int
) -> list[BacktestResult]:
    from qc_builder_lora.backtest.engines import make_engine

    engine = make_engine(settings, name)
    try:
        with _progress(name, len(codes)) as bar:
            return list(engine.run_many(codes, chosen, jobs=jobs, progress=bar.update))
    finally:
        engine.close()


@contextmanager
def _progress(name: str, total: int) -> Iterator[Progress]:
    if total == 1 and name == "simulator":
        yield SILENT
        return
    with show_progress(f"backtest ({name})", total) as bar:
        yield bar


def _files(paths: Iterable[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        # What is no file, such as a link to nowhere or a pipe, is no strategy.
        inside = sorted(filter(Path.is_file, path.glob("*.py"))) if path.is_dir() else [path]
        if not inside:
            raise InputError(f"{path}: no *.py files in this folder. Name the files themselves.")
        found += inside
    return found


def _parameters(given: Iterable[str]) -> dict[str, str]:
    found = {}
    for text in given:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise SettingsError(f"--parameter {text!r} has no value. Write it as NAME=VALUE.")
        found[name] = value
    return found


def _worst(results: Iterable[BacktestResult]) -> int:
    codes = {_EXIT[str(result.status)] for result in results}
    return 1 if 1 in codes else max(codes, default=0)


def _draw(out: Path, path: Path, row: Sequence[BacktestResult]) -> None:
    from qc_builder_lora.backtest.plot import draw

    if not any(result.equity for result in row):
        click.echo(f"not drawn: there is no equity for {out}", err=True)
        return  # the exit code is the verdict
    draw(out, path.name, row)
    click.echo(f"drawn: {out}", err=True)


def _plain(path: Path, row: Sequence[BacktestResult]) -> dict[str, Any]:
    if len(row) == 1:
        return {"file": str(path), **row[0].plain()}
    from qc_builder_lora.backtest.compare import compare

    return {
        "file": str(path),
        "results": {result.engine: result.plain() for result in row},
        "comparison": compare(row).plain(),
    }


def _print(path: Path, row: Sequence[BacktestResult], *, brief: bool) -> None:
    if len(row) == 1:
        _print_one(path, row[0], brief=brief)
        return
    from qc_builder_lora.backtest.compare import compare

    found = compare(row)
    said = zip(found.engines, found.statuses, strict=True)
    click.echo(f"{path}: " + ", ".join(f"{engine} {status}" for engine, status in said))
    for engine, reason in zip(found.engines, found.reasons, strict=True):
        if reason:
            click.echo(f"  {engine}: {reason}")
    _print_differences(found, brief=brief)


def _print_differences(found: Comparison, *, brief: bool) -> None:
    rows = [row for row in found.rows if row.same is False or not brief]
    if rows:
        cells = [
            [row.name, *(value or "-" for value in row.values), *_signed(row.differences[1:]),
             {True: "", False: "differs", None: "?"}[row.same]]
            for row in rows
        ]  # fmt: skip
        gaps = [f"{engine} - {found.engines[0]}" for engine in found.engines[1:]]
        table(["statistic", *found.engines, *gaps, ""], cells)
    for parting in (*found.partings, *found.equity):
        facts = "; ".join(f"{name}: {one} / {two}" for name, (one, two) in parting.facts.items())
        click.echo(f"first difference to {parting.engine}: {parting.where}: {facts}")
    if found.same:
        click.echo("no difference")


def _signed(differences: Iterable[float | None]) -> list[str]:
    return ["?" if gap is None else f"{gap:+g}" if gap else "0" for gap in differences]


def _print_one(path: Path, result: BacktestResult, *, brief: bool) -> None:
    head = f"{path}: {result.status}"
    if result.missing_walls:
        head += f" (sandbox open: no {', '.join(result.missing_walls)})"
    if result.reason:
        head += f" in {result.phase}: {result.reason}"
    if brief:
        profit = result.statistics.get("Net Profit", "")
        orders = f"{result.total_orders} orders" if result.total_orders is not None else ""
        click.echo("  ".join(part for part in (head, profit, orders) if part))
        return
    click.echo(head)
    for name in _SHOWN:
        if name in result.statistics:
            click.echo(f"  {name:<28} {result.statistics[name]:>14}")
    for line in result.logs[-5:]:
        click.echo(f"  | {line[:200]}")
