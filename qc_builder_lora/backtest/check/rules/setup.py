"""What initialize sets: dates, cash, the benchmark, and the securities."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from datetime import date

from qc_builder_lora.backtest.check.finding import Found, Rule, Severity
from qc_builder_lora.backtest.check.reading import argument, name_of, number_of, text_of
from qc_builder_lora.backtest.check.tree import Code
from qc_builder_lora.backtest.surface.alias import snake

_MONEY = frozenset({"USD", "EUR", "GBP", "JPY", "CHF", "AUD", "NZD", "CAD", "SEK", "NOK", "DKK",
                    "SGD", "HKD", "MXN", "ZAR", "TRY", "CNH", "PLN", "HUF", "CZK"})  # fmt: skip
_COINS = frozenset({"BTC", "ETH", "LTC", "XRP", "BCH", "ADA", "SOL", "DOGE", "DOT", "AVAX", "LINK",
                    "XLM", "MATIC", "UNI", "ETC", "BNB", "TRX", "SHIB", "ATOM", "XMR"})  # fmt: skip
_STABLE = frozenset({"USDT", "USDC", "BUSD", "DAI"})
_ADDER = {"crypto": "add_crypto", "forex": "add_forex"}


def kind_of(ticker: str) -> str | None:
    """`crypto` or `forex` for a pair that cannot be the ticker of a share, else None."""
    plain = ticker.upper().replace("/", "").replace("-", "").replace("_", "")
    if len(plain) < 6:
        return None
    for coin in _COINS:
        if plain.startswith(coin) and plain[len(coin) :] in _MONEY | _STABLE | {"BTC", "ETH"}:
            return "crypto"
    pair = len(plain) == 6 and plain[:3] in _MONEY and plain[3:] in _MONEY
    return "forex" if pair and plain[:3] != plain[3:] else None


def _wrong_adder(code: Code) -> Iterator[Found]:
    for call in code.types.calls("add_equity", "add_forex", "add_crypto"):
        tickers = _tickers(code, argument(call, 0, "ticker"))
        kinds = {kind_of(ticker) for ticker in tickers}
        if len(kinds) != 1 or not isinstance(call.func, ast.Attribute):
            continue
        kind = kinds.pop()
        right = _ADDER.get(kind or "")
        if right is None or snake(call.func.attr) == right:
            continue
        market = any(one.arg in ("market", "leverage", "data_normalization_mode")
                     for one in call.keywords)  # fmt: skip
        safe = len(call.args) <= 2 and not market and len(tickers) > 0
        older = call.func.attr[:1].isupper()
        new = {"add_crypto": "AddCrypto", "add_forex": "AddForex"}[right] if older else right
        yield Found(
            node=call,
            message=f"{tickers[0]} is a pair of {'coins' if kind == 'crypto' else 'currencies'}, "
            f"not for {call.func.attr}",
            cure=f"Call {new}",
            edits=(code.rename(call.func, new),) if safe else (),
        )


def _tickers(code: Code, given: ast.expr | None) -> list[str]:
    """The text itself, or the texts that a loop's variable goes through."""
    text = text_of(given)
    if text is not None:
        return [text]
    if not isinstance(given, ast.Name):
        return []
    for one in code.ancestors(given):
        loops = [one] if isinstance(one, ast.For) else getattr(one, "generators", [])
        for loop in loops:
            if isinstance(loop.target, ast.Name) and loop.target.id == given.id:
                return _texts(code, loop.iter)
    return []


def _texts(code: Code, node: ast.expr) -> list[str]:
    if isinstance(node, ast.Name | ast.Attribute):
        name = code.source(node)
        values = [
            one.value for one in code.all(ast.Assign)
            if any(code.source(target) == name for target in one.targets)
        ]  # fmt: skip
        node = values[0] if len(values) == 1 else node
    if not isinstance(node, ast.List | ast.Tuple | ast.Set):
        return []
    texts = [text_of(one) for one in node.elts]
    return [one for one in texts if one is not None] if None not in texts else []


WRONG_ADDER = Rule(
    id="QC009",
    name="wrong-asset",
    severity=Severity.ERROR,
    summary="A pair of coins or currencies added as a share, or the other way round.",
    why="add_equity('BTCUSD') subscribes to a share of that ticker. There is none: LEAN finds no "
    "data, and the strategy runs to its end without a bar.",
    bad='self.add_equity("BTCUSD", Resolution.DAILY)',
    good='self.add_crypto("BTCUSD", Resolution.DAILY)',
    find=_wrong_adder,
    repairs=True,
)


def _sets(code: Code, name: str) -> list[ast.Call]:
    return list(code.types.calls(name))


def _no_start(code: Code) -> Iterator[Found]:
    start = code.callbacks.get("initialize")
    if start is not None and not _sets(code, "set_start_date") and code.strategy is not None:
        yield Found(
            node=start,
            message=f"{code.strategy.name} sets no start date",
            cure="Call self.set_start_date(year, month, day) in initialize",
        )


NO_START = Rule(
    id="QC024",
    name="no-start-date",
    severity=Severity.WARNING,
    summary="No start date.",
    why="LEAN then starts in 1998, before most data begins; the figures are for a period that "
    "nobody asked for.",
    bad="def initialize(self):\n    self.add_equity('SPY')\n",
    good="def initialize(self):\n    self.set_start_date(2020, 1, 1)\n    self.add_equity('SPY')\n",
    find=_no_start,
)


