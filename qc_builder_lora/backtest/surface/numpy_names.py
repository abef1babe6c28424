"""Names of numpy 1.26, which LEAN has, that numpy 2 took away: `np.NaN`, `np.Inf`, `np.float_`.

They are put back only where a strategy mentions one. What 1.26 has not either stays an error.
"""

from __future__ import annotations

import ast
from importlib import import_module
from typing import Any

# What each is called in numpy 2; a sign in front where it is the negative.
REMOVED = {
    "NaN": "nan",
    "NAN": "nan",
    "Inf": "inf",
    "Infinity": "inf",
    "infty": "inf",
    "PINF": "inf",
    "NINF": "-inf",
    "float_": "float64",
    "complex_": "complex128",
    "cfloat": "complex128",
    "longfloat": "longdouble",
    "unicode_": "str_",
    "string_": "bytes_",
    "in1d": "isin",
    "trapz": "trapezoid",
    "product": "prod",
    "cumproduct": "cumprod",
    "alltrue": "all",
    "sometrue": "any",
    "row_stack": "vstack",
    "round_": "round",
    "mat": "asmatrix",
}


def put_back(tree: ast.AST) -> None:
    """Give numpy the names that a strategy mentions and that LEAN's numpy has."""
    mentioned = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "numpy":
            mentioned.update(item.name for item in node.names)
    wanted = sorted(mentioned & REMOVED.keys())
    if not wanted:
        return
    try:
        numpy = import_module("numpy")
    except ImportError:
        # Not installed: the strategy's own use of it says so.
        return
    for name in wanted:
        if not hasattr(numpy, name):
            setattr(numpy, name, _today(numpy, REMOVED[name]))


def _today(numpy: Any, name: str) -> Any:
    if name.startswith("-"):
        return -getattr(numpy, name[1:])
    if name == "isin":
        return lambda ar1, ar2, **named: numpy.isin(numpy.asarray(ar1).ravel(), ar2, **named)
    return getattr(numpy, name)
