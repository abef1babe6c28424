# ruff: noqa: F403, F405
from AlgorithmImports import *


class ShorterBufferInExtendedHours(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2013, 10, 7)
        self.set_end_date(2013, 10, 8)
        self.add_equity("SPY", Resolution.MINUTE, extended_market_hours=True)
        self.tickets = {}
        self.schedule.on(
            self.date_rules.tomorrow, self.time_rules.midnight, lambda: self.place("midnight")
        )
        MarketOnCloseOrder.submission_time_buffer = timedelta(minutes=10)

    def place(self, when):
        if when not in self.tickets:
            self.tickets[when] = self.market_on_close_order("SPY", 2)

    def on_data(self, data):
        clock = (self.time.hour, self.time.minute)
        if clock in ((15, 49), (15, 51), (16, 48)):
            self.place(clock)

    def on_end_of_algorithm(self):
        MarketOnCloseOrder.submission_time_buffer = (
            MarketOnCloseOrder.DEFAULT_SUBMISSION_TIME_BUFFER
        )
        found = {when: ticket.status for when, ticket in self.tickets.items()}
        assert found.pop((15, 51)) == OrderStatus.INVALID
        assert list(found.values()) == [OrderStatus.FILLED] * 3, found
