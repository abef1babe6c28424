# ruff: noqa: F403, F405
from AlgorithmImports import *


class OnlyFreshPrices(EquityFillModel):
    def fill(self, parameters):
        zone = parameters.security.exchange.time_zone
        placed = Extensions.convert_from_utc(parameters.order.time, zone)
        for kind in (QuoteBar, TradeBar, Tick):
            last = parameters.security.cache.get_data[kind]()
            if last is not None and last.end_time >= placed:
                return super().fill(parameters)
        return Fill([])


class WaitsForTheNextBar(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2013, 10, 1)
        self.set_end_date(2013, 10, 31)
        spy = self.add_equity("SPY", Resolution.HOUR)
        spy.set_fill_model(OnlyFreshPrices())
        self.schedule.on(
            self.date_rules.week_start(), self.time_rules.after_market_open(spy.symbol), self.enter
        )

    def enter(self):
        if not self.portfolio.invested:
            assert self.time.time() == time(9, 30), self.time
            assert self.buy("SPY", 1).status == OrderStatus.SUBMITTED

    def on_order_event(self, event):
        assert event.status != OrderStatus.FILLED or self.time.time() == time(10, 0), self.time
