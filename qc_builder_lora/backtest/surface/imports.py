"""`from AlgorithmImports import *`: our surface, under LEAN's module names, whatever is installed.

Only the names that a strategy mentions are put there. A name that LEAN has and we do not becomes
a stand-in: harmless in an annotation, `unknown` the moment it is used.
"""

from __future__ import annotations

import ast
import importlib.abc
import importlib.machinery
import importlib.util
import json
import math
import os
import sys
import typing
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from types import ModuleType
from typing import Any

from . import bars, consolidators, enums, indicators, quotes, security, symbol
from .algorithm import QCAlgorithm
from .dotnet import DOTNET
from .extras import EXTRAS
from .framework.names import FOLDERS, FRAMEWORK
from .keywords import in_snake_case
from .known import exported, not_modelled
from .libraries import LEAN_ONLY, LIBRARIES, SUPPORT
from .numpy_names import put_back
from .schedule import ScheduledEvent
from .selectors import Field
from .shorting import SHORTING
from .trading_names import TRADING

FILE = "main.py"
"""The name that a strategy's code goes by in tracebacks: LEAN's own."""
LEAN_MODULES = ("AlgorithmImports", "QuantConnect", "System", "clr")


def _table() -> dict[str, Any]:
    table: dict[str, Any] = dict(indicators.CLASSES)
    table.update(
        QCAlgorithm=QCAlgorithm,
        QCAlgorithmFramework=QCAlgorithm,
        QCAlgorithmFrameworkBridge=QCAlgorithm,
        Symbol=symbol.Symbol,
        SecurityIdentifier=symbol.SecurityIdentifier,
        TradeBar=bars.TradeBar,
        TradeBars=bars.TradeBars,
        Slice=bars.Slice,
        Dividend=bars.Dividend,
        Split=bars.Split,
        Security=security.Security,
        Equity=security.Security,
        ScheduledEvent=ScheduledEvent,
        Bar=quotes.Bar,
        QuoteBar=quotes.QuoteBar,
        QuoteBars=quotes.QuoteBars,
        Field=Field,
        **consolidators.NAMES,
    )
    table.update(TRADING)
    table.update(EXTRAS)
    table.update(SHORTING)
    table.update(DOTNET)
    table.update(FRAMEWORK)
    return table


MODELLED = _table()
_PYTHON: dict[str, Any] = {
    **{name: getattr(typing, name) for name in typing.__all__},
    "math": math,
    "json": json,
    "os": os,
    "sys": sys,
    "date": date,
    "time": time,
    "datetime": datetime,
    "timedelta": timedelta,
    "Exception": Exception,
}
_LAZY = {"np": "numpy", "pd": "pandas", "plt": "matplotlib.pyplot"}


class StandIn:
    """A name of LEAN's that is not modelled; naming it is harmless, using it is `unknown`."""

    def __init__(self, name: str) -> None:
        self.__dict__["_name"] = name

    def __mro_entries__(self, bases: Any) -> Any:
        not_modelled(self._name, "as a base class")

    def __call__(self, *args: Any, **named: Any) -> Any:
        not_modelled(self._name)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        not_modelled(f"{self._name}.{name}")

    def __setattr__(self, name: str, value: Any) -> None:
        not_modelled(f"{self._name}.{name}")

    def __or__(self, other: Any) -> Any:
        return typing.Any

    def __ror__(self, other: Any) -> Any:
        return typing.Any

    def __class_getitem__(cls, item: Any) -> Any:
        return cls

    def __getitem__(self, item: Any) -> StandIn:
        return self

    def __hash__(self) -> int:
        return hash(self._name)


