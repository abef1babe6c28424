"""Results in LEAN's JSON, of today and of before its renamings, made from results of ours.

What a fake QuantConnect and a fake `lean` answer with. The shapes are LEAN's, the figures are not.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from qc_builder_lora.backtest.protocol import BacktestResult

NEW_YORK = ZoneInfo("America/New_York")
TYPES = {
    "market": 0, "limit": 1, "stop_market": 2, "stop_limit": 3, "market_on_open": 4,
    "market_on_close": 5, "limit_if_touched": 7, "trailing_stop": 11,
}  # fmt: skip
STATUSES = {
    "new": 0, "submitted": 1, "partially_filled": 2, "filled": 3, "canceled": 5, "invalid": 7,
    "update_submitted": 9,
}  # fmt: skip
WORDS = {
    "load": "Loader.TryCreatePythonAlgorithm(): Unable to import python module ./main.py. ",
    "initialize": "During the algorithm initialization, the following exception has occurred: ",
}
"""What LEAN puts in front of an error of each phase."""
LEAN_VERSION = "2.5.0.0.17000"


def midnight_after(day: str) -> int:
    """LEAN's daily sample of a day: the midnight that ends it, in New York, as UNIX seconds."""
    following = date.fromisoformat(day) + timedelta(days=1)
    return int(datetime.combine(following, time(), NEW_YORK).timestamp())


def order(one: Mapping[str, Any]) -> dict[str, Any]:
    symbol = {"value": one["symbol"], "id": f"{one['symbol']} R735QTJ8XC9X"}
    events = [
        {
            "orderId": one["id"], "orderEventId": index, "symbol": symbol["id"],
            "time": unix(fill["time"]), "status": "filled", "fillPrice": fill["price"],
            "fillQuantity": fill["quantity"], "orderFeeAmount": fill["fee"],
            "orderFeeCurrency": "USD",
        }
        for index, fill in enumerate(one["fills"], 2)
    ]  # fmt: skip
    submitted = {
        "orderId": one["id"], "orderEventId": 1, "symbol": symbol["id"],
        "time": unix(one["time"]), "status": "submitted", "fillPrice": 0, "fillQuantity": 0,
    }  # fmt: skip
    found = {
        "id": one["id"], "contingentId": 0, "brokerId": [str(one["id"])], "symbol": symbol,
        "price": one["fills"][0]["price"] if one["fills"] else 0, "priceCurrency": "USD",
        "time": one["time"], "createdTime": one["time"], "quantity": one["quantity"],
        "type": TYPES[one["type"]], "status": STATUSES[one["status"]], "tag": one["tag"],
        "securityType": 1, "direction": 0 if one["quantity"] > 0 else 1,
        "events": [submitted, *events],
    }  # fmt: skip
    if one["fills"]:
        found["lastFillTime"] = one["fills"][-1]["time"]
    for ours, theirs in (("limit_price", "limitPrice"), ("stop_price", "stopPrice")):
        if one.get(ours) is not None:
            found[theirs] = one[ours]
    return found


def trade(one: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "symbol": {"value": one["symbol"], "id": f"{one['symbol']} R735QTJ8XC9X"},
        "entryTime": one["entry_time"], "entryPrice": one["entry_price"],
        "direction": 0 if one["direction"] == "long" else 1, "quantity": one["quantity"],
        "exitTime": one["exit_time"], "exitPrice": one["exit_price"],
        "profitLoss": one["profit"], "totalFees": one["fees"],
    }  # fmt: skip


def performance(result: BacktestResult) -> dict[str, Any]:
    figures = dict(result.trade_statistics) or {"totalNumberOfTrades": result.closed_trades}
    return {
        "tradeStatistics": figures,
        "portfolioStatistics": {"startEquity": 100000},
        "closedTrades": [trade(one) for one in result.trades],
    }


def equity_chart(result: BacktestResult) -> dict[str, Any]:
    values = [[midnight_after(day), *4 * [value]] for day, value in result.equity]
    return {
        "name": "Strategy Equity", "chartType": 0,
        "series": {"Equity": {"name": "Equity", "unit": "$", "seriesType": 2, "values": values}},
    }  # fmt: skip


def result_file(result: BacktestResult) -> dict[str, Any]:
    """What today's LEAN writes on the disk."""
    failed = str(result.status) == "failed"
    reason = WORDS.get(result.phase, "") + (result.reason or "")
    return {
        "rollingWindow": {}, "totalPerformance": performance(result),
        "charts": {"Strategy Equity": equity_chart(result)},
        "orders": {str(one["id"]): order(one) for one in result.orders},
        "profitLoss": {}, "statistics": dict(result.statistics),
        "runtimeStatistics": {"Equity": "$100,000.00"},
        "serverStatistics": {"LEAN Version": LEAN_VERSION},
        "state": {
            "Status": "RuntimeError" if failed else "Completed",
            "RuntimeError": reason.splitlines()[0] if failed else "",
            "StackTrace": reason if failed else "",
        },
    }  # fmt: skip


def old_result_file(result: BacktestResult) -> dict[str, Any]:
    """What LEAN wrote before March 2024: PascalCase, `Total Trades`, points as {x, y}."""
    statistics = {
        {"Total Orders": "Total Trades"}.get(key, key): value
        for key, value in result.statistics.items()
        if key not in ("Start Equity", "End Equity", "Sortino Ratio", "Drawdown Recovery")
    }
    today = result_file(result)
    chart = today["charts"]["Strategy Equity"]
    points = [{"x": point[0], "y": point[-1]} for point in chart["series"]["Equity"]["values"]]
    series = {"Equity": {"Name": "Equity", "Unit": "$", "SeriesType": 0, "Values": points}}
    return {
        "RollingWindow": {}, "TotalPerformance": pascal(today["totalPerformance"]),
        "Charts": {"Strategy Equity": {"Name": "Strategy Equity", "Series": series}},
        "Orders": {key: pascal(value) for key, value in today["orders"].items()},
        "ProfitLoss": {}, "Statistics": statistics, "RuntimeStatistics": {},
    }  # fmt: skip


def pascal(value: Any) -> Any:
    if isinstance(value, dict):
        return {key[:1].upper() + key[1:]: pascal(part) for key, part in value.items()}
    return [pascal(part) for part in value] if isinstance(value, list) else value


def unix(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC).timestamp()
