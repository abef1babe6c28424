"""qc-lora strategy: what was harvested, and which gates it passed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
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
    say_json_rows,
    table,
)
from qc_builder_lora.errors import InputError, NotFound

if TYPE_CHECKING:
    from qc_builder_lora.harvest.rules import Rules
    from qc_builder_lora.records import Backtest, Gate, Outcome, Strategy
    from qc_builder_lora.store import Store
    from qc_builder_lora.store.strategies import Answered

_SHOWN = 50
"""Rows of a table unless more are asked for; --json has them all."""
_AT_A_TIME = 500
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
      qc-lora strategy list --answer G10=FAIL --skip 50
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
    help="Only those with this verdict, at whatever gate.",
)
@click.option("--answer", "answers", multiple=True, metavar="GATE=OUTCOME",
              help="Only those to which a gate, on the line or not, said this: G10=FAIL. "
              "Several: all of them.")  # fmt: skip
@click.option("--source", help="Only those of this source: builder, file, quantconnect.")
@click.option("--since", help="Only those made since: 12h, 7d, 2026-11-01.")
@click.option("--limit", type=click.IntRange(0), help=f"Most rows; 0: all.  [default: {_SHOWN}]")
@click.option("--skip", type=click.IntRange(0), default=0, metavar="N",
              help="Leave out the first N of them: the next page.")  # fmt: skip
@json_option
def list_strategies(
    everything: bool, stopped_at: str | None, verdict: str | None, answers: tuple[str, ...],
    source: str | None, since: str | None, limit: int | None, skip: int, as_json: bool,
) -> None:  # fmt: skip
    """Strategies, newest first, with the first gate that did not pass.

    A table shows 50 of them unless --limit says otherwise, --json all.

    \b
    Examples:
      qc-lora strategy list --stopped-at G7 --source builder --since 7d
      qc-lora strategy list --verdict accepted --limit 0
    """
    from qc_builder_lora.harvest.rules import LADDER, load_rules

    line = load_rules().line
    wanted = _Wanted(_gate_named(stopped_at, line), verdict, dict(map(_answer_named, answers)))
    most = (0 if as_json else _SHOWN) if limit is None else limit
    among: dict[str, Any] = {"source": source, "served": not everything}
    among["since"] = moment(since) if since else None
    _, store = opened()
    with store:
        if wanted.everything:
            # A page of it is looked at, whatever the number of strategies.
            count = store.strategies.how_many(**among)
            page = store.strategies.answered(LADDER, **among, limit=most or None, offset=skip)
            shown = _with_verdicts(store, page, line)
        else:
            found = _with_verdicts(store, store.strategies.answered(LADDER, **among), line)
            chosen = [pair for pair in found if wanted.matches(*pair)]
            count = len(chosen)
            shown = chosen[skip : skip + most] if most else chosen[skip:]
        rows = _rows(store, shown)
        if as_json:
            say_json_rows(rows)
            return
        headings = ("strategy", "source", "gates", "backtest", "orders", "Sharpe")
        asked = not wanted.everything or everything or source or since or skip
        none = "none is so. All of the harvest: qc-lora strategy list" if asked else "nothing yet"
        cells = [(str(row["id"])[:SHORT], *list(row.values())[1:6]) for row in rows]
        table(headings, cells, none)
    if count > len(shown):
        after = skip + len(shown)
        following = f"the next: --skip {after}; " if shown and after < count else ""
        click.echo(f"{len(shown):,} of {count:,}; {following}all of them: --limit 0, or --json")


@dataclass(frozen=True)
class _Wanted:
    """What a row must be to be shown."""

    stop: str | None
    verdict: str | None
    outcomes: Mapping[str, str]
    """Gate → what it must have said."""

    @property
    def everything(self) -> bool:
        return self.stop is None and self.verdict is None and not self.outcomes

    def matches(self, one: Answered, verdict: str) -> bool:
        if self.stop is not None and not verdict.startswith(f"{self.stop}:"):
            return False
        if any(one.outcomes.get(name) != said for name, said in self.outcomes.items()):
            return False
        if self.verdict is None:
            return True
        kinds = {"promising": "accepted, promising", "unasked": _UNASKED}
        if self.verdict == "accepted":
            return verdict.startswith("accepted")
        return verdict == kinds.get(self.verdict, "") or verdict.endswith(f": {self.verdict}")


def _gate_named(given: str | None, known: Sequence[str]) -> str | None:
    if given is None:
        return None
    short = given.strip().upper().partition(" ")[0]
    found = next((name for name in known if name.split()[0] == short), None)
    if found is None:
        raise NotFound("gate", short, f"Gates that can be named here: {', '.join(known)}.")
    return found


def _answer_named(given: str) -> tuple[str, str]:
    """`G10=fail` → the gate's name and `FAIL`."""
    from qc_builder_lora.harvest.rules import LADDER
    from qc_builder_lora.records import Outcome

    gate, mark, said = given.partition("=")
    if not mark or said.strip().upper() not in set(Outcome):
        raise InputError(f"--answer {given!r}: give a gate and PASS, FAIL or UNKNOWN: G10=FAIL.")
    return str(_gate_named(gate, LADDER)), said.strip().upper()


