"""What a strategy imports, and what it should not."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from qc_builder_lora.backtest.check.finding import Edit, Found, Rule, Severity
from qc_builder_lora.backtest.check.reading import name_of
from qc_builder_lora.backtest.check.tree import Code
from qc_builder_lora.backtest.surface.known import exported

_STAR = "from AlgorithmImports import *"
_OTHER_ENGINES = frozenset(
    {"backtrader", "zipline", "vectorbt", "backtesting", "freqtrade", "quantopian", "catalyst",
     "pyalgotrade", "lumibot", "qstrader", "jesse", "nautilus_trader", "quantconnect",
     "quantconnect_lean", "lean", "qcalgorithm"}
)  # fmt: skip
_OUTSIDE = frozenset(
    {"requests", "urllib", "http", "socket", "aiohttp", "httpx", "websocket", "websockets",
     "yfinance", "pandas_datareader", "quandl", "alpaca", "alpaca_trade_api", "ccxt", "ib_insync",
     "polygon", "finnhub", "alpha_vantage", "subprocess", "multiprocessing", "threading",
     "concurrent", "ctypes", "ftplib", "smtplib"}
)  # fmt: skip


def _modules(code: Code) -> Iterator[tuple[ast.stmt, str]]:
    for node in code.all(ast.Import):
        yield from ((node, one.name) for one in node.names)
    for other in code.all(ast.ImportFrom):
        if other.module and not other.level:
            yield other, other.module


def _tried(code: Code, node: ast.AST) -> bool:
    return any(isinstance(one, ast.Try) for one in code.ancestors(node))


def _other_engine(code: Code) -> Iterator[Found]:
    for node, module in _modules(code):
        top = module.partition(".")[0]
        if top in _OTHER_ENGINES and not _tried(code, node):
            ours = top in ("quantconnect", "quantconnect_lean", "lean", "qcalgorithm")
            yield Found(
                node=node,
                message=f"LEAN has no module {module}" if ours
                else f"{top} is another engine, which LEAN does not have",
                cure=f"Write {_STAR}" if ours else "Write it with QCAlgorithm's own methods",
            )  # fmt: skip


OTHER_ENGINE = Rule(
    id="QC040",
    name="other-engine",
    severity=Severity.ERROR,
    summary="A module of another engine, or one that LEAN does not have.",
    why="backtrader, zipline and their like are not installed where LEAN runs, and LEAN's own names "
    "come from AlgorithmImports: ModuleNotFoundError before the first line runs.",
    bad="import backtrader as bt\nfrom AlgorithmImports import *\n\n\n"
    "class A(QCAlgorithm):\n    def initialize(self):\n        self.log(str(bt))\n",
    good="from AlgorithmImports import *\n\n\n"
    "class A(QCAlgorithm):\n    def initialize(self):\n        self.log('ready')\n",
    find=_other_engine,
)


def _outside(code: Code) -> Iterator[Found]:
    for node, module in _modules(code):
        top = module.partition(".")[0]
        if top in _OUTSIDE and module not in ("urllib.parse", "http.HTTPStatus"):
            yield Found(
                node=node,
                message=f"{top} reaches outside the backtest",
                cure="Take data from self.history or self.add_data, files from self.download",
            )


OUTSIDE = Rule(
    id="QC041",
    name="reaches-outside",
    severity=Severity.WARNING,
    summary="A module for the network, for processes or threads.",
    why="Backtests run without a network, and data fetched today is not what was known then. Threads "
    "do not stop when LEAN's clock does.",
    bad="import yfinance as yf\nfrom AlgorithmImports import *\n\n\n"
    "class A(QCAlgorithm):\n    def initialize(self):\n        self.log(str(yf))\n",
    good="from AlgorithmImports import *\n\n\n"
    "class A(QCAlgorithm):\n    def initialize(self):\n        self.log('ready')\n",
    find=_outside,
)


def _no_star(code: Code) -> Iterator[Found]:
    if not code.algorithms:
        return
    for node, module in _modules(code):
        top = module.partition(".")[0]
        if top in ("AlgorithmImports", "QuantConnect"):
            return
        if isinstance(node, ast.ImportFrom) and any(
            one.name in ("*", "QCAlgorithm") or one.asname == "QCAlgorithm" for one in node.names
        ):
            return  # a module of the project's own may bring LEAN's names along
    place = _below_the_docstring(code)
    yield Found(
        node=code.algorithms[0],
        message="nothing imports QCAlgorithm",
        cure=f"Begin the file with: {_STAR}",
        edits=(Edit(place, place, f"{_STAR}\n{_gap(code, place)}"),),
    )


def _gap(code: Code, place: int) -> str:
    """Two empty lines where a class follows at once."""
    return "\n\n" if code.text.startswith(("class ", "def ", "@"), place) else ""


def _below_the_docstring(code: Code) -> int:
    """Before the first statement that is neither a docstring nor a __future__ import."""
    for index, node in enumerate(code.tree.body):
        doc = index == 0 and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if doc or (isinstance(node, ast.ImportFrom) and node.module == "__future__"):
            continue
        lines = [node.lineno, *(one.lineno for one in getattr(node, "decorator_list", []))]
        return code.offset(min(lines), 0)
    return len(code.text)


NO_STAR = Rule(
    id="QC042",
    name="no-import",
    severity=Severity.ERROR,
    summary="LEAN's names are used and never imported.",
    why="QCAlgorithm, Resolution and all others come with one line. Without it: NameError: name "
    "'QCAlgorithm' is not defined.",
    bad="import math\n\n\nclass A(QCAlgorithm):\n    def initialize(self):\n        self.log('a')\n",
    good="from AlgorithmImports import *\nimport math\n\n\n"
    "class A(QCAlgorithm):\n    def initialize(self):\n        self.log('a')\n",
    find=_no_star,
    repairs=True,
)


def _redundant(code: Code) -> Iterator[Found]:
    if not any(_is_star(node) for node in code.tree.body):
        return
    for node in code.tree.body:
        what = _known_already(node)
        if what:
            yield Found(
                node=node,
                message=f"{what} comes with AlgorithmImports",
                cure="Leave it out",
                edits=_line_out(code, node),
            )


def _is_star(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module == "AlgorithmImports" and any(
        one.name == "*" for one in node.names
    )  # fmt: skip


def _known_already(node: ast.stmt) -> str:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        return "AddReference" if name_of(node.value.func) == "AddReference" else ""
    if isinstance(node, ast.Import):
        return "clr" if [one.name for one in node.names] == ["clr"] else ""
    if not isinstance(node, ast.ImportFrom) or node.level or node.module is None:
        return ""
    if node.module == "clr":
        return "clr"
    top = node.module.partition(".")[0]
    if top not in ("QuantConnect", "System") or node.module.startswith("QuantConnect.DataSource"):
        return ""
    known = all(one.asname is None and (one.name == "*" or one.name in exported())
                for one in node.names)  # fmt: skip
    return node.module if known else ""


def _line_out(code: Code, node: ast.stmt) -> tuple[Edit, ...]:
    """The statement's whole lines, where nothing else stands in them."""
    start, end = code.span(node)
    first = code.text.rfind("\n", 0, start) + 1
    last = code.text.find("\n", end)
    last = len(code.text) if last < 0 else last + 1
    rest = code.text[end:last].strip()
    if code.text[first:start].strip() or (rest and not rest.startswith("#")):
        return ()
    return (Edit(first, last, ""),)


