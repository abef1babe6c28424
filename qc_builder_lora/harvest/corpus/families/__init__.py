"""All families of our own, by name."""

from __future__ import annotations

from qc_builder_lora.harvest.corpus.families import (
    allocation,
    breakout,
    charts,
    momentum,
    orders,
    oscillators,
    pairs,
    ranking,
    regimes,
    reversion,
    risk,
    risk_management,
    risk_portfolio,
    seasonality,
    spreads,
    surges,
    trend,
    trend_strength,
    volatility,
)
from qc_builder_lora.harvest.corpus.family import Family

FAMILIES: dict[str, Family] = {
    family.name: family
    for module in (
        trend,
        reversion,
        breakout,
        momentum,
        allocation,
        volatility,
        pairs,
        seasonality,
        risk,
        trend_strength,
        oscillators,
        surges,
        ranking,
        spreads,
        regimes,
        risk_management,
        risk_portfolio,
        charts,
        orders,
    )
    for family in module.FAMILIES
}
