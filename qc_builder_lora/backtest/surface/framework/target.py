"""Portfolio targets: how many shares of a security to hold, and in which order to get there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ..alias import both_styles
from ..known import Lean
from ..symbol import KeyValuePair
from .spelling import symbol_of


@both_styles
class PortfolioTarget(Lean):
    """A symbol and the quantity to hold; `set_holdings` reads the quantity as a share."""

    __slots__ = ("quantity", "symbol", "tag")
    minimum_order_margin_percentage_warning_sent: bool | None = None

    def __init__(self, symbol: Any, quantity: Any, tag: str = "") -> None:
        self.symbol = symbol_of(symbol)
        self.quantity = float(quantity)
        self.tag = tag or ""

    @staticmethod
    def percent(
        algorithm: Any, symbol: Any, percent: float, *rest: Any, **named: Any
    ) -> PortfolioTarget | None:
        """The target for a share of the portfolio, or None, with a word in the log, without one.

        `percent(…, return_delta_quantity)`, `percent(…, tag)` or both.
        """
        texts = [item for item in rest if isinstance(item, str)]
        tag = named.get("tag", texts[0] if texts else "")
        flags = [item for item in rest if isinstance(item, bool)]
        as_delta = named.get("return_delta_quantity", flags[0] if flags else False)
        security = algorithm.securities[symbol]
        if not complies(algorithm, percent):
            return None
        if not security.price:
            algorithm.error(
                f"{security.symbol}: The security does not have an accurate price as it has not "
                "yet received a bar of data. Before placing a trade (or using SetHoldings) warm "
                "up your algorithm with SetWarmup, or use slice.Contains(symbol) to confirm the "
                "Slice object has price before using the data."
            )
            return None
        delta = algorithm.calculate_order_quantity(security.symbol, float(percent))
        held = 0.0 if as_delta else security.holdings.quantity
        return PortfolioTarget(security.symbol, delta + held, tag)

    def to_string(self) -> str:
        text = f"{self.symbol}: {self.quantity:g}"
        return f"{text} ({self.tag})" if self.tag else text

    def __repr__(self) -> str:
        return self.to_string()

    __str__ = __repr__


def complies(algorithm: Any, percent: float) -> bool:
    """Whether a share lies within the settings' bounds; if not, the log says so."""
    settings, size = algorithm.settings, abs(percent)
    most = settings.max_absolute_portfolio_target_percentage
    least = settings.min_absolute_portfolio_target_percentage
    if size > most or 0 < size < least:
        algorithm.error(
            f"The portfolio target percent: {percent:g}, does not comply with the current "
            f"'Algorithm.Settings' 'MaxAbsolutePortfolioTargetPercentage': {most:g} or "
            f"'MinAbsolutePortfolioTargetPercentage': {least:g}. Skipping"
        )
        return False
    return True


def on_the_way(algorithm: Any, symbol: Any) -> float:
    """Shares that open orders of a symbol still have to fill, signed."""
    tickets = algorithm.transactions.get_open_order_tickets(symbol)
    return sum((ticket.quantity - ticket.quantity_filled for ticket in tickets), 0.0)


def whole_lots(security: Any, quantity: float) -> float:
    """A quantity cut, towards zero, to whole lots."""
    lot = float(security.symbol_properties.lot_size)
    return float(int(quantity / lot) * lot)


def by_margin_impact(
    targets: Iterable[Any], algorithm: Any, target_is_delta: bool = False
) -> list[Any]:
    """First what reduces a position, then the rest, the largest order value first.

    Nothing during the warm-up, nothing for a security without data, nothing that holdings and open
    orders reach anyway.
    """
    if algorithm.is_warming_up:
        return []
    ranked = []
    for target in targets:
        security = algorithm.securities[target.symbol]
        wanted = whole_lots(security, target.quantity)
        have = security.holdings.quantity + on_the_way(algorithm, target.symbol)
        change = wanted if target_is_delta else wanted - have
        lot = security.symbol_properties.lot_size
        if not security.has_data or not security.is_tradable or abs(change) < lot:
            continue
        after = wanted + have if target_is_delta else wanted
        reduces = have != 0 and abs(after) < abs(have)
        ranked.append((not reduces, -abs(change * security.price), target))
    ranked.sort(key=lambda item: item[:2])
    return [target for _, _, target in ranked]


@both_styles
class PortfolioTargetCollection(Lean):
    """Targets by symbol; iterating gives the targets themselves."""

    def __init__(self) -> None:
        self._targets: dict[Any, Any] = {}

    @property
    def count(self) -> int:
        return len(self._targets)

    @property
    def is_empty(self) -> bool:
        return not self._targets

    @property
    def is_read_only(self) -> bool:
        return False

    @property
    def keys(self) -> Any:
        return _CallableList(self._targets)

    @property
    def values(self) -> Any:
        return _CallableList(self._targets.values())

    def items(self) -> list[tuple[Any, Any]]:
        return list(self._targets.items())

    def add(self, *args: Any) -> None:
        """`add(target)`, `add(symbol, target)` or a pair; a later one of a symbol replaces it."""
        target: Any = args[-1]
        if isinstance(target, KeyValuePair):
            target = target.value
        if target is not None:
            self._targets[target.symbol] = target

    def add_range(self, targets: Iterable[Any]) -> None:
        for target in targets:
            self._targets[target.symbol] = target

    def clear(self) -> None:
        self._targets.clear()

    def clear_fulfilled(self, algorithm: Any) -> None:
        """Drop the targets that holdings have reached; open orders do not count."""
        for symbol, target in list(self._targets.items()):
            security = algorithm.securities[symbol]
            missing = abs(target.quantity - security.holdings.quantity)
            if missing < security.symbol_properties.lot_size:
                del self._targets[symbol]

    def contains(self, target: Any) -> bool:
        return target is not None and target.symbol in self._targets

    def contains_key(self, symbol: Any) -> bool:
        return symbol_of(symbol) in self._targets

    def remove(self, thing: Any) -> bool:
        """Drop the target of a symbol, or a certain target; whether it was there."""
        symbol = symbol_of(thing)
        known: Any = self._targets.get(symbol)
        if known is None or (isinstance(thing, PortfolioTarget) and known is not thing):
            return False
        del self._targets[symbol]
        return True

    def try_get_value(self, symbol: Any, *rest: Any) -> tuple[bool, Any]:
        found = self._targets.get(symbol_of(symbol))
        return found is not None, found

    def order_by_margin_impact(self, algorithm: Any) -> list[Any]:
        return by_margin_impact(list(self._targets.values()), algorithm)

    def __getitem__(self, symbol: Any) -> Any:
        symbol = symbol_of(symbol)
        if symbol not in self._targets:
            raise KeyError(f"The given key '{symbol}' was not present in the dictionary.")
        return self._targets[symbol]

    def __setitem__(self, symbol: Any, target: Any) -> None:
        self._targets[symbol_of(symbol)] = target

    def __contains__(self, symbol: Any) -> bool:
        return self.contains_key(symbol)

    def __iter__(self) -> Iterator[Any]:
        return iter(list(self._targets.values()))

    def __len__(self) -> int:
        return len(self._targets)

    def __bool__(self) -> bool:
        return True


class _CallableList(list[Any]):
    """A property in C#, yet Python code may call it."""

    def __call__(self) -> list[Any]:
        return self
