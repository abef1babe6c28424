# ruff: noqa: F403, F405
from AlgorithmImports import *

WANTED = [
    "Time: 10/10/2013 13:31:00 OrderID: 72 EventID: 399 Symbol: SPY Status: Filled Quantity: -1 "
    "FillQuantity: -1 FillPrice: $144.6434 LimitPrice: $144.3551 TriggerPrice: $143.61 "
    "OrderFee: 1 USD",
    "Time: 10/10/2013 15:57:00 OrderID: 73 EventID: 156 Symbol: SPY Status: Filled Quantity: -1 "
    "FillQuantity: -1 FillPrice: $145.6636 LimitPrice: $145.6434 TriggerPrice: $144.89 "
    "OrderFee: 1 USD",
    "Time: 10/11/2013 15:37:00 OrderID: 74 EventID: 380 Symbol: SPY Status: Filled Quantity: -1 "
    "FillQuantity: -1 FillPrice: $146.7185 LimitPrice: $146.6723 TriggerPrice: $145.92 "
    "OrderFee: 1 USD",
]


class ShrinkingOrders(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2013, 10, 7)
        self.set_end_date(2013, 10, 11)
        self.set_cash(100000)
        self.add_equity("SPY")
        self.ticket, self.sign, self.told = None, 1, list(WANTED)

    def on_data(self, data):
        if not data.contains_key("SPY"):
            return
        if len(self.transactions.get_open_orders()) == 0:
            self.sign = 1 if self.time.day < 9 else -1
            price, size = data["SPY"].price, 10 * self.sign
            request = SubmitOrderRequest(
                OrderType.LIMIT_IF_TOUCHED,
                SecurityType.EQUITY,
                "SPY",
                size,
                0,
                price - self.sign,
                price - 0.25 * self.sign,
                self.utc_time,
                f"LIT - Quantity: {size}",
            )
            self.ticket = self.transactions.add_order(request)
        elif self.ticket is not None:
            if self.ticket.quantity == 1:
                self.transactions.cancel_open_orders()
                self.ticket = None
                return
            size = self.ticket.quantity - self.sign
            self.ticket.update_quantity(size, f"LIT - Quantity: {size:g}")
            trigger = self.ticket.get(OrderField.TRIGGER_PRICE)
            self.ticket.update_trigger_price(Extensions.round_to_significant_digits(trigger, 5))

    def on_order_event(self, event):
        if event.status == OrderStatus.FILLED:
            wanted = self.told.pop(0)
            assert event.to_string() == wanted, f"{event.to_string()} is not {wanted}"
