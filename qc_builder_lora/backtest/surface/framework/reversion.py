"""On-line moving average reversion: B. Li and S. C. H. Hoi, ICML 2012, arXiv:1206.4626."""

from __future__ import annotations

from typing import Any

from ..alias import both_styles
from ..enums import Resolution
from ..indicators import Identity, SimpleMovingAverage
from .construction import PortfolioBias, PortfolioConstructionModel
from .crossing import SymbolData, watch
from .insight import Insight
from .returns import numpy
from .weighting import rule_of


@both_styles
class MeanReversionPortfolioConstructionModel(PortfolioConstructionModel):
    """Moves weight towards what stands below its average."""

    def __init__(
        self, rebalance: Any = Resolution.DAILY, portfolio_bias: Any = PortfolioBias.LONG_SHORT,
        reversion_threshold: float = 1, window_size: int = 20,
        resolution: Any = Resolution.DAILY, **named: Any,
    ) -> None:  # fmt: skip
        if portfolio_bias == PortfolioBias.SHORT:
            raise ValueError(
                "Long position must be allowed in MeanReversionPortfolioConstructionModel."
            )
        super().__init__(rule_of(rebalance, named, "MeanReversionPortfolioConstructionModel"))
        self.reversion_threshold = reversion_threshold
        self.window_size = window_size
        self.resolution = resolution
        self._known: dict[Any, Any] = {}
        self._weights: Any = None

    def determine_target_percent(self, active_insights: list[Insight]) -> dict[Insight, float]:
        if not active_insights or not all(self._ready(item.symbol) for item in active_insights):
            return {}
        np = numpy()
        size = len(active_insights)
        if self._weights is None or len(self._weights) != size:
            self._weights = np.full(size, 1.0 / size)
        relatives = self.get_price_relatives(active_insights)
        deviations = relatives - relatives.mean()
        length = float(deviations @ deviations)
        excess = float(self._weights @ relatives) - self.reversion_threshold
        step = max(0.0, excess / length) if length else 0.0
        self._weights = self.simplex_projection(self._weights - step * deviations)
        return dict(zip(active_insights, map(float, self._weights), strict=True))

    def _ready(self, symbol: Any) -> bool:
        known = self._known[symbol]
        return bool(known.price.is_ready and known.sma.is_ready)

    def get_price_relatives(self, active_insights: list[Insight]) -> Any:
        """Prices over what they are expected to revert to."""
        found = []
        for insight in active_insights:
            known = self._known[insight.symbol]
            if insight.magnitude is not None:
                found.append(1 + insight.magnitude * int(insight.direction))
            else:
                found.append(known.price.value / known.sma.value)
        return numpy().array(found)

    def on_securities_changed(self, algorithm: Any, changes: Any) -> None:
        super().on_securities_changed(algorithm, changes)
        for security in changes.removed_securities:
            known = self._known.pop(security.symbol, None)
            if known is not None:
                known.forget(algorithm)
        for security in changes.added_securities:
            if security.symbol not in self._known:
                price = Identity(f"{security.symbol}")
                sma = SimpleMovingAverage(f"{security.symbol}", self.window_size)
                self._known[security.symbol] = SymbolData(security, price=price, sma=sma)
                for indicator in (price, sma):
                    watch(algorithm, security.symbol, indicator, self.resolution, warm=True)

    @staticmethod
    def simplex_projection(vector: Any, total: float = 1) -> Any:
        """The nearest weights that are not negative and add up to `total` (Duchi et al., 2008)."""
        if total <= 0:
            raise ValueError("Total must be > 0 for Euclidean Projection onto the Simplex.")
        np = numpy()
        vector = np.asarray(vector, dtype=float)
        ordered = np.sort(vector)[::-1]
        sums = np.cumsum(ordered)
        last = np.nonzero(ordered > (sums - total) / np.arange(1, len(vector) + 1))[0][-1]
        return np.maximum(vector - (sums[last] - total) / (last + 1), 0.0)
