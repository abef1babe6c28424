"""qc-lora strategy: what was harvested, and which gates it passed."""

from __future__ import annotations

from typing import Any

import click

from qc_builder_lora.cli.common import SHORT, facts, json_option, opened, resolve, say_json, table


@click.group("strategy")
def command() -> None:
    """Harvested strategies and the gates they passed or stopped at.

    \b
    Examples:
      qc-lora strategy list
      qc-lora strategy show 8b21f0 --code
    """


def _stopped_at(gates: dict[str, Any]) -> str:
    if not gates:
        return "not asked yet"
    for name, gate in gates.items():
        if gate.outcome.value != "PASS":
            return f"{name}: {gate.outcome.value}"
    return "accepted"


@command.command("list")
@click.option("--all", "everything", is_flag=True, help="The starter corpus as well.")
@json_option
def list_strategies(everything: bool, as_json: bool) -> None:
    """Strategies, newest first, with the first gate that did not pass."""
    _, store = opened()
    rows = []
    with store:
        for one in store.strategies.find():
            if one.source == "starter" and not everything:
                continue
            newest = store.backtests.find(strategy_id=one.id, limit=1)
            statistics = newest[0].statistics if newest else {}
            rows.append(
                {
                    "id": one.id,
                    "source": one.source,
                    "gates": _stopped_at(store.gates.latest(one.id)),
                    "status": newest[0].status.value if newest else None,
                    "orders": newest[0].total_orders if newest else None,
                    "sharpe": statistics.get("Sharpe Ratio"),
                }
            )
    if as_json:
        say_json(rows)
        return
    headings = ("strategy", "source", "gates", "backtest", "orders", "Sharpe")
    table(headings, [(str(row["id"])[:SHORT], *list(row.values())[1:]) for row in rows])


@command.command()
@click.argument("strategy")
@click.option("--code", is_flag=True, help="Print the code as well.")
@json_option
def show(strategy: str, code: bool, as_json: bool) -> None:
    """One strategy with all its gates, their evidence and its backtests."""
    _, store = opened()
    with store:
        found = resolve(store.strategies.find(), "strategy", strategy, "qc-lora strategy list")
        gates = store.gates.latest(found.id)
        backtests = store.backtests.find(strategy_id=found.id)
    if as_json:
        say_json(
            {
                "id": found.id,
                "source": found.source,
                "code": found.code,
                "gates": {
                    name: {"outcome": gate.outcome.value, "evidence": dict(gate.evidence)}
                    for name, gate in gates.items()
                },
                "backtests": [
                    {
                        "engine": one.engine,
                        "version": one.engine_version,
                        "status": one.status.value,
                        "reason": one.reason,
                        "statistics": dict(one.statistics),
                    }
                    for one in backtests
                ],
            }
        )
        return
    facts([("strategy", found.id), ("source", found.source), ("made", found.created_at)])
    for name, gate in gates.items():
        click.echo(f"{gate.outcome.value:<8} {name:<14} {dict(gate.evidence)}")
    for one in backtests:
        click.echo(f"backtest {one.engine} {one.status.value} {one.reason or ''}")
    if code:
        click.echo("\n" + found.code)
