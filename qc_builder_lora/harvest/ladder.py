"""The gates that look at one strategy and one run of it: G0 to G5 and G7.

Pure answers: nothing here reads the store or runs anything. An answer that is not PASS carries a
`reason` in its evidence, in words that are the same for the same fault.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterable, Mapping
from typing import Any

from qc_builder_lora.backtest.check import CheckResult, lints, parses
from qc_builder_lora.backtest.check import substance as stubs
from qc_builder_lora.backtest.check.parsing import tree_of
from qc_builder_lora.backtest.protocol import MOVED_MONEY, BacktestResult
from qc_builder_lora.harvest.labels import number
from qc_builder_lora.harvest.rules import Rules
from qc_builder_lora.ids import json_hash, text_hash
from qc_builder_lora.records import Backtest, BacktestStatus, Outcome, Strategy

Answer = tuple[Outcome, dict[str, Any]]
_ORDERS = frozenset(
    {
        "set_holdings", "market_order", "limit_order", "stop_market_order", "stop_limit_order",
        "trailing_stop_order", "limit_if_touched_order", "buy", "sell", "order",
        "market_on_open_order", "market_on_close_order", "combo_market_order",
        "combo_limit_order", "combo_leg_limit_order", "add_alpha", "set_alpha",
        "SetHoldings", "MarketOrder", "LimitOrder", "StopMarketOrder", "StopLimitOrder",
        "TrailingStopOrder", "LimitIfTouchedOrder", "Buy", "Sell", "Order", "MarketOnOpenOrder",
        "MarketOnCloseOrder", "ComboMarketOrder", "ComboLimitOrder", "AddAlpha", "SetAlpha",
    }
)  # fmt: skip
_OVERDUE = "did not finish within"


def passed(**evidence: Any) -> Answer:
    return Outcome.PASS, evidence


def failed(reason: str, **evidence: Any) -> Answer:
    return Outcome.FAIL, {"reason": reason, **evidence}


def unknown(reason: str, **evidence: Any) -> Answer:
    return Outcome.UNKNOWN, {"reason": reason, **evidence}


def provenance(strategy: Strategy, models: Iterable[str], requests: Iterable[str]) -> Answer:
    """Where it is from, who wrote it, what was asked; and the text is the one that was kept."""
    evidence = {
        "source": strategy.source,
        "licence": strategy.licence,
        "models": sorted(set(models)),
        "requests": sorted(set(requests))[:10],
        "code_sha256": strategy.code_sha256,
    }
    if not strategy.source:
        return failed("no source is given", **evidence)
    if strategy.code_sha256 != text_hash(strategy.code):
        return failed("the text is not the one whose hash was kept", **evidence)
    return passed(**evidence)


def parse(strategy: Strategy) -> Answer:
    """Python, with one class that LEAN can choose."""
    found = parses(strategy.code)
    if found.outcome is Outcome.PASS:
        return passed()
    return found.outcome, {"reason": found.messages[0] if found.messages else "does not parse"}


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
    calls = sorted(
        {
            node.func.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        }
        & _ORDERS
    )
    if not calls:
        return failed("places no order: a stub", order_calls=[])
    found = stubs(strategy.code)
    if found.outcome is not Outcome.PASS:
        reason = found.messages[0]
        return found.outcome, {"reason": reason, "messages": list(found.messages)[:5]}
    return passed(order_calls=calls)


def engine(strategy: Strategy, result: BacktestResult) -> Answer:
    """It ran to its end, and what ran is this very text, by the hash the engine read back."""
    evidence = {
        "engine": result.engine,
        "version": result.engine_version,
        "data_fingerprint": result.data_fingerprint,
        "status": result.status.value,
        "phase": result.phase,
        "code_sha256": result.code_sha256,
        "behaviour": behaviour(result),
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


def is_overdue(result: BacktestResult) -> bool:
    """Whether it was ended by the clock on the wall, which says little of the code."""
    return (result.reason or "").startswith(_OVERDUE)


def behaviour(result: BacktestResult) -> str | None:
    """One hash of what it did: two codes that trade alike have the same. None where it did not."""
    if not result.orders:
        return None
    return json_hash({"orders": [placed(order) for order in result.orders]})


def placed(order: Mapping[str, Any]) -> list[Any]:
    """What was ordered, and when."""
    keys = ("time", "symbol", "type", "quantity", "limit_price", "stop_price")
    return [str(order.get(key)) for key in keys]


def activity(result: BacktestResult, rules: Rules) -> Answer:
    """Filled orders and closed trades, counted by the engine; orders alone are no trades."""
    filled = sum(1 for order in result.orders if order.get("fills"))
    evidence = {
        "filled_orders": filled,
        "closed_trades": result.closed_trades,
        "enough_for_performance": (result.closed_trades or 0) >= rules.performance_trades,
    }
    if result.status is BacktestStatus.UNKNOWN:
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


def sanity(result: BacktestResult, reported: Iterable[Backtest], rules: Rules) -> Answer:
    """Too good to be true, by our run or by what the builder's engine reported: quarantined."""
    if not result.runs:
        return unknown("there are no figures: it did not run to its end")
    days = _largest_day(result.equity)
    own = _suspicions(result.statistics, result.closed_trades, days, rules)
    if own is not None and MOVED_MONEY in result.logs:
        own.append("money that models of its own moved")
    if own is None:
        return unknown("the engine's figures lack one of Sharpe Ratio, Drawdown, Net Profit",
                       largest_day_percent=days)  # fmt: skip
    told = {
        one.id: found
        for one in reported
        if one.status is BacktestStatus.COMPLETED
        and (found := _suspicions(one.statistics, one.closed_trades, None, rules))
    }
    if not own and not told:
        return passed(largest_day_percent=days)
    first = own[0] if own else next(iter(told.values()))[0]
    return failed(
        f"too good to be true: {first}", quarantined=True, own_run=own, reported=told,
        largest_day_percent=days,
    )  # fmt: skip


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
        found.append("Sharpe ratio")
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