REDUNDANT = Rule(
    id="QC043",
    name="redundant-import",
    severity=Severity.STYLE,
    summary="An import that AlgorithmImports brings along.",
    why="clr, AddReference and imports from QuantConnect and System are how strategies began years "
    "ago. They change nothing beside the one line that LEAN needs today.",
    bad="from AlgorithmImports import *\nfrom QuantConnect.Indicators import *\n\n\n"
    "class A(QCAlgorithm):\n    def initialize(self):\n        self.log('a')\n",
    good="from AlgorithmImports import *\n\n\n"
    "class A(QCAlgorithm):\n    def initialize(self):\n        self.log('a')\n",
    find=_redundant,
    repairs=True,
)

# AlgorithmImports gives the classes of these names, `import` gives the modules.
_TWO_MEANINGS = ("datetime", "time")
_IN_MODULE = {
    "datetime": {"datetime", "timedelta", "date", "timezone", "time"},
    "time": {"time", "sleep", "perf_counter", "monotonic", "process_time"},
}


def _two_meanings(code: Code) -> Iterator[Found]:
    for name in _TWO_MEANINGS:
        meaning = _meaning(code, name)
        if not meaning:
            continue
        for node in code.all(ast.Name):
            if node.id != name or not isinstance(node.ctx, ast.Load):
                continue
            parent = code.parent(node)
            if meaning == "module" and isinstance(parent, ast.Call) and parent.func is node:
                yield Found(
                    node=node,
                    message=f"{name} is the module here, which cannot be called",
                    cure=f"Write {name}.{name}(...), or leave out the line: import {name}"
                    if name == "datetime" else "Leave out the line: import time",
                )  # fmt: skip
            elif (
                meaning == "class"
                and isinstance(parent, ast.Attribute)
                and parent.attr in _IN_MODULE[name]
                and not (name == "datetime" and parent.attr in ("date", "time"))
            ):
                yield _class_found(code, node, parent)


