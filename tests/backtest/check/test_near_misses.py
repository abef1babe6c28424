"""What idiomatic LEAN code looks like, and no rule may object to: a false alarm is worse than a
miss."""

from __future__ import annotations

import ast
import random
from dataclasses import replace

import pytest

from qc_builder_lora.backtest.check.example import as_strategy
from qc_builder_lora.backtest.check.lint import lint
from qc_builder_lora.backtest.check.repair import repair
from qc_builder_lora.backtest.check.tree import Code
from qc_builder_lora.harvest.corpus.starter import draws, load_manifest

IMPORT = "from AlgorithmImports import *\n\n\n"

# Rule → code that comes close to what it looks for.
NEAR = [
    ("QC001", "def initialize(self):\n    self.x = pd.Series([1.0])\n    self.y = np.NaN\n"),
    ("QC001", "def initialize(self):\n    self.Weight = 1\n    self.y = self.Weight\n"),
    ("QC002", "def _n(self, names):\n    return len(names) + len(self.portfolio)\n"),
    ("QC003", "def _n(self):\n    return [h for h in self.portfolio.values() if h.invested]\n"),
    ("QC003", "def _n(self, frame):\n    return list(frame.values) + sorted(frame.items)\n"),
    ("QC003", "def _n(self):\n    for h in self.Portfolio.Values:\n        self.Log(str(h))\n"),
    ("QC004", "def _n(self):\n    self.schedule.on(self.date_rules.today, self.time_rules.noon, "
              "lambda: self.liquidate())\n"),
    ("QC005", "def _n(self, frame):\n    return frame.where(frame > 0).first('5D')\n"),
    ("QC005", "import Lib\nfrom AlgorithmImports import *\n\n\nclass A(QCAlgorithm):\n"
              "    def initialize(self):\n        self.x = Lib.Select(1)\n"),
    ("QC005", "def Take(self, n):\n    return n\n\ndef _n(self):\n    return self.Take(2)\n"),
    ("QC006", "def on_data(self, data):\n    if self.time.month == 1:\n"
              "        self.history(self._spy, 20)\n"),
    ("QC006", "def on_data(self, data):\n    if self._last == self.time.date():\n        return\n"
              "    self.history(self._spy, 20)\n"),
    ("QC006", "def _rebalance(self):\n    self.history(self._spy, 20)\n"),
    ("QC007", "def _n(self):\n    return Resolution.DAILY, Market.USA, DayOfWeek.MONDAY\n"),
    ("QC008", "def initialize(self):\n    self._sma = self.sma('SPY', 20)\n    self.fast = 3\n"),
    ("QC008", "class Symbol_(object):\n    def __init__(self, algorithm, symbol):\n"
              "        self.symbol = symbol\n        self.sma = algorithm.sma(symbol, 20)\n"),
    ("QC009", "def initialize(self):\n    self.add_equity('GOOGL')\n    self.add_equity('EURN')\n"),
    ("QC009", "def initialize(self):\n    self.add_equity('ETH')\n    self.add_equity('BTC')\n"),
    ("QC009", "def initialize(self):\n    self.add_crypto('BTCUSD')\n    self.add_cfd('XAUUSD')\n"),
    ("QC009", "def initialize(self):\n    for t in ['BTCUSD', 'SPY']:\n        self.add_equity(t)\n"),
    ("QC010", "def initialize(self):\n    self.name = 'Momentum'\n    self._universe = []\n"),
    ("QC010", "def initialize(self):\n    self.universe_settings.resolution = Resolution.DAILY\n"),
    ("QC010", "def initialize(self):\n    self.default_order_properties = InteractiveBrokersOrder"
              "Properties()\n"),
    ("QC010", "def initialize(self):\n    self.enable_automatic_indicator_warm_up = True\n"),
    ("QC011", "def _n(self, x: IndicatorBase[IndicatorDataPoint], w: RollingWindow[float]):\n"
              "    return x, w\n"),
    ("QC012", "def _n(self):\n    return OrderStatus.FILLED, BrokerageName.QUANT_CONNECT_BROKERAGE, "
              "MovingAverageType.WILDERS, Resolution.Daily\n"),
    ("QC012", "class Side(Enum):\n    UP = 1\n\n\nclass Resolution:\n    WEEKLY = 1\n\n\n"
              "x = Resolution.WEEKLY\n"),
    ("QC013", "def _n(self):\n    if not hasattr(self, 'extra'):\n        return 1\n"
              "    return self.extra\n"),
    ("QC013", "def initialize(self):\n    setattr(self, 'alpha_1', 1)\n\ndef _n(self):\n"
              "    return self.alpha_1\n"),
    ("QC013", "def initialize(self):\n    spy = self.add_equity('SPY')\n    spy.average = 1\n"
              "    self._a = spy.average\n    self._b = self.securities['SPY'].anything\n"),
    ("QC013", "def on_data(self, data):\n    bar = data[self._custom]\n    self.log(bar.sentiment)\n"),
    ("QC013", "def _n(self):\n    return self.transactions.get_open_orders(self._spy)\n"),
    ("QC013", "def _n(self):\n    for kvp in self.portfolio:\n        self.log(str(kvp.value))\n"),
    ("QC013", "def initialize(self):\n    self._bb = self.bb('SPY', 20, 2)\n\ndef _n(self):\n"
              "    return self._bb.upper_band.current.value, self._bb[0], self._bb.window.count\n"),
    ("QC014", "def initialize(self):\n    self._a = self.rsi('SPY', 14, MovingAverageType.WILDERS, "
              "Resolution.DAILY)\n    self._b = self.sma('SPY', 14, Resolution.DAILY)\n"),
    ("QC014", "def initialize(self):\n    self.consolidate('SPY', Resolution.DAILY, self._n)\n\n"
              "def _n(self, bar):\n    self.log(str(bar))\n"),
    ("QC014", "def initialize(self):\n    self.history(['SPY'], 20, Resolution.DAILY)\n"
              "    self.set_warm_up(20, Resolution.DAILY)\n"
              "    self.register_indicator('SPY', self._x, Resolution.DAILY)\n"),
    ("QC015", "def _n(self, targets):\n    self.set_holdings(targets)\n    self.liquidate()\n"
              "    self.liquidate('SPY', 'stop')\n    self.market_order('SPY', 1, True, 'tag')\n"),
    ("QC015", "def _n(self, *args):\n    self.market_order(*args)\n    self.plot('a', 'b', 1)\n"
              "    self.get_parameter('x', 3)\n"),
    ("QC016", "def initialize(self):\n    self._a = SimpleMovingAverage(3)\n\n"
              "def _n(self, bar):\n    self._a.update(bar.end_time, bar.close)\n"
              "    return self._a.current.value\n"),
    ("QC016", "def initialize(self):\n    self._a = SimpleMovingAverage(3)\n"
              "    self._b = IndicatorExtensions.of(self._a, self._c)\n"
              "    self._d = self._a.current.value\n"),
    ("QC017", "def initialize(self):\n    self._a = self.sma('SPY', 3)\n    self.set_warm_up(3)\n\n"
              "def on_data(self, data):\n    self.log(str(self._a.current.value))\n"),
    ("QC018", "def _n(self, a, b):\n    return a > b or self._x == self._y\n"),
    ("QC019", "def initialize(self):\n    self.schedule.on(self.date_rules.today, "
              "self.time_rules.noon, lambda: self.set_holdings('SPY', 1))\n"),
    ("QC019", "def initialize(self):\n    def buy():\n        self.set_holdings('SPY', 1)\n"
              "    self._buy = buy\n"),
    ("QC020", "def initialize(self):\n    self.add_universe(self._top(10))\n\n"
              "def _top(self, n):\n    return lambda coarse: [c.symbol for c in coarse][:n]\n"),
    ("QC020", "def initialize(self):\n    self.schedule.on(self._rule(), self.time_rules.noon, "
              "self._n)\n\ndef _rule(self):\n    return self.date_rules.today\n\ndef _n(self):\n"
              "    self.liquidate()\n"),
    ("QC021", "def initialize(self):\n    self.schedule.on(self.date_rules.today, "
              "self.time_rules.midnight, self._n)\n\ndef _n(self):\n    self.liquidate()\n"),
    ("QC022", "def _n(self):\n    return self.portfolio.contains_key('SPY'), self.time.date()\n"),
    ("QC023", "def _n(self):\n    handler = self.liquidate\n    if self.portfolio.invested:\n"
              "        handler()\n    return self.log is None\n"),
    ("QC026", "def initialize(self):\n    self.set_start_date(datetime(2020, 2, 29))\n"
              "    self.set_end_date(2020, 3, 1)\n"),
    ("QC026", "def initialize(self):\n    self.set_start_date(self._year, 2, 30)\n"),
    ("QC027", "def initialize(self):\n    self.add_equity('SPY', Resolution.DAILY, 'usa')\n"
              "    self.add_future('ES', extended_market_hours=True)\n"),
    ("QC028", "def on_data(self, data):\n    if not data.bars.contains_key(self._spy):\n"
              "        return\n    self.log(str(data[self._spy].close))\n"),
    ("QC028", "def on_data(self, data):\n    for symbol, bar in data.bars.items():\n"
              "        self.log(str(data[symbol].close))\n"),
    ("QC029", "def on_data(self, data):\n    bar = data.bars.get(self._spy)\n    if bar:\n"
              "        self.log(str(bar.close))\n"),
    ("QC030", "def _n(self, df):\n    df['label'] = df['close'].shift(-1) > df['close']\n"
              "    return df['close'].pct_change(1).shift(1).diff()\n"),
    ("QC031", "def _n(self):\n    return self.history(self._spy, self.time - timedelta(30), "
              "self.time)\n"),
    ("QC032", "def initialize(self):\n    self.set_end_date(datetime.now())\n"
              "    self.set_start_date(datetime.now() - timedelta(365))\n"),
    ("QC033", "def on_data(self, data):\n    self.OnEvent = 3\n"),
    ("QC034", "@property\ndef size(self):\n    return 1\n\n@size.setter\ndef size(self, value):\n"
              "    self._s = value\n"),
    ("QC035", "def on_end_of_day(self):\n    self.log('a')\n"),
    ("QC035", "def on_end_of_day(self, symbol):\n    self.log('a')\n\n"
              "def on_data(self, *args):\n    self.log('b')\n"),
    ("QC035", "def on_order_event(self, order_event: OrderEvent) -> None:\n    self.log('a')\n"),
    ("QC037", "def initialize(self):\n    self.on_bar = 1\n    self.consolidate('SPY', 5, "
              "self.on_tick)\n\ndef on_tick(self, bar):\n    self.log('a')\n"),
    ("QC038", IMPORT + "class Base(QCAlgorithm):\n    def initialize(self):\n        self.x = 1\n\n\n"
              "class Mine(Base):\n    def on_data(self, data):\n        self.buy('SPY', 1)\n"),
    ("QC039", IMPORT + "class Base(QCAlgorithm):\n    def initialize(self):\n        self.x = 1\n\n\n"
              "class Mine(Base):\n    def on_data(self, data):\n        self.buy('SPY', 1)\n"),
    ("QC039", "import AlgorithmImports as ai\n\n\nclass A(ai.QCAlgorithm):\n"
              "    def initialize(self):\n        self.x = 1\n"),
    ("QC040", "try:\n    import backtrader\nexcept ImportError:\n    pass\n" + IMPORT),
    ("QC042", "from QuantConnect.Algorithm import QCAlgorithm\n\n\nclass A(QCAlgorithm):\n"
              "    def initialize(self):\n        self.x = 1\n"),
    ("QC042", "from base import *\n\n\nclass A(QCAlgorithm):\n    def initialize(self):\n"
              "        self.x = 1\n"),
    ("QC043", "from AlgorithmImports import *\nfrom QuantConnect.DataSource import *\n"
              "from QuantConnect.Indicators import SimpleMovingAverage as Average\nimport math\n"),
    ("QC044", "from AlgorithmImports import *\nimport datetime as dt\n\nx = dt.datetime(2020, 1, 1)\n"
              "y = datetime(2020, 1, 1)\nz = time(10, 0)\n"),
    ("QC044", "from AlgorithmImports import *\nimport datetime\n\nx = datetime.datetime(2020, 1, 1)\n"),
    ("QC044", "from AlgorithmImports import *\nfrom datetime import datetime\n\n"
              "x = datetime(2020, 1, 1)\ny = datetime.date(x)\n"),
    ("QC044", "from AlgorithmImports import *\nimport time\n\nx = time.time()\n"),
    ("QC044", "from AlgorithmImports import *\n\n\ndef f(time):\n    return time.time()\n"),
    ("QC046", "def _n(self, true, null=None):\n    return true or null\n"),
    ("QC047", "def _n(self):\n    self.set_holdings('SPY', 1.5)\n    self.set_holdings('SPY', -1)\n"),
    ("QC048", "def initialize(self):\n    self.add_crypto('BTCUSD')\n    self.market_order('BTCUSD', "
              "0.5)\n"),
    ("QC049", "def initialize(self):\n    self.add_equity('spy')\n    self.sma('SPY', 20)\n"),
    ("QC049", "def initialize(self):\n    for t in self._names:\n        self.add_equity(t)\n"
              "    self.sma('SPY', 20)\n"),
    ("QC049", "def initialize(self):\n    self.add_equity('SPY')\n    self.add_universe(self._pick)\n"
              "    self.sma('QQQ', 20)\n"),
    ("QC050", "def initialize(self):\n    self.add_equity('SPY')\n"
              "    self.add_equity('SPY', Resolution.DAILY)\n"),
    ("QC051", "def initialize(self):\n    self._s = self.add_equity('SPY').symbol\n"
              "    self.set_benchmark(self._s)\n    self.set_benchmark('QQQ')\n"),
    ("QC052", "def on_data(self, data):\n    if self._x is None:\n"
              "        self._x = self.sma('SPY', 20)\n"),
    ("QC053", "def initialize(self):\n    self._spy = self.add_equity('SPY', Resolution.MINUTE)"
              ".symbol\n    self._max = self.max(self._spy, 20, Resolution.DAILY)\n\n"
              "def on_data(self, data):\n    price = self.securities[self._spy].price\n"
              "    if price > self._max.current.value:\n        self.set_holdings(self._spy, 1)\n"),
    ("QC053", "def initialize(self):\n    self._spy = self.add_equity('SPY', Resolution.DAILY)"
              ".symbol\n    self._max = self.max(self._spy, 20)\n\n"
              "def on_data(self, data):\n    price = self.securities[self._spy].price\n"
              "    if price >= self._max.current.value:\n        self.set_holdings(self._spy, 1)\n"),
    ("QC054", "def initialize(self):\n    self.add_equity('SPY', Resolution.DAILY)\n\n"
              "def on_data(self, data):\n    if self.time.hour == 16 and self.time.weekday() == 0:\n"
              "        self.set_holdings('SPY', 1)\n"),
    ("QC055", "def _n(self):\n    return self.utc_time.replace(tzinfo=None)\n"),
    ("QC056", "def initialize(self):\n    self._a = self.sma('SPY', 20)\n"
              "    self.plot_indicator('a', self._a)\n"),
    ("QC057", "def print(self, text):\n    self.log(text)\n\ndef _n(self):\n    self.print('a')\n"),
    ("QC058", "def _n(self):\n    try:\n        self.liquidate()\n    except Exception as error:\n"
              "        self.error(str(error))\n    try:\n        self.liquidate()\n"
              "    except KeyError:\n        pass\n"),
    ("QC059", "def _n(self, frame):\n    h = self.history(self._spy, 20)\n    h['close']\n"
              "    h['Signal'] = 1\n    return frame['Close'], h.loc[self._spy]['open']\n"),
    ("QC061", "def on_order_event(self, event):\n    pass\n\ndef _n(self):\n    return None\n"),
    ("QC061", "class Base(ABC):\n    def signal(self):\n        raise NotImplementedError\n"),
    ("QC061", "class Base:\n    def signal(self):\n        raise NotImplementedError\n\n\n"
              "class Mine(Base):\n    def signal(self):\n        return 1\n"),
    ("QC062", "def _n(self):\n    # hold the rest of the portfolio in bonds\n    # todos los dias\n"
              "    self.x = 1  # add to the position here\n"),
    ("QC065", "def _a(self):\n    self.liquidate()\n    return 1\n\ndef _b(self):\n"
              "    self.liquidate()\n    return 1\n"),
    ("QC070", "def initialize(self):\n    self.AddEquity('SPY', extendedMarketHours=True)\n"),
    ("QC071", "def on_brokerage_message(self, event):\n    self.log('a')\n\ndef _buy(self):\n"
              "    self.buy('SPY', 1)\n"),
    ("QC073", "def _n(self, bar):\n    return self.time.hour, bar.Date, self.Time.date(), "
              "self.time.weekday()\n"),
    ("QC074", "def on_data(self, data):\n    frame = self.history(self._spy, 3)\n"
              "    self.log(str(frame['close']) + str(self._rows['open']))\n"),
    ("QC074", "def on_data(self, data):\n    point = data[self._custom]\n    point = {}\n"
              "    self.log(point['close'])\n"),
    ("QC075", "def on_order_event(self, event):\n    if event.status == OrderStatus.FILLED and "
              "event.symbol == 'SPY' and str(event.status) == 'Filled':\n        self.log('a')\n"),
    ("QC072", "def _n(self, x):\n    return x.ToString() + str(self.time)\n"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "snippet"), NEAR, ids=[f"{r}-{i}" for i, (r, _) in enumerate(NEAR)]
)
def test_what_only_looks_like_the_mistake_is_left_alone(rule: str, snippet: str) -> None:
    assert rule not in [one.rule for one in lint(as_strategy(snippet))]


