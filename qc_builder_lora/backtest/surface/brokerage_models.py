"""LEAN's brokerage models as a strategy names them; their rules are in `brokerages.py`."""

from __future__ import annotations

from typing import Any

from .brokerages import BROKERAGES
from .enums import enum
from .known import Lean


class Brokerage(Lean):
    """A brokerage by LEAN's name, with a margin or a cash account."""

    BROKERAGE = "DEFAULT"

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
            from .known import not_modelled

            not_modelled(f"a subclass of {cls.__mro__[1].__name__}", cls.__name__)


MODELS: dict[str, type[Brokerage]] = {
    rules.name: type(rules.name, (Brokerage,), {"BROKERAGE": name, "__module__": __name__})
    for name, rules in BROKERAGES.items()
}