def _class_found(code: Code, node: ast.Name, parent: ast.Attribute) -> Found:
    known = {"datetime": ("datetime", "timedelta")}.get(node.id, ())
    bound = {one.id for one in code.all(ast.Name) if isinstance(one.ctx, ast.Store)}
    safe = parent.attr in known and parent.attr not in bound
    return Found(
        node=parent,
        message=f"{node.id} is the class here, which has no {parent.attr}",
        cure=f"Write {parent.attr}" if safe else f"Add the line: import {node.id}",
        edits=(code.instead(parent, parent.attr),) if safe else (),
    )


def _meaning(code: Code, name: str) -> str:
    """What a name is in the whole file, empty where it is now this and now that."""
    kinds = {"class"} if any(_is_star(node) for node in code.all(ast.ImportFrom)) else set()
    named = [node for node, one in code.imported if (one.asname or one.name) == name]
    later = {
        "module" if isinstance(node, ast.Import)
        else "class" if node.module == "datetime" else "other"
        for node in named
    }  # fmt: skip
    stored = any(one.id == name and isinstance(one.ctx, ast.Store) for one in code.all(ast.Name))
    if stored or any(one.arg == name for one in code.all(ast.arg)):
        return ""
    hidden = [_before_star(code, node) for node in named]
    if hidden and all(hidden) and all(code.parent(node) is code.tree for node in named):
        return "class"  # the star import stands below and takes the name
    kinds = later or kinds
    inner = any(code.scope(node) is not None for node in named) or any(hidden)
    return kinds.pop() if len(kinds) == 1 and not inner else ""


def _before_star(code: Code, node: ast.stmt) -> bool:
    """The later import of a name wins; a star import may be the later one."""
    return any(_is_star(star) and star.lineno > node.lineno for star in code.all(ast.ImportFrom))


TWO_MEANINGS = Rule(
    id="QC044",
    name="module-or-class",
    severity=Severity.ERROR,
    summary="datetime or time taken for a class where it is the module, or the other way round.",
    why="AlgorithmImports gives datetime, date, time and timedelta as classes. A line such as "
    "import datetime turns the name into the module, and datetime(2020, 1, 1) into TypeError: "
    "'module' object is not callable.",
    bad="from AlgorithmImports import *\n\n\nclass A(QCAlgorithm):\n    def initialize(self):\n"
    "        self._end = datetime.datetime(2020, 1, 1)\n",
    good="from AlgorithmImports import *\n\n\nclass A(QCAlgorithm):\n    def initialize(self):\n"
    "        self._end = datetime(2020, 1, 1)\n",
    find=_two_meanings,
    repairs=True,
)

_IGNORES = re.compile(r"#\s*(?:type:\s*ignore|mypy:)")


def _ignores(code: Code) -> Iterator[Found]:
    if not _IGNORES.search(code.text):
        return
    for line, comment in code.comments:
        if _IGNORES.search(comment):
            yield Found(
                node=code.whole_line(line),
                message="a comment that switches the type check off",
                cure="Write what LEAN's stubs know; for the whole file it is not honoured",
            )


IGNORES = Rule(
    id="QC067",
    name="type-ignore",
    severity=Severity.STYLE,
    summary="A comment that hides what the compile check says.",
    why="type: ignore hides the line's fault from the check and not from LEAN. Comments for a whole "
    "file are passed over by our compile check.",
    bad='self.add_equity("SPY").foo()  # type: ignore',
    good='self.add_equity("SPY")',
    find=_ignores,
)

RULES = (OTHER_ENGINE, OUTSIDE, NO_STAR, REDUNDANT, TWO_MEANINGS, IGNORES)
