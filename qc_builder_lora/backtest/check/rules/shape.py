"""The strategy's class and its methods: that LEAN finds them and can call them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from difflib import get_close_matches

from qc_builder_lora.backtest.check import api
from qc_builder_lora.backtest.check.finding import Found, Rule, Severity
from qc_builder_lora.backtest.check.parsing import strategy_classes
from qc_builder_lora.backtest.check.spelling import OVERRIDES
from qc_builder_lora.backtest.check.tree import FUNCTIONS, Code, Function
from qc_builder_lora.backtest.surface.alias import snake


def _one_class(code: Code) -> Iterator[Found]:
    classes = strategy_classes(code.tree)
    if not classes:
        yield Found(
            node=code.tree,
            message="no class derives from QCAlgorithm",
            cure="Put the strategy into a class: class MyStrategy(QCAlgorithm):",
        )
    elif len(classes) > 1 and code.strategy is not None:
        names = ", ".join(f"{one.name} (line {one.lineno})" for one in classes)
        yield Found(
            node=classes[1],
            message=f"more than one class derives from QCAlgorithm: {names}",
            cure=f"Keep one in the file; LEAN would run {code.strategy.name}, the last by name",
        )
    elif code.strategy is not None and code.strategy is not classes[0]:
        yield Found(
            node=code.strategy,
            message=f"LEAN would run {code.strategy.name}, not {classes[0].name} that derives from "
            "it: of several it takes the last by name",
            cure=f"Rename {classes[0].name} so that it comes after {code.strategy.name}",
        )


ONE_CLASS = Rule(
    id="QC039",
    name="one-strategy",
    severity=Severity.ERROR,
    summary="Not exactly one class that derives from QCAlgorithm.",
    why="LEAN makes an object of every such class in the file, in the order of their names, and runs "
    "the last. Without one it ends with an error.",
    bad="from AlgorithmImports import *\n\n\nclass Momentum:\n    def initialize(self):\n"
    "        self.x = 1\n",
    good="from AlgorithmImports import *\n\n\nclass Momentum(QCAlgorithm):\n"
    "    def initialize(self):\n        self.x = 1\n",
    find=_one_class,
)


def _in_full(code: Code) -> bool:
    """Whether all of the strategy's bases are LEAN's own or in the file."""
    known = {one.name for one in code.algorithms} | {"QCAlgorithm"}
    return all(
        (base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "")) in known
        for one in code.algorithms for base in one.bases
    )  # fmt: skip


def _no_initialize(code: Code) -> Iterator[Found]:
    if code.strategy is None or not _in_full(code):
        return
    own = {snake(name) for name in code.types.own(code.strategy.name)}
    if "initialize" not in own:
        wrong = [name for name in own if name in ("initialise", "init", "on_initialize", "setup",
                                                  "on_start")]  # fmt: skip
        close = f", and {wrong[0]} is not called by it" if wrong else ""
        yield Found(
            node=code.strategy,
            message=f"{code.strategy.name} has no initialize, which LEAN calls first{close}",
            cure="Add def initialize(self): with dates, cash and securities",
        )


NO_INITIALIZE = Rule(
    id="QC038",
    name="no-initialize",
    severity=Severity.ERROR,
    summary="No initialize.",
    why="LEAN calls initialize before the first bar. QCAlgorithm's own raises: please override the "
    "Initialize() method.",
    bad="from AlgorithmImports import *\n\n\nclass A(QCAlgorithm):\n"
    "    def initialise(self):\n        self.add_equity('SPY')\n",
    good="from AlgorithmImports import *\n\n\nclass A(QCAlgorithm):\n"
    "    def initialize(self):\n        self.add_equity('SPY')\n",
    find=_no_initialize,
)


def _defined_twice(code: Code) -> Iterator[Found]:
    for cls in code.algorithms:
        seen: dict[str, Function] = {}
        for node in cls.body:
            if not isinstance(node, FUNCTIONS) or node.decorator_list:
                continue
            first = seen.setdefault(node.name, node)
            if first is not node:
                yield Found(
                    node=node,
                    message=f"{node.name} is defined again; the first, line {first.lineno}, is lost",
                    cure="Keep one, with what both should do",
                )


DEFINED_TWICE = Rule(
    id="QC034",
    name="defined-twice",
    severity=Severity.ERROR,
    summary="A method of the strategy defined twice.",
    why="Python keeps the last of two methods of one name and says nothing. What the first should do "
    "never happens.",
    bad="def on_data(self, data):\n    self.log('a')\n\ndef on_data(self, data):\n    self.log('b')\n",
    good="def on_data(self, data):\n    self.log('a')\n    self.log('b')\n",
    find=_defined_twice,
)

# LEAN takes either of these.
_ALSO = {"on_end_of_day": (0,)}


def _wrong_parameters(code: Code) -> Iterator[Found]:
    for name, function in code.callbacks.items():
        member = api.members("QCAlgorithm").get(name)
        if member is None or not member.calls or function.decorator_list:
            continue
        wanted = {len(call.names) for call in member.calls} | {*_ALSO.get(name, ())}
        arguments = function.args
        if arguments.vararg or any(
            default is None for default in arguments.kw_defaults
        ):  # fmt: skip
            continue
        most = len(arguments.posonlyargs) + len(arguments.args) - 1
        least = most - len(arguments.defaults)
        if not any(least <= count <= most for count in wanted):
            names = max((call.names for call in member.calls), key=len)
            yield Found(
                node=function,
                message=f"LEAN calls {name} with {_counted(max(wanted))} after self, and it "
                f"takes {'none' if most <= 0 else most}",
                cure=f"Write def {function.name}({', '.join(['self', *names])}):",
            )


def _counted(number: int) -> str:
    return {0: "nothing", 1: "one argument"}.get(number, f"{number} arguments")


WRONG_PARAMETERS = Rule(
    id="QC035",
    name="callback-parameters",
    severity=Severity.ERROR,
    summary="A method that LEAN calls with other arguments than it takes.",
    why="LEAN hands on_data the slice, on_order_event the event, and initialize nothing. A method "
    "that takes fewer or more ends the strategy with a TypeError at the first call.",
    bad="def on_data(self):\n    self.log('bar')\n",
    good="def on_data(self, slice):\n    self.log('bar')\n",
    find=_wrong_parameters,
)


def _constructor(code: Code) -> Iterator[Found]:
    for cls in code.algorithms:
        for node in cls.body:
            if isinstance(node, FUNCTIONS) and node.name == "__init__":
                yield Found(
                    node=node,
                    message="LEAN is not there yet when __init__ runs",
                    cure="Move what it does to initialize",
                )


CONSTRUCTOR = Rule(
    id="QC036",
    name="constructor",
    severity=Severity.WARNING,
    summary="A strategy with an __init__ of its own.",
    why="LEAN makes the object first and connects it afterwards: in __init__ there are no "
    "securities, no portfolio and no data. initialize is the place.",
    bad="def __init__(self):\n    self._count = 0\n\ndef initialize(self):\n    self.log('a')\n",
    good="def initialize(self):\n    self._count = 0\n    self.log('a')\n",
    find=_constructor,
)

_ELSEWHERE = {
    "handle_data": "on_data", "next": "on_data", "on_bar": "on_data", "on_tick": "on_data",
    "ondata": "on_data", "on_new_data": "on_data", "on_update": "on_data",
    "on_order": "on_order_event", "on_order_filled": "on_order_event",
    "on_order_update": "on_order_event", "on_fill": "on_order_event",
    "on_end": "on_end_of_algorithm", "on_stop": "on_end_of_algorithm",
    "on_finish": "on_end_of_algorithm", "on_end_of_backtest": "on_end_of_algorithm",
    "on_warm_up_finished": "on_warmup_finished", "on_start": "initialize",
    "initialise": "initialize", "on_initialize": "initialize",
}  # fmt: skip


def _never_called(code: Code) -> Iterator[Found]:
    if code.strategy is None:
        return
    used = {node.attr for node in code.all(ast.Attribute)}
    used |= {node.value for node in code.all(ast.Constant) if isinstance(node.value, str)}
    for node in code.strategy.body:
        if not isinstance(node, FUNCTIONS) or node.name in used or node.decorator_list:
            continue
        name = snake(node.name)
        if name in OVERRIDES or name in api.members("QCAlgorithm"):
            continue
        close = get_close_matches(name, OVERRIDES, n=1, cutoff=0.85)
        meant = _ELSEWHERE.get(name) or (close[0] if close else "")
        if meant:
            yield Found(
                node=node,
                message=f"neither LEAN nor the strategy calls {node.name}",
                cure=f"Did you mean {meant}?",
            )


NEVER_CALLED = Rule(
    id="QC037",
    name="misspelt-callback",
    severity=Severity.WARNING,
    summary="A method that looks like one that LEAN calls, and is not.",
    why="LEAN calls on_data, on_order_event and others by name. handle_data, on_bar or on_datas are "
    "never called, and no message says so.",
    bad="def initialize(self):\n    self.add_equity('SPY')\n\n"
    "def handle_data(self, data):\n    self.liquidate()\n",
    good="def initialize(self):\n    self.add_equity('SPY')\n\n"
    "def on_data(self, data):\n    self.liquidate()\n",
    find=_never_called,
)


def _swallowed(code: Code) -> Iterator[Found]:
    for handler in code.all(ast.ExceptHandler):
        kind = handler.type
        broad = kind is None or (
            isinstance(kind, ast.Name) and kind.id in ("Exception", "BaseException")
        )
        if broad and all(_does_nothing(one) for one in handler.body):
            yield Found(
                node=handler,
                message="every error is thrown away here",
                cure="Catch the one that you expect, or let it be seen: self.error(str(error))",
            )


def _does_nothing(node: ast.stmt) -> bool:
    if isinstance(node, ast.Return):
        return node.value is None or isinstance(node.value, ast.Constant)
    return isinstance(node, ast.Pass | ast.Continue) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    )


SWALLOWED = Rule(
    id="QC058",
    name="swallowed-error",
    severity=Severity.WARNING,
    summary="Every error caught and thrown away.",
    why="except: pass also hides a misspelt name and a formula that gives no number. The strategy "
    "then runs to its end without a trade or with half of its logic, and looks as if it worked.",
    bad="def on_data(self, data):\n    try:\n        self.liquidate()\n    except:\n        pass\n",
    good="def on_data(self, data):\n    try:\n        self.liquidate()\n"
    "    except KeyError as error:\n        self.error(str(error))\n",
    find=_swallowed,
)

RULES = (
    ONE_CLASS, NO_INITIALIZE, DEFINED_TWICE, WRONG_PARAMETERS, CONSTRUCTOR, NEVER_CALLED,
    SWALLOWED,
)  # fmt: skip
