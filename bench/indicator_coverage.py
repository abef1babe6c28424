"""How many of LEAN's indicators the simulator has, counted from quantconnect-stubs.

    python bench/indicator_coverage.py

Prints covered/total of the indicator classes, of `self.<indicator>` methods, of
`self.candlestick_patterns` and of the overloads of all three, whose names and defaults are compared
too; then, by name, what is missing: those answer `unknown` in a backtest. Writes
bench/results/indicator_coverage.json.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from qc_builder_lora.backtest.check.lean_names import Stubs, find_stubs
from qc_builder_lora.backtest.surface import indicators
from qc_builder_lora.backtest.surface.algorithm import odd_shortcuts, shortcuts
from qc_builder_lora.backtest.surface.algorithm.candlesticks import CandlestickPatterns
from qc_builder_lora.backtest.surface.alias import snake
from qc_builder_lora.backtest.surface.enums import LeanEnum
from qc_builder_lora.backtest.surface.indicators import arguments
from qc_builder_lora.backtest.surface.indicators.candles import CLASSES as CANDLES
from qc_builder_lora.backtest.surface.indicators.candles import PATTERNS
from qc_builder_lora.backtest.surface.indicators.candles.pattern import PenetratingPattern
from qc_builder_lora.files import write_json

RESULTS = Path(__file__).resolve().parent / "results" / "indicator_coverage.json"
ALGORITHM = "QuantConnect.Algorithm.QCAlgorithm"
PATTERN_METHODS = "QuantConnect.Algorithm.CandlestickPatterns"
SYMBOLS = frozenset({"symbol", "target", "reference", "symbols"})
# An option's, which come with options.
OPTIONS = frozenset({"mirror_option", "option_model", "iv_model", "dividend_yield"})

Overload = tuple[str, ...]


class Part(NamedTuple):
    """One kind of names: all of LEAN's, and those that are missing."""

    total: int
    missing: tuple[str, ...]

    @property
    def covered(self) -> int:
        return self.total - len(self.missing)


def _bases(stubs: Stubs, qualified: str, seen: frozenset[str] = frozenset()) -> set[str]:
    found: set[str] = set()
    for node in () if qualified in seen else stubs.classes.get(qualified, ()):
        for base in node.bases:
            name = stubs._base(qualified, base)
            found |= {name} | _bases(stubs, name, seen | {qualified})
    return found


def lean_classes(stubs: Stubs) -> dict[str, str]:
    """Every class that derives from LEAN's IndicatorBase: name → qualified name."""
    root = "QuantConnect.Indicators.IndicatorBase"
    return {
        name.rpartition(".")[2]: name
        for name in stubs.classes
        if name.startswith("QuantConnect.Indicators") and root in _bases(stubs, name)
    }


def _functions(stubs: Stubs, qualified: str) -> Iterable[ast.FunctionDef]:
    for node in stubs.classes[qualified]:
        yield from (item for item in node.body if isinstance(item, ast.FunctionDef))


def _returned(function: ast.FunctionDef) -> str:
    text = ast.unparse(function.returns) if function.returns is not None else ""
    return text.strip("'\"").partition("[")[0].rpartition(".")[2]


def lean_methods(stubs: Stubs, qualified: str, classes: Iterable[str]) -> dict[str, list[Overload]]:
    """The methods that give an indicator, with their overloads."""
    wanted = frozenset(classes)
    found: dict[str, list[Overload]] = {}
    for function in _functions(stubs, qualified):
        if _returned(function) in wanted:
            found.setdefault(function.name, []).append(overload(function))
    return found


def overload(function: ast.FunctionDef) -> Overload:
    """Its parameters as `name` or `name=default`, the name and `self` left out."""
    items = function.args.args
    defaults: list[ast.expr | None] = [None] * (len(items) - len(function.args.defaults))
    shown = []
    for item, default in zip(items, [*defaults, *function.args.defaults], strict=True):
        if item.arg in ("self", "name"):
            continue
        shown.append(item.arg + ("" if default is None else f"={_shown(ast.unparse(default))}"))
    return tuple(shown)


def _shown(text: str) -> str:
    """A default that can be compared: numbers alike, LEAN's enums as an ellipsis."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return "..."
    if value is Ellipsis:
        return "..."
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return f"{float(value):g}" if number else str(value)


def _parameter(item: arguments.Parameter) -> str:
    if item.default is arguments.REQUIRED:
        return item.name
    text = "..." if isinstance(item.default, LeanEnum) else repr(item.default)
    return f"{item.name}={_shown(text)}"


def own_overloads(cls: Any) -> set[Overload]:
    """Those of a class's constructors."""
    found = {
        tuple(_parameter(item) for item in arguments._parameters(method))
        for method in arguments._set_ups(cls)
    }
    if issubclass(cls, PenetratingPattern):
        found.add((f"penetration={cls.PENETRATION:g}",))
    if cls is indicators.PythonIndicator:
        # Reads its argument by itself: what follows is the strategy's own.
        found.add(("indicator",))
    return found


