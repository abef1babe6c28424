"""qc-lora backtest: run strategies on bars and print what came of it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from qc_builder_lora.config import load_settings
from qc_builder_lora.errors import InputError
from qc_builder_lora.progress import show_progress

if TYPE_CHECKING:
    from qc_builder_lora.backtest.protocol import BacktestResult

_EXIT = {"completed": 0, "failed": 1, "unknown": 3}
_SHOWN = (
    "Net Profit", "Compounding Annual Return", "Sharpe Ratio", "Sortino Ratio", "Drawdown",
    "Win Rate", "Total Orders", "Total Fees", "Start Equity", "End Equity",
)  # fmt: skip
_DAY = click.DateTime(formats=["%Y-%m-%d"])


@click.command("backtest")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--engine", type=click.Choice(["simulator"]), default="simulator", show_default=True)
@click.option("--data", type=click.Path(path_type=Path), help="A LEAN data folder.")
@click.option("--start", type=_DAY, help="First day, in place of the strategy's own.")
@click.option("--end", type=_DAY, help="Last day, in place of the strategy's own.")
@click.option("--cash", type=float, help="Cash to begin with, in place of the strategy's own.")
@click.option("--jobs", type=click.IntRange(1), help="Backtests at a time.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: one object, or a list for many.")
def command(
    paths: tuple[Path, ...], engine: str, data: Path | None, start: datetime | None,
    end: datetime | None, cash: float | None, jobs: int | None, as_json: bool,
) -> int:  # fmt: skip
    """Backtest strategy files, or all *.py of folders.

    Exit code: 0 completed, 1 failed, 3 unknown (the engine cannot say); of many, the worst. 2 is
    ours: nothing was run.

    \b
    Examples:
      qc-lora backtest my_strategy.py
      qc-lora backtest strategies/ --jobs 2 --json > results.json
      qc-lora backtest my_strategy.py --data ~/Lean/Data --start 2015-01-01 --end 2019-12-31
    """
    from qc_builder_lora.backtest.protocol import BacktestSettings
    from qc_builder_lora.stages import simulator

    settings = load_settings(data=data)
    files = _files(paths)
    backtester = simulator(settings)
    chosen = BacktestSettings(
        start=start.date() if start else None, end=end.date() if end else None, cash=cash
    )
    with show_progress("backtest", len(files)) if len(files) > 1 else _quiet() as bar:
        results = list(
            backtester.run_many(
                [_read(path) for path in files], chosen, jobs=jobs or settings.usable_jobs,
                progress=bar.update,
            )
        )  # fmt: skip
    backtester.close()
    if as_json:
        found = [_plain(path, result) for path, result in zip(files, results, strict=True)]
        click.echo(json.dumps(found[0] if paths == tuple(files) and len(files) == 1 else found))
    else:
        for path, result in zip(files, results, strict=True):
            _print(path, result, brief=len(files) > 1)
    return _worst(results)


def _quiet() -> Any:
    from contextlib import nullcontext

    from qc_builder_lora.progress import SILENT

    return nullcontext(SILENT)


def _files(paths: Iterable[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        inside = sorted(path.glob("*.py")) if path.is_dir() else [path]
        if not inside:
            raise InputError(f"{path}: no *.py files in this folder. Name the files themselves.")
        found += inside
    return found


def _read(path: Path) -> str:
    try:
        # As the engine reads it: bytes that are no UTF-8 are the strategy's failure, not ours.
        return path.read_bytes().decode("utf-8-sig", "surrogateescape")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}.") from error


def _worst(results: Iterable[BacktestResult]) -> int:
    codes = {_EXIT[str(result.status)] for result in results}
    return 1 if 1 in codes else max(codes, default=0)


def _plain(path: Path, result: BacktestResult) -> dict[str, Any]:
    return {
        "file": str(path),
        "status": str(result.status),
        "reason": result.reason,
        "phase": result.phase,
        "engine": {
            "name": result.engine,
            "version": result.engine_version,
            "data": result.data_fingerprint,
        },
        "code_sha256": result.code_sha256,
        "statistics": dict(result.statistics),
        "total_orders": result.total_orders,
        "closed_trades": result.closed_trades,
        "orders": [dict(order) for order in result.orders],
        "trades": [dict(trade) for trade in result.trades],
        "equity": [list(point) for point in result.equity],
        "logs": list(result.logs),
        "truncated": result.truncated,
        "missing_walls": list(result.missing_walls),
        "wall_s": round(result.wall_s, 3),
    }


def _print(path: Path, result: BacktestResult, *, brief: bool) -> None:
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
