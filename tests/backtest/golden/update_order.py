# ruff: noqa: F403, F405
from AlgorithmImports import *

KINDS = [
    OrderType.MARKET,
    OrderType.LIMIT,
    OrderType.STOP_MARKET,
    OrderType.STOP_LIMIT,
    OrderType.MARKET_ON_OPEN,
    OrderType.MARKET_ON_CLOSE,
    OrderType.TRAILING_STOP,
]


class EachMonthAnotherKindOfOrder(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2013, 1, 1)
        self.set_end_date(2015, 1, 1)
        self.set_cash(100000)
        self.spy = self.add_security(SecurityType.EQUITY, "SPY", Resolution.DAILY)
        self.month, self.size, self.turn = -1, 100, -1
        self.tickets = []

    def on_data(self, data):
        bar = data.bars.get("SPY")
        if bar is None:
            return
        if self.time.month != self.month:
            self.month = self.time.month
            self.place(bar)
        elif self.tickets:
            self.change(self.tickets[-1])

    def place(self, bar):
        self.turn = (self.turn + 1) % len(KINDS)
        kind = KINDS[self.turn]
        if kind == OrderType.MARKET:
            self.size = -self.size
        if self.size > 0:
            stop = 1.025 * bar.high
            limit = 0.975 * (bar.low if kind == OrderType.LIMIT else stop)
        else:
            stop = 0.975 * bar.low
            limit = 1.025 * (bar.high if kind == OrderType.LIMIT else stop)
        request = SubmitOrderRequest(
            kind,
            SecurityType.EQUITY,
            self.spy.symbol,
            self.size,
            stop,
            limit,
            0,
            0.01,
            True,
            self.utc_time,
            str(int(kind)),
        )
        self.tickets.append(self.transactions.add_order(request))

    def change(self, ticket):
        if OrderExtensions.is_open(ticket.status):
            self.change_open(ticket)

    def change_open(self, ticket):
        day, asked = self.time.day, len(ticket.update_requests)
        fields = UpdateOrderFields()
        if 8 < day < 14:
            if asked == 0:
                fields.quantity = ticket.quantity + (10 if self.size > 0 else -10)
                fields.tag = f"Change quantity: {day}"
                ticket.update(fields)
        elif 13 < day < 20:
            if asked == 1:
                sign = 1 if ticket.quantity > 0 else -1
                fields.limit_price = self.spy.price * (1 - sign * 0.005)
                if ticket.order_type != OrderType.TRAILING_STOP:
                    fields.stop_price = self.spy.price * (1 + sign * 0.005)
                fields.tag = f"Change prices: {day}"
                ticket.update(fields)
        elif asked == 2:
            ticket.cancel(f"{day} and is still open!")
