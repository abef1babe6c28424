"""What the clock writes down: the daily samples that LEAN's statistics are worked out on.

Value, benchmark and turnover at every midnight of the algorithm's zone, the equity more often.
"""

from __future__ import annotations

from qc_builder_lora.backtest.simulator.calendar import DAY
from qc_builder_lora.backtest.simulator.desk import Desk, Failed
from qc_builder_lora.backtest.simulator.feed import NoData, Series
from qc_builder_lora.backtest.simulator.folder import rate_at
from qc_builder_lora.backtest.simulator.midday import midday_price
from qc_builder_lora.backtest.simulator.outcome import of_the_book
from qc_builder_lora.backtest.simulator.reality import Mistake
from qc_builder_lora.backtest.simulator.span import HOUR
from qc_builder_lora.backtest.simulator.statistics import Record, in_order, summary


class Samples:
    """The record of one backtest, and what is worked out on it."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.engine = desk.engine
        self.record = Record(0.0)
        self.benchmark: Series | None = None
        self.hours_of_benchmark: Series | None = None
        """The benchmark's hourly bars, where the folder has them."""
        self._flat = False
        """Whether the benchmark is nothing, as some brokerages have it."""
        self._volume = 0.0
        self._next_equity = 0
        self._spacing = 0
        self._rates: dict[int, float] = {}

    def begin(self, start: int, end: int) -> None:
        """Days since 1970 of the first and the last day of the backtest."""
        engine = self.engine
        self.record = Record(engine.account.cash, trading_days=engine.plan.trading_days)
        self._spacing = max(240, (end + 1 - start) * DAY // 4000)
        self._find_benchmark(start, end)

    def _find_benchmark(self, start: int, end: int) -> None:
        plan = self.engine.plan
        self._flat = plan.benchmark is None and not plan.brokerage.benchmark
        if self._flat or plan.own_benchmark:
            return
        ticker = plan.benchmark or "SPY"
        try:
            found = self.desk.shelf.series(ticker)
            found.cover(start, end, self.engine.hours)
        except NoData as error:
            self.desk.logs.append(f"Note: no figures against the benchmark {ticker}: {error}")
            return
        self.benchmark = found
        if self.desk.shelf.folder.whole_path(ticker, "hour").exists():
            self.hours_of_benchmark = self.desk.shelf.series(ticker, resolution=HOUR)

    def take(self) -> None:
        """LEAN's daily sample: value, benchmark, and the turnover since the last one."""
        engine, record = self.engine, self.record
        if engine.warming_up:
            return
        utc, value = engine.now.utc, engine.account.value
        if record.daily and record.daily[-1][0] == utc:
            # The backtest ends at a midnight that has been sampled.
            return
        if record.daily and value:
            record.turnover.append((engine.account.sale_volume - self._volume) / value)
        self._volume = engine.account.sale_volume
        record.daily.append((utc, value, self._benchmark_price()))
        record.equity[utc] = value

    def _benchmark_price(self) -> float | None:
        if self.engine.plan.own_benchmark:
            return self._own_benchmark()
        if self._flat:
            return 0.0
        if self.benchmark is None:
            return None
        engine = self.engine
        now = engine.now.exchange
        day = now // DAY
        if now < day * DAY + engine.hours.close(day):
            price = midday_price(self.benchmark.ticker, self.hours_of_benchmark, engine)
            if price is not None:
                return price
            day -= 1
        row = self.benchmark.row_at(day)
        return self.benchmark.close[row] if row >= 0 else 0.0

    def _own_benchmark(self) -> float:
        """What the strategy's function gives for this moment, as LEAN rounds it."""
        value = self._own("benchmark", self.engine.now.utc)
        return round(value, 4) if value > 1000 else float(f"{value:.7g}")

    def _own(self, what: str, utc: int) -> float:
        """What a function of the strategy's says of a moment."""
        try:
            return float(self.desk.ask_model(what, 0, utc))
        except Mistake as mistake:
            raise Failed(self.desk.phase, f"the {what}'s function: {mistake}") from mistake

    def _own_rate(self, utc: int) -> float:
        """The strategy's own risk free rate, asked for once a day."""
        day = utc // DAY
        if day not in self._rates:
            self._rates[day] = self._own("interest rate", utc)
        return self._rates[day]

    def take_equity(self) -> None:
        engine = self.engine
        if not engine.warming_up and engine.now.utc > self._next_equity:
            self._next_equity = engine.now.utc + self._spacing
            self.record.equity[engine.now.utc] = engine.account.value

    def statistics(self) -> dict[str, str]:
        """LEAN's summary, with what the strategy has added."""
        record, account = self.record, self.engine.account
        record.profits, record.fees = account.profits, account.fees
        record.orders = len(self.engine.book.orders)
        given = None if self.engine.plan.own_rates else self.desk.shelf.rates()
        found = summary(
            record, lambda utc: rate_at(*given, utc // DAY) if given else self._own_rate(utc)
        )
        return in_order(found | of_the_book(self.engine), self.desk.statistics)
