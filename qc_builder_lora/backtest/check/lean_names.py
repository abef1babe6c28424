"""Write `surface/lean_names.txt`: LEAN's public names, taken from quantconnect-stubs.

Run after an update of the stubs or when the surface gains a class:

    python -m qc_builder_lora.backtest.check.lean_names

Only facts are taken: names of exported classes, values of enums, and the members of the classes
that the surface models, so that an unmodelled API and a misspelt one can be told apart.
"""

from __future__ import annotations

import ast
import re
import sys
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from qc_builder_lora.errors import MissingExtra
from qc_builder_lora.files import write_text

TARGET = Path(__file__).parents[1] / "surface" / "lean_names.txt"
_ENUM_BASES = frozenset({"IntEnum", "Enum", "IntFlag"})


class Stubs:
    """The classes of quantconnect-stubs by qualified name, with their bases and members."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.classes: dict[str, list[ast.ClassDef]] = {}
        self.modules: dict[str, list[str]] = {}
        for top in ("QuantConnect", "System"):
            for path in sorted((root / top).rglob("__init__.pyi")):
                self._read(".".join(path.parent.relative_to(root).parts), path)

    def _read(self, module: str, path: Path) -> None:
        names = []
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef):
                # A generic class stands beside its plain namesake.
                self.classes.setdefault(f"{module}.{node.name}", []).append(node)
                names.append(node.name)
        self.modules[module] = names

    def exported(self) -> dict[str, str]:
        """Name → qualified name of everything `from AlgorithmImports import *` gives."""
        text = (self.root / "AlgorithmImports" / "__init__.pyi").read_text("utf-8")
        found = {}
        for module in re.findall(r"^from (\S+) import \s*\*", text, re.MULTILINE):
            for name in self.modules.get(module, []):
                if not name.startswith("_") and not name.startswith("QuantConnect_"):
                    found[name] = f"{module}.{name}"
        return found

    def enum(self, qualified: str) -> dict[str, int] | None:
        """Members and values, or None where the class is no enum."""
        node = self.classes[qualified][0]
        if not any(ast.unparse(base).rpartition(".")[2] in _ENUM_BASES for base in node.bases):
            return None
        values = {}
        for item in node.body:
            if not isinstance(item, ast.Assign) or not isinstance(item.targets[0], ast.Name):
                continue
            try:
                values[item.targets[0].id] = int(ast.literal_eval(item.value))
            except (TypeError, ValueError):
                continue
        return values

    def members(self, qualified: str, seen: frozenset[str] = frozenset()) -> set[str]:
        """Public members in snake case, inherited ones too."""
        found: set[str] = set()
        for node in () if qualified in seen else self.classes.get(qualified, ()):
            for item in node.body:
                if isinstance(item, ast.FunctionDef):
                    found.add(item.name)
                elif isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
                    found.add(item.target.id)
            for base in node.bases:
                found |= self.members(self._base(qualified, base), seen | {qualified})
        return {name for name in found if not name.startswith("_")}

    def _base(self, qualified: str, base: ast.expr) -> str:
        name = ast.unparse(base).partition("[")[0]
        if name.startswith("QuantConnect_"):
            name = name.replace("_", ".")
        if name in self.classes:
            return name
        return f"{qualified.rpartition('.')[0]}.{name}"


def surface_classes() -> list[str]:
    """LEAN's names of the classes whose members the surface must know."""
    from qc_builder_lora.backtest.surface import imports

    names = {
        getattr(cls, "LEAN", "") or cls.__name__
        for cls in imports.MODELLED.values()
        if isinstance(cls, type)
    }
    names |= {
        "AlgorithmSettings", "UniverseSettings", "SecurityPortfolioManager", "SecurityManager",
        "SecurityTransactionManager", "EquityExchange", "SecurityExchangeHours", "ScheduleManager",
        "DateRules", "TimeRules", "CashBook", "Cash", "SecurityCache", "SymbolProperties",
        "SubscriptionManager",
        "OrderResponse", "DateRule", "TimeRule", "KeyValuePair",
    }  # fmt: skip
    return sorted(names)


def render(stubs: Stubs, version: str) -> str:
    """The whole text file."""
    exported = stubs.exported()
    enums = {name: stubs.enum(where) for name, where in exported.items()}
    classes = [name for name in exported if enums[name] is None]
    lines = [
        f"# LEAN's public names, from quantconnect-stubs {version}. Written by",
        "# python -m qc_builder_lora.backtest.check.lean_names; do not edit.",
        f"exports:{' '.join(sorted(classes))}",
    ]
    for name, values in sorted(enums.items()):
        if values is not None:
            pairs = " ".join(f"{key}={value}" for key, value in values.items())
            lines.append(f"enum {name}:{pairs}")
    by_name = {qualified.rpartition(".")[2]: qualified for qualified in stubs.classes}
    for name in surface_classes():
        where = exported.get(name) or by_name.get(name)
        members = stubs.members(where) if where else set()
        if members:
            lines.append(f"class {name}:{' '.join(sorted(members))}")
    # Names such as those of the Greeks are not ASCII; nobody misspells an equity's API as one.
    return "".join(f"{' '.join(filter(str.isascii, line.split(' ')))}\n" for line in lines)


def find_stubs() -> Stubs:
    """The installed stubs; MissingExtra without."""
    spec = find_spec("AlgorithmImports")
    places = list(spec.submodule_search_locations or ()) if spec else []
    if not places:
        raise MissingExtra("check", "quantconnect-stubs")
    return Stubs(Path(places[0]).parent)


def main() -> None:
    """Write the file."""
    text = render(find_stubs(), metadata.version("quantconnect-stubs"))
    write_text(TARGET, text)
    sys.stdout.write(f"{TARGET}: {len(text.splitlines())} lines, {len(text) // 1024} kB\n")


if __name__ == "__main__":
    main()
