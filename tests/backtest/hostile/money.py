"""Money, fills and bars that it does not have: whatever it does to itself, the figures are ours."""

from __future__ import annotations

from tests.backtest.hostile.case import Case, refused

CASES = (
    Case("raises its cash",
         on_data="""
         self._desk.portfolio.cash = 1e9
         self._desk.take_account([1e9, 0, 0, 1e9])
         self.portfolio[self.aapl].quantity = 1000
         """,
         status="completed"),
    Case("raises its cash after the start", on_data='self._desk.send(["set", "cash", 1e9])',
         reason="broke the simulator's protocol: a setting 'cash' after initialize"),
    Case("patches the surface",
         """
         import sys
         for name, module in list(sys.modules.items()):
             if name.startswith("surface"):
                 for key in list(vars(module)):
                     if key in ("Portfolio", "Holding", "Trading", "fill_price", "check"):
                         setattr(module, key, None)
         QCAlgorithm.log = lambda *words: None
         type(self.portfolio).total_portfolio_value = property(lambda self: 1e9)
         """,
         status="completed"),
    Case("patches what Python gives",
         """
         import builtins, json, math, socket
         builtins.len = lambda x: 10**9
         builtins.isinstance = lambda *x: True
         math.isfinite = lambda x: True
         json.dumps = lambda *x, **y: '["done"]'
         """,
         reason="broke the simulator's protocol: "),
    Case("turns the clock",
         """
         import time
         time.time = lambda: 0
         self._desk.time = datetime(2020, 1, 1)
         self._desk.set_clock(2 * 10**9, 2 * 10**9, 2 * 10**9, True)
         """,
         status="completed"),
    refused("imports our package", "import qc_builder_lora", "ModuleNotFoundError"),
    refused("imports the simulator", "import simulator.engine", "ModuleNotFoundError"),
    refused("imports the sandbox", "from sandbox import kernel", "ModuleNotFoundError"),
    Case("asks for bars of tomorrow",
         on_data="""
         if self.time.date() == date(2010, 1, 8):
             frame = self.history(self.aapl, datetime(2010, 1, 4), datetime(2012, 1, 1))
             self.log(f"asked {frame.index[-1][1].date()}")
         """,
         status="completed", says=("asked 2010-01-08",)),
    Case("asks for bars of tomorrow by itself",
         on_data="""
         if self.time.date() == date(2010, 1, 8):
             rows = self._desk.bars([self.securities[self.aapl]], ["range", 0, 2 * 10**9])
             self.log(f"asked {rows[0][-1].end_time.date()}")
         """,
         status="completed", says=("asked 2010-01-08",)),
    Case("looks for bars and objects of others",
         on_data="""
         import gc, sys
         if self.time.date() == date(2010, 1, 8):
             latest = max(bar.end_time for bar in gc.get_objects() if isinstance(bar, TradeBar))
             self.log(f"latest {latest.date()}")
             names = {type(one).__module__.partition(".")[0] for one in gc.get_objects()}
             self.log(f"ours {sorted(n for n in names if 'qc_' in n or 'simul' in n)}")
             frame, depth = sys._getframe(), 0
             while frame.f_back:
                 frame, depth = frame.f_back, depth + 1
             self.log(f"outermost {frame.f_code.co_filename.rpartition('/')[2]}")
         """,
         status="completed",
         says=("latest 2010-01-08", "ours []", "outermost zygote.py")),
    Case("fills its own orders",
         on_data="""
         if not self.portfolio.invested and self.time.day == 5:
             self._desk.trading.take([[1, 3, 1000.0, 0.01, 0.0, "", 0, [1000, 0.01, 0, 0, 0],
                                       [1e9, 0.0, 0.0]]])
         """,
         reason=""),
    Case("reports statistics of its own",
         on_data="self.set_runtime_statistic('Sharpe Ratio', '99')\n"
                 "self.set_summary_statistic('End Equity', '99999999')",
         status="completed"),
    Case("orders more than it can pay",
         on_data="self.market_order(self.aapl, 10**12)", status="completed", orders=10),
    Case("orders what is no number", on_data="self.market_order(self.aapl, float('nan'))",
         reason=""),
    Case("reads any file as a ticker",
         "self.add_equity('../../../../../../etc/passwd', Resolution.DAILY)",
         status="unknown", reason="no data for "),
    Case("reads any file as a time zone", "self.set_time_zone('../../../etc/passwd')", reason=""),
)  # fmt: skip
