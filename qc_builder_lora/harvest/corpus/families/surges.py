"""Breakouts that want more than a new high: volume, a quiet time before, a range contraction."""

from __future__ import annotations

from qc_builder_lora.harvest.corpus.families.shapes import PRICE, long_or_flat, one_asset
from qc_builder_lora.harvest.corpus.family import Family

VOLUME_BREAKOUT = Family(
    name="volume_breakout",
    theme="breakout",
    class_name="VolumeBreakout",
    parameters={
        "entry": (20, 30, 40, 50),
        "exit": (10, 15, 20),
        "times": (1.0, 1.2, 1.5),
    },
    valid=lambda p: p["exit"] < p["entry"],
    initialize=one_asset(
        "self._high = self.max(self._symbol, $entry)",
        "self._low = self.min(self._symbol, $exit)",
        "self._volume = SimpleMovingAverage($entry)",
        warm_up="$entry + 1",
    ),
    rest="""
        def on_data(self, data):
            if not data.bars.contains_key(self._symbol):
                return
            bar = data.bars[self._symbol]
            busy = bar.volume > $times * self._volume.current.value
            self._volume.update(bar.end_time, bar.volume)
            if self.is_warming_up:
                return
            if bar.close > self._high.previous.value and busy and not self.portfolio.invested:
                self.set_holdings(self._symbol, 1.0)
            elif bar.close < self._low.previous.value and self.portfolio.invested:
                self.liquidate()
    """,
    phrasings=(
        "Buy $ticker on a new $entry-day high if volume is above $times times its $entry-day average, and sell on a new $exit-day low.",
        "Breakout with volume on $ticker: high $entry, low $exit, volume factor $times.",
        "Write an algorithm that buys $ticker when it closes above the previous $entry-day maximum on at least $times times the average volume and exits below the previous $exit-day minimum.",
        "strategy: volume breakout\nsymbol: $ticker\nentry_window: $entry\nexit_window: $exit\nvolume_multiple: $times",
        "Confirmed breakouts in $ticker: $entry day high with volume over $times x average, out at the $exit day low.",
        "New $entry-day high of $ticker plus volume of $times times normal means long; a $exit-day low means out.",
    ),
)

SQUEEZE_BREAKOUT = Family(
    name="squeeze_breakout",
    theme="breakout",
    class_name="SqueezeBreakout",
    parameters={"period": (15, 20, 25, 30), "width": (1.5, 2.0), "quiet": (60, 90, 120)},
    initialize=one_asset(
        "self._bands = self.bb(self._symbol, $period, $width)",
        "self._widths = RollingWindow[float]($quiet)",
        warm_up="$period + $quiet",
    ),
    rest="""
        def on_data(self, data):
            if not self._bands.is_ready:
                return
            price = self.securities[self._symbol].price
            upper = self._bands.upper_band.current.value
            middle = self._bands.middle_band.current.value
            self._widths.add((upper - middle) / middle)
            if self.is_warming_up or not self._widths.is_ready:
                return
            quiet = min(list(self._widths)[:10]) <= np.percentile(list(self._widths), 25)
            if quiet and price > upper and not self.portfolio.invested:
                self.set_holdings(self._symbol, 1.0)
            elif price < middle and self.portfolio.invested:
                self.liquidate()
    """,
    phrasings=(
        "Buy $ticker above its upper Bollinger band ($period, $width) if the band was in the narrowest quarter of the last $quiet days within the last 10; sell below the middle band.",
        "Bollinger squeeze breakout on $ticker: period $period, deviations $width, narrowest quarter of $quiet days within 10 days, out at the middle band.",
        "Write a volatility squeeze strategy for $ticker: when the width of the $period-day, $width-deviation Bollinger bands was in its lowest quarter of $quiet days at any time in the last 10 and price closes over the upper band go long, exit under the mean.",
        "strategy: bollinger squeeze\nsymbol: $ticker\nperiod: $period\ndeviations: $width\nquiet_window: $quiet\nquiet_quantile: 0.25\nsqueeze_within_days: 10\nexit: below middle band",
        "After a squeeze (in the last 10 days the narrowest quarter of $quiet) buy the upper band break of $ticker (Bollinger $period, $width) and leave at the middle.",
        "Trade expansions of $ticker after quiet times: bands $period/$width, over the upper one after a width in the lowest quarter of $quiet days within the last 10, out under the middle one.",
    ),
)