def _fits(wanted: Overload, ours: set[Overload]) -> bool:
    """Whether one of ours is the same; a default of ours more does not harm."""
    bare = tuple(item.partition("=")[0] for item in wanted)
    given = {item for item in wanted if "=" in item}
    for own in ours:
        names = tuple(item.partition("=")[0] for item in own)
        optional = all("=" in item for item in own[len(bare) :])
        if names[: len(bare)] == bare and optional and given <= set(own):
            return True
    return False


def classes_part(stubs: Stubs) -> Part:
    """The classes."""
    lean, have = lean_classes(stubs), {**indicators.CLASSES, **CANDLES}
    return Part(len(lean), tuple(sorted(set(lean) - set(have))))


def constructors_part(stubs: Stubs) -> Part:
    """The constructors of the classes that are there."""
    have, total, missing = {**indicators.CLASSES, **CANDLES}, 0, []
    for name, qualified in sorted(lean_classes(stubs).items()):
        for function in _functions(stubs, qualified):
            if function.name != "__init__" or name not in have or _protected(function):
                continue
            total += 1
            wanted = overload(function)
            if not _fits(wanted, own_overloads(have[name])):
                missing.append(f"{name}({', '.join(wanted)})")
    return Part(total, tuple(missing))


def _protected(function: ast.FunctionDef) -> bool:
    return "protected" in (ast.get_docstring(function) or "")


def own_methods() -> dict[str, set[Overload]]:
    """The methods of ours that give an indicator, with their overloads after the symbols."""
    found = {
        name: {tuple(_parameter(item) for item in items) for items in shortcut.overloads}
        for name, shortcut in shortcuts.TABLE.items()
    }
    odd = {name for name in vars(odd_shortcuts.OddShortcuts) if name.islower() and name[0] != "_"}
    return found | {name: found.get(name, set()) for name in odd}


def methods_part(stubs: Stubs) -> Part:
    """`self.<indicator>`."""
    lean = lean_methods(stubs, ALGORITHM, lean_classes(stubs))
    return Part(len(lean), tuple(sorted(set(lean) - set(own_methods()))))


def overloads_part(stubs: Stubs) -> Part:
    """The overloads of the methods that are there, but for those that code alone can tell apart."""
    ours, total, missing = own_methods(), 0, []
    for name, overloads in sorted(lean_methods(stubs, ALGORITHM, lean_classes(stubs)).items()):
        for wanted in overloads if ours.get(name) else ():
            rest = tuple(item for item in wanted if item.partition("=")[0] not in SYMBOLS)
            if {item.partition("=")[0] for item in rest} & OPTIONS or name in _BY_HAND:
                continue
            total += 1
            if not _fits(rest, ours[name]):
                missing.append(f"self.{name}({', '.join(wanted)})")
    return Part(total, tuple(missing))


_BY_HAND = frozenset({"lsma", "v", "var", "vwap"})


def patterns_part(stubs: Stubs) -> Part:
    """`self.candlestick_patterns`."""
    lean = {item.name for item in _functions(stubs, PATTERN_METHODS) if item.name[0] != "_"}
    ours = {snake(name) for name in PATTERNS} & set(vars(CandlestickPatterns))
    return Part(len(lean), tuple(sorted(lean - ours)))


def measure() -> dict[str, Part]:
    """All of it."""
    stubs = find_stubs()
    return {
        "classes": classes_part(stubs),
        "constructors": constructors_part(stubs),
        "methods": methods_part(stubs),
        "overloads": overloads_part(stubs),
        "candlestick patterns": patterns_part(stubs),
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Print and write it."""
    version, parts = metadata.version("quantconnect-stubs"), measure()
    print(f"LEAN's indicators by quantconnect-stubs {version}: covered/total")
    for name, part in parts.items():
        print(f"  {name:22}{part.covered:4}/{part.total}")
    for name, part in parts.items():
        for item in part.missing:
            print(f"  unknown: {name}: {item}")
    write_json(
        RESULTS,
        {
            "stubs": version,
            **{name: {"covered": p.covered, "total": p.total, "missing": list(p.missing)}
               for name, p in parts.items()},
        },
    )  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
