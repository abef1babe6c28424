"""All families of our own, by name."""

from __future__ import annotations

from qc_builder_lora.harvest.corpus.families import (
    allocation,
    breakout,
    momentum,
    pairs,
    reversion,
    risk,
    seasonality,
    trend,
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
    )
    for family in module.FAMILIES
}
