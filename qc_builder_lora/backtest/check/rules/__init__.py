"""All rules, one module for each kind of mistake."""

from __future__ import annotations

from qc_builder_lora.backtest.check.finding import Rule
from qc_builder_lora.backtest.check.rules import (
    arguments,
    attributes,
    bars,
    clock,
    csharp,
    events,
    imports,
    indicators,
    members,
    orders,
    setup,
    shape,
    spellings,
    substance,
    writing,
)

_MODULES = (
    arguments, attributes, bars, clock, csharp, events, imports, indicators, members, orders,
    setup, shape, spellings, substance, writing,
)  # fmt: skip
RULES: tuple[Rule, ...] = tuple(
    sorted((rule for module in _MODULES for rule in module.RULES), key=lambda rule: rule.id)
)
