"""`self.settings`: what of LEAN's AlgorithmSettings changes a daily backtest of equities."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from .alias import both_styles
from .enums import DataNormalizationMode, Resolution
from .known import Lean, not_modelled


@both_styles
class AlgorithmSettings(Lean):
    """Defaults are LEAN's. A setting that the simulator does not honour answers unknown."""

    __slots__ = (
        "_percentage",
        "_precise",
        "_stale",
        "_trading_days",
        "_value",
        "automatic_indicator_warm_up",
        "ignore_unknown_asset_holdings",
        "liquidate_enabled",
        "max_absolute_portfolio_target_percentage",
        "min_absolute_portfolio_target_percentage",
        "minimum_order_margin_portfolio_percentage",
        "performance_sample_period",
        "rebalance_portfolio_on_insight_changes",
        "rebalance_portfolio_on_security_changes",
        "seed_initial_prices",
        "send",
        "warmup_resolution",
    )

    def __init__(self, send: Any) -> None:
        self.send = send
        self._percentage = 0.0025
        self._value: float | None = None
        self._precise = True
        self._trading_days = 252
        self.automatic_indicator_warm_up = False
        self.seed_initial_prices = False
        self.liquidate_enabled = True
        self.minimum_order_margin_portfolio_percentage = 0.001
        self.max_absolute_portfolio_target_percentage = 1e9
        self.min_absolute_portfolio_target_percentage = 1e-10
        self.rebalance_portfolio_on_insight_changes: Any = None
        self.rebalance_portfolio_on_security_changes: Any = None
        self._stale = timedelta(hours=1)
        self.performance_sample_period: Any = None
        self.ignore_unknown_asset_holdings = False
        self.warmup_resolution: Any = None

    def free_buffer(self, portfolio_value: float) -> float:
        """US dollars that `set_holdings` leaves alone."""
        return self._value if self._value is not None else portfolio_value * self._percentage

    @property
    def stale_price_time_span(self) -> timedelta:
        return self._stale

    @stale_price_time_span.setter
    def stale_price_time_span(self, value: timedelta) -> None:
        self._stale = value
        self.send(["set", "stale_price_s", value.total_seconds()])

    @property
    def free_portfolio_value_percentage(self) -> float:
        return self._percentage

    @free_portfolio_value_percentage.setter
    def free_portfolio_value_percentage(self, value: float) -> None:
        self._percentage = float(value)

    @property
    def free_portfolio_value(self) -> float | None:
        return self._value

    @free_portfolio_value.setter
    def free_portfolio_value(self, value: float | None) -> None:
        self._value = None if value is None else float(value)

    @property
    def daily_precise_end_time(self) -> bool:
        return self._precise

    @daily_precise_end_time.setter
    def daily_precise_end_time(self, value: bool) -> None:
        self._precise = bool(value)
        self.send(["set", "precise", int(self._precise)])

    @property
    def trading_days_per_year(self) -> int | None:
        return self._trading_days

    @trading_days_per_year.setter
    def trading_days_per_year(self, value: int | None) -> None:
        if value is not None:
            self._trading_days = int(value)
            self.send(["set", "trading_days", int(value)])


@both_styles
class _Schedule(Lean):
    """When universes select: only at LEAN's own times here."""

    __slots__ = ()

    def on(self, date_rule: Any) -> None:
        """Days of the caller's own choice are not modelled."""
        not_modelled("UniverseSettings.schedule.on")


@both_styles
class UniverseSettings(Lean):
    """Defaults of `add_equity`; LEAN's resolution is the minute."""

    __slots__ = (
        "asynchronous",
        "data_normalization_mode",
        "extended_market_hours",
        "fill_forward",
        "leverage",
        "minimum_time_in_universe",
        "resolution",
        "schedule",
    )

    def __init__(self) -> None:
        self.resolution = Resolution.MINUTE
        self.data_normalization_mode = DataNormalizationMode.ADJUSTED
        self.fill_forward = True
        self.extended_market_hours = False
        self.leverage = 0.0
        self.minimum_time_in_universe: Any = None
        self.asynchronous = False
        self.schedule = _Schedule()
