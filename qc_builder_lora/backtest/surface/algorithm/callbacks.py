"""What a strategy may override; the bodies here do nothing."""

from __future__ import annotations

from typing import Any


class Callbacks:
    """LEAN's event handlers."""

    def initialize(self) -> None:
        raise NotImplementedError("Please override the Initialize() method in your algorithm.")

    def on_data(self, data: Any) -> None:
        """Called with every Slice."""

    def on_order_event(self, order_event: Any) -> None:
        """Called for every change of an order."""

    def on_end_of_algorithm(self) -> None:
        """Called once, at the end."""

    def on_warmup_finished(self) -> None:
        """Called once, when trading may begin."""

    def on_end_of_day(self, *args: Any) -> None:
        """Called for every security ten minutes before the close."""

    def on_securities_changed(self, changes: Any) -> None:
        """Called when securities have been added."""

    def on_splits(self, splits: Any) -> None:
        """Called with splits, before on_data."""

    def on_dividends(self, dividends: Any) -> None:
        """Called with dividends, before on_data."""

    def on_margin_call(self, requests: Any) -> Any:
        return requests

    def on_margin_call_warning(self) -> None:
        """Called when little margin is left."""

    def on_end_of_time_step(self) -> None:
        """Called after every moment."""

    def on_delistings(self, delistings: Any) -> None:
        """Called when a company's last day begins, and when it is over, before on_data."""

    def on_symbol_changed_events(self, events: Any) -> None:
        """Called with new names, before anything is filled."""

    def on_brokerage_message(self, event: Any) -> None:
        """Never called in a backtest."""

    def on_brokerage_disconnect(self) -> None:
        """Never called in a backtest."""

    def on_brokerage_reconnect(self) -> None:
        """Never called in a backtest."""

    def on_assignment_order_event(self, event: Any) -> None:
        """Never called: options are not modelled."""

    def post_initialize(self) -> None:
        """Called after initialize."""
