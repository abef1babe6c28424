"""Constants that a strategy keeps together: in a table, a namespace, or a class of nothing else."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Mapping, Sequence

from qc_builder_lora.harvest.naming import folded, plain

_TABLES = frozenset({"dict", "SimpleNamespace", "Namespace", "MappingProxyType"})


class Kept:
    """Constants that are kept together under a name: a table's, a class's."""

    def __init__(self, nodes: Sequence[ast.AST]) -> None:
        self._tables: dict[str, dict[str, ast.expr]] = {}
        self._uses: Counter[str] = Counter()
        self._resolved: Counter[str] = Counter()
        self._homes: dict[str, list[ast.stmt]] = {}
        given: Counter[str] = Counter()
        classes: dict[str, dict[str, ast.expr]] = {}
        for node in nodes:
            if isinstance(node, ast.ClassDef):
                values = _constants_of(node)
                if values:
                    classes[node.name] = values
                    self._keep(node.name, values, node)
                    given[node.name] += 1
            elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load):
                name = _name(node)
                self._uses[name or ""] += 1
        for node in nodes:
            if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
                for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                    name = _name(target)
                    if name is not None:
                        given[name] += 1
                        self._keep(name, _table(node.value, classes), node)
        self._tables = {k: v for k, v in self._tables.items() if v and given[k] == 1}

    def _keep(self, name: str, values: dict[str, ast.expr] | None, home: ast.stmt) -> None:
        if values:
            self._tables[name] = values
            self._homes.setdefault(name, []).append(home)

    def of(self, owner: ast.expr, key: object) -> ast.expr | None:
        """The constant that is kept there."""
        name = _name(owner)
        if name is None or not isinstance(key, str):
            return None
        found = self._tables.get(name, {}).get(key)
        if found is not None:
            self._resolved[name] += 1
        return found

    def drop(self, tree: ast.Module) -> None:
        """Take out the tables of which nothing was left but their constants."""
        if not self._tables:
            return
        gone: set[int] = set()
        calls = Counter(
            called_class(getattr(one, "value", None))
            for homes in self._homes.values()
            for one in homes
        )
        for name in self._tables:
            if self._uses[name] - self._resolved[name] <= calls[name]:
                gone.update(map(id, self._homes[name]))
        for node in ast.walk(tree) if gone else ():
            body = getattr(node, "body", None)
            if isinstance(body, list):
                left = [one for one in body if id(one) not in gone] or [ast.Pass()]
                node.body = left  # type: ignore[attr-defined]


def _constants_of(node: ast.ClassDef) -> dict[str, ast.expr] | None:
    """What a class holds that holds nothing but constants."""
    if any(
        plain(base) in ("qcalgorithm", "enum", "intenum") for base in map(last_name, node.bases)
    ):
        return None
    found: dict[str, ast.expr] = {}
    for one in node.body:
        if isinstance(one, ast.Pass) or (isinstance(one, ast.Expr) and folded(one.value)):
            continue
        if isinstance(one, ast.Assign) and len(one.targets) == 1:
            target: ast.expr = one.targets[0]
        elif isinstance(one, ast.AnnAssign):
            target = one.target
        else:
            return None
        if not isinstance(target, ast.Name) or one.value is None or folded(one.value) is None:
            return None
        found[target.id] = one.value
    return found


def _table(
    value: ast.expr, classes: Mapping[str, dict[str, ast.expr]]
) -> dict[str, ast.expr] | None:
    """The constants of a table, or of an object of a class that holds nothing else."""
    if isinstance(value, ast.Dict):
        keys = [folded(key) if key is not None else None for key in value.keys]
        if not keys or not all(isinstance(key, str) for key in keys):
            return None
        found = {str(key): one for key, one in zip(keys, value.values, strict=True)}
    elif isinstance(value, ast.Call) and not value.args:
        name = called_class(value)
        if name not in classes and name not in _TABLES:
            return None
        changed = {word.arg: word.value for word in value.keywords if word.arg}
        found = {**classes.get(name, {}), **changed}
    else:
        return None
    return found if all(folded(one) is not None for one in found.values()) else None


def _name(node: ast.AST) -> str | None:
    """`NAME`, or `NAME` of the object or the class itself."""
    if isinstance(node, ast.Name):
        return node.id
    own = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    if own and node.value.id in ("self", "cls"):  # type: ignore[attr-defined]
        return str(node.attr)  # type: ignore[attr-defined]
    return None


def last_name(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def called_class(node: object) -> str:
    return last_name(node.func) if isinstance(node, ast.Call) else ""
