"""Seasonality: the calendar decides."""

from __future__ import annotations

import calendar

from qc_builder_lora.harvest.corpus.families.shapes import (
    ONE_ASSET,
    long_or_flat,
    one_asset,
    ordinals,
    scheduled,
)
from qc_builder_lora.harvest.corpus.family import Family

MONTHS = Family(
    name="month_season",
    theme="seasonality",
    class_name="MonthSeason",
    parameters={"buy": (8, 9, 10, 11, 12), "sell": (2, 3, 4, 5, 6)},
    names=lambda p: {
        "buy_month": calendar.month_name[p["buy"]],
        "sell_month": calendar.month_name[p["sell"]],
    },
    initialize=ONE_ASSET,
    rest=long_or_flat(
        "season",
        "not season",
        "month = self.time.month",
        "season = month >= $buy or month < $sell",
    ),
    phrasings=(
        "Hold $ticker from $buy_month until the end of the month before $sell_month and stay in cash the rest of the year.",
        "Seasonal strategy on $ticker: buy in $buy_month, sell in $sell_month.",
        "Write a sell in May style algorithm that is long $ticker from $buy_month on and out from $sell_month.",
        "strategy: seasonal\nsymbol: $ticker\nbuy_month: $buy\nsell_month: $sell",
        "Own $ticker only in the season that begins with $buy_month and ends when $sell_month starts.",
        "Calendar effect: $ticker long from $buy_month to $sell_month, otherwise cash.",
        "Sell $ticker at the start of $sell_month and buy it back in $buy_month every year.",
    ),
)

WEEKDAY = Family(
    name="weekday",
    theme="seasonality",
    class_name="WeekdayEffect",
    parameters={"buy": (0, 1, 2, 3), "sell": (1, 2, 3, 4), "weight": (0.5, 0.75, 1.0)},
    valid=lambda p: p["buy"] < p["sell"],
    names=lambda p: {
        "buy_day": calendar.day_name[p["buy"]],
        "sell_day": calendar.day_name[p["sell"]],
        "buy_rule": calendar.day_name[p["buy"]].upper(),
        "sell_rule": calendar.day_name[p["sell"]].upper(),
    },
    # Not by the day of a bar: an order at its end is filled at the open of the next day.
    initialize=one_asset(warm_up="1")
    + scheduled("self._symbol", "every", days="DayOfWeek.$buy_rule", call="_enter")
    + scheduled("self._symbol", "every", days="DayOfWeek.$sell_rule", call="_leave"),
    rest="""
        def _enter(self):
            if not self.portfolio.invested:
                self.set_holdings(self._symbol, $weight)

        def _leave(self):
            self.liquidate()
    """,
    phrasings=(
        "Buy $ticker with $weight_percent% of equity on every $buy_day and sell it on $sell_day.",
        "Day of week effect on $ticker: enter $buy_day, exit $sell_day, size $weight_percent%.",
        "Write an algorithm that orders $ticker on $buy_day ($weight_percent percent of the portfolio) and liquidates on $sell_day each week.",
        "strategy: weekday effect\nsymbol: $ticker\nbuy_day: $buy_day\nsell_day: $sell_day\nposition_size: $weight",
        "Go long $ticker every $buy_day and be flat again by $sell_day, $weight_percent% invested.",
        "Weekly pattern: in $ticker from $buy_day to $sell_day with $weight_percent%.",
    ),
)

TURN_OF_MONTH = Family(
    name="turn_of_month",
    theme="seasonality",
    class_name="TurnOfMonth",
    parameters={"start": (22, 23, 24, 25, 26, 27), "end": (2, 3, 4, 5, 6, 7, 8)},
    names=ordinals,
    initialize=ONE_ASSET,
    rest=long_or_flat(
        "turn", "not turn", "day = self.time.day", "turn = day >= $start or day <= $end"
    ),
    phrasings=(
        "Own $ticker only around the turn of the month: from day $start until day $end of the next month.",
        "Turn of month effect, $ticker, in from day $start, out after day $end.",
        "Write a calendar strategy that is invested in $ticker when the day of the month is at least $start or at most $end.",
        "strategy: turn of month\nsymbol: $ticker\nfirst_day: $start\nlast_day: $end",
        "Hold $ticker over month ends, starting on the $start_th and leaving after the $end_th.",
        "End of month anomaly: buy $ticker on day $start, sell after day $end.",
    ),
)

FAMILIES = (MONTHS, WEEKDAY, TURN_OF_MONTH)
