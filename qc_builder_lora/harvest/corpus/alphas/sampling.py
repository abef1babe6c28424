"""Formulas of our own at random: every part has a dimension, and only like is added to like.

Prices are compared with prices and volumes with volumes; what is ranked, correlated or multiplied
is a ratio, a return, a rank or a correlation. The same seed gives the same formulas.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from qc_builder_lora.harvest.corpus.alphas.language import LEVELS
from qc_builder_lora.harvest.corpus.alphas.tree import (
    Binary,
    Call,
    Choice,
    Compare,
    Either,
    Expr,
    Field,
    Group,
    Number,
)

_SHORT = (2, 3, 4, 5, 6, 8, 10)
_MEDIUM = (5, 6, 8, 10, 12, 15, 20)
_LONG = (20, 25, 30, 40, 50, 60)
_PRICES = ("open", "high", "low", "close", "vwap")
_ADV_DAYS = (5, 10, 15, 20, 30, 40, 60)
_LEAST = Number(-1.0)

Maker = Callable[[], Expr]


class Sampler:
    """Draws formulas; `levels` are those of IndClass that it may use."""

    def __init__(self, source: random.Random, levels: Sequence[str] = ()) -> None:
        self._source = source
        unknown = set(levels) - set(LEVELS)
        assert not unknown, unknown
        self._levels = list(levels)

    def formula(self) -> Expr:
        """One alpha: dimensionless, of one to three ideas."""
        depth = self._source.choice((1, 2, 2, 2, 3))
        node = self._pick(
            (4, lambda: self._pure(depth)),
            (2, lambda: self._times(self._ranked(depth), self._pure(depth - 1))),
            (2, lambda: self._joined("+-", self._ranked(depth - 1), self._ranked(depth - 1))),
            (1, lambda: self._conditional(depth)),
            (1, lambda: Call("scale", (self._pure(depth),))),
            (1, lambda: Call("decay_linear", (self._pure(depth),), self._days(_SHORT))),
        )
        if self._levels and self._source.random() < 0.12:
            node = self._neutral(node)
        return Binary("*", _LEAST, node) if self._source.random() < 0.5 else node

    def _pick(self, *choices: tuple[int, Maker]) -> Expr:
        makers = [maker for _, maker in choices]
        return self._source.choices(makers, [weight for weight, _ in choices])[0]()

    def _days(self, among: Sequence[int]) -> int:
        return self._source.choice(among)

    def _neutral(self, node: Expr) -> Expr:
        return Call("indneutralize", (node, Group(self._source.choice(self._levels))))

    def _times(self, left: Expr, right: Expr) -> Expr:
        return Binary("*", left, right)

    def _joined(self, operators: str, left: Expr, right: Expr) -> Expr:
        return Binary(self._source.choice(operators), left, right)

    # What has a dimension: prices in dollars, volumes in shares, money traded in dollars.

    def _price(self) -> Expr:
        name = self._source.choice(_PRICES)
        days = self._days(_MEDIUM)
        return self._pick(
            (5, lambda: Field(name)),
            (1, lambda: Call("delay", (Field(name),), self._days(_SHORT))),
            (1, lambda: self._mean(Field(name), days)),
            (1, lambda: Call("ts_max", (Field("high"),), days)),
            (1, lambda: Call("ts_min", (Field("low"),), days)),
            (1, lambda: Call("decay_linear", (Field(name),), days)),
        )

    def _volume(self) -> Expr:
        return self._pick(
            (3, lambda: Field("volume")),
            (1, lambda: self._mean(Field("volume"), self._days(_MEDIUM))),
            (1, lambda: Call("ts_max", (Field("volume"),), self._days(_MEDIUM))),
        )

    def _mean(self, node: Expr, days: int) -> Expr:
        return Binary("/", Call("sum", (node,), days), Number(float(days)))

    def _other_price(self, than: Expr) -> Expr:
        for _ in range(9):
            found = self._price()
            if found != than:
                return found
        return Call("delay", (than,), 1)

    # What has none: ratios of likes, returns, ranks.

    def _ratio(self) -> Expr:
        """A number around 0 or 1 that compares likes."""
        return self._pick(
            (3, self._price_change), (2, self._gap), (2, self._place_in_range),
            (2, self._volume_ratio), (2, lambda: Field("returns")), (1, self._volatility_ratio),
            (1, lambda: self._mean(Field("returns"), self._days(_MEDIUM))),
        )  # fmt: skip

    def _price_change(self) -> Expr:
        price, days = Field(self._source.choice(_PRICES)), self._days((*_MEDIUM, *_LONG))
        return Binary(
            "/", Call("delta", (price,), days), Call("delay", (price,), days)
        )  # fmt: skip

    def _gap(self) -> Expr:
        """How far one price is from another, as a share of it."""
        left = self._price()
        right = self._other_price(left)
        return Binary("/", Binary("-", left, right), right)

    def _place_in_range(self) -> Expr:
        """Where the close stands between the low and the high of some days."""
        days = self._days((1, 1, *_MEDIUM))
        low, high = Field("low"), Field("high")
        bottom: Expr = low if days == 1 else Call("ts_min", (low,), days)
        top: Expr = high if days == 1 else Call("ts_max", (high,), days)
        return Binary("/", Binary("-", Field("close"), bottom), Binary("-", top, bottom))

    def _volume_ratio(self) -> Expr:
        volume = Field("volume")
        days = self._days(_MEDIUM)
        longer = self._days([d for d in (*_MEDIUM, *_LONG) if d > days])
        return self._pick(
            (2, lambda: Binary("/", volume, self._mean(volume, days))),
            (1, lambda: Binary("/", self._mean(volume, days), self._mean(volume, longer))),
            (1, lambda: Binary("/", Call("delta", (volume,), days), self._mean(volume, longer))),
            (1, lambda: Binary(
                "/", Field("adv", self._source.choice(_ADV_DAYS[:3])),
                Field("adv", self._source.choice(_ADV_DAYS[3:])),
            )),
        )  # fmt: skip

    def _volatility_ratio(self) -> Expr:
        short, long = self._days((5, 6, 8, 10, 12)), self._days(_LONG)
        returns = Field("returns")
        return Binary("/", Call("stddev", (returns,), short), Call("stddev", (returns,), long))

    def _ranked(self, depth: int) -> Expr:
        """Between 0 and 1."""
        return self._pick(
            (3, lambda: Call("rank", (self._inside(depth),))),
            (2, lambda: Call("ts_rank", (self._inside(depth),), self._days(_MEDIUM))),
        )

    def _inside(self, depth: int) -> Expr:
        """What is worth ranking: a ratio, or something dimensionless one level down."""
        if depth <= 1:
            return self._pick((5, self._ratio), (1, self._volume), (1, self._correlated))
        return self._pure(depth - 1)

    def _correlated(self) -> Expr:
        """How price and volume, or two ranks, go together."""
        days = self._days((5, 6, 8, 10, 12, 15, 20))
        price, volume = self._price(), self._volume()
        pairs: list[tuple[Expr, Expr]] = [
            (price, volume),
            (Call("rank", (price,)), Call("rank", (volume,))),
            (Call("ts_rank", (price,), days), Call("ts_rank", (volume,), days)),
            (Field("returns"), Call("delay", (Field("returns"),), self._days((1, 2, 3)))),
            (self._gap(), volume),
            (Field("returns"), self._volume_ratio()),
        ]
        return Call("correlation", self._source.choice(pairs), days)

    def _pure(self, depth: int) -> Expr:
        """Dimensionless, at most `depth` functions deep."""
        if depth <= 0:
            return self._pick((3, self._ratio), (1, self._correlated))
        return self._pick(
            (4, lambda: self._ranked(depth)),
            (2, self._correlated),
            (2, self._ratio),
            (1, lambda: Call("decay_linear", (self._pure(depth - 1),), self._days(_SHORT))),
            (1, lambda: Call("delta", (self._pure(depth - 1),), self._days((1, 2, 3, 5)))),
            (1, lambda: Call("ts_max", (self._pure(depth - 1),), self._days(_SHORT))),
            (1, lambda: Call("stddev", (self._ratio(),), self._days(_MEDIUM))),
            (1, self._days_since),
            (1, lambda: self._times(self._signed(), self._ranked(depth - 1))),
            (1, lambda: self._joined("+-", self._pure(depth - 1), self._same(depth - 1))),
            (1, lambda: Call("signedpower", (self._ratio(), Number(0.5)))),
        )

    def _same(self, depth: int) -> Expr:
        """A rank, which may be added to any other that has no dimension."""
        return self._ranked(depth)

    def _days_since(self) -> Expr:
        days = self._days((8, 10, 12, 15, 20, 30))
        name, field = self._source.choice((("ts_argmax", "high"), ("ts_argmin", "low")))
        return Binary("/", Call(name, (Field(field),), days), Number(float(days)))

    def _signed(self) -> Expr:
        """-1, 0 or 1: the direction of a change."""
        field = Field(self._source.choice((*_PRICES, "volume", "volume")))
        return Call("sign", (Call("delta", (field,), self._days(_SHORT)),))

    def _conditional(self, depth: int) -> Expr:
        condition = self._condition()
        if self._source.random() < 0.2:
            condition = Either(condition, self._condition())
        return Choice(condition, self._pure(depth - 1), self._pure(depth - 1))

    def _condition(self) -> Expr:
        """Likes compared, or a ratio with a number that it can reach."""
        price = self._price()
        share = Number(self._source.choice((0.2, 0.25, 0.3, 0.5, 0.7, 0.75, 0.8)))
        busy = Number(self._source.choice((0.8, 1.0, 1.2, 1.5)))
        loss = Number(self._source.choice((-0.02, -0.01, 0.0, 0.01, 0.02)))
        compared: list[tuple[Expr, Expr]] = [
            (price, self._other_price(price)),
            (Call("rank", (self._ratio(),)), share),
            (self._place_in_range(), share),
            (Binary("/", Field("volume"), self._mean(Field("volume"), self._days(_MEDIUM))), busy),
            (Field("returns"), loss),
        ]
        left, right = self._source.choice(compared)
        return Compare(self._source.choice("<>"), left, right)
