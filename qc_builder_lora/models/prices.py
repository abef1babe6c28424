"""What a hosted model costs. An unknown price is an error, never zero: it refuses to spend.

The user's table wins over the built-in one; a model that neither has is looked up in `genai-prices`
where that is installed.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from qc_builder_lora.errors import PromptTooLong, SettingsError, UnknownKey, UnknownPrice

_BUILT_IN = Path(__file__).with_name("prices.toml")
_MILLION = Decimal(1_000_000)
_DATE = re.compile(r"-(?:\d{8}|\d{4}-\d{2}-\d{2})$")
_ABOUT = ("checked", "source")
_LIBRARY_NAMES = {"anthropic": "anthropic", "openai": "openai", "gemini": "google"}
_PROVIDERS = ("anthropic", "openai", "gemini")


@dataclass(frozen=True)
class Price:
    """US dollars per million tokens."""

    input: Decimal
    output: Decimal
    up_to: int | None = None
    """The longest prompt, in tokens, for which it holds."""

    def cost(self, prompt_tokens: int, completion_tokens: int) -> Decimal:
        """US dollars for one answer, exact."""
        return (self.input * prompt_tokens + self.output * completion_tokens) / _MILLION


class Prices:
    """A price table by provider and model."""

    def __init__(self, table: Mapping[tuple[str, str], Price], where: str) -> None:
        self._table, self._where = dict(table), where

    def price_of(self, provider: str, model: str, prompt_tokens: int = 0) -> Price:
        """The price of a model, dated name or not, for a prompt of at most so many tokens.

        UnknownPrice says how to add one.
        """
        for name in (model, _DATE.sub("", model)):
            price = self._table.get((provider, name))
            if price is not None and prompt_tokens <= (price.up_to or prompt_tokens):
                return price
        known = [self._table.get((provider, name)) for name in (model, _DATE.sub("", model))]
        longest = max((price.up_to or 0 for price in known if price), default=None)
        if longest is not None:
            raise PromptTooLong(provider, model, prompt_tokens, longest, self._where)
        found = _from_library(provider, model, prompt_tokens)
        if found is not None:
            return found
        raise UnknownPrice(provider, model, self._where)


def _from_library(provider: str, model: str, prompt_tokens: int) -> Price | None:
    """What `genai-prices` (extra `prices`) says of a model that no table has; None without it."""
    try:
        from genai_prices import Usage, calc_price
    except ImportError:
        return None
    # Prices climb with the length of the prompt: this one holds up to that length, as reserved.
    tokens = max(prompt_tokens, 1)
    try:
        usage = Usage(input_tokens=tokens, output_tokens=1000)
        found = calc_price(usage, model_ref=model, provider_id=_LIBRARY_NAMES[provider])
    except LookupError:
        return None
    each = Decimal(found.input_price) * _MILLION / tokens
    return Price(each, Decimal(found.output_price) * _MILLION / 1000, tokens)


def load_prices(folder: Path | None = None) -> Prices:
    """The built-in table with the user's `prices.toml` (in `folder`, the working one) over it."""
    table = _read(_BUILT_IN)
    own = (folder or Path.cwd()) / "prices.toml"
    if own.is_file():
        table.update(_read(own))
    return Prices(table, str(own))


def _read(path: Path) -> dict[tuple[str, str], Price]:
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not valid TOML: {error}") from error
    table = {}
    for provider, models in content.items():
        if provider in _ABOUT:
            continue
        if provider not in _PROVIDERS:
            raise UnknownKey(path, provider, _PROVIDERS)
        for model, row in models.items():
            table[provider, model] = _price(f"{path}: {provider}.{model}", row)
    return table


def _price(where: str, row: Any) -> Price:
    if not isinstance(row, dict):
        raise SettingsError(f'{where} must be {{ input = "…", output = "…" }}, got {row!r}.')
    for key in row:
        if key not in ("input", "output", "up_to"):
            raise UnknownKey(where, key, ("input", "output", "up_to"))
    up_to = row.get("up_to")
    if up_to is not None and (not isinstance(up_to, int) or up_to <= 0):
        raise SettingsError(f"{where}: up_to must be a number of tokens, got {up_to!r}.")
    return Price(_amount(where, row, "input"), _amount(where, row, "output"), up_to)


def _amount(where: str, row: Mapping[str, Any], name: str) -> Decimal:
    try:
        amount = Decimal(str(row[name]))
    except (KeyError, InvalidOperation) as error:
        raise SettingsError(
            f"{where}: {name} must be US dollars, got {row.get(name)!r}."
        ) from error
    if not amount.is_finite() or amount < 0:
        raise SettingsError(f"{where}: {name} must not be negative, got {amount}.")
    return amount
