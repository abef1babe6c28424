"""The gates between a harvested strategy and the training data.

Each answers PASS, FAIL or UNKNOWN with its evidence in the store. UNKNOWN is an infrastructure's
answer and is asked again next time; it never counts as a pass. What the host says of its own work
is a claim and opens no gate: the engine's read-back figures and our own execution do.
"""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from qc_builder_lora.backtest.check import CheckResult, compiles, parses
from qc_builder_lora.backtest.protocol import Backtester, BacktestResult, BacktestSettings
from qc_builder_lora.errors import InputError, SettingsError, UnknownKey
from qc_builder_lora.files import find_default
from qc_builder_lora.ids import new_id, now, text_hash
from qc_builder_lora.progress import SILENT, Progress
from qc_builder_lora.records import BacktestStatus, Gate, Json, Outcome, Role, Strategy
from qc_builder_lora.store import Store

NAMES = (
    "G0 provenance",
    "G1 parse",
    "G2 static",
    "G3 substance",
    "G4 engine",
    "G5 activity",
    "G6 uniqueness",
)
_ORDERS = frozenset(
    {
        "set_holdings",
        "market_order",
        "limit_order",
        "stop_market_order",
        "stop_limit_order",
        "trailing_stop_order",
        "limit_if_touched_order",
        "buy",
        "sell",
        "order",
        "market_on_open_order",
        "market_on_close_order",
        "SetHoldings",
        "MarketOrder",
        "LimitOrder",
        "StopMarketOrder",
        "StopLimitOrder",
        "TrailingStopOrder",
        "LimitIfTouchedOrder",
        "Buy",
        "Sell",
        "Order",
        "MarketOnOpenOrder",
        "MarketOnCloseOrder",
    }
)
_SAME_FIGURES = ("Net Profit", "Sharpe Ratio", "Drawdown", "Total Orders", "End Equity")


@dataclass(frozen=True, kw_only=True)
class Rules:
    """`harvest/gates.toml`."""

    line: tuple[str, ...] = NAMES
    minimum_filled_orders: int = 2
    minimum_closed_trades: int = 1
    identical_figures: int = 1

    def __post_init__(self) -> None:
        for name in self.line:
            if name not in NAMES:
                raise SettingsError(f"line names {name!r}; known gates are {', '.join(NAMES)}.")
        if not self.line:
            raise SettingsError("line is empty, so that everything would be harvested.")


def load_rules() -> Rules:
    """The user's thresholds, or the built-in ones."""
    path = find_default("harvest/gates.toml")
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: not valid TOML: {error}") from error
    known = {item.name for item in fields(Rules)}
    for key in table:
        if key not in known:
            raise UnknownKey(path, key, known)
    if "line" in table:
        table["line"] = tuple(table["line"])
    return Rules(**table)


@dataclass
class GateReport:
    """How many strategies were asked, and where they stopped."""

    asked: int = 0
    accepted: int = 0
    stopped: dict[str, dict[str, int]] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        return {"asked": self.asked, "accepted": self.accepted, "stopped": self.stopped}


Answer = tuple[Outcome, dict[str, Any]]
Figures = tuple[str, ...]


def run_gates(
    store: Store,
    engine: Backtester,
    rules: Rules,
    *,
    cache: Path,
    jobs: int = 1,
    progress: Progress = SILENT,
) -> GateReport:
    """Ask all gates about every strategy that has not yet passed or failed them.

    Nothing is asked twice unless the answer was UNKNOWN; uniqueness is asked of all, for it depends
    on the others.
    """
    strategies = harvested(store)
    pending = [one for one in strategies if _is_pending(store, one, rules)]
    codes = [one.code for one in pending]
    report = GateReport(asked=len(pending))
    checks = compiles(codes, cache=cache) if codes else []
    settings = BacktestSettings()
    results = engine.run_many(codes, settings, jobs=jobs, progress=progress.update)
    for strategy, check, result in zip(pending, checks, results, strict=True):
        _keep(store, strategy, _answers(strategy, check, result, rules), result, settings)
    _ask_uniqueness(store, strategies, rules)
    _count(store, rules, pending, report)
    return report


def harvested(store: Store) -> list[Strategy]:
    """Strategies that a builder was given. Our corpus came another way; what a model wrote in an
    evaluation or beside another must not become what the next one is taught."""
    served = {one.strategy_id for one in store.generations.find(role=Role.SERVED)}
    return [one for one in store.strategies.find() if one.id in served]


def _is_pending(store: Store, strategy: Strategy, rules: Rules) -> bool:
    latest = store.gates.latest(strategy.id)
    own = [name for name in rules.line if name != "G6 uniqueness"]
    return any(name not in latest or latest[name].outcome is Outcome.UNKNOWN for name in own)


def _answers(
    strategy: Strategy, check: CheckResult, result: BacktestResult, rules: Rules
) -> dict[str, Answer]:
    return {
        "G0 provenance": _provenance(strategy),
        "G1 parse": _parse(strategy),
        "G2 static": (check.outcome, {"messages": list(check.messages)[:5]}),
        "G3 substance": _substance(strategy),
        "G4 engine": _engine(strategy, result),
        "G5 activity": _activity(result, rules),
    }