TRADES = {
    "framework": "def initialize(self):\n    self.set_alpha(EmaCrossAlphaModel())\n",
    "insights": "def on_data(self, data):\n    self.emit_insights([])\n",
    "scheduled": "def initialize(self):\n    self.schedule.on(self.date_rules.today, "
                 "self.time_rules.noon, self._go)\n\ndef _go(self):\n    self.buy('SPY', 1)\n",
    "lambda": "def initialize(self):\n    self.schedule.on(self.date_rules.today, "
              "self.time_rules.noon, lambda: self.set_holdings('SPY', 1))\n",
    "consolidator": "def initialize(self):\n    bars = TradeBarConsolidator(timedelta(5))\n"
                    "    bars.data_consolidated += self._on\n\ndef _on(self, _, bar):\n"
                    "    self.market_order(bar.symbol, 1)\n",
    "by name": "def on_data(self, data):\n    getattr(self, '_go')()\n\ndef _go(self):\n"
               "    self.buy('SPY', 1)\n",
    "dispatch": "def initialize(self):\n    self._steps = {'a': self._go}\n\n"
                "def on_data(self, data):\n    self._steps['a']()\n\ndef _go(self):\n"
                "    self.Buy('SPY', 1)\n",
    "returns before": "def on_data(self, data):\n    if not data:\n        return\n"
                      "    for one in data.keys():\n        if one:\n            continue\n"
                      "        self.buy(one, 1)\n",
    "or": "def on_data(self, data):\n    self.portfolio.invested or self.buy('SPY', 1)\n",
    "flag": "def initialize(self):\n    self._long = True\n    self._short = False\n\n"
            "def on_data(self, data):\n    if self._long:\n        self.buy('SPY', 1)\n"
            "    if self._short:\n        self.sell('SPY', 1)\n",
    "state": "def initialize(self):\n    self._state = 0\n\ndef on_data(self, data):\n"
             "    if self._state == 1:\n        self.buy('SPY', 1)\n    self._state += 1\n",
    "loop": "def on_data(self, data):\n    signal = 0\n    for bar in data.values():\n"
            "        signal = bar.close\n    if signal > 0:\n        self.buy('SPY', 1)\n",
    "set elsewhere": IMPORT + "class A(QCAlgorithm):\n    def initialize(self):\n        self.go = 0\n"
                     "        self._w = Watch(self)\n\n    def on_data(self, data):\n"
                     "        if self.go > 0:\n            self.buy('SPY', 1)\n\n\nclass Watch:\n"
                     "    def __init__(self, algorithm):\n        algorithm.go = 1\n",
    "base": IMPORT + "class Base(QCAlgorithm):\n    def initialize(self):\n        self.x = 1\n\n"
            "    def on_data(self, data):\n        self.trade()\n\n\nclass Mine(Base):\n"
            "    def trade(self):\n        self.buy('SPY', 1)\n",
    "another file": "from AlgorithmImports import *\nfrom alpha import trade\n\n\n"
                    "class A(QCAlgorithm):\n    def initialize(self):\n        trade(self)\n",
    "another base": "from AlgorithmImports import *\nfrom base import Base\n\n\n"
                    "class A(Base, QCAlgorithm):\n    def initialize(self):\n        self.x = 1\n",
    "helper": IMPORT + "class A(QCAlgorithm):\n    def initialize(self):\n"
              "        self._desk = Desk(self)\n\n    def on_data(self, data):\n"
              "        self._desk.trade()\n\n\nclass Desk:\n    def __init__(self, algorithm):\n"
              "        self._algorithm = algorithm\n\n    def trade(self):\n"
              "        self._algorithm.market_order('SPY', 1)\n",
}  # fmt: skip


