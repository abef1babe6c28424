"""Write `lean_api.json`: how LEAN's members are used, taken from quantconnect-stubs.

Run after an update of the stubs:

    python -m qc_builder_lora.backtest.check.lean_api

Only facts are taken: for the classes that a strategy meets, their bases, and for each member
whether it is a property or a method, what it gives and the names of its parameters. `api.py` reads
the file; no stub is read when a strategy is checked.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from qc_builder_lora.backtest.check.lean_names import Stubs, find_stubs
from qc_builder_lora.files import write_text

TARGET = Path(__file__).with_name("lean_api.json")
# What a strategy is handed or makes itself; the rest is found by what their members give.
_START = (
    "QCAlgorithm", "Slice", "TradeBar", "QuoteBar", "Tick", "OrderEvent", "OrderTicket",
    "SecurityChanges", "RollingWindow", "Insight", "PortfolioTarget", "Symbol", "Market",
    "Split", "Dividend", "Delisting", "SymbolChangedEvent", "IndicatorDataPoint", "Extensions",
    "AlphaModel", "PortfolioConstructionModel", "RiskManagementModel", "ExecutionModel",
    "TradeBarConsolidator", "QuoteBarConsolidator", "RenkoConsolidator", "IndicatorExtensions",
    "UpdateOrderFields", "Futures", "Currencies", "TimeZones", "FuncSecuritySeeder",
    "BrokerageModelSecurityInitializer", "ConstantFeeModel", "Expiry", "Calendar", "TimeSpan",
)  # fmt: skip
_ROOMS = (
    "QuantConnect", "QuantConnect.Algorithm", "QuantConnect.Data", "QuantConnect.Data.Market",
    "QuantConnect.Data.Consolidators", "QuantConnect.Data.UniverseSelection",
    "QuantConnect.Indicators", "QuantConnect.Interfaces", "QuantConnect.Orders",
    "QuantConnect.Scheduling", "QuantConnect.Securities", "QuantConnect.Securities.Equity",
    "QuantConnect.Storage", "QuantConnect.Notifications", "System", "System.Collections.Generic",
    "QuantConnect.Algorithm.Framework.Alphas", "QuantConnect.Algorithm.Framework.Portfolio",
    "QuantConnect.Algorithm.Framework.Execution", "QuantConnect.Algorithm.Framework.Risk",
    "QuantConnect.Algorithm.Framework.Selection",
)  # fmt: skip
_PLAIN = frozenset({"bool", "int", "float", "str"})
# Bases that give no member that a strategy could name.
_EMPTY = frozenset({"Generic", "Iterable", "IEquatable", "IComparable", "IDisposable", "Protocol",
                    "ICloneable", "IConvertible", "Object", "str", "object", "Exception",
                    "IEnumerable", "ISerializable", "IFormattable", "IDynamicMetaObjectProvider",
                    "INotifyCollectionChanged", "ICollection"})  # fmt: skip
# Members of IndicatorBase (Indicators/IndicatorBase.cs) that the stubs do not have.
_MORE: dict[str, dict[str, dict[str, Any]]] = {
    "IndicatorBase": {
        "current": {"kind": "property", "gives": "IndicatorDataPoint"},
        "previous": {"kind": "property", "gives": "IndicatorDataPoint"},
        "window": {"kind": "property", "gives": "RollingWindow"},
        "is_ready": {"kind": "property", "gives": "bool"},
        "updated": {"kind": "property", "set": True},
        "reset": {"kind": "method", "calls": [""]},
        "compare_to": {"kind": "method", "gives": "int", "calls": ["other~"]},
        "to_detailed_string": {"kind": "method", "gives": "str", "calls": [""]},
        "count": {"kind": "property", "gives": "int"},
        "warm_up_period": {"kind": "property", "gives": "int"},
        "set_warm_up_period": {"kind": "method"},
    },
}
_DUNDERS = frozenset({"__getitem__", "__call__"})


class Reader:
    """Follows the members of the first classes to all that a strategy can reach."""

    def __init__(self, stubs: Stubs) -> None:
        self.stubs = stubs
        self.qualified = {
            name.rpartition(".")[2]: name
            for name in sorted(stubs.classes, reverse=True)
            if name.rpartition(".")[0] in _ROOMS and not name.rpartition(".")[2].startswith("_")
        }
        self.table: dict[str, dict[str, Any]] = {}

    def read(self) -> dict[str, dict[str, Any]]:
        """Class → `bases`, `item` (what subscripting gives), `members`, and `open` for a class that
        has members from elsewhere."""
        waiting = [name for name in _START if name in self.qualified]
        waiting += [name for name in self.qualified if self._is_indicator(name)]
        while waiting:
            name = waiting.pop()
            if name in self.table or name not in self.qualified:
                continue
            entry = self._class(self.qualified[name])
            self.table[name] = entry
            waiting += entry["bases"]
            waiting += [one["gives"] for one in entry["members"].values() if "gives" in one]
            waiting += [entry["item"]] if entry.get("item") else []
        return {name: self.table[name] for name in sorted(self.table)}

    def _is_indicator(self, name: str) -> bool:
        return self.qualified[name].rpartition(".")[0] == "QuantConnect.Indicators"

    def _class(self, qualified: str) -> dict[str, Any]:
        module = qualified.rpartition(".")[0]
        members: dict[str, dict[str, Any]] = {}
        bases: list[str] = []
        item, open_ended = "", False
        for node in self.stubs.classes[qualified]:
            for base in node.bases:
                name = _last(base)
                if name == _last_of(qualified) and name not in {*_MORE, *_EMPTY}:
                    open_ended = True  # the stubs leave its namesake without type arguments out
                elif name in self.qualified and name not in bases:
                    bases.append(name)
                elif name not in self.qualified and name not in _EMPTY:
                    open_ended = True
                if isinstance(base, ast.Subscript) and not item and name.endswith("Dictionary"):
                    item = self._gives(_final(base.slice), module)
            for statement in node.body:
                self._member(statement, module, members)
        members |= _MORE.get(_last_of(qualified), {})
        own = members.pop("__getitem__", None)
        got = own.get("gives", "") if own is not None else item
        entry: dict[str, Any] = {"bases": [name for name in bases if name != _last_of(qualified)]}
        if got or own is not None:
            entry["item"] = got  # empty where it may be one class or another
        if open_ended:
            entry["open"] = True
        entry["members"] = {name: members[name] for name in sorted(members)}
        return entry

    def _member(self, node: ast.stmt, module: str, members: dict[str, dict[str, Any]]) -> None:
        if (
            isinstance(node, ast.AnnAssign)
            and isinstance(node.target, ast.Name)
            and not node.target.id.startswith("_")
        ):
            members[node.target.id] = self._entry("field", node.annotation, module)
        if not isinstance(node, ast.FunctionDef) or (
            node.name.startswith("_") and node.name not in {*_DUNDERS, "__init__"}
        ):
            return
        marks = {ast.unparse(mark) for mark in node.decorator_list}
        if f"{node.name}.setter" in marks:
            members[node.name]["set"] = True
        elif "property" in marks:
            members[node.name] = self._property(node, module)
        else:
            known = members.setdefault(node.name, self._entry("method", node.returns, module))
            known.setdefault("calls", [])
            known["calls"].append(_parameters(node, "staticmethod" in marks))

    def _property(self, node: ast.FunctionDef, module: str) -> dict[str, Any]:
        """A property whose class has `__call__` is a method with type arguments."""
        name = ast.unparse(node.returns) if node.returns else ""
        inner = self.stubs.classes.get(name if name in self.stubs.classes else f"{module}.{name}")
        if name.rpartition(".")[2].startswith("_") and inner:
            found: dict[str, dict[str, Any]] = {}
            for one in inner:
                for statement in one.body:
                    self._member(statement, module, found)
            if "__call__" in found:
                return found["__call__"]
        return self._entry("property", node.returns, module)

    def _entry(self, kind: str, returns: ast.expr | None, module: str) -> dict[str, Any]:
        gives = self._gives(returns, module)
        return {"kind": kind, **({"gives": gives} if gives else {})}

    def _gives(self, node: ast.expr | None, module: str) -> str:
        if node is None:
            return ""
        if isinstance(node, ast.Subscript):
            node = node.value if _last(node.value) in self.qualified else None
        text = ast.unparse(node) if node is not None else ""
        if text in _PLAIN or text in ("datetime.datetime", "pandas.DataFrame"):
            return text.rpartition(".")[2]
        name = text.rpartition(".")[2].rpartition("_")[2] if "QuantConnect_" in text else text
        name = name.rpartition(".")[2]
        return name if name in self.qualified else ""


def _last(node: ast.expr) -> str:
    text = ast.unparse(node).partition("[")[0]
    return text.rpartition(".")[2].rpartition("_")[2] if "QuantConnect_" in text else _last_of(text)


def _last_of(text: str) -> str:
    return text.rpartition(".")[2]


def _final(node: ast.expr) -> ast.expr:
    return node.elts[-1] if isinstance(node, ast.Tuple) else node


def _parameters(node: ast.FunctionDef, static: bool) -> str:
    """`symbol,period,resolution?`: what may be left out has a question mark. `^` marks what takes a
    Resolution under another name, `~` what takes anything."""
    names = list(_names(node.args))
    return ",".join(names if static else names[1:])


def _names(arguments: ast.arguments) -> Iterator[str]:
    required = len(arguments.args) - len(arguments.defaults)
    for index, one in enumerate(arguments.args):
        yield one.arg + _mark(one) + ("?" if index >= required else "")
    if arguments.vararg:
        yield f"*{arguments.vararg.arg}"


def _mark(parameter: ast.arg) -> str:
    text = ast.unparse(parameter.annotation) if parameter.annotation else ""
    if re.search(r"\bQuantConnect\.Resolution\b", text):
        return "" if parameter.arg == "resolution" else "^"
    return "~" if re.search(r"typing\.Any\b(?!\])|System\.Object|^typing\.Type", text) else ""


def _unvalued(stubs: Stubs) -> dict[str, list[str]]:
    """Members of enums that the stubs give no value for: other names for one that has."""
    found = {}
    for name, qualified in stubs.exported().items():
        lacking = [
            node.targets[0].id for node in stubs.classes[qualified][0].body
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
            and isinstance(node.value, ast.Constant) and node.value.value is ...
        ]  # fmt: skip
        if lacking:
            found[name] = lacking
    return dict(sorted(found.items()))


def render(stubs: Stubs, version: str) -> str:
    """The whole file, one class a line."""
    note = f"From quantconnect-stubs {version}, by qc_builder_lora.backtest.check.lean_api"
    lines = [f'"_": {json.dumps(note)}', f'"_aliases": {json.dumps(_unvalued(stubs))}']
    for name, entry in Reader(stubs).read().items():
        lines.append(f"{json.dumps(name)}: {json.dumps(entry, separators=(',', ':'))}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def main() -> None:
    """Write the file."""
    text = render(find_stubs(), metadata.version("quantconnect-stubs"))
    write_text(TARGET, text)
    sys.stdout.write(f"{TARGET}: {text.count(chr(10)) - 4} classes, {len(text) // 1024} kB\n")


if __name__ == "__main__":
    main()
