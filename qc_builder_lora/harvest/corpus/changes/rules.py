"""Risk rules and conditions that are put into a strategy, or taken out of it again."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qc_builder_lora.harvest.corpus.changes.change import Based, Demand, Edit, Kind
from qc_builder_lora.harvest.corpus.changes.shape import Shape, is_tidy, shape_of, warmed_up

Values = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Something that a strategy may have or not: how it is put in, and the words for it.

    `put` gets the shape and the values drawn; in the words and the demands `{name}` stands for a
    value, `{name_percent}` for it as a percentage.
    """

    name: str
    about: str
    values: Mapping[str, Sequence[Any]]
    put: Callable[[Shape, Values], Shape | None]
    names: Sequence[str]
    """Names that the code gets by it: where one is there already, the rule has no place."""
    asks: Sequence[str]
    demands: Callable[[Values], Sequence[Demand]]
    without: Sequence[str]
    why: str = "risk"

    def adding(self, based: Based, source: random.Random) -> Edit | None:
        """The rule put in."""
        drawn = {key: source.choice(list(each)) for key, each in self.values.items()}
        after = self._with(based.code, drawn)
        if after is None:
            return None
        return Edit(
            before=based.code,
            after=after,
            asks=[_worded(self.asks, drawn)],
            demands=self.demands(drawn),
        )

    def removing(self, based: Based, source: random.Random) -> Edit | None:
        """The same strategy with the rule as what is there, and without it as what is asked for."""
        edit = self.adding(based, source)
        if edit is None:
            return None
        lacks: list[Demand] = [("lacks", rf"\b{name}\b") for name in self.names]
        return Edit(before=edit.after, after=edit.before, asks=[self.without], demands=lacks)

    def _with(self, code: str, drawn: Values) -> str | None:
        shape = shape_of(code)
        if shape is None or any(name in code for name in self.names):
            return None
        put = self.put(shape, drawn)
        return None if put is None or not is_tidy(put.code) else put.code

    def kinds(self) -> tuple[Kind, Kind]:
        """Putting it in and taking it out."""
        return (
            Kind(f"{self.name}_added", f"{self.about} is put in", self.adding, 0.8, self.why),
            Kind(f"{self.name}_removed", f"{self.about} is taken out", self.removing, 0.3),
        )


def _worded(asks: Sequence[str], drawn: Values) -> list[str]:
    values = dict(drawn)
    for key, value in drawn.items():
        if isinstance(value, float):
            values[f"{key}_percent"] = f"{value * 100:g}"
    return [ask.format(**values) for ask in asks]


def _trailing(shape: Shape, drawn: Values) -> Shape:
    return (
        shape.set_up("self._peak = 0.0")
        .each_bar("self._peak = max(self._peak, price)")
        .entered(after=("self._peak = price",))
        .left(f"price < self._peak * (1 - {drawn['trail']})")
    )


def _stop(shape: Shape, drawn: Values) -> Shape:
    return (
        shape.each_bar("loss = -self.portfolio[self._symbol].unrealized_profit_percent")
        .left(f"loss > {drawn['stop']}")
    )  # fmt: skip


def _target(shape: Shape, drawn: Values) -> Shape:
    return (
        shape.each_bar("gain = self.portfolio[self._symbol].unrealized_profit_percent")
        .left(f"gain > {drawn['target']}")
    )  # fmt: skip


def _time(shape: Shape, drawn: Values) -> Shape:
    return (
        shape.set_up("self._held = 0")
        .each_bar("self._held += 1")
        .entered(after=("self._held = 0",))
        .left(f"self._held >= {drawn['days']}")
    )


def _volatility(shape: Shape, drawn: Values) -> Shape | None:
    warm = warmed_up(shape.code, drawn["window"] + 2)
    warmed = None if warm is None else shape_of(warm)
    if warmed is None or float(shape.weight) != 1.0:
        return None
    weight = f"min(1.0, {drawn['level']} / volatility)"
    deviation = "IndicatorExtensions.of(StandardDeviation({window}), self._change)"
    return warmed.set_up(
        "self._change = self.roc(self._symbol, 1)",
        f"self._deviation = {deviation.format(**drawn)}",
    ).entered(
        before=("volatility = max(self._deviation.current.value, 0.0001) * 252**0.5",),
        weight=weight,
    )


def _filter(shape: Shape, drawn: Values) -> Shape | None:
    warm = warmed_up(shape.code, drawn["bars"])
    warmed = None if warm is None else shape_of(warm)
    if warmed is None:
        return None
    return (
        warmed.set_up(f"self._filter = self.sma(self._symbol, {drawn['bars']})")
        .each_bar("above = price > self._filter.current.value")
        .entered(also="above")
    )


def _breaker(shape: Shape, drawn: Values) -> Shape:
    return (
        shape.set_up("self._most = 0.0", "self._stopped = False")
        .each_bar(
            "value = self.portfolio.total_portfolio_value",
            "self._most = max(self._most, value)",
            f"self._stopped = self._stopped or value < self._most * (1 - {drawn['limit']})",
        )
        .entered(also="not self._stopped")
        .left("self._stopped")
    )