def _with_verdicts(
    store: Store, found: Sequence[Answered], line: Sequence[str]
) -> list[tuple[Answered, str]]:
    """Each with its verdict. Evidence is read of the gates alone that can quarantine."""
    from qc_builder_lora.harvest.review import REVIEWED
    from qc_builder_lora.records import Outcome

    held: dict[str, set[str]] = {}
    for name in REVIEWED:
        doubted = [one.id for one in found if one.outcomes.get(name) is Outcome.FAIL]
        for gate in store.gates.newest(name, doubted):
            held.setdefault(gate.strategy_id, set()).update(_held([gate]))
    return [(one, _verdict(one.outcomes, line, held.get(one.id, ()))) for one in found]


def _rows(store: Store, shown: Sequence[tuple[Answered, str]]) -> Iterator[dict[str, Any]]:
    """Rows with what the newest Backtest of each says, read some hundred at a time."""
    for start in range(0, len(shown), _AT_A_TIME):
        part = shown[start : start + _AT_A_TIME]
        newest = store.backtests.newest_of([one.id for one, _ in part])
        yield from (_row(one, verdict, newest.get(one.id)) for one, verdict in part)


def _row(
    one: Answered, verdict: str, newest: tuple[Any, int | None, Mapping[str, str]] | None
) -> dict[str, Any]:
    status, orders, statistics = newest or (None, None, {})
    return {
        "id": one.id,
        "source": one.source,
        "gates": verdict,
        "status": None if status is None else status.value,
        "orders": orders,
        "sharpe": statistics.get("Sharpe Ratio"),
        "ladder": {name.split()[0]: outcome.value for name, outcome in one.outcomes.items()},
    }


@command.command()
@click.argument("strategy")
@click.option("--code", is_flag=True, help="Print the code as well.")
@json_option
def show(strategy: str, code: bool, as_json: bool) -> None:
    """One strategy with all its gates, their evidence and thresholds, and its backtests.

    \b
    Example:
      qc-lora strategy show 8b21f0 --code
    """
    from qc_builder_lora.harvest.rules import LADDER, load_rules

    rules = load_rules()
    _, store = opened()
    with store:
        found = _resolved(store, strategy)
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


def _resolved(store: Store, name: str) -> Strategy:
    """The one whose id begins so; the codes of all others stay in the database."""
    everyone = store.strategies.answered((), served=False)
    found = resolve(everyone, "strategy", name, "qc-lora strategy list")
    return store.strategies.get(found.id)


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
    """Every gate with the thresholds in force, and the file that they are from.

    \b
    Example:
      qc-lora strategy thresholds
    """
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
        found = _resolved(store, strategy)
        kept = review(store, found.id, name, good, by, reason)
    click.echo(f"{found.id[:SHORT]}  {name}: {kept.outcome.value}, reviewed by {by}")