def names_in(tree: ast.AST) -> frozenset[str]:
    """Every bare name that a piece of code mentions."""
    found = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            found.update(item.name for item in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            # Annotations may be quoted.
            found.update(node.value.split(".")[:1] if node.value.isidentifier() else ())
    return frozenset(found)


def resolve(name: str) -> Any:
    """What `from AlgorithmImports import *` binds to a name; KeyError where LEAN has none."""
    if name in MODELLED:
        return MODELLED[name]
    if name in _PYTHON:
        return _PYTHON[name]
    if name in _LAZY:
        try:
            return importlib.import_module(_LAZY[name])
        except ImportError:
            return StandIn(_LAZY[name])
    try:
        return enums.enum(name)
    except KeyError:
        if name in exported():
            return _candles(name) or StandIn(name)
        raise


def _candles(name: str) -> Any:
    """A candlestick pattern's class; they are read only where a strategy names something rare."""
    return importlib.import_module(f"{indicators.__name__}.candles").CLASSES.get(name)


class _LeanModule(ModuleType):
    """AlgorithmImports, or any part of QuantConnect or System."""

    def __init__(self, name: str, wanted: Iterable[str]) -> None:
        super().__init__(name)
        self.__path__: list[str] = []
        names = []
        for item in wanted:
            try:
                self.__dict__[item] = resolve(item)
            except KeyError:
                continue
            names.append(item)
        self.__all__ = names

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            return resolve(name)
        except KeyError:
            if self.__name__.partition(".")[0] in FOLDERS:
                not_modelled(f"{self.__name__}.{name}")
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}") from None


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Answers for LEAN's modules, and lets in the libraries that LEAN has."""

    def __init__(
        self, wanted: frozenset[str], folders: Sequence[str], files: Mapping[str, str]
    ) -> None:
        self._wanted = wanted
        self._folders = list(folders)
        self._files = files

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> Any:
        top = fullname.partition(".")[0]
        if top in LEAN_MODULES or top in FOLDERS or fullname in FRAMEWORK:
            return importlib.machinery.ModuleSpec(fullname, self, is_package=True)
        if fullname != top:
            return None
        if top in self._files:
            return importlib.machinery.ModuleSpec(top, self, origin=file_of(top))
        if top in LIBRARIES or top in SUPPORT:
            found = importlib.machinery.PathFinder.find_spec(fullname, self._folders)
            if found is None and top in LIBRARIES and _asked_by_strategy():
                not_modelled(f"library {top}", "is not installed beside the simulator")
            return found
        if top in LEAN_ONLY and _asked_by_strategy():
            not_modelled(f"library {top}", "is not offered by the simulator")
        return None

    def create_module(self, spec: Any) -> ModuleType:
        if spec.origin is not None:
            return ModuleType(spec.name)
        return _LeanModule(spec.name, self._wanted)

    def exec_module(self, module: ModuleType) -> None:
        if module.__name__ == "clr":
            module.__dict__["AddReference"] = lambda *names: None
        elif module.__name__ in self._files:
            name = file_of(module.__name__)
            tree = ast.parse(self._files[module.__name__], name)
            in_snake_case(tree)
            put_back(tree)
            exec(compile(tree, name, "exec"), module.__dict__)


def _asked_by_strategy() -> bool:
    """Whether the import stands in the strategy itself; libraries try others that may be absent."""
    frame = sys._getframe(2)
    while frame is not None and "importlib" in frame.f_code.co_filename:
        frame = frame.f_back  # type: ignore[assignment]
    return frame is not None and frame.f_code.co_filename in _own


_own = {FILE}


def file_of(module: str) -> str:
    """The name that a module beside the strategy goes by in tracebacks."""
    return f"{module}.py"


def install(tree: ast.AST, folders: Sequence[str], files: Mapping[str, str]) -> None:
    """Make LEAN's modules, and those beside the strategy, importable before any of it runs."""
    _own.update(map(file_of, files))
    ours = {*LEAN_MODULES, *FOLDERS, *FRAMEWORK}
    for name in [item for item in sys.modules if item.partition(".")[0] in ours]:
        del sys.modules[name]
    wanted = names_in(tree).union(*map(_names_of, files.values()))
    sys.meta_path.insert(0, _Finder(wanted, folders, files))
    put_back(tree)


def _names_of(source: str) -> frozenset[str]:
    try:
        return names_in(ast.parse(source))
    except (SyntaxError, ValueError):
        # It is the strategy's own error, and raised where it imports the file.
        return frozenset()
