"""Which codes and which questions are, for teaching, the same one.

Two codes are alike when they have the same literals (numbers and texts: what differs between two
variants of a family that both teach something) and either nearly the same structure, by MinHash
over the syntax tree with names of their own taken out, or daily returns that move as one. Two
questions are alike when nearly all pairs of neighbouring words are the same, and so are the
numbers.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from qc_builder_lora.backtest.check.parsing import tree_of
from qc_builder_lora.errors import MissingExtra
from qc_builder_lora.ids import text_hash

NEAR = 0.9
"""Share of common word pairs, or of common pieces of code, from which two count as one."""
SAME_RETURNS = 0.9999
"""Correlation of daily returns from which two runs are the same trades."""
PERMUTATIONS = 64
_BANDS = (16, 4)
"""Bands, and rows of each: at 0.9 of the pieces shared one in 10 million is missed."""
_FEW = 8
_PIECE = 4
_FEWEST_DAYS = 20
_LAST = 50
"""Runs that a run is compared with, of those that share all their literals."""
_FRAME = frozenset(
    f"{verb}{noun}"
    for verb, nouns in (("set_", ("cash", "start_date", "end_date")),
                        ("Set", ("Cash", "StartDate", "EndDate")))
    for noun in nouns
)  # fmt: skip
"""Calls that say dates and cash: two codes that differ in them alone have the same rules."""
_DOCSTRINGS = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def normalised(text: str) -> str:
    """Words and numbers in lower case; punctuation around them, layout and capitals gone."""
    return " ".join(re.findall(r"[a-z0-9%$]+(?:\.[a-z0-9]+)*", text.lower()))


def word_pairs(text: str) -> frozenset[str]:
    """Pairs of neighbouring words; numbers are words too, for they are what differs."""
    words = normalised(text).split()
    return frozenset(f"{left} {right}" for left, right in pairwise(words))


def numbers_of(text: str) -> tuple[str, ...]:
    """The numbers of a question, sorted."""
    return tuple(sorted(re.findall(r"\d+(?:\.\d+)?", text)))


class Questions:
    """A set of questions, to be asked whether it holds one that is alike."""

    def __init__(self, *, same_numbers: bool) -> None:
        self._same_numbers = same_numbers
        self._pairs: list[frozenset[str]] = []
        self._numbers: list[tuple[str, ...]] = []
        self._texts: dict[str, int] = {}
        self._having: dict[str, list[int]] = {}

    def add(self, text: str) -> None:
        """One more; the same one again changes nothing."""
        key = normalised(text)
        if key in self._texts:
            return
        index = self._texts[key] = len(self._pairs)
        self._pairs.append(word_pairs(text))
        self._numbers.append(numbers_of(text))
        for pair in self._pairs[index]:
            self._having.setdefault(pair, []).append(index)

    def near(self, text: str) -> bool:
        """Whether one of them is alike; nothing but the rarest of its pairs is looked up."""
        if normalised(text) in self._texts:
            return True
        own = word_pairs(text)
        numbers = numbers_of(text) if self._same_numbers else ()
        # To share nine tenths of the pairs, one of any tenth (and one more) must be shared.
        few = sorted(own, key=lambda pair: (len(self._having.get(pair, ())), pair))
        few = few[: len(own) - int(np.ceil(NEAR * len(own))) + 1]
        for index in {index for pair in few for index in self._having.get(pair, ())}:
            other = self._pairs[index]
            if self._same_numbers and self._numbers[index] != numbers:
                continue
            if len(own & other) >= NEAR * len(own | other):
                return True
        return False


def literals_of(code: str) -> str:
    """Hash of the numbers and texts in the code, without docstrings; of the text if it does not
    parse."""
    return both_literals(code)[0]


def both_literals(code: str) -> tuple[str, str]:
    """The hash of its literals, and that of those which do not say dates or cash."""
    tree = tree_of(code)
    if isinstance(tree, str):
        return text_hash(code), text_hash(code)
    found: Counter[str] = Counter()
    framed: Counter[str] = Counter()
    skipped: set[int] = set()
    in_frame: set[int] = set()
    # Parents come before their children.
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant):
            if id(node) not in skipped and node.value is not None:
                key = f"{type(node.value).__name__} {node.value!r}"
                found[key] += 1
                framed[key] += id(node) in in_frame
        elif isinstance(node, _DOCSTRINGS):
            skipped |= {id(text) for text in _docstring(node)}
        elif isinstance(node, ast.Call) and _is_frame(node):
            in_frame |= {id(inside) for inside in ast.walk(node)}
    return _counted(found), _counted(found - framed)


def _counted(found: Mapping[str, int]) -> str:
    return text_hash("\0".join(f"{key} {count}" for key, count in sorted(found.items())))


def _is_frame(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr in _FRAME


def same_rules(first: str, second: str) -> bool:
    """Whether two codes have nearly the same structure, whatever they say of dates and cash."""
    trees = [tree_of(code) for code in (first, second)]
    pieces = [
        pieces_of(code if isinstance(tree, str) else _without_frame(code, tree))
        for code, tree in zip((first, second), trees, strict=True)
    ]
    return len(pieces[0] & pieces[1]) >= NEAR * len(pieces[0] | pieces[1])


def _without_frame(code: str, tree: ast.Module) -> str:
    """The code with empty lines where dates and cash are set, as statements of their own."""
    lines = code.split("\n")
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Call)
            and _is_frame(node.value)
        ):
            last = node.end_lineno or node.lineno
            lines[node.lineno - 1 : last] = [""] * (last - node.lineno + 1)
            lines[node.lineno - 1] = " " * node.col_offset + "pass"
    return "\n".join(lines)


def _docstring(node: ast.AST) -> Iterator[ast.AST]:
    """The statement and its text."""
    body = getattr(node, "body", None)
    first = body[0] if body else None
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        yield from (first, first.value)


def pieces_of(code: str) -> set[str]:
    """Runs of neighbouring nodes of the syntax tree; names that the code itself gives are one."""
    tree = tree_of(code)
    words = code.split() if isinstance(tree, str) else _words(tree)
    if len(words) <= _PIECE:
        return {" ".join(words)}
    return {" ".join(words[at : at + _PIECE]) for at in range(len(words) - _PIECE + 1)}


def _words(tree: ast.Module) -> list[str]:
    own = _own_names(tree)
    skipped: set[int] = set()
    words = []
    for node in ast.walk(tree):
        if isinstance(node, _DOCSTRINGS):
            skipped |= {id(text) for text in _docstring(node)}
        name = type(node).__name__
        if isinstance(node, ast.Attribute):
            mine = _is_own(node) and f"self.{node.attr}" in own
            name += "" if mine else f".{node.attr}"
        elif isinstance(node, ast.Name):
            name += "" if node.id in own else f" {node.id}"
        elif isinstance(node, ast.Constant) and id(node) not in skipped:
            name += f" {node.value!r}"[:80]
        elif isinstance(node, ast.Load | ast.Store) or id(node) in skipped:
            continue
        words.append(name)
    return words


def _own_names(tree: ast.Module) -> set[str]:
    own: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            own.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and _is_own(node):
            own.add(f"self.{node.attr}")
        elif isinstance(node, ast.arg):
            own.add(node.arg)
        elif isinstance(node, ast.ClassDef):
            own.add(node.name)
    return own - {"self"}


def _is_own(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id == "self"


def same_returns(first: Sequence[tuple[str, float]], second: Sequence[tuple[str, float]]) -> bool:
    """Whether two equity series are of the same days and move as one; a flat one is like none."""
    if len(first) != len(second) or len(first) <= _FEWEST_DAYS:
        return False
    if first[0][0] != second[0][0] or first[-1][0] != second[-1][0]:
        return False
    one, other = (np.array([value for _, value in series]) for series in (first, second))
    if (one[:-1] <= 0).any() or (other[:-1] <= 0).any():
        return False
    moves = np.diff(one) / one[:-1], np.diff(other) / other[:-1]
    if min(moves[0].std(), moves[1].std()) < 1e-12:
        return False
    return bool(np.corrcoef(*moves)[0, 1] >= SAME_RETURNS)


def near_codes(codes: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Pairs of keys of codes of nearly the same structure; each code is named with its first."""
    if len(codes) < 2:
        return
    index: Any = _Few() if len(codes) <= _FEW else _Sketches()
    known: dict[str, set[str]] = {}
    for key in sorted(codes):
        pieces = pieces_of(codes[key])
        for other in index.candidates(pieces):
            if len(pieces & known[other]) >= NEAR * len(pieces | known[other]):
                yield other, key
                break
        else:
            # A code that is near an earlier one stands for nobody: likeness goes by the first.
            known[key] = pieces
            index.add(key)