@pytest.mark.parametrize("name", TRADES)
def test_a_strategy_that_can_trade_is_no_stub(name: str) -> None:
    found = {one.rule for one in lint(as_strategy(TRADES[name]))}
    assert not found & {"QC060", "QC061", "QC063"}


def test_nothing_is_found_in_our_own_families_and_nothing_is_repaired() -> None:
    manifest = replace(load_manifest(), families="all", examples_per_family=3)
    for draw in draws(manifest, set()):
        assert lint(draw.code) == [], draw.family.name
        assert repair(draw.code).text == draw.code


def test_no_rule_breaks_down_over_code_that_was_shuffled() -> None:
    """Whatever parses is checked: hundreds of odd files made from good ones."""
    manifest = replace(load_manifest(), families="all", examples_per_family=1)
    source = random.Random(5)
    checked = 0
    for draw in draws(manifest, set()):
        tree = ast.parse(draw.code)
        code = Code(draw.code, tree)
        spans = [code.span(node) for node in ast.walk(tree) if isinstance(node, ast.expr)]
        odd = ["None", "self", "()", "lambda: 0", "[x for x in y]", "self.portfolio", "(yield)"]
        odd += [draw.code[start:end] for start, end in spans]
        for _ in range(12):
            text = draw.code
            start, end = source.choice(spans)
            text = text[:start] + source.choice(odd) + text[end:]
            for one in lint(text):
                assert one.line >= 1
                assert one.column >= 1
                checked += 1
            repair(text)
    assert checked > 60