def _left_to_leans(code: Code) -> Iterator[Found]:
    start = code.callbacks.get("initialize")
    if start is None:
        return
    lacking = [name for name in ("set_end_date", "set_cash") if not _sets(code, name)]
    if lacking:
        what = {"set_end_date": "end date (yesterday)", "set_cash": "cash (100,000)"}
        yield Found(
            node=start,
            message=f"left to LEAN: {' and '.join(what[name] for name in lacking)}",
            cure=f"Call {' and '.join(f'self.{name}' for name in lacking)}, so that a second run "
            "gives the same figures",
        )


LEFT_TO_LEAN = Rule(
    id="QC025",
    name="no-end-or-cash",
    severity=Severity.STYLE,
    summary="No end date, or no cash.",
    why="LEAN then ends yesterday and starts with 100,000: tomorrow the same strategy has other "
    "figures.",
    bad="def initialize(self):\n    self.set_start_date(2020, 1, 1)\n",
    good="def initialize(self):\n    self.set_start_date(2020, 1, 1)\n"
    "    self.set_end_date(2022, 1, 1)\n    self.set_cash(100000)\n",
    find=_left_to_leans,
)


def _wrong_dates(code: Code) -> Iterator[Found]:
    known: dict[str, list[tuple[ast.Call, date]]] = {"set_start_date": [], "set_end_date": []}
    for name, found in known.items():
        for call in _sets(code, name):
            parts = [number_of(one) for one in _three(call)]
            if len(parts) != 3 or None in parts:
                continue
            try:
                found.append((call, date(*(int(one or 0) for one in parts))))
            except ValueError as error:
                yield Found(
                    node=call,
                    message=f"{name} has no such day: {error}",
                    cure="Give year, month and day of a day that exists",
                )
    starts, ends = known["set_start_date"], known["set_end_date"]
    if len(starts) == len(ends) == 1 and starts[0][1] >= ends[0][1]:
        yield Found(
            node=ends[0][0],
            message=f"the end, {ends[0][1]}, is not after the start, {starts[0][1]}",
            cure="Let the end be later than the start",
        )


def _three(call: ast.Call) -> list[ast.expr]:
    """Year, month and day, also of a datetime."""
    if len(call.args) == 1 and isinstance(call.args[0], ast.Call):
        call = call.args[0]
        if name_of(call.func) not in ("datetime", "date"):
            return []
    return call.args[:3]


WRONG_DATES = Rule(
    id="QC026",
    name="wrong-dates",
    severity=Severity.ERROR,
    summary="A day that does not exist, or an end that is not after the start.",
    why="LEAN ends with an exception in initialize, before the first bar.",
    bad="def initialize(self):\n    self.set_start_date(2022, 1, 1)\n"
    "    self.set_end_date(2020, 1, 1)\n",
    good="def initialize(self):\n    self.set_start_date(2020, 1, 1)\n"
    "    self.set_end_date(2022, 1, 1)\n",
    find=_wrong_dates,
)


def _added_twice(code: Code) -> Iterator[Found]:
    seen: dict[tuple[str, str], ast.Call] = {}
    for call in code.types.calls("add_equity", "add_crypto", "add_forex", "add_index"):
        ticker = text_of(argument(call, 0, "ticker"))
        if ticker is None:
            continue
        key = (snake(name_of(call.func)), ticker.upper())
        first = seen.setdefault(key, call)
        if first is call or code.scope(first) is not code.scope(call) or _branches(code, call):
            continue
        if [code.source(one) for one in first.args[1:]] == [
            code.source(one) for one in call.args[1:]
        ]:
            yield Found(
                node=call,
                message=f"{ticker} is added a second time (line {first.lineno} was the first)",
                cure="Add it once and keep its symbol in an attribute",
            )


def _branches(code: Code, node: ast.AST) -> bool:
    return any(isinstance(one, ast.If | ast.Try | ast.IfExp) for one in code.ancestors(node))


ADDED_TWICE = Rule(
    id="QC050",
    name="added-twice",
    severity=Severity.WARNING,
    summary="The same security added twice.",
    why="LEAN keeps one subscription, so the second call does nothing; in generated code it mostly "
    "means that the second should have been another ticker.",
    bad='self.add_equity("SPY")\nself.add_equity("SPY")',
    good='self.add_equity("SPY")\nself.add_equity("QQQ")',
    find=_added_twice,
)


def _early_benchmark(code: Code) -> Iterator[Found]:
    for call in _sets(code, "set_benchmark"):
        ticker = text_of(call.args[0]) if len(call.args) == 1 else None
        if ticker is None:
            continue
        for other in code.types.calls("add_equity", "add_crypto", "add_forex", "add_index"):
            same = text_of(argument(other, 0, "ticker"))
            if same and same.upper() == ticker.upper() and other.lineno > call.lineno:
                yield Found(
                    node=call,
                    message=f"the benchmark {ticker} is set before it is added",
                    cure="Set it below the line that adds it, with its symbol",
                )


EARLY_BENCHMARK = Rule(
    id="QC051",
    name="early-benchmark",
    severity=Severity.STYLE,
    summary="A benchmark set before its security is added.",
    why="LEAN does not know yet what kind of security the ticker is, takes it for a share and says "
    "so in a message; for a coin or an index that is wrong.",
    bad='self.set_benchmark("SPY")\nself.add_equity("SPY")',
    good='self.add_equity("SPY")\nself.set_benchmark("SPY")',
    find=_early_benchmark,
)

RULES = (WRONG_ADDER, NO_START, LEFT_TO_LEAN, WRONG_DATES, ADDED_TWICE, EARLY_BENCHMARK)
