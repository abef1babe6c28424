"""LEAN's names for orders, tickets, models and brokerages, as a strategy may mention them."""

from __future__ import annotations

from typing import Any

from . import (
    brokerage_models,
    combos,
    dice,
    extensions,
    figures,
    holdings,
    interest,
    margin_call,
    market_impact,
    model,
    money_models,
    orders,
    own_brokerage,
    own_models,
    portfolio,
    tickets,
    trade_builder,
    transactions,
    volatility,
)

_MODULES = (
    orders, tickets, model, own_models, own_brokerage, brokerage_models, extensions, figures,
    combos, interest, margin_call, market_impact, money_models, trade_builder, volatility,
)  # fmt: skip
# Of a TradeBuilder only the one that there is, not one made by a strategy.
_NOT_LEANS = frozenset({"Model", "OwnModels", "Brokerage", "OwnBrokerage", "TradeBuilder"})


def _public() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for module in _MODULES:
        for name, cls in vars(module).items():
            ours = isinstance(cls, type) and cls.__module__ == module.__name__
            if ours and not name.startswith("_") and name not in _NOT_LEANS:
                found[name] = cls
    return found


TRADING: dict[str, Any] = {
    **_public(),
    **brokerage_models.MODELS,
    **money_models.NAMES,
    "Random": dice.Random,
    "ISettlementModel": model.SettlementModel,
    "ISlippageModel": model.SlippageModel,
    "SecurityHolding": holdings.SecurityHolding,
    "SecurityPortfolioManager": portfolio.Portfolio,
    "SecurityTransactionManager": transactions.Transactions,
}
