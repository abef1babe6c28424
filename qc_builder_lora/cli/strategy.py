"""qc-lora strategy: what was harvested, and which gates it passed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from qc_builder_lora.cli.common import (
    SHORT,
    facts,
    json_option,
    moment,
    opened,
    resolve,
    say_json,
    table,
)
from qc_builder_lora.errors import NotFound

if TYPE_CHECKING:
    from qc_builder_lora.harvest.rules import Rules
    from qc_builder_lora.records import Backtest, Gate, Outcome, Strategy
    from qc_builder_lora.store import Store

_SHOWN = 50
"""Rows of a table unless more are asked for; --json has them all."""
_VERDICTS = ("accepted", "promising", "FAIL", "UNKNOWN", "quarantined", "unasked")
_UNASKED = "not asked yet"


@click.group("strategy")
def command() -> None:
    """Harvested strategies and the gates they passed or stopped at.

    \b
    Examples:
      qc-lora strategy list
      qc-lora strategy list --stopped-at G7 --source builder --since 7d
      qc-lora strategy list --verdict accepted --limit 0
      qc-lora strategy show 8b21f0 --code
      qc-lora strategy thresholds
    """


def _verdict(outcomes: Mapping[str, Outcome], line: Sequence[str], held: Collection[str]) -> str:
    """`accepted`, or the gate that stopped it and how; `held` are gates that quarantine it."""
    from qc_builder_lora.harvest.rules import LADDER
    from qc_builder_lora.records import Outcome

    if not outcomes:
        return _UNASKED
    for name in line:
        outcome = outcomes.get(name, Outcome.UNKNOWN)
        if outcome is not Outcome.PASS:
            return f"{name}: {'quarantined' if name in held else outcome.value}"
    good = outcomes.get(LADDER[-1]) is Outcome.PASS
    return "accepted, promising" if good else "accepted"


def _held(gates: Iterable[Gate]) -> set[str]:
    return {gate.name for gate in gates if gate.evidence.get("quarantined")}


@command.command("list")
@click.option("--all", "everything", is_flag=True, help="The corpus as well.")
@click.option("--stopped-at", help="Only those that this gate stopped: G7.")
@click.option(
    "--verdict",
    type=click.Choice(_VERDICTS, case_sensitive=False),
    help="Only those with this answer, at whatever gate.",
)
@click.option("--source", help="Only those of this source: builder, file, quantconnect.")
@click.option("--since", help="Only those made since: 12h, 7d, 2026-11-01.")
@click.option("--limit", type=click.IntRange(0), help=f"Most rows; 0: all.  [default: {_SHOWN}]")
@json_option
def list_strategies(
    everything: bool, stopped_at: str | None, verdict: str | None, source: str | None,
    since: str | None, limit: int | None, as_json: bool,
) -> None:  # fmt: skip
    """Strategies, newest first, with the first gate that did not pass."""
    from qc_builder_lora.harvest.rules import load_rules

    line = load_rules().line
    stop = _gate_named(stopped_at, line)
    most = (0 if as_json else _SHOWN) if limit is None else limit
    _, store = opened()
    with store:
        found = store.strategies.find(source=source, since=moment(since) if since else None)
        if not everything:
            served = store.generations.strategies_served()
            found = [one for one in found if one.id in served]
        verdicts, ladders = _verdicts(store, line)
        chosen = [
            one for one in found
            if _is_wanted(verdicts.get(one.id, _UNASKED), stop, verdict)
        ]  # fmt: skip
        shown = chosen[:most] if most else chosen
        newest = store.backtests.newest_of([one.id for one in shown])
    rows = [
        _row(one, verdicts.get(one.id, _UNASKED), ladders.get(one.id, {}), newest.get(one.id))
        for one in shown
    ]
    if as_json:
        say_json(rows)
        return
    headings = ("strategy", "source", "gates", "backtest", "orders", "Sharpe")
    table(headings, [(str(row["id"])[:SHORT], *list(row.values())[1:6]) for row in rows])
    if len(chosen) > len(shown):
        click.echo(f"{len(shown):,} of {len(chosen):,}; all of them: --limit 0, or --json")


def _gate_named(given: str | None, line: Sequence[str]) -> str | None:
    if given is None:
        return None
    short = given.strip().upper().partition(" ")[0]
    found = next((name for name in line if name.split()[0] == short), None)
    if found is None:
        raise NotFound("gate", short, f"On the line are: {', '.join(line)}.")
    return found


def _verdicts(
    store: Store, line: Sequence[str]
) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """Of everything that was asked: id → the verdict, and id → short name of a gate → outcome.
    Evidence is read of the gates alone that can quarantine."""
    from qc_builder_lora.harvest.review import REVIEWED
    from qc_builder_lora.harvest.rules import LADDER
    from qc_builder_lora.records import Outcome

    told: dict[str, dict[str, Outcome]] = {}
    doubted = []
    for key, name, outcome, gate_id in store.gates.outcomes():
        if name in LADDER:
            told.setdefault(key, {})[name] = outcome
            if name in REVIEWED and outcome is Outcome.FAIL:
                doubted.append(gate_id)
    held: dict[str, set[str]] = {}
    for gate in store.gates.fetch(doubted):
        held.setdefault(gate.strategy_id, set()).update(_held([gate]))
    return (
        {key: _verdict(outcomes, line, held.get(key, ())) for key, outcomes in told.items()},
        {
            key: {name.split()[0]: outcomes[name].value for name in LADDER if name in outcomes}
            for key, outcomes in told.items()
        },
    )


def _is_wanted(verdict: str, stop: str | None, asked: str | None) -> bool:
    if stop is not None and not verdict.startswith(f"{stop}:"):
        return False
    if asked is None:
        return True
    kinds = {"promising": "accepted, promising", "unasked": _UNASKED}
    if asked == "accepted":
        return verdict.startswith("accepted")
    return verdict == kinds.get(asked, "") or verdict.endswith(f": {asked}")


def _row(
    one: Strategy, verdict: str, ladder: dict[str, str],
    newest: tuple[Any, int | None, Mapping[str, str]] | None,
) -> dict[str, Any]:  # fmt: skip
    status, orders, statistics = newest or (None, None, {})
    return {
        "id": one.id,
        "source": one.source,
        "gates": verdict,
        "status": None if status is None else status.value,
        "orders": orders,
        "sharpe": statistics.get("Sharpe Ratio"),
        "ladder": ladder,
    }


@command.command()
@click.argument("strategy")
@click.option("--code", is_flag=True, help="Print the code as well.")
@json_option
def show(strategy: str, code: bool, as_json: bool) -> None:
    """One strategy with all its gates, their evidence and thresholds, and its backtests."""
    from qc_builder_lora.harvest.rules import LADDER, load_rules

    rules = load_rules()
    _, store = opened()
    with store:
        found = resolve(store.strategies.find(), "strategy", strategy, "qc-lora strategy list")
        latest = store.gates.latest(found.id)
        backtests = store.backtests.find(strategy_id=found.id)
    gates = {name: latest[name] for name in LADDER if name in latest}
    outcomes = {name: gate.outcome for name, gate in gates.items()}
    verdict = _verdict(outcomes, list(rules.line), _held(gates.values()))
    if as_json:
        plain = {name: _plain_gate(gate, rules) for name, gate in gates.items()}
        facts_of = {"id": found.id, "source": found.source, "licence": found.licence}
        say_json({**facts_of, "verdict": verdict, "code": found.code, "gates": plain,
                  "backtests": [_plain_backtest(one) for one in backtests]})  # fmt: skip
        return
    facts([("strategy", found.id), ("source", found.source), ("made", found.created_at),
           ("verdict", verdict)])  # fmt: skip
    for gate in gates.values():
        _say_gate(_plain_gate(gate, rules))
    for one in backtests:
        who = "builder's " if one.build_id else ""
        click.echo(f"backtest {who}{one.engine} {one.status.value} {one.reason or ''}".rstrip())
    if code:
        click.echo("\n" + found.code)


def _plain_gate(gate: Gate, rules: Rules) -> dict[str, Any]:
    from qc_builder_lora.harvest.cures import cure_of

    evidence = dict(gate.evidence)
    return {
        "gate": gate.name,
        "outcome": gate.outcome.value,
        "on_the_line": gate.name in rules.line,
        "asked_at": gate.created_at.isoformat(),
        "basis": gate.basis,
        "backtest": gate.backtest_id,
        "thresholds": evidence.pop("thresholds", {}),
        "thresholds_now": rules.of(gate.name),
        "cure": cure_of(gate),
        "evidence": evidence,
    }


def _plain_backtest(one: Backtest) -> dict[str, Any]:
    return {
        "id": one.id,
        "engine": one.engine,
        "version": one.engine_version,
        "status": one.status.value,
        "reason": one.reason,
        "phase": one.phase,
        "code_sha256": one.code_sha256,
        "builders": one.build_id is not None,
        "settings": dict(one.settings),
        "total_orders": one.total_orders,
        "closed_trades": one.closed_trades,
        "statistics": dict(one.statistics),
    }


def _say_gate(gate: dict[str, Any]) -> None:
    evidence = {
        key: value for key, value in gate["evidence"].items() if value not in (None, [], "", {})
    }
    reason = evidence.pop("reason", "")
    shown = gate["gate"] if gate["on_the_line"] else f"({gate['gate']})"
    click.echo(f"{gate['outcome']:<8} {shown:<16} {reason}".rstrip())
    if gate["cure"]:
        click.echo(f"{'':<9}what to do: {gate['cure']}")
    for item in evidence.pop("checklist", []):
        where = f"line {item['line']}: {item['quote']}" if item["line"] else "not found"
        click.echo(f"{'':<9}{item['kind']} {item['asked']}: {where}")
    for key, value in evidence.items():
        click.echo(f"{'':<9}{key}: {_short(value)}")
    if gate["thresholds"]:
        click.echo(f"{'':<9}held against: {_pairs(gate['thresholds'])}")
    others = {key: now for key, now in gate["thresholds_now"].items()
              if key in gate["thresholds"] and gate["thresholds"][key] != now}  # fmt: skip
    if others:
        click.echo(f"{'':<9}harvest/gates.toml now says {_pairs(others)}: ask again with "
                   "qc-lora harvest gates")  # fmt: skip


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return _pairs(value)[:300]
    return str(value)[:200]


def _pairs(values: dict[str, Any]) -> str:
    return ", ".join(f"{key} = {_short(value)}" for key, value in values.items())


@command.command("thresholds")
@json_option
def show_thresholds(as_json: bool) -> None:
    """Every gate with the thresholds in force, and the file that they are from."""
    from dataclasses import fields

    from qc_builder_lora.files import find_default
    from qc_builder_lora.harvest.rules import LADDER, Rules, load_rules

    rules, path = load_rules(), find_default("harvest/gates.toml")
    usual: dict[str, Any] = {item.name: item.default for item in fields(Rules)}
    if as_json:
        say_json({"file": str(path), "line": list(rules.line), "retry_s": rules.retry_s,
                  "gates": {name: rules.of(name) for name in LADDER}})  # fmt: skip
        return
    click.echo(f"{path}: asked again after {rules.retry_s} s")
    for name in LADDER:
        click.echo(name if name in rules.line else f"({name})  not on the line")
        for key, value in rules.of(name).items():
            built_in = list(usual[key]) if isinstance(value, list) else usual[key]
            told = "" if value == built_in else f"  (built in: {built_in})"
            click.echo(f"    {key} = {value}{told}")


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
    short = gate.strip().upper().partition(" ")[0]
    name = next((full for full in REVIEWED if full.split()[0] == short), gate)
    with store:
        found = resolve(store.strategies.find(), "strategy", strategy, "qc-lora strategy list")
        kept = review(store, found.id, name, good, by, reason)
    click.echo(f"{found.id[:SHORT]}  {name}: {kept.outcome.value}, reviewed by {by}")