RULES = (
    Rule(
        name="trailing_stop", about="a trailing stop",
        values={"trail": (0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.12, 0.15)},
        put=_trailing, names=("_peak",),
        asks=(
            "add a {trail_percent}% trailing stop",
            "lower the drawdown: sell as well once the price is {trail_percent}% below its high "
            "since the entry",
            "put a trailing stop of {trail_percent} % under the position",
            "trailing stop {trail}, measured from the highest close since the entry",
            "protect the profits with a trailing stop {trail_percent} percent under the peak",
        ),
        demands=lambda v: [("stop", v["trail"]), ("has", r"_peak \* \(1 - ")],
        without=(
            "remove the trailing stop", "take the trailing stop out again", "no trailing stop",
            "leave only when the signal says so; the trailing stop has to go",
        ),
    ),
    Rule(
        name="stop_loss", about="a stop loss",
        values={"stop": (0.03, 0.04, 0.05, 0.06, 0.08, 0.1)},
        put=_stop, names=("loss",),
        asks=(
            "add a stop loss of {stop_percent}%",
            "cut losses at {stop_percent} %",
            "get out when a position is {stop_percent}% under water",
            "stop loss {stop} on the open position, the other exits stay",
            "no trade may lose more than about {stop_percent} percent: leave it there",
        ),
        demands=lambda v: [("stop", v["stop"]), ("has", r"\bloss > ")],
        without=(
            "remove the stop loss", "drop the stop, it only costs", "no stop loss any more",
            "take the stop loss out and keep the other exit",
        ),
    ),
    Rule(
        name="take_profit", about="a profit target",
        values={"target": (0.05, 0.08, 0.1, 0.12, 0.15, 0.2)},
        put=_target, names=("gain",),
        asks=(
            "take profits at {target_percent}%",
            "add a profit target of {target_percent} %",
            "sell as well when the position is up {target_percent}%",
            "take_profit: {target}, besides the exit that is there",
        ),
        demands=lambda v: [("number", v["target"]), ("has", r"\bgain > ")],
        without=(
            "remove the profit target", "let profits run: no take profit",
            "take the profit target out", "do not sell at a fixed gain any more",
        ),
    ),
    Rule(
        name="time_stop", about="a time stop",
        values={"days": (5, 8, 10, 15, 20, 30, 40, 60)},
        put=_time, names=("_held",),
        asks=(
            "hold no position longer than {days} days",
            "add a time stop: out after {days} bars",
            "leave each trade after {days} trading days at the latest",
            "max_holding_days: {days}, the other exit stays",
        ),
        demands=lambda v: [("number", v["days"]), ("has", r"_held >= ")],
        without=(
            "remove the time stop", "no limit on how long a position is held",
            "hold until the signal ends, however long that is; no time stop",
        ),
    ),
    Rule(
        name="volatility_size", about="sizing by volatility",
        values={"level": (0.08, 0.1, 0.12, 0.15, 0.2), "window": (10, 15, 20, 30)},
        put=_volatility, names=("_change", "_deviation", "volatility"),
        asks=(
            "size the position for {level_percent}% annual volatility over {window} days, at most "
            "the whole portfolio",
            "volatility target {level}, window {window}, no leverage",
            "scale the weight to a volatility of {level_percent} % a year, measured on {window} "
            "daily returns and capped at 100 %",
            "less when it is wild: weight = {level} / annualised volatility of {window} days, at "
            "most 1",
        ),
        demands=lambda v: [
            ("number", v["level"]), ("number", v["window"]), ("has", r"min\(1\.0, .* / vol")
        ],
        without=(
            "always invest fully instead of sizing by volatility",
            "remove the volatility sizing, weight 1.0", "no volatility target: all in",
        ),
    ),
    Rule(
        name="trend_filter", about="a trend filter",
        values={"bars": (50, 80, 100, 120, 150, 200)},
        put=_filter, names=("_filter", "above"),
        asks=(
            "buy only while the price is above its {bars}-day simple moving average",
            "add a trend filter: entries only over the {bars} day SMA",
            "no entries below SMA({bars})",
            "require price > sma({bars}) for an entry, exits stay as they are",
        ),
        demands=lambda v: [("number", v["bars"]), ("has", r"self\._filter = self\.sma\(")],
        without=(
            "remove the trend filter", "enter whatever the long average says",
            "take the moving average filter out, it keeps us from trading",
        ),
        why="results",
    ),
    Rule(
        name="drawdown_limit", about="a limit of the drawdown",
        values={"limit": (0.1, 0.15, 0.2, 0.25, 0.3)},
        put=_breaker, names=("_most", "_stopped", "value"),
        asks=(
            "stop trading for good when the portfolio is {limit_percent}% below its peak",
            "add a kill switch at {limit_percent} % drawdown",
            "max_drawdown {limit}: sell everything there and do not enter again",
            "when equity has fallen {limit_percent} percent from its high, liquidate and stay out",
        ),
        demands=lambda v: [("stop", v["limit"]), ("has", r"self\._stopped or")],
        without=(
            "remove the kill switch", "keep trading after a drawdown: no kill switch",
            "take the drawdown limit out",
        ),
    ),
)  # fmt: skip
