# ruff: noqa: F403, F405
from AlgorithmImports import *


class ShorterBuffer(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2013, 10, 7)
        self.set_end_date(2013, 10, 8)
        self.add_equity("SPY", Resolution.MINUTE)
        self.tickets = {}
        self.schedule.on(
            self.date_rules.today, self.time_rules.at(17, 0), lambda: self.place("after hours")
        )
        MarketOnCloseOrder.submission_time_buffer = timedelta(minutes=10)

    def place(self, when):
        if when not in self.tickets:
            self.tickets[when] = self.market_on_close_order("SPY", 2)

    def on_data(self, data):
        if self.time.hour == 15 and self.time.minute in (49, 51):
            self.place(self.time.minute)

    def on_end_of_algorithm(self):
        MarketOnCloseOrder.submission_time_buffer = (
            MarketOnCloseOrder.DEFAULT_SUBMISSION_TIME_BUFFER
        )
        found = {when: ticket.status for when, ticket in self.tickets.items()}
        filled = OrderStatus.FILLED
        assert found == {49: filled, 51: OrderStatus.INVALID, "after hours": filled}, found