class _Few:
    """So few that each is compared with each."""

    def __init__(self) -> None:
        self._keys: list[str] = []

    def candidates(self, pieces: set[str]) -> list[str]:
        return self._keys

    def add(self, key: str) -> None:
        self._keys.append(key)


class _Sketches:
    """MinHash LSH: its bands find nearly all from half of the pieces on; a count decides."""

    def __init__(self) -> None:
        self._minhash, lsh = _datasketch()
        # Given, for finding them by integration takes longer than comparing.
        self._index = lsh(num_perm=PERMUTATIONS, params=_BANDS)
        self._last: Any = None

    def candidates(self, pieces: set[str]) -> list[str]:
        self._last = self._minhash(num_perm=PERMUTATIONS, seed=1)
        self._last.update_batch([piece.encode("utf-8", "surrogatepass") for piece in pieces])
        return sorted(self._index.query(self._last))

    def add(self, key: str) -> None:
        self._index.insert(key, self._last)


def _datasketch() -> tuple[Any, Any]:
    try:
        from datasketch import MinHash, MinHashLSH
    except ImportError as error:
        raise MissingExtra("corpus", "datasketch") from error
    return MinHash, MinHashLSH


class Clusters:
    """Codes that are alike, as sets that are joined; each is named by its smallest key."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def find(self, key: str) -> str:
        """The name of the cluster."""
        root = key
        while (above := self._parent.get(root, root)) != root:
            root = above
        while key != root:
            self._parent[key], key = root, self._parent.get(key, root)
        return root

    def join(self, first: str, second: str) -> None:
        """Make one of two."""
        one, other = sorted((self.find(first), self.find(second)))
        if one != other:
            self._parent[other] = one


def cluster(
    literals: Mapping[str, str],
    code_of: Any,
    equity_of: Any,
) -> Clusters:
    """Clusters of the keys of `literals` (key of a code → hash of its literals).

    `code_of(keys)` gives the codes of some keys, `equity_of(keys)` the equity series of those
    that have one: only codes that share their literals with another one are looked at.
    """
    blocks: dict[str, list[str]] = {}
    for key, block in literals.items():
        blocks.setdefault(block, []).append(key)
    found = Clusters()
    for block in sorted(blocks):
        keys = sorted(blocks[block])
        if len(keys) < 2:
            continue
        for one, other in near_codes(code_of(keys)):
            found.join(one, other)
        _join_returns(found, equity_of(_heads(found, keys)))
    return found


def _heads(found: Clusters, keys: Iterable[str]) -> Collection[str]:
    return sorted({found.find(key) for key in keys})


def _join_returns(found: Clusters, equity: Mapping[str, Sequence[tuple[str, float]]]) -> None:
    firsts: list[str] = []
    for key in sorted(equity):
        for other in firsts[-_LAST:]:
            if same_returns(equity[other], equity[key]):
                found.join(other, key)
                break
        else:
            firsts.append(key)
