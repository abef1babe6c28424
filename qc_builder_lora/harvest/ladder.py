"""The gates that look at one strategy and one run of it: G0 to G5 and G7.

Pure answers: nothing here reads the store or runs anything. An answer that is not PASS carries a
`reason` in its evidence, in words that are the same for the same fault.
"""

from __future__ import annotations

import ast
import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from platform import python_version
from typing import Any

from qc_builder_lora.backtest.check import CheckResult, lints, parses
from qc_builder_lora.backtest.check import substance as stubs
from qc_builder_lora.backtest.check.parsing import tree_of
from qc_builder_lora.backtest.check.reading import ORDERS
from qc_builder_lora.backtest.protocol import MOVED_MONEY, BacktestResult
from qc_builder_lora.backtest.surface.alias import snake
from qc_builder_lora.harvest.imports import first_odd, strange_imports
from qc_builder_lora.harvest.labels import number
from qc_builder_lora.harvest.rules import Rules
from qc_builder_lora.ids import json_hash, text_hash
from qc_builder_lora.records import Backtest, BacktestStatus, Outcome, Strategy

Answer = tuple[Outcome, dict[str, Any]]
_OVERDUE = "did not finish within"
_PLACES_FOR_IT = frozenset({"set_alpha", "add_alpha", "emit_insights"})
"""LEAN itself places the orders of a strategy that has these."""


def passed(**evidence: Any) -> Answer:
    return Outcome.PASS, evidence


def failed(reason: str, **evidence: Any) -> Answer:
    return Outcome.FAIL, {"reason": reason, **evidence}


def unknown(reason: str, **evidence: Any) -> Answer:
    return Outcome.UNKNOWN, {"reason": reason, **evidence}


def provenance(
    strategy: Strategy, models: Iterable[str], requests: Iterable[str], *, writer_needed: bool
) -> Answer:
    """Where it is from, who wrote it, what was asked; and the text is the one that was kept."""
    writers = sorted(set(models))
    evidence = {
        "source": strategy.source,
        "licence": strategy.licence or "not stated",
        "models": writers or "not told",
        "requests": sorted(set(requests))[:10],
        "code_sha256": strategy.code_sha256,
    }
    if not strategy.source:
        return failed("no source is given", **evidence)
    if strategy.code_sha256 != text_hash(strategy.code):
        return failed("the text is not the one whose hash was kept", **evidence)
    if not evidence["requests"]:
        return unknown("nobody knows what it was asked for", **evidence)
    if writer_needed and not writers:
        return unknown("nobody knows which model wrote it", **evidence)
    return passed(**evidence)


def parse(strategy: Strategy, rules: Rules) -> Answer:
    """Python, with one class that LEAN can choose, in ASCII, importing what LEAN has."""
    found = parses(strategy.code)
    evidence = {"python": python_version()}
    if found.outcome is not Outcome.PASS:
        reason = found.messages[0] if found.messages else "does not parse"
        return found.outcome, {"reason": reason, **evidence}
    odd = first_odd(strategy.code)
    if odd is not None and rules.ascii_only:
        return failed(f"line {odd[0]}: a character that is not ASCII", character=odd[1], **evidence)
    strangers = strange_imports(strategy.code, rules.more_modules)
    if strangers:
        line, module = strangers[0]
        return failed(
            f"line {line}: imports {module}, which is not on the list of modules",
            not_on_the_list=[name for _, name in strangers], **evidence,
        )  # fmt: skip
    return passed(**evidence)


def static(strategy: Strategy, check: CheckResult) -> Answer:
    """The rules for the mistakes that models make, and LEAN's own check: mypy with the stubs."""
    found = lints(strategy.code)
    messages = [*found.messages, *check.messages][:5]
    outcomes = {found.outcome, check.outcome}
    if outcomes == {Outcome.PASS}:
        return passed()
    worst = Outcome.FAIL if Outcome.FAIL in outcomes else Outcome.UNKNOWN
    return worst, {
        "reason": messages[0] if messages else "no message",
        "messages": messages,
    }


