"""A brokerage model of a strategy's own: what it takes, and the models it gives a security.

The simulator asks it beside its own rules for LEAN's brokerage beneath it: it can refuse more, not
less.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .alias import both_styles, snake, spelled
from .enums import enum
from .known import Lean, members, not_modelled
from .orders import picture
from .tickets import OrderResponse

if TYPE_CHECKING:
    from .desk import Desk
    from .security import Security

_MODELS = ("fee", "fill", "slippage", "buying_power", "settlement", "margin_interest_rate")
_ASKED = {"submits": "can_submit_order", "updates": "can_update_order"}
OVERRIDABLE = frozenset(
    {*_ASKED.values(), *(f"get_{kind}_model" for kind in _MODELS), "default_markets",
     "get_benchmark"}
)  # fmt: skip


@both_styles
class BrokerageMessageEvent(Lean):
    """A brokerage's message: its type, its code, its text."""

    def __init__(self, type: Any, code: Any, message: str) -> None:  # noqa: A002
        self.type, self.code, self.message = type, code, message

    def __repr__(self) -> str:
        return f"{self.type} - Code: {self.code} - {self.message}"


def check(cls: type) -> None:
    """Unknown where a class replaces what is not asked for here."""
    for base in cls.__mro__:
        if base.__module__ != "__main__":
            continue
        for name in base.__dict__:
            known = snake(name) in members("DefaultBrokerageModel")
            if not name.startswith("_") and known and snake(name) not in OVERRIDABLE:
                parent = cls.__mro__[1].__name__
                not_modelled(f"{parent}.{snake(name)}", f"replaced by {cls.__name__}")


def _replaced(model: Any, name: str) -> bool:
    return any(
        snake(key) == name
        for base in type(model).__mro__ if base.__module__ == "__main__"
        for key in base.__dict__
    )  # fmt: skip


class OwnBrokerage:
    """Asks one model of a strategy's own."""

    def __init__(self, desk: Desk, model: Any) -> None:
        self._desk, self.model = desk, model
        kinds = [kind for kind, name in _ASKED.items() if _replaced(model, name)]
        desk.ask(["own_brokerage", "submits" in kinds, "updates" in kinds])

    def furnish(self, security: Security) -> None:
        """Give a security the models that this brokerage has of its own."""
        for kind in _MODELS:
            if _replaced(self.model, f"get_{kind}_model"):
                made = spelled(self.model, f"get_{kind}_model")(security)
                getattr(security, f"set_{kind}_model")(made)

    def measure(self, algorithm: Any) -> None:
        """Choose its benchmark, where it has one of its own."""
        if _replaced(self.model, "get_benchmark"):
            made = spelled(self.model, "get_benchmark")(self._desk.securities)
            algorithm.set_benchmark(spelled(made, "evaluate"))

    def answer(self, kind: str, security: Security, order_id: int) -> list[Any]:
        """Whether an order, or its last update, is taken; and LEAN's sentence where it is not."""
        ticket = self._desk.trading.tickets[order_id]
        asked = [security, picture(ticket)]
        if kind == "updates":
            asked.append(ticket.update_requests[-1])
        found = spelled(self.model, _ASKED[kind])(*asked, None)
        takes, message = found if isinstance(found, tuple) else (found, None)
        if takes:
            return [True, ""]
        return [False, str(message or self._default(kind, order_id))[:500]]

    @staticmethod
    def _default(kind: str, order_id: int) -> BrokerageMessageEvent:
        warning = enum("BrokerageMessageType").WARNING
        if kind == "submits":
            return BrokerageMessageEvent(warning, "InvalidOrder", "")
        text = f"BrokerageModel declared unable to update order: {order_id}"
        return BrokerageMessageEvent(warning, "InvalidRequest", text)


def refused(desk: Desk, order_id: int, code: int, text: str) -> None:
    """An update that the brokerage did not take."""
    ticket = desk.trading.tickets[order_id]
    ticket.update_requests[-1].response = OrderResponse(order_id, text, code)
