"""What LEAN's methods are called with."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import pairwise

from qc_builder_lora.backtest.check import api
from qc_builder_lora.backtest.check.api import Call, Member
from qc_builder_lora.backtest.check.finding import Edit, Found, Rule, Severity
from qc_builder_lora.backtest.check.reading import RESOLUTIONS, enum_member, text_of
from qc_builder_lora.backtest.check.tree import Code
from qc_builder_lora.backtest.surface.alias import snake

_RESOLUTION = "resolution"


def _lean_calls(code: Code) -> Iterator[tuple[ast.Call, Member]]:
    """Calls of LEAN's methods whose ways of calling are known, without stars."""
    for call in code.all(ast.Call):
        if not isinstance(call.func, ast.Attribute):
            continue
        if any(isinstance(one, ast.Starred) for one in call.args):
            continue
        if any(one.arg is None for one in call.keywords):
            continue
        member = code.types.member(call.func)
        if member is not None and member.is_method and member.calls:
            yield call, member


def _misplaced(code: Code) -> Iterator[Found]:
    for call, member in _lean_calls(code):
        for position, given in enumerate(call.args):
            if enum_member(given, "Resolution") is None:
                continue
            taken = [one for one in member.calls if _takes(one, position)]
            expected = [one for one in member.calls if _RESOLUTION in one.names]
            if taken or not expected or any(one.more for one in member.calls):
                continue
            way = expected[0]
            last = position == len(call.args) - 1 and not call.keywords
            safe = last and position >= way.needed and way.names.index(_RESOLUTION) > position
            yield Found(
                node=given,
                message=f"{member.name} takes {_at(way, position)} there, not a Resolution",
                cure=f"Name it: resolution={code.source(given)}. LEAN has {member.name}({way})",
                edits=(code.instead(given, f"resolution={code.source(given)}"),) if safe else (),
            )


def _takes(way: Call, position: int) -> bool:
    """Whether a Resolution may stand there: under that name, or under one of another kind."""
    if position >= len(way.names):
        return way.more
    return way.names[position] == _RESOLUTION or position in way.loose


def _at(way: Call, position: int) -> str:
    return way.names[position] if position < len(way.names) else "nothing"


MISPLACED = Rule(
    id="QC014",
    name="resolution-misplaced",
    severity=Severity.ERROR,
    summary="A Resolution where LEAN's method takes something else.",
    why="rsi, macd, bb, atr and others take a MovingAverageType before the resolution. With a "
    "Resolution in its place no method matches and the strategy ends with a TypeError.",
    bad="def initialize(self):\n    self._rsi = self.rsi(self._symbol, 14, Resolution.DAILY)\n",
    good="def initialize(self):\n"
    "    self._rsi = self.rsi(self._symbol, 14, resolution=Resolution.DAILY)\n",
    find=_misplaced,
    repairs=True,
)


def _wrong_number(code: Code) -> Iterator[Found]:
    for call, member in _lean_calls(code):
        names = [snake(one.arg or "") for one in call.keywords]
        if any(_fits(way, len(call.args), names) for way in member.calls):
            continue
        ways = list(dict.fromkeys(member.calls))
        yield Found(
            node=call,
            message=_why_not(ways, member, len(call.args), names),
            cure="LEAN has " + " and ".join(f"{member.name}({way})" for way in ways[:3]),
        )


def _fits(way: Call, positional: int, names: list[str]) -> bool:
    if positional > len(way.names) and not way.more:
        return False
    free = way.names[positional:]
    needed = way.names[positional : way.needed]
    return all(name in free for name in names) and all(name in names for name in needed)


def _why_not(ways: list[Call], member: Member, positional: int, names: list[str]) -> str:
    known = {name for way in ways for name in way.names}
    strange = [name for name in names if name not in known]
    if strange:
        return f"{member.name} has no parameter {strange[0]}"
    given = positional + len(names)
    if given < min(way.needed for way in ways):
        least = min(ways, key=lambda way: way.needed)
        lack = [name for name in least.names[: least.needed][positional:] if name not in names]
        return f"{member.name} lacks {', '.join(lack)}"
    return f"{member.name} cannot be called with these {given} arguments"


WRONG_NUMBER = Rule(
    id="QC015",
    name="wrong-arguments",
    severity=Severity.ERROR,
    summary="Arguments that none of LEAN's ways to call a method takes.",
    why="Too few, too many, or a keyword that does not exist: LEAN answers with TypeError: No method "
    "matches given arguments.",
    bad="def initialize(self):\n    self._macd = self.macd(self._symbol)\n",
    good="def initialize(self):\n    self._macd = self.macd(self._symbol, 12, 26, 9)\n",
    find=_wrong_number,
)


def _camel_keyword(code: Code) -> Iterator[Found]:
    for call, member in _lean_calls(code):
        known = {name for way in member.calls for name in way.names}
        for one in call.keywords:
            plain = snake(one.arg or "")
            if one.arg and one.arg not in known and plain in known:
                start, _ = code.span(one)
                yield Found(
                    node=one,
                    message=f"{member.name} has no parameter {one.arg}",
                    cure=f"Write {plain}",
                    edits=(Edit(start, start + len(one.arg), plain),),
                )