def substance(strategy: Strategy) -> Answer:
    """Whether any order can be placed at all: a stub compiles and does nothing."""
    tree = tree_of(strategy.code)
    if isinstance(tree, str):
        return failed("does not parse", error=tree)
    placing = ORDERS | _PLACES_FOR_IT
    calls = sorted(
        {
            name
            for node in ast.walk(tree)
            # Called, kept for later, or named for getattr.
            if (name := _name(node)) and snake(name) in placing
        }
    )
    evidence = {"order_calls": calls, "ast_sha256": strategy.id}
    if not calls:
        return failed("places no order: a stub", **evidence)
    found = stubs(strategy.code)
    if found.outcome is not Outcome.PASS:
        reason = found.messages[0]
        return found.outcome, {"reason": reason, "messages": list(found.messages)[:5], **evidence}
    return passed(**evidence)


def _name(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


@dataclass(frozen=True)
class Run:
    """One run of ours as the gates look at it: just made, or kept in the store from before."""

    result: BacktestResult
    filled_orders: int
    behaviour: str | None
    """One hash of what it did: two codes that trade alike have the same. None where it did not."""
    moved_money: bool
    """Whether models of the strategy's own moved money."""

    @classmethod
    def of(cls, result: BacktestResult) -> Run:
        filled = sum(1 for order in result.orders if order.get("fills"))
        return cls(result, filled, behaviour(result), MOVED_MONEY in result.logs)


def engine(strategy: Strategy, run: Run, ground: str, reported: Sequence[Backtest]) -> Answer:
    """It ran to its end, and what ran is this very text, by the hash the engine read back."""
    result = run.result
    evidence = {
        "engine": result.engine,
        "version": result.engine_version,
        "data_fingerprint": result.data_fingerprint,
        "status": result.status.value,
        "phase": result.phase,
        "code_sha256": result.code_sha256,
        "filled_orders": run.filled_orders,
        "behaviour": run.behaviour,
        "moved_money": run.moved_money,
        "ground": ground,
        "builders_engine": _told(reported),
    }
    if result.status is BacktestStatus.UNKNOWN:
        return unknown(result.reason or "the engine cannot say", **evidence)
    if is_overdue(result):
        # By the clock on the wall, which a busy machine moves too; one that burns its processor
        # time is told so by another reason.
        return unknown(str(result.reason), **evidence)
    if result.code_sha256 != text_hash(strategy.code):
        return failed("the engine ran another text than this one", **evidence)
    if not result.runs:
        return failed(result.reason or "ended with an error", **evidence)
    return passed(**evidence)


def _told(reported: Sequence[Backtest]) -> dict[str, int]:
    """What came of the builder's own backtests, and how many say so: claims, which open nothing."""
    said = Counter(
        one.status.value if one.status is BacktestStatus.COMPLETED
        else f"{one.status.value}: {(one.reason or 'no reason given')[:120]}"
        for one in reported
    )  # fmt: skip
    return dict(said.most_common(5))


def is_overdue(result: BacktestResult) -> bool:
    """Whether it was ended by the clock on the wall, which says little of the code."""
    return (result.reason or "").startswith(_OVERDUE)


def behaviour(result: BacktestResult) -> str | None:
    """One hash of all orders; None where there are none."""
    if not result.orders:
        return None
    return json_hash({"orders": [placed(order) for order in result.orders]})


def placed(order: Mapping[str, Any]) -> list[Any]:
    """What was ordered, and when."""
    keys = ("time", "symbol", "type", "quantity", "limit_price", "stop_price")
    return [str(order.get(key)) for key in keys]


def activity(run: Run, rules: Rules) -> Answer:
    """Filled orders and closed trades, counted by the engine; orders alone are no trades."""
    result, filled = run.result, run.filled_orders
    evidence = {
        "filled_orders": filled,
        "closed_trades": result.closed_trades,
        "enough_for_performance": (result.closed_trades or 0) >= rules.performance_trades,
    }
    if result.status is BacktestStatus.UNKNOWN or is_overdue(result):
        return unknown("the engine cannot say", **evidence)
    if not result.runs:
        return failed("it did not run to its end", **evidence)
    if result.closed_trades is None:
        return unknown("the engine does not count closed trades", **evidence)
    if filled < rules.minimum_filled_orders:
        return failed("too few filled orders", needed=rules.minimum_filled_orders, **evidence)
    if result.closed_trades < rules.minimum_closed_trades:
        return failed("too few closed trades", needed=rules.minimum_closed_trades, **evidence)
    return passed(**evidence)


def sanity(run: Run, reported: Iterable[Backtest], rules: Rules) -> Answer:
    """Too good to be true, by our run or by what the builder's engine reported: quarantined."""
    result = run.result
    if not result.runs:
        return unknown("there are no figures: it did not run to its end")
    evidence: dict[str, Any] = _figures(result.statistics, result.closed_trades)
    days = evidence["largest_day_percent"] = _largest_day(result.equity)
    own = _suspicions(result.statistics, result.closed_trades, days, rules)
    if own is not None and run.moved_money:
        own.append("money that models of its own moved")
    if own is None:
        return unknown("the engine's figures lack one of Sharpe Ratio, Drawdown, Net Profit",
                       **evidence)  # fmt: skip
    told = {
        one.id: {"too_good": found, **_figures(one.statistics, one.closed_trades)}
        for one in reported
        if one.status is BacktestStatus.COMPLETED and (found := _told_too_good(one, rules))
    }
    if not own and not told:
        return passed(**evidence)
    first = own[0] if own else next(iter(told.values()))["too_good"][0]
    whose = "" if own else ", by the builder's engine"
    return failed(
        f"too good to be true: {first}{whose}", quarantined=True, own_run=own, reported=told,
        **evidence,
    )  # fmt: skip


def _figures(statistics: Mapping[str, str], closed: int | None) -> dict[str, Any]:
    """What the thresholds are held against; None where the engine does not say."""
    names = {"sharpe": "Sharpe Ratio", "drawdown_percent": "Drawdown",
             "net_profit_percent": "Net Profit", "win_rate_percent": "Win Rate"}  # fmt: skip
    found: dict[str, Any] = {key: number(statistics.get(name)) for key, name in names.items()}
    return {**found, "closed_trades": closed}


def _told_too_good(one: Backtest, rules: Rules) -> list[str]:
    """The same rules for what the builder's engine said; and figures that no order has made."""
    found = _suspicions(one.statistics, one.closed_trades, None, rules) or []
    figures = _figures(one.statistics, None)
    if one.total_orders == 0 and (figures["sharpe"] or figures["net_profit_percent"]):
        found.append("figures without an order")
    return found


def _suspicions(
    statistics: Mapping[str, str], closed: int | None, day: float | None, rules: Rules
) -> list[str] | None:
    """The rules that are broken, in words; None where a figure is missing, which is not zero."""
    sharpe, drawdown, profit = (
        number(statistics.get(key)) for key in ("Sharpe Ratio", "Drawdown", "Net Profit")
    )
    if sharpe is None or drawdown is None or profit is None:
        return None
    found = []
    if abs(sharpe) > rules.maximum_sharpe:
        found.append("Sharpe ratio" if sharpe > 0 else "Sharpe ratio (far below zero)")
    if drawdown < rules.minimum_drawdown and profit > rules.drawdown_from_profit:
        found.append("drawdown")
    wins, closed = number(statistics.get("Win Rate")), closed or 0
    # A basket that is trimmed in a rising market wins nearly always, and earns no more for it.
    good = sharpe >= rules.win_rate_from_sharpe and closed >= rules.win_rate_from_trades
    if good and wins is not None and wins > rules.maximum_win_rate:
        found.append("win rate")
    if day is not None and day > rules.maximum_day:
        found.append("one day's change")
    return found


def _largest_day(equity: Iterable[tuple[str, float]]) -> float | None:
    """Largest change of the equity within a day, percent."""
    values = [dollars for _, dollars in equity]
    changes = [
        abs(after / before - 1) * 100 for before, after in itertools.pairwise(values) if before > 0
    ]
    return round(max(changes), 3) if changes else None
