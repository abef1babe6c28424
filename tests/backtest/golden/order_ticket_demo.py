# ruff: noqa: F403, F405
from AlgorithmImports import *


class EveryKindOfTicket(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2013, 10, 7)
        self.set_end_date(2013, 10, 11)
        self.set_cash(100000)
        self.add_equity("SPY", Resolution.MINUTE)
        self.limits, self.stops, self.stop_limits, self.trailing = [], [], [], []
        self.opens, self.closes = [], []

    def at(self, day, hour, minute):
        now = self.time
        return (now.day, now.hour, now.minute) == (day, hour, minute)

    def on_data(self, data):
        self.trade_market()
        self.trade_limits()
        self.trade_stops()
        self.trade_stop_limits()
        self.trade_trailing()
        self.trade_opens()
        self.trade_closes()

    def trade_market(self):
        if self.at(7, 9, 31):
            ticket = self.market_order("SPY", 10, False)
            assert ticket.status == OrderStatus.FILLED
            ticket = self.market_order("SPY", 10, asynchronous=True)
            response = ticket.cancel("Attempt to cancel async order")
            self.log(f"cancelled {response.is_success} {response.error_code}")

    def done(self, pair):
        """Whether one of two is filled, and the other cancelled for it."""
        long, short = pair
        if long.status == OrderStatus.FILLED:
            short.cancel("Long filled.")
            return True
        if short.status == OrderStatus.FILLED:
            long.cancel("Short filled")
            return True
        return False

    def bring_in(self, ticket, **changes):
        fields = UpdateOrderFields()
        for name, change in changes.items():
            field = getattr(OrderField, name.upper())
            setattr(fields, name, ticket.get(field) + change)
        fields.tag = f"Update #{len(ticket.update_requests) + 1}"
        ticket.update(fields)

    def trade_limits(self):
        if self.at(7, 12, 0):
            close = self.securities["SPY"].close
            self.limits = [
                self.limit_order("SPY", 10, close * 0.999),
                self.limit_order("SPY", -10, close * 1.001),
            ]
        if len(self.limits) == 2:
            if self.done(self.limits):
                self.limits.clear()
                return
            self.bring_in(self.limits[0], limit_price=0.01)
            self.bring_in(self.limits[1], limit_price=-0.01)

    def trade_stops(self):
        if self.at(7, 16, 0):
            close = self.securities["SPY"].close
            self.stops = [
                self.stop_market_order("SPY", 10, close * 1.0025),
                self.stop_market_order("SPY", -10, close * 0.9975),
            ]
        if len(self.stops) == 2:
            if self.done(self.stops):
                self.stops.clear()
                return
            self.bring_in(self.stops[0], stop_price=-0.01)
            self.bring_in(self.stops[1], stop_price=0.01)

    def trade_stop_limits(self):
        if self.at(8, 12, 1):
            close = self.securities["SPY"].close
            self.stop_limits = [
                self.stop_limit_order("SPY", 10, close * 1.001, close - 0.03),
                self.stop_limit_order("SPY", -10, close * 0.999, close + 0.03),
            ]
        if len(self.stop_limits) == 2:
            if self.done(self.stop_limits):
                self.stop_limits.clear()
                return
            self.bring_in(self.stop_limits[0], stop_price=-0.01, limit_price=0.01)
            self.bring_in(self.stop_limits[1], stop_price=0.01, limit_price=-0.01)

    def trade_trailing(self):
        if self.at(7, 12, 0):
            close = self.securities["SPY"].close
            self.trailing = [
                self.trailing_stop_order("SPY", 10, close * 1.0025, 0.0025, True),
                self.trailing_stop_order("SPY", -10, close * 0.9975, 0.0025, True),
            ]
        elif len(self.trailing) == 2:
            if self.done(self.trailing):
                self.trailing.clear()
                return
            if (self.utc_time - self.trailing[0].time).total_seconds() % 300:
                return
            for ticket in self.trailing:
                assert ticket.get(OrderField.TRAILING_AS_PERCENTAGE)
                self.bring_in(ticket, trailing_amount=-0.0001)

    def trade_closes(self):
        if self.at(9, 12, 0):
            held = self.portfolio["SPY"].quantity
            self.closes.append(self.market_on_close_order("SPY", 2 * held if held else 100))
        self.grow(self.closes)
        if self.at(self.end_date.day, 15, 45):
            held = self.portfolio["SPY"].quantity
            self.market_on_close_order("SPY", -held, False, "Liquidate end of algorithm")

    def trade_opens(self):
        if self.at(8, 16, 0):
            self.opens.append(self.market_on_open_order("SPY", 50))
        self.grow(self.opens)

    def grow(self, tickets):
        if len(tickets) == 1 and self.time.minute == 59:
            ticket = tickets[0]
            if ticket.status == OrderStatus.FILLED:
                tickets.clear()
                return
            fields = UpdateOrderFields()
            fields.quantity = ticket.quantity + 1
            fields.tag = f"Update #{len(ticket.update_requests) + 1}"
            ticket.update(fields)

    def on_order_event(self, event):
        order = self.transactions.get_order_by_id(event.order_id)
        assert event.quantity == order.quantity != 0
        if order.type in (OrderType.LIMIT, OrderType.STOP_LIMIT):
            assert event.limit_price
        if order.type == OrderType.STOP_MARKET:
            assert event.stop_price
        assert event.ticket.order_id == event.order_id

    def on_end_of_algorithm(self):
        kept = self.transactions
        filled = list(kept.get_orders(lambda order: order.status == OrderStatus.FILLED))
        assert len(filled) == 9
        assert len(list(kept.get_order_tickets())) == len(list(kept.get_orders())) == 12
        assert not list(kept.get_open_orders("SPY"))
        assert not list(kept.get_open_order_tickets())
        assert kept.get_open_orders_remaining_quantity() == 0
