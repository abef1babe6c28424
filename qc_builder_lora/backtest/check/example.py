"""A few lines of a strategy as a whole file: for the examples that the rules show and are tested
with."""

from __future__ import annotations

from textwrap import indent

_HEAD = "from AlgorithmImports import *\n\n\n"
_CLASS = "class Example(QCAlgorithm):\n"
_START = "    def initialize(self):\n        self.set_start_date(2020, 1, 1)\n"


def as_strategy(snippet: str) -> str:
    """The snippet in a strategy: a file stays one, methods become a class's, and statements stand
    in `initialize`, or in `on_data` where they speak of `data`."""
    text = snippet.strip("\n") + "\n"
    if "class " in text or "import " in text:
        return text
    if text.startswith(("def ", "@")):
        start = "" if "initialize" in text.lower() else _START + "\n"
        return _HEAD + _CLASS + start + indent(text, "    ")
    return _HEAD + _CLASS + _START + indent(text, " " * 8)
