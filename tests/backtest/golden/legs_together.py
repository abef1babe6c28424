# ruff: noqa: F403, F405
"""SPY against IBM, bought together three ways; a fill model of their own gives out parts."""

from AlgorithmImports import *

PARTS = {OrderType.COMBO_MARKET: 50, OrderType.COMBO_LIMIT: 20, OrderType.COMBO_LEG_LIMIT: 10}


class InParts(FillModel):
    def __init__(self):
        self.left = {}

    def cut(self, fills, parameters, part):
        if not fills:
            return []
        entries = sorted(parameters.securities_for_orders, key=lambda entry: entry.key.id)
        for entry, fill in zip(entries, fills, strict=True):
            order = entry.key
            left = self.left.get(order.id, order.absolute_quantity)
            size = min(part, left)
            fill.fill_quantity = size if order.quantity > 0 else -size
            self.left[order.id] = left - size
            done = left == size
            fill.status = OrderStatus.FILLED if done else OrderStatus.PARTIALLY_FILLED
        return fills

    def combo_market_fill(self, order, parameters):
        return self.cut(super().combo_market_fill(order, parameters), parameters, 50)

    def combo_limit_fill(self, order, parameters):
        return self.cut(super().combo_limit_fill(order, parameters), parameters, 20)

    def combo_leg_limit_fill(self, order, parameters):
        return self.cut(super().combo_leg_limit_fill(order, parameters), parameters, 10)


class Together(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2019, 1, 1)
        self.set_end_date(2019, 1, 20)
        self.pair = [self.add_equity(ticker, Resolution.HOUR) for ticker in ("SPY", "IBM")]
        for security in self.pair:
            security.set_fill_model(InParts())
        self.seen = set()

    def on_data(self, data):
        if self.portfolio.invested:
            return
        spy, ibm = self.pair
        legs = [Leg.create(spy.symbol, 1), Leg.create(ibm.symbol, -1)]
        self.combo_market_order(legs, 100)
        self.combo_limit_order(legs, 100, round(spy.bid_price))
        limits = [round(security.bid_price) + 1 for security in self.pair]
        legs = [Leg.create(spy.symbol, 1, limits[0]), Leg.create(ibm.symbol, -1, limits[1])]
        self.combo_leg_limit_order(legs, 100)

    def on_order_event(self, event):
        if event.status == OrderStatus.FILLED:
            kind = self.transactions.get_order_by_id(event.order_id).type
            assert event.absolute_fill_quantity == PARTS[kind], str(event)
            self.seen.add(kind)

    def on_end_of_algorithm(self):
        assert self.seen == set(PARTS)