CAMEL_KEYWORD = Rule(
    id="QC070",
    name="camel-case-keyword",
    severity=Severity.ERROR,
    summary="A keyword argument in C#'s spelling.",
    why="In the newer spelling of a method its parameters are in snake case too; a name such as "
    "extendedMarketHours is not one of them.",
    bad='def initialize(self):\n    self.add_equity("SPY", extendedMarketHours=True)\n',
    good='def initialize(self):\n    self.add_equity("SPY", extended_market_hours=True)\n',
    find=lambda code: (
        found for found in _camel_keyword(code) if _in_newer_spelling(code, found.node)
    ),
    repairs=True,
)


def _in_newer_spelling(code: Code, node: ast.AST) -> bool:
    call = code.parent(node)
    return (
        isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and (call.func.attr == snake(call.func.attr))
    )


def _as_text(code: Code) -> Iterator[Found]:
    for call, member in _lean_calls(code):
        named = [(one.arg or "", one.value) for one in call.keywords]
        for position, given in enumerate(call.args):
            names = {way.names[position] for way in member.calls if position < len(way.names)}
            if names == {_RESOLUTION}:
                named.append((_RESOLUTION, given))
        for name, given in named:
            text = text_of(given)
            if snake(name) == _RESOLUTION and text is not None:
                yield _text_found(code, member, given, text)


def _text_found(code: Code, member: Member, given: ast.expr, text: str) -> Found:
    key = text.lower().removeprefix("resolution.")
    key = {"day": "daily", "1d": "daily", "d": "daily", "hourly": "hour", "1h": "hour",
           "min": "minute", "1m": "minute"}.get(key, key)  # fmt: skip
    member_name = RESOLUTIONS.get(key)
    return Found(
        node=given,
        message=f"{member.name} takes a Resolution, not the text {text!r}",
        cure=f"Write Resolution.{member_name or 'DAILY'}",
        edits=(code.instead(given, f"Resolution.{member_name}"),) if member_name else (),
    )


AS_TEXT = Rule(
    id="QC027",
    name="resolution-as-text",
    severity=Severity.ERROR,
    summary="A resolution given as text.",
    why="LEAN's resolutions are an enum; a text does not turn into one, and no method matches.",
    bad='self.add_equity("SPY", "daily")',
    good='self.add_equity("SPY", Resolution.DAILY)',
    find=_as_text,
    repairs=True,
)


def _generic(code: Code) -> Iterator[Found]:
    for node in code.all(ast.Subscript):
        if not isinstance(node.value, ast.Name) or node.value.id != "IndicatorBase":
            continue
        if isinstance(node.slice, ast.Name) and node.slice.id in ("float", "int", "str", "Decimal"):
            yield Found(
                node=node.slice,
                message=f"IndicatorBase[{node.slice.id}] is no type: its argument is a kind of data",
                cure="Write IndicatorBase[IndicatorDataPoint]",
                edits=(code.instead(node.slice, "IndicatorDataPoint"),),
            )


GENERIC = Rule(
    id="QC011",
    name="generic-type",
    severity=Severity.ERROR,
    summary="A type argument that LEAN's generic class does not take.",
    why="IndicatorBase is generic over the data it reads. .NET refuses float there as soon as the "
    "annotation is evaluated, which is when the file is loaded.",
    bad="def _cross(self, fast: IndicatorBase[float]) -> bool:\n    return fast.is_ready\n",
    good="def _cross(self, fast: IndicatorBase[IndicatorDataPoint]) -> bool:\n"
    "    return fast.is_ready\n",
    find=_generic,
    repairs=True,
)


def _enum_and_text(code: Code) -> Iterator[Found]:
    for node in code.all(ast.Compare):
        sides = [node.left, *node.comparators]
        for one, other in pairwise(sides):
            for asked, given in ((one, other), (other, one)):
                enum = code.types.of(asked)
                text = text_of(given)
                known = api.enum_members(enum)
                if text is None or not known:
                    continue
                plain = {name.replace("_", "").lower(): name for name in known}
                name = plain.get(text.replace("_", "").replace(" ", "").lower())
                yield Found(
                    node=node,
                    message=f"a {enum} is never equal to a text such as {text!r}",
                    cure=f"Write {enum}.{name or 'and one of its members'}",
                    edits=(code.instead(given, f"{enum}.{name}"),) if name else (),
                )


ENUM_AND_TEXT = Rule(
    id="QC075",
    name="enum-and-text",
    severity=Severity.ERROR,
    summary="A member of one of LEAN's enums compared with a text.",
    why="order_event.status is an OrderStatus. Comparing it with 'Filled' is always false, and what "
    "should happen on a fill never does.",
    bad="def on_order_event(self, order_event):\n    if order_event.status == 'Filled':\n"
    "        self.log('filled')\n",
    good="def on_order_event(self, order_event):\n"
    "    if order_event.status == OrderStatus.FILLED:\n        self.log('filled')\n",
    find=_enum_and_text,
    repairs=True,
)

RULES = (MISPLACED, WRONG_NUMBER, CAMEL_KEYWORD, AS_TEXT, GENERIC, ENUM_AND_TEXT)
