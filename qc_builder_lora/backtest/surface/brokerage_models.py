"""LEAN's brokerage models as a strategy names them; their rules are in `brokerages.py`."""

from __future__ import annotations

from typing import Any

from .brokerages import BROKERAGES
from .enums import enum
from .known import Lean
from .own_brokerage import check


class Brokerage(Lean):
    """A brokerage by LEAN's name, with a margin or a cash account."""

    BROKERAGE = "DEFAULT"

    def __new__(cls, *args: Any, **named: Any) -> Brokerage:
        # As LEAN makes its own part of a class whose __init__ does not call the base's.
        made = super().__new__(cls)
        made.brokerage, made.account_type = cls.BROKERAGE, enum("AccountType").MARGIN
        return made

    def __init__(self, *args: Any, **named: Any) -> None:
        given = [*args, *named.values()]
        accounts = enum("AccountType")
        self.brokerage = self.BROKERAGE
        if given and isinstance(given[0], str):
            self.brokerage, cash = given[0], bool(given[1])
            self.account_type = accounts.CASH if cash else accounts.MARGIN
        else:
            self.account_type = given[0] if given else accounts.MARGIN

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        if cls.__module__ == "__main__":
            check(cls)

    @property
    def default_markets(self) -> dict[Any, str]:
        """The market of each kind of security, where none is named."""
        return {enum("SecurityType").EQUITY: "usa"}

    def can_submit_order(self, *asked: Any) -> Any:
        """LEAN's own rules are looked at by the simulator."""
        return True, None

    def can_update_order(self, *asked: Any) -> Any:
        """The same."""
        return True, None

    DefaultMarkets = default_markets
    CanSubmitOrder = can_submit_order
    CanUpdateOrder = can_update_order


MODELS: dict[str, type[Brokerage]] = {
    rules.name: type(rules.name, (Brokerage,), {"BROKERAGE": name, "__module__": __name__})
    for name, rules in BROKERAGES.items()
}
