"""qc-lora strategy: what was harvested, and which gates it passed."""

from __future__ import annotations

from typing import Any

import click

from qc_builder_lora.cli.common import SHORT, facts, json_option, opened, resolve, say_json, table
from qc_builder_lora.errors import NotFound


@click.group("strategy")
def command() -> None:
    """Harvested strategies and the gates they passed or stopped at.

    \b
    Examples:
      qc-lora strategy list
      qc-lora strategy list --stopped-at G7
      qc-lora strategy show 8b21f0 --code
    """


def _stopped_at(gates: dict[str, Any], line: list[str]) -> str:
    from qc_builder_lora.harvest.gates import first_stop

    if not gates:
        return "not asked yet"
    stop = first_stop(gates.values(), line)
    if stop is None:
        promising = gates.get("G10 statistics")
        good = promising is not None and promising.outcome.value == "PASS"
        return "accepted, promising" if good else "accepted"
    held = gates[stop[0]].evidence.get("quarantined") if stop[0] in gates else False
    return f"{stop[0]}: {'quarantined' if held else stop[1].value}"


def _line() -> list[str]:
    from qc_builder_lora.harvest.rules import LADDER, load_rules

    line = load_rules().line
    return [name for name in LADDER if name in line]


@command.command("list")
@click.option("--all", "everything", is_flag=True, help="The corpus as well.")
@click.option("--stopped-at", help="Only those that this gate stopped: G7.")
@json_option
def list_strategies(everything: bool, stopped_at: str | None, as_json: bool) -> None:
    """Strategies, newest first, with the first gate that did not pass."""
    line = _line()
    if stopped_at is not None:
        stopped_at = stopped_at.strip().upper().partition(" ")[0]
        if stopped_at not in {name.split()[0] for name in line}:
            raise NotFound("gate", stopped_at, f"On the line are: {', '.join(line)}.")
    _, store = opened()
    rows = []
    with store:
        found = store.strategies.find()
        if not everything:
            served = store.generations.strategies_served()
            found = [one for one in found if one.id in served]
        gates = store.gates.latest_of([one.id for one in found])
        for one in found:
            stop = _stopped_at(gates[one.id], line)
            if stopped_at and not stop.startswith(f"{stopped_at} "):
                continue
            newest = store.backtests.find(strategy_id=one.id, limit=1)
            statistics = newest[0].statistics if newest else {}
            rows.append(
                {
                    "id": one.id,
                    "source": one.source,
                    "gates": stop,
                    "status": newest[0].status.value if newest else None,
                    "orders": newest[0].total_orders if newest else None,
                    "sharpe": statistics.get("Sharpe Ratio"),
                    "ladder": {
                        name.split()[0]: gate.outcome.value
                        for name, gate in gates[one.id].items()
                        if name.startswith("G")
                    },
                }
            )
    if as_json:
        say_json(rows)
        return
    headings = ("strategy", "source", "gates", "backtest", "orders", "Sharpe")
    table(headings, [(str(row["id"])[:SHORT], *list(row.values())[1:6]) for row in rows])


@command.command()
@click.argument("strategy")
@click.option("--code", is_flag=True, help="Print the code as well.")
@json_option
def show(strategy: str, code: bool, as_json: bool) -> None:
    """One strategy with all its gates, their evidence and its backtests."""
    from qc_builder_lora.harvest.rules import LADDER

    _, store = opened()
    with store:
        found = resolve(store.strategies.find(), "strategy", strategy, "qc-lora strategy list")
        latest = store.gates.latest(found.id)
        backtests = store.backtests.find(strategy_id=found.id)
    gates = {name: gate for name, gate in latest.items() if name.startswith("G")}
    line = _line()
    if as_json:
        say_json(
            {
                "id": found.id,
                "source": found.source,
                "licence": found.licence,
                "verdict": _stopped_at(latest, line),
                "code": found.code,
                "gates": {
                    name: {
                        "outcome": gate.outcome.value,
                        "on_the_line": name in line,
                        "asked_at": gate.created_at.isoformat(),
                        "basis": gate.basis,
                        "backtest": gate.backtest_id,
                        "evidence": dict(gate.evidence),
                    }
                    for name, gate in gates.items()
                },
                "backtests": [
                    {
                        "id": one.id,
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
    facts([("strategy", found.id), ("source", found.source), ("made", found.created_at),
           ("verdict", _stopped_at(latest, line))])  # fmt: skip
    for name in LADDER:
        if name in gates:
            _say_gate(name, gates[name], name in line)
    for one in backtests:
        click.echo(f"backtest {one.engine} {one.status.value} {one.reason or ''}")
    if code:
        click.echo("\n" + found.code)


def _say_gate(name: str, gate: Any, on_line: bool) -> None:
    evidence = {key: value for key, value in gate.evidence.items() if value not in (None, [], "")}
    reason = evidence.pop("reason", "")
    shown = name if on_line else f"({name})"
    click.echo(f"{gate.outcome.value:<8} {shown:<16} {reason}".rstrip())
    for item in evidence.pop("checklist", []):
        where = f"line {item['line']}: {item['quote']}" if item["line"] else "not found"
        click.echo(f"{'':<9}{item['kind']} {item['asked']}: {where}")
    for key, value in evidence.items():
        text = f"{value:.4g}" if isinstance(value, float) else str(value)
        click.echo(f"{'':<9}{key}: {text[:200]}")


@command.command("review")
@click.argument("strategy")
@click.option("--gate", required=True, help="G6 or G7: what quarantined it.")
@click.option("--pass/--fail", "good", required=True, help="What you found it to be.")
@click.option("--by", required=True, help="Your name.")
@click.option("--reason", required=True, help="Why; kept with the answer.")
def review_strategy(strategy: str, gate: str, good: bool, by: str, reason: str) -> None:
    """Say what a quarantined strategy is, after having looked at it; kept for good.

    \b
    Example:
      qc-lora strategy review 8b21f0 --gate G7 --pass --by "Ada L." --reason "one trade a year"
    """
    from qc_builder_lora.harvest.review import REVIEWED, review

    _, store = opened()
    name = next((full for full in REVIEWED if full.startswith(f"{gate.upper()} ")), gate)
    with store:
        found = resolve(store.strategies.find(), "strategy", strategy, "qc-lora strategy list")
        kept = review(store, found.id, name, good, by, reason)
    click.echo(f"{found.id[:SHORT]}  {name}: {kept.outcome.value}, reviewed by {by}")
