"""qc-lora data: make the sample data folder, and show what a data folder holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from qc_builder_lora.config import load_settings


@click.group("data")
def command() -> None:
    """Make and show folders of market data in LEAN's layout.

    \b
    Examples:
      qc-lora data convert                 sample data into .qc-lora/data
      qc-lora data show --data ~/Lean/Data
    """


@command.command()
@click.option("--to", type=click.Path(path_type=Path), help="The folder to make.")
def convert(to: Path | None) -> None:
    """Convert bokeh's sample data: AAPL, GOOG, IBM, MSFT, daily, 2000 to 2013.

    \b
    Example:
      qc-lora data convert
    """
    from qc_builder_lora.backtest.sample_data import convert as make

    folder = to or load_settings().data_folder
    manifest = make(folder)
    for ticker, found in manifest["symbols"].items():
        click.echo(f"  {ticker:<6} {found['rows']:>6,} bars  {found['first']} to {found['last']}")
    click.echo(f"{folder}: ready")


@command.command()
@click.option("--data", type=click.Path(path_type=Path), help="A LEAN data folder.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(data: Path | None, as_json: bool) -> None:
    """Show the tickers of a data folder, their bars and dates.

    \b
    Example:
      qc-lora data show
    """
    from qc_builder_lora.backtest.sample_data import ensure_data
    from qc_builder_lora.backtest.simulator.shelf import Shelf

    folder = ensure_data(load_settings(data=data))
    shelf = Shelf(folder)
    rows = [_describe(shelf, ticker) for ticker in shelf.folder.tickers()]
    if as_json:
        found = {"data": str(folder), "fingerprint": shelf.fingerprint(), "symbols": rows}
        click.echo(json.dumps(found, indent=2))
        return
    for row in rows:
        span = f"{row['first']} to {row['last']}" if row["bars"] else row["reason"]
        click.echo(f"  {row['ticker']:<6} {row['bars']:>6,} bars  {span}")
    click.echo(f"{folder}: {len(rows)} tickers, fingerprint {shelf.fingerprint()[:12]}")


def _describe(shelf: Any, ticker: str) -> dict[str, Any]:
    from qc_builder_lora.backtest.simulator.calendar import date_of
    from qc_builder_lora.backtest.simulator.feed import NoData

    try:
        series = shelf.series(ticker)
    except NoData as error:
        return {"ticker": ticker, "bars": 0, "reason": str(error)}
    if not series.days:
        return {"ticker": ticker, "bars": 0, "reason": "no bars under this ticker's listing"}
    return {
        "ticker": ticker,
        "bars": len(series.days),
        "first": date_of(series.days[0]).isoformat(),
        "last": date_of(series.days[-1]).isoformat(),
    }
