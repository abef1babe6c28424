"""The models a security has before a strategy chooses any; slippage written as a plain class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import model as models
from .alias import snake
from .known import not_modelled
from .margin import PATTERN_DAY
from .money_models import EquityDataFilter, MarginInterestRateModel
from .own_models import EquityFillModel

if TYPE_CHECKING:
    from .security import Security


def standard(kind: str, security: Security) -> Any:
    """The model in force that nobody has named yet."""
    if kind == "fee":
        name = str(security.fee_numbers[0]) if security.fee_numbers else ""
        made = getattr(models, name or "InteractiveBrokersFeeModel").__new__
        found = made(getattr(models, name or "InteractiveBrokersFeeModel"))
        found.__dict__["_numbers"] = tuple(security.fee_numbers[1:])
        return found
    if kind == "slippage":
        return models.NullSlippageModel()
    if kind == "fill":
        return EquityFillModel()
    if kind == "settlement":
        return models.ImmediateSettlementModel()
    if kind == "margin_interest":
        return MarginInterestRateModel()
    if kind == "data_filter":
        return EquityDataFilter()
    if security.margin_model and security.margin_model[0] == PATTERN_DAY:
        return models.PatternDayTradingMarginModel(*security.margin_model[1:])
    return models.SecurityMarginModel(*security.margin_model[1:])


def adopted(thing: Any) -> models.SlippageModel:
    """A slippage model that derives from nothing of LEAN's, as LEAN's Python examples have it."""
    names = {snake(name): name for name in dir(thing) if not name.startswith("_")}
    asked = names.get("get_slippage_approximation")
    if asked is None:
        not_modelled("Security.set_slippage_model", type(thing).__name__)
    return _Adopted(getattr(thing, asked))


class _Adopted(models.SlippageModel):
    own = frozenset({"get_slippage_approximation"})

    def __init__(self, asked: Any) -> None:
        self.get_slippage_approximation = asked
