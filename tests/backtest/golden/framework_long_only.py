# ruff: noqa: F403, F405
"""Insights up and down emitted by hand; only the longs are held, at a brokerage with slippage."""

from AlgorithmImports import *


class LongOnly(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2013, 10, 7)
        self.set_end_date(2013, 10, 11)
        self.set_brokerage_model(BrokerageName.ALPHA_STREAMS)
        self.set_cash(1_000_000)
        self.set_portfolio_construction(
            EqualWeightingPortfolioConstructionModel(Resolution.DAILY, PortfolioBias.LONG)
        )
        self.set_execution(ImmediateExecutionModel())
        symbols = [
            Symbol.create(ticker, SecurityType.EQUITY, Market.USA) for ticker in ("SPY", "IBM")
        ]
        self.set_universe_selection(ManualUniverseSelectionModel(symbols))

    def on_data(self, data):
        if not self.portfolio.invested:
            up = Insight.price("SPY", timedelta(1), InsightDirection.UP)
            down = Insight.price("IBM", timedelta(1), InsightDirection.DOWN)
            self.emit_insights([up, down])

    def on_order_event(self, event):
        assert not self.securities[event.symbol].holdings.is_short
