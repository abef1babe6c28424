"""Attributes of a strategy that hide what LEAN keeps under the same name."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from qc_builder_lora.backtest.check import api
from qc_builder_lora.backtest.check.finding import Edit, Found, Rule, Severity
from qc_builder_lora.backtest.check.reading import text_of
from qc_builder_lora.backtest.check.spelling import OVERRIDES
from qc_builder_lora.backtest.check.tree import FUNCTIONS, Code
from qc_builder_lora.backtest.surface.alias import snake


def _stored(code: Code) -> Iterator[tuple[ast.ClassDef, ast.Attribute]]:
    """The first `self.x = …` of each name in each algorithm."""
    for cls in code.algorithms:
        seen = set()
        for node in code.all(ast.Attribute):
            if not isinstance(node.ctx, ast.Store) or node.attr in seen:
                continue
            method = code.method_of(node)
            if method is not None and code.parent(method) is cls and code.types.is_self(node.value):
                seen.add(node.attr)
                yield cls, node


def _shadowed(code: Code) -> Iterator[Found]:
    older = any(
        one.name == "Initialize" for cls in code.algorithms for one in cls.body
        if isinstance(one, FUNCTIONS)
    )  # fmt: skip
    for cls, node in _stored(code):
        member = api.members("QCAlgorithm").get(node.attr)
        if member is None or not member.is_method or _defines(cls, node.attr):
            continue
        called = _calls_of(code, node.attr)
        if older and not called:
            continue  # there LEAN's method has another name, and nothing is hidden
        new = code.unused_attribute(node.attr)
        yield Found(
            node=node,
            message=f"self.{node.attr} hides LEAN's method {node.attr}",
            cure=f"Name it self.{new}",
            edits=_renamed(code, node.attr, new),
        )


def _defines(cls: ast.ClassDef, name: str) -> bool:
    return any(isinstance(one, FUNCTIONS) and one.name == name for one in cls.body)


def _calls_of(code: Code, name: str) -> list[ast.Call]:
    return [
        call for call in code.all(ast.Call)
        if isinstance(call.func, ast.Attribute) and call.func.attr == name
        and code.types.is_self(call.func.value)
    ]  # fmt: skip


def _renamed(code: Code, name: str, new: str) -> tuple[Edit, ...]:
    """Every use of the attribute, less the calls, which mean LEAN's method; none where it is also
    named in a text or read by another class."""
    if any(text_of(node) == name for call in _by_name(code) for node in call.args):
        return ()
    if code.types.reads_elsewhere(name):
        return ()
    called = {call.func for call in _calls_of(code, name)}
    return tuple(
        code.rename(node, new) for node in code.all(ast.Attribute)
        if node.attr == name and node not in called and code.types.is_self(node.value)
    )  # fmt: skip


def _by_name(code: Code) -> Iterator[ast.Call]:
    for call in code.all(ast.Call):
        if isinstance(call.func, ast.Name) and call.func.id in ("getattr", "setattr", "hasattr",
                                                                "delattr"):  # fmt: skip
            yield call


SHADOWED = Rule(
    id="QC008",
    name="hidden-method",
    severity=Severity.ERROR,
    summary="An attribute with the name of one of LEAN's methods.",
    why="self.sma = self.sma(...) works once: from then on self.sma is the indicator and the method "
    "is gone, so that the next call fails. LEAN's own check refuses it. An underscore in front "
    "keeps the two apart.",
    bad='def initialize(self):\n    self.sma = self.sma("SPY", 20)\n',
    good='def initialize(self):\n    self._sma = self.sma("SPY", 20)\n',
    find=_shadowed,
    repairs=True,
)


def _reserved(code: Code) -> Iterator[Found]:
    for cls, node in _stored(code):
        member = api.members("QCAlgorithm").get(node.attr)
        if member is None or member.is_method or _defines(cls, node.attr):
            continue
        given = _given(code, node)
        if member.settable and not _is_other(code, given, member.gives):
            continue
        new = code.unused_attribute(node.attr)
        what = "is LEAN's own and cannot be set" if not member.settable else "is LEAN's own"
        own = not _means_leans(code, node.attr, member.gives)
        yield Found(
            node=node,
            message=f"self.{node.attr} {what}",
            cure=f"Name it self.{new}",
            edits=_renamed(code, node.attr, new) if own else (),
        )


def _given(code: Code, node: ast.Attribute) -> ast.expr | None:
    parent = code.parent(node)
    return parent.value if isinstance(parent, ast.Assign | ast.AnnAssign) else None


def _is_other(code: Code, given: ast.expr | None, wanted: str) -> bool:
    """Whether what is given is plainly not of the class that LEAN keeps there."""
    if isinstance(given, ast.Constant):
        if given.value is None:
            return False
        return wanted != {bool: "bool", str: "str"}.get(type(given.value), "float")
    if isinstance(given, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp):
        return True
    if isinstance(given, ast.BinOp | ast.Compare | ast.BoolOp | ast.UnaryOp):
        return wanted not in ("bool", "float", "int", "str", "datetime")
    found = code.types.of(given)
    return api.has_class(found) and wanted not in api.lineage(found) and api.has_class(wanted)


def _means_leans(code: Code, name: str, cls: str) -> bool:
    """Whether the source also uses what LEAN keeps under the name."""
    for node in code.all(ast.Attribute):
        inner = node.value
        if (
            isinstance(inner, ast.Attribute)
            and inner.attr == name
            and code.types.is_self(inner.value)
            and snake(node.attr) in api.members(cls)
        ):
            return True
    return name in ("portfolio", "securities", "time", "transactions", "schedule", "settings")


RESERVED = Rule(
    id="QC010",
    name="reserved-attribute",
    severity=Severity.ERROR,
    summary="An attribute with the name of one of LEAN's properties.",
    why="alpha, universe, execution, risk_management, statistics, time and others are properties of "
    "QCAlgorithm. Setting one fails inside .NET with a message that names neither the line nor the "
    "reason, or puts a number where LEAN expects a model.",
    bad="def initialize(self):\n    self.universe = ['SPY', 'QQQ']\n",
    good="def initialize(self):\n    self._universe = ['SPY', 'QQQ']\n",
    find=_reserved,
    repairs=True,
)


def _own_method(code: Code) -> Iterator[Found]:
    for cls in code.algorithms:
        for node in cls.body:
            if not isinstance(node, FUNCTIONS) or snake(node.name) in OVERRIDES:
                continue
            member = api.members("QCAlgorithm").get(node.name)
            if member is None or node.name.startswith(("on_", "__")):
                continue
            kind = "method" if member.is_method else "property"
            yield Found(
                node=node,
                message=f"{cls.name}.{node.name} replaces LEAN's {kind} {node.name}",
                cure=f"Name it _{node.name}, unless replacing LEAN's is what you want",
            )


OWN_METHOD = Rule(
    id="QC071",
    name="replaced-method",
    severity=Severity.WARNING,
    summary="A method of the strategy's own with the name of one of LEAN's.",
    why="A method named buy, log, history or rsi replaces LEAN's for the whole strategy; one that "
    "means to call LEAN's calls itself without end.",
    bad="def buy(self):\n    self.market_order('SPY', 10)\n",
    good="def _buy(self):\n    self.market_order('SPY', 10)\n",
    find=_own_method,
)

RULES = (SHADOWED, RESERVED, OWN_METHOD)
