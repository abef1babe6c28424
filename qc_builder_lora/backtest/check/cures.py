"""What to do about a message of mypy: the member that was meant, or how LEAN's method is called."""

from __future__ import annotations

import re
from difflib import get_close_matches

from qc_builder_lora.backtest.check import api
from qc_builder_lora.backtest.check.result import TypeFault

_MISSING = re.compile(r'"(?:type\[)?(\w+)\]?" has no attribute "(\w+)"')
_METHOD = re.compile(r'(?:of|to|in call to) "(\w+)" of "(\w+)"|variant of "(\w+)" of "(\w+)"')
_BY_CODE = {
    "var-annotated": "Annotate it where it is first set: self._prices: dict[Symbol, float] = {}",
    "name-defined": "Import it, define it, or correct its spelling",
    "override": "Give it the parameters of LEAN's method, or another name",
    "method-assign": "Name the attribute with an underscore in front",
    "union-attr": "Ask first which of these it is, with isinstance or is not None",
    "index": "Ask first that it is not None",
    "operator": "Ask first that neither side is None, and convert numbers with float()",
    "syntax": "Correct the line as Python 3.11 reads it",
}


def cure_of(fault: TypeFault, text: str) -> str:
    """One sentence; never empty."""
    missing = _MISSING.search(fault.message)
    if missing:
        return _meant(missing.group(1), missing.group(2), text)
    method = _METHOD.search(fault.message)
    if method:
        name = method.group(1) or method.group(3)
        cls = method.group(2) or method.group(4)
        known = api.members(cls if api.has_class(cls) else "QCAlgorithm").get(name)
        if known and known.calls:
            ways = list(dict.fromkeys(known.calls))[:3]
            return "LEAN has " + " and ".join(f"{name}({way})" for way in ways)
    return _BY_CODE.get(fault.code, "Look the member up in LEAN's documentation of that class")


def _meant(cls: str, name: str, text: str) -> str:
    known = set(api.members(cls if api.has_class(cls) else "QCAlgorithm"))
    known |= set(re.findall(r"\bself\.(\w+)\s*(?:=|:)", text))
    close = get_close_matches(name, sorted(known - {name}), n=1, cutoff=0.7)
    return f"Did you mean {close[0]}?" if close else "Define it first, or use what LEAN has for it"
