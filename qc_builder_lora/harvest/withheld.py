"""What evaluation suites ask and answer, and whether an example is like any of it.

Stricter than the likeness of two examples, for a doubt must not end in training: a question is
like a prompt that it holds nearly whole, or whose symbols and numbers it shares with most of its
words; a code is like an answer with whose literals it may do more, beside other classes, too.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import ceil

from qc_builder_lora.backtest.check.parsing import strategy_classes
from qc_builder_lora.harvest.essence import Essence, essence_of, readable, text_of
from qc_builder_lora.harvest.likeness import Questions, numbers_of, word_pairs

LIKE = 0.6
"""Share of common word pairs from which a question with the same symbols and numbers is a copy."""
HELD = 0.9
"""Share of a prompt's word pairs from which a longer text holds the prompt."""
COPIED = 0.9
"""Share of common pieces from which a code with an answer's literals is a copy of it."""
_HELD_WHOLE = (0.95, 0.7)
"""Or the share of the answer's pieces that it holds, and of all pieces that this has to be."""
_FEWEST_PAIRS = 8
_MORE = 4
"""Literals that a copy of an answer may have beyond those of the answer."""
_LOST = 2
"""Literals that it may lack where it does not parse, for they stood in lines passed over."""
_RAREST = 4
_SYMBOL = re.compile(r"\b[A-Z]{2,5}\b")
_FENCE = re.compile(r"```[^\n]*\n(.*?)```", re.DOTALL)


class Prompts:
    """What is asked."""

    def __init__(self) -> None:
        self._whole = Questions(same_numbers=False)
        self._pairs: list[frozenset[str]] = []
        self._slots: dict[tuple[str, ...], list[int]] = {}
        self._rare: dict[str, list[int]] | None = None

    def add(self, text: str) -> None:
        """One more."""
        self._whole.add(text)
        self._slots.setdefault(_slots(text), []).append(len(self._pairs))
        self._pairs.append(word_pairs(text))
        self._rare = None

    def near(self, text: str) -> bool:
        """Whether the text is one of them, or holds one."""
        if self._whole.near(text):
            return True
        own = word_pairs(text)
        for index in self._slots.get(_slots(text), ()):
            other = self._pairs[index]
            if len(own & other) >= LIKE * len(own | other) > 0:
                return True
        return any(
            len(own & self._pairs[index]) >= HELD * len(self._pairs[index])
            for index in self._perhaps_held(own)
        )

    def _perhaps_held(self, own: frozenset[str]) -> set[int]:
        """Who holds nine tenths of a prompt's pairs holds one of its rarest tenth and one more."""
        if self._rare is None:
            often = Counter(pair for pairs in self._pairs for pair in pairs)
            self._rare = {}
            for index, pairs in enumerate(self._pairs):
                if len(pairs) >= _FEWEST_PAIRS:
                    few = sorted(pairs, key=lambda pair: (often[pair], pair))
                    for pair in few[: len(pairs) - ceil(HELD * len(pairs)) + 1]:
                        self._rare.setdefault(pair, []).append(index)
        return {index for pair in own for index in self._rare.get(pair, ())}


def _slots(text: str) -> tuple[str, ...]:
    """What differs between two questions of one mould."""
    return (*numbers_of(text), *sorted(set(_SYMBOL.findall(text))))


class Answers:
    """Codes that answer a prompt."""

    def __init__(self) -> None:
        self._known: list[tuple[Counter[str], frozenset[str]]] = []
        self._texts: list[tuple[Counter[str], frozenset[str]]] = []
        self._index: dict[str, list[int]] | None = None
        self._text_index: dict[str, list[int]] = {}

    def add(self, code: str) -> None:
        """One more."""
        for essence, known in ((essence_of(code), self._known), (text_of(code), self._texts)):
            known.append((Counter(essence.literals), essence.pieces()))
        self._index = None

    def like(self, code: str) -> bool:
        """Whether the code is a copy of one, or its strategy is; whatever its dates and cash."""
        if not self._known:
            return False
        if self._index is None:
            self._index = _by_rarest(self._known, 1 + _LOST)
            self._text_index = _by_rarest(self._texts, _RAREST)
        essence = essence_of(code)
        if not essence.parsed and self._like_text(text_of(code)):
            return True
        return any(self._like(one, self._index) for one in self._readings(code, essence))

    def _readings(self, code: str, essence: Essence) -> Iterator[Essence]:
        yield essence
        # What a longer file has beside the strategy (models, tables, a journal) is not looked at.
        tree, parsed = readable(code)
        if tree is not None and len(tree.body) > 1:
            classes = strategy_classes(tree)
            kept = {id(one) for one in classes}
            others = [one for one in tree.body if not isinstance(one, _DEFINED) or id(one) in kept]
            if classes and len(others) < len(tree.body):
                alone = essence_of(ast.unparse(ast.Module(body=others, type_ignores=[])))
                yield alone if parsed else replace(alone, parsed=False)

    def _like(self, essence: Essence, index: Mapping[str, list[int]]) -> bool:
        literals, pieces = Counter(essence.literals), essence.pieces()
        for at in _perhaps(index, literals):
            wanted, own = self._known[at]
            missing = (wanted - literals).total()
            if missing > (0 if essence.parsed else _LOST):
                continue
            if wanted.total() + _MORE < literals.total():
                continue
            if _copied(own, pieces):
                return True
        return False

    def _like_text(self, essence: Essence) -> bool:
        """Code that does not parse is compared word by word."""
        pieces = essence.pieces()
        found = _perhaps(self._text_index, essence.literals)
        return any(_copied(self._texts[at][1], pieces) for at in found)


def _by_rarest(
    known: Sequence[tuple[Counter[str], frozenset[str]]], count: int
) -> dict[str, list[int]]:
    """Literal → the codes of whose literals it is one of the rarest; "" → those that have none."""
    often = Counter(one for wanted, _ in known for one in wanted)
    found: dict[str, list[int]] = {}
    for index, (wanted, _) in enumerate(known):
        rarest = sorted(wanted, key=lambda one: (often[one], one))[:count]
        for one in rarest or [""]:
            found.setdefault(one, []).append(index)
    return found


def _perhaps(index: Mapping[str, list[int]], literals: Iterable[str]) -> list[int]:
    return sorted({at for one in ("", *literals) for at in index.get(one, ())})


def _copied(answer: frozenset[str], pieces: frozenset[str]) -> bool:
    shared, every = len(answer & pieces), len(answer | pieces)
    whole, of_all = _HELD_WHOLE
    return shared >= COPIED * every or (shared >= whole * len(answer) and shared >= of_all * every)


def codes_in(text: str) -> list[str]:
    """The codes that a question shows in fences."""
    return _FENCE.findall(text)


_DEFINED = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
