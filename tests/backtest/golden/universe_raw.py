# ruff: noqa: F403, F405
"""Raw daily prices, seeded; two groups of three tickers take turns in a universe."""

from AlgorithmImports import *

EVEN, ODD = ["SPY", "IWM", "QQQ"], ["AIG", "BAC", "IBM"]


class TakingTurns(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2014, 3, 24)
        self.set_end_date(2014, 4, 7)
        self.set_cash(50_000)
        self.universe_settings.resolution = Resolution.DAILY
        self.universe_settings.data_normalization_mode = DataNormalizationMode.RAW
        self.seeder = FuncSecuritySeeder(self.get_last_known_prices)
        self.set_security_initializer(self.prepare)
        self.add_universe("turns", Resolution.DAILY, lambda day: ODD if day.day % 2 else EVEN)

    def prepare(self, security):
        security.set_fee_model(ConstantFeeModel(0))
        self.seeder.seed_security(security)

    def on_securities_changed(self, changes):
        for security in changes.removed_securities:
            if security.invested:
                self.liquidate(security.symbol)
        for security in changes.added_securities:
            self.set_holdings(security.symbol, 0.2)