def _provenance(strategy: Strategy) -> Answer:
    good = bool(strategy.source) and strategy.code_sha256 == text_hash(strategy.code)
    return (Outcome.PASS if good else Outcome.FAIL, {"source": strategy.source})


def _parse(strategy: Strategy) -> Answer:
    found = parses(strategy.code)
    return found.outcome, {"messages": list(found.messages)[:1]}


def _substance(strategy: Strategy) -> Answer:
    """Whether any order can be placed at all: a stub compiles and does nothing."""
    try:
        tree = ast.parse(strategy.code)
    except (SyntaxError, ValueError, RecursionError) as error:
        return Outcome.FAIL, {"error": str(error)}
    calls = sorted(
        {
            node.func.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        }
        & _ORDERS
    )
    return (Outcome.PASS if calls else Outcome.FAIL, {"order_calls": calls})


def _engine(strategy: Strategy, result: BacktestResult) -> Answer:
    evidence = {
        "engine": result.engine,
        "version": result.engine_version,
        "status": result.status.value,
        "reason": result.reason,
        "code_sha256": result.code_sha256,
    }
    if result.status is BacktestStatus.UNKNOWN:
        return Outcome.UNKNOWN, evidence
    same = result.code_sha256 == text_hash(strategy.code)
    return (Outcome.PASS if result.runs and same else Outcome.FAIL, evidence)


def _activity(result: BacktestResult, rules: Rules) -> Answer:
    filled = sum(1 for order in result.orders if order.get("fills"))
    evidence = {"filled_orders": filled, "closed_trades": result.closed_trades}
    if result.status is BacktestStatus.UNKNOWN:
        return Outcome.UNKNOWN, evidence
    if not result.runs:
        return Outcome.FAIL, evidence
    if result.closed_trades is None:
        return Outcome.UNKNOWN, evidence
    enough = filled >= rules.minimum_filled_orders
    closed = result.closed_trades >= rules.minimum_closed_trades
    return (Outcome.PASS if enough and closed else Outcome.FAIL, evidence)


def _keep(
    store: Store,
    strategy: Strategy,
    answers: dict[str, Answer],
    result: BacktestResult,
    settings: BacktestSettings,
) -> None:
    with store.transaction():
        backtest = store.backtests.add(result.to_record(strategy.id, settings))
        for name, (outcome, evidence) in answers.items():
            store.gates.add(_gate(strategy, name, outcome, evidence, backtest.id))


def _gate(
    strategy: Strategy, name: str, outcome: Outcome, evidence: Json, backtest_id: str | None = None
) -> Gate:
    return Gate(
        id=new_id(),
        strategy_id=strategy.id,
        name=name,
        outcome=outcome,
        evidence=evidence,
        created_at=now(),
        backtest_id=backtest_id,
    )


def _ask_uniqueness(store: Store, strategies: Sequence[Strategy], rules: Rules) -> None:
    """Different code, different builds, the very same figures from the builder's engine: nobody
    knows what it really executed (a new project's boilerplate, as it happened)."""
    if "G6 uniqueness" not in rules.line:
        return
    told = {one.id: _figures(store, one) for one in strategies}
    seen: dict[Figures, dict[str, set[str]]] = {}
    for strategy_id, found in told.items():
        for figures, build_id in found:
            seen.setdefault(figures, {}).setdefault(strategy_id, set()).add(build_id)
    for strategy in strategies:
        suspect: Figures = ()
        builds: set[str] = set()
        for figures, _ in told[strategy.id]:
            codes = seen[figures]
            found_in = set().union(*codes.values())
            # One code that gives one result in two builds is as it should be.
            if len(codes) > 1 and len(found_in) > rules.identical_figures:
                suspect, builds = figures, found_in
        _keep_uniqueness(store, strategy, suspect, builds)


def _keep_uniqueness(store: Store, strategy: Strategy, suspect: Figures, builds: set[str]) -> None:
    outcome = Outcome.FAIL if suspect else Outcome.PASS
    latest = store.gates.latest(strategy.id).get("G6 uniqueness")
    if latest is None or latest.outcome is not outcome:
        evidence = {"figures": list(suspect), "builds": sorted(builds)}
        store.gates.add(_gate(strategy, "G6 uniqueness", outcome, evidence))


def _figures(store: Store, strategy: Strategy) -> list[tuple[Figures, str]]:
    """What the builder's engine reported, newest first; runs without trades are all alike."""
    return [
        (tuple(backtest.statistics.get(key, "?") for key in _SAME_FIGURES), backtest.build_id)
        for backtest in store.backtests.find(strategy_id=strategy.id)
        if backtest.build_id is not None
        and backtest.status is BacktestStatus.COMPLETED
        and backtest.total_orders
    ]


def _count(store: Store, rules: Rules, pending: Sequence[Strategy], report: GateReport) -> None:
    accepted = {one.id for one in store.strategies.accepted(rules.line)}
    report.accepted = sum(1 for one in pending if one.id in accepted)
    for strategy in pending:
        latest = store.gates.latest(strategy.id)
        for name in rules.line:
            outcome = latest[name].outcome if name in latest else Outcome.UNKNOWN
            if outcome is not Outcome.PASS:
                counts = report.stopped.setdefault(name, {"FAIL": 0, "UNKNOWN": 0})
                counts[outcome.value] += 1
                break
