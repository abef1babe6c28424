"""What a strategy chooses in initialize: dates, cash, securities, warm-up, benchmark, models."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from ..brokerage_models import Brokerage
from ..desk import EPOCH, Desk, Refused
from ..enums import DataNormalizationMode, LeanEnum, SecurityType, enum
from ..figures import StatisticsResults
from ..interest import InterestRateProvider
from ..keywords import lean_names
from ..known import not_modelled
from ..own_brokerage import OwnBrokerage
from ..own_models import FuncBenchmark
from ..security import Security
from ..settings import AlgorithmSettings
from ..symbol import Symbol

_MODELLED_MODES = frozenset(
    {
        DataNormalizationMode.RAW,
        DataNormalizationMode.ADJUSTED,
        DataNormalizationMode.SPLIT_ADJUSTED,
        DataNormalizationMode.TOTAL_RETURN,
    }
)


def _moment(args: tuple[Any, ...], named: dict[str, Any], what: str) -> datetime:
    given = {key.lower(): value for key, value in named.items()}
    rest = [given.pop(key) for key in ("year", "month", "day")[len(args) :] if key in given]
    args = (*args, *rest, *given.values())
    if len(args) == 1 and isinstance(args[0], date):
        value = args[0]
        return datetime(value.year, value.month, value.day)
    if len(args) == 3 and all(hasattr(item, "__index__") for item in args):
        year, month, day = (int(item) for item in args)
        return datetime(year, month, day)
    raise TypeError(f"No method matches given arguments for {what}: {args!r}")


class Setup:
    """QCAlgorithm's settings."""

    _desk: Desk

    # Dates and cash.

    def set_start_date(self, *args: Any, **named: Any) -> None:
        self._set_date("start", _moment(args, named, "SetStartDate"))

    def set_end_date(self, *args: Any, **named: Any) -> None:
        self._set_date("end", _moment(args, named, "SetEndDate"))

    def _set_date(self, which: str, moment: datetime) -> None:
        desk = self._desk
        desk.only_initialize(f"Set{which.capitalize()}Date")
        if which in desk.fixed:
            return
        start = moment if which == "start" else desk.start
        end = moment if which == "end" else desk.end
        if end is not None and start > end and which == "end":
            raise Refused("Please select an end date after the start date.")
        setattr(desk, which, moment)
        if which == "start":
            desk.begin_at(moment)
        desk.send(["set", which, int((moment - EPOCH).total_seconds()) // 86400])

    @property
    def start_date(self) -> datetime:
        return self._desk.start

    @property
    def end_date(self) -> datetime:
        """The last moment of the last day."""
        if self._desk.end is None:
            return datetime.max
        return self._desk.end + timedelta(days=1, microseconds=-1)

    def set_cash(self, *args: Any, **named: Any) -> None:
        self._desk.only_initialize("SetCash")
        self._desk.set_cash(*(args or tuple(named.values())))

    def set_account_currency(self, account_currency: str, starting_cash: Any = None) -> None:
        if account_currency.upper() != "USD":
            not_modelled("QCAlgorithm.set_account_currency", account_currency)
        if starting_cash is not None:
            self.set_cash(starting_cash)

    @property
    def account_currency(self) -> str:
        return "USD"

    def set_time_zone(self, time_zone: Any) -> None:
        name = str(time_zone)
        self._desk.ask(["zone", name])

    @property
    def time_zone(self) -> str:
        return "America/New_York"

    # Securities.

    def add_equity(
        self,
        ticker: Any,
        resolution: Any = None,
        market: Any = None,
        fill_forward: bool = True,
        leverage: float = 0.0,
        extended_market_hours: bool = False,
        data_normalization_mode: Any = None,
    ) -> Security:
        if not isinstance(ticker, str):
            raise TypeError(f"No method matches given arguments for AddEquity: {ticker!r}")
        if market is not None and str(market).lower() != "usa":
            not_modelled("QCAlgorithm.add_equity", f"market {market}")
        universe = self._desk.universe
        chosen = universe.resolution if resolution is None else resolution
        mode = data_normalization_mode
        mode = universe.data_normalization_mode if mode is None else mode
        if mode not in _MODELLED_MODES:
            not_modelled(f"DataNormalizationMode.{DataNormalizationMode(mode).name}")
        if not isinstance(chosen, LeanEnum):
            raise TypeError(f"No method matches given arguments for AddEquity: {chosen!r}")
        security = self._desk.subscribe(
            ticker, chosen, mode, leverage, fill_forward, extended_market_hours
        )
        self._desk.framework.universes.own(security)
        return security

    def add_security(
        self, kind: Any, ticker: Any = None, resolution: Any = None, *rest: Any, **named: Any
    ) -> Security:
        if isinstance(kind, Symbol):
            return self.add_equity(str(kind), ticker, *(x for x in (resolution,) if x), **named)
        if kind != SecurityType.EQUITY:
            not_modelled("QCAlgorithm.add_security", f"SecurityType.{SecurityType(kind).name}")
        return self.add_equity(ticker, resolution, *rest, **named)

    def remove_security(self, symbol: Any, tag: str = "") -> bool:
        """Cancel its orders, close its position, and stop its bars once nothing is held."""
        desk = self._desk
        if symbol not in desk.securities:
            return False
        security = desk.security(symbol)
        desk.trading.transactions.cancel_open_orders(security.symbol)
        if security.invested:
            desk.trading.liquidate([security.symbol], tag or None)
        desk.framework.universes.remove(security)
        return True

    def symbol(self, ticker: str) -> Symbol:
        """The Symbol of a subscribed ticker."""
        if ticker in self._desk.securities:
            found: Symbol = self._desk.security(ticker).symbol
            return found
        return Symbol(ticker)

    def ticker(self, symbol: Any) -> str:
        return str(symbol)

    @property
    def securities(self) -> Any:
        return self._desk.securities

    @property
    def active_securities(self) -> Any:
        """Those that a universe has, or that bars still come in of."""
        return self._desk.framework.universes.active

    @property
    def universe_settings(self) -> Any:
        return self._desk.universe

    @property
    def settings(self) -> AlgorithmSettings:
        return self._desk.settings

    def set_security_initializer(self, security_initializer: Any) -> None:
        """A function, or a BrokerageModelSecurityInitializer with a seeder."""
        given = security_initializer
        function = getattr(given, "initialize", given)
        if not callable(function):
            raise TypeError(f"set_security_initializer needs a function, got {given!r}")
        self._desk.security_initializer = function

    def add_security_initializer(self, security_initializer: Any) -> None:
        before = self._desk.security_initializer
        function = getattr(security_initializer, "initialize", security_initializer)

        def both(security: Security) -> None:
            if before is not None:
                before(security)
            function(security)

        self._desk.security_initializer = both

    # Brokerage, benchmark, warm-up.

    @lean_names("brokerage account_type")
    def set_brokerage_model(self, model: Any, account_type: Any = None) -> None:
        """By LEAN's name, or a model object of LEAN's own."""
        brokerages, accounts = enum("BrokerageName"), enum("AccountType")
        if isinstance(model, Brokerage):
            name, account_type = model.brokerage, model.account_type
        elif isinstance(model, LeanEnum):
            name = brokerages(int(model)).name
        else:
            not_modelled("QCAlgorithm.set_brokerage_model", type(model).__name__)
        cash = account_type is not None and account_type == accounts.CASH
        desk = self._desk
        desk.choose_brokerage(name, cash)
        if type(model).__module__ == "__main__":
            desk.own_models.brokerage = OwnBrokerage(desk, model)
            for security in desk.by_index:
                desk.own_models.brokerage.furnish(security)

    @property
    def brokerage_model(self) -> Any:
        if self._desk.own_models.brokerage is not None:
            return self._desk.own_models.brokerage.model
        return Brokerage(self._desk.brokerage, self._desk.cash_account)

    @property
    def brokerage_name(self) -> Any:
        return getattr(enum("BrokerageName"), self._desk.brokerage)

    def set_benchmark(self, *args: Any, **named: Any) -> None:
        """A ticker or symbol; or a function of the time that gives a value a day."""
        what = (args or tuple(named.values()))[-1]
        if isinstance(what, Security):
            what = what.symbol
        desk = self._desk
        desk.only_initialize("SetBenchmark")
        if isinstance(what, str):
            desk.benchmark, desk.own_models.benchmark = Symbol(what), None
        elif callable(what):
            desk.benchmark, desk.own_models.benchmark = FuncBenchmark(what), what
        else:
            raise TypeError(f"No method matches given arguments for SetBenchmark: {what!r}")
        desk.send(["set", "own_benchmark", int(not isinstance(what, str))])
        if isinstance(what, str):
            desk.send(["set", "benchmark", what.upper()])

    @property
    def benchmark(self) -> Any:
        return self._desk.benchmark

    def set_warm_up(self, span: Any = None, resolution: Any = None, **named: Any) -> None:
        span = next(iter(named.values())) if span is None and named else span
        desk = self._desk
        if desk.locked:
            raise Refused("QCAlgorithm.SetWarmup(): This method cannot be used after algorithm "
                          "initialized")  # fmt: skip
        whole = hasattr(span, "__index__") and not isinstance(span, bool | LeanEnum)
        if not whole and not isinstance(span, timedelta):
            raise TypeError(f"No method matches given arguments for SetWarmUp: {span!r}")
        desk.warm_up = span
        desk.settings.warmup_resolution = resolution

    def set_warmup(self, *args: Any, **named: Any) -> None:
        self.set_warm_up(*args, **named)

    @property
    def is_warming_up(self) -> bool:
        return self._desk.warming_up

    def set_risk_free_interest_rate_model(self, model: Any) -> None:
        """A model of LEAN's, or any object that has `get_interest_rate`."""
        get = getattr(model, "get_interest_rate", getattr(model, "GetInterestRate", None))
        if not callable(get):
            raise TypeError(
                "IRiskFreeInterestRateModel.GetInterestRate must be implemented. Please implement "
                f"this missing method on {type(model)}"
            )
        self._desk.own_models.rates = model
        self._desk.send(["set", "own_rates", int(not isinstance(model, InterestRateProvider))])

    @property
    def risk_free_interest_rate_model(self) -> Any:
        models = self._desk.own_models
        if models.rates is None:
            models.rates = InterestRateProvider()
        return models.rates

    # Parameters, names, statistics.

    def get_parameter(self, name: str, default_value: Any = None) -> Any:
        """A parameter of the backtest; the default's type decides what comes back, as in LEAN."""
        default, text = default_value, self._desk.parameters.get(name)
        if text is None:
            return default
        if isinstance(default, int) and not isinstance(default, bool):
            return int(text)
        return float(text) if isinstance(default, float) else text

    def get_parameters(self) -> dict[str, str]:
        return dict(self._desk.parameters)

    MAX_NAME_AND_TAGS_LENGTH, MAX_TAGS_COUNT = 200, 100

    def set_name(self, name: str) -> None:
        self._desk.name = str(name)

    def set_tags(self, tags: Any) -> None:
        self._desk.tags = set(tags)

    def add_tag(self, tag: str) -> None:
        self._desk.tags.add(tag)

    def set_runtime_statistic(self, name: str, value: Any) -> None:
        self._desk.send(["runtime", str(name)[:200], str(value)[:200]])

    @property
    def statistics(self) -> StatisticsResults:
        return StatisticsResults(self._desk.ask(["figures"]))

    def set_summary_statistic(self, name: str, value: Any) -> None:
        self._desk.send(["statistic", str(name)[:200], str(value)[:200]])
