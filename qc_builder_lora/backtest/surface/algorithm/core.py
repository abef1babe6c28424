"""QCAlgorithm: what every strategy derives from."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ..alias import both_styles, pascal
from ..desk import Desk
from ..enums import enum
from ..framework.methods import FrameworkMethods
from ..keywords import lean_names
from ..known import missing
from ..notifications import NotificationManager
from ..schedule import DateRules, ScheduleManager, TimeRules
from ..seeding import last_known
from ..trade_builder import TradeBuilder
from .callbacks import Callbacks
from .indicators import IndicatorMethods
from .odd_shortcuts import OddShortcuts
from .setup import Setup
from .shortcuts import UPPER_NAMES, method
from .trading import TradingMethods

_desk: list[Desk] = []


def use(desk: Desk) -> None:
    """Make the next QCAlgorithm speak to this desk, `__init__` or not."""
    _desk[:] = [desk]


class QCAlgorithm(
    Setup, TradingMethods, IndicatorMethods, OddShortcuts, FrameworkMethods, Callbacks
):
    """One strategy. Its state lives at the desk, so that its own attributes may have any name."""

    def __new__(cls, *args: Any, **named: Any) -> QCAlgorithm:
        made = super().__new__(cls)
        made.__dict__["_desk"] = _desk[0]
        return made

    # The clock.

    @property
    def time(self) -> datetime:
        return self._desk.time

    @property
    def utc_time(self) -> datetime:
        return self._desk.utc_time

    @property
    def current_slice(self) -> Any:
        return self._desk.current_slice

    @property
    def notify(self) -> NotificationManager:
        return NotificationManager()

    @property
    def live_mode(self) -> bool:
        return False

    @property
    def algorithm_mode(self) -> Any:
        return enum("AlgorithmMode").BACKTESTING

    @property
    def deployment_target(self) -> Any:
        return enum("DeploymentTarget").LOCAL_PLATFORM

    @property
    def algorithm_id(self) -> str:
        return "simulator"

    @property
    def project_id(self) -> int:
        return 0

    @property
    def trade_builder(self) -> TradeBuilder:
        return TradeBuilder(self._desk)

    @property
    def object_store(self) -> Any:
        return self._desk.object_store

    # The schedule.

    @property
    def schedule(self) -> ScheduleManager:
        return self._desk.schedule

    @property
    def date_rules(self) -> DateRules:
        return self._desk.schedule.date_rules

    @property
    def time_rules(self) -> TimeRules:
        return self._desk.schedule.time_rules

    @lean_names("date_rule time_rule training_code", "training_code")
    def train(self, *args: Any) -> Any:
        """Run a training function: at once, or on a schedule."""
        if len(args) == 1:
            return args[0]()
        return self._desk.schedule.on(*args)

    # Words for the log.

    def log(self, message: Any = "") -> None:
        self._desk.log("log", message)

    def debug(self, message: Any = "") -> None:
        self._desk.log("debug", message)

    def error(self, message: Any = "") -> None:
        self._desk.log("error", message)

    def quit(self, message: Any = "") -> None:
        """Stop after this moment."""
        self._desk.quit(str(message))

    @lean_names("symbol")
    def get_last_known_price(self, security: Any) -> Any:
        """The last bar there is, for a security seeder."""
        found = self.get_last_known_prices(security)
        return found[0] if found else None

    @lean_names("symbol")
    def get_last_known_prices(self, security: Any) -> list[Any]:
        """The last trades, and the last quotes where it has quotes."""
        return last_known(self._desk, self._desk.security(security))

    def __getattr__(self, name: str) -> Any:
        return missing("QCAlgorithm", name, self)


for _name in UPPER_NAMES - frozenset(dir(OddShortcuts)):
    setattr(QCAlgorithm, _name, method(_name))
    setattr(QCAlgorithm, _name.upper().replace("_", ""), getattr(QCAlgorithm, _name))
for _part in (Setup, TradingMethods, IndicatorMethods, OddShortcuts, FrameworkMethods, Callbacks):
    both_styles(_part)
both_styles(QCAlgorithm)
for _name in ("set_warmup",):
    setattr(QCAlgorithm, pascal(_name), getattr(QCAlgorithm, _name))