NARROW_RANGE = Family(
    name="narrow_range",
    theme="breakout",
    class_name="NarrowRange",
    parameters={"days": (4, 5, 7, 10), "hold": (2, 3, 5, 8, 10)},
    initialize=one_asset("self._bars = RollingWindow[TradeBar]($days)", "self._held = 0"),
    rest="""
        def on_data(self, data):
            if not data.bars.contains_key(self._symbol):
                return
            bar = data.bars[self._symbol]
            self._held += 1
            if self.portfolio.invested and self._held >= $hold:
                self.liquidate()
            elif self._bars.is_ready and not self.portfolio.invested:
                last = self._bars[0]
                narrowest = min(b.high - b.low for b in self._bars)
                if last.high - last.low <= narrowest and bar.close > last.high:
                    self.set_holdings(self._symbol, 1.0)
                    self._held = 0
            self._bars.add(bar)
    """,
    phrasings=(
        "Buy $ticker when it closes above the high of the day before and that day had the narrowest range of $days days; sell $hold days later.",
        "NR$days breakout on $ticker, holding period $hold days.",
        "Write an algorithm that looks for the narrowest daily range of the last $days days in $ticker, buys a close above that day's high and sells after $hold trading days.",
        "strategy: narrow range breakout\nsymbol: $ticker\nrange_days: $days\nholding_days: $hold",
        "Crabel style NR$days setup in $ticker: enter above the narrow bar, leave after $hold days.",
        "After the smallest range in $days days go long $ticker on a close over its high, for $hold days.",
    ),
)

YEARLY_HIGH = Family(
    name="yearly_high",
    theme="momentum",
    class_name="YearlyHigh",
    parameters={
        "window": (126, 180, 200, 252),
        "near": (0.02, 0.03, 0.05, 0.08),
        "far": (0.1, 0.12, 0.15, 0.2),
    },
    initialize=one_asset("self._high = self.max(self._symbol, $window)", warm_up="$window"),
    rest=long_or_flat(
        "below < $near",
        "below > $far",
        PRICE,
        "below = 1 - price / self._high.current.value",
    ),
    phrasings=(
        "Hold $ticker from when it is within $near_percent% of its $window-day high until it is more than $far_percent% below it.",
        "Proximity to the $window-day high of $ticker: in under $near_percent%, out over $far_percent%.",
        "Write a strategy that buys $ticker near its $window-day high (less than $near_percent percent away) and sells when it has fallen $far_percent percent from the high.",
        "strategy: near high momentum\nsymbol: $ticker\nhigh_window: $window\nentry_distance: $near\nexit_distance: $far",
        "$ticker close to its $window day maximum is strong: buy within $near_percent%, exit at $far_percent% off the high.",
        "Highs attract: momentum on $ticker with a window of $window days, in within $near_percent% of the high and out at $far_percent% below it.",
    ),
)

KELTNER_CHANNEL = Family(
    name="keltner_channel",
    theme="breakout",
    class_name="KeltnerChannel",
    parameters={"period": (10, 15, 20, 30), "multiple": (1.0, 1.5, 2.0)},
    initialize=one_asset(
        "self._channel = self.kch(self._symbol, $period, $multiple, MovingAverageType.EXPONENTIAL)",
        warm_up="$period * 2",
    ),
    rest=long_or_flat(
        "price > upper",
        "price < lower",
        PRICE,
        "upper = self._channel.upper_band.current.value",
        "lower = self._channel.lower_band.current.value",
    ),
    phrasings=(
        "Buy $ticker above its upper Keltner channel ($period days, multiple $multiple) and sell below the lower one.",
        "Keltner channels on $ticker, period $period, ATR multiple $multiple, long only.",
        "Write an algorithm for $ticker with exponential Keltner channels of $period days and $multiple average true ranges, long over the upper band until the price is under the lower band.",
        "strategy: keltner channel\nsymbol: $ticker\nperiod: $period\natr_multiple: $multiple\nentry: above upper band\nexit: below lower band",
        "Channel breakout by Keltner($period, $multiple) for $ticker: upper band in, lower band out.",
        "Go long $ticker when it leaves its $period-day Keltner channel ($multiple ATR) upwards, flat when it leaves it downwards.",
    ),
)

FAMILIES = (VOLUME_BREAKOUT, SQUEEZE_BREAKOUT, NARROW_RANGE, YEARLY_HIGH, KELTNER_CHANNEL)
