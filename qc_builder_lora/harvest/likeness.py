"""Which codes and which questions are, for teaching, the same one.

Two codes are alike when they have the same literals (numbers and texts: what differs between two
variants of a family that both teach something; dates and cash do not count) and either nearly the
same pieces, by MinHash over what `essence` leaves of them, with nothing decided the other way
round, or daily returns that move as one. Two questions are alike when nearly all pairs of
neighbouring words are the same, and so are the numbers.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from qc_builder_lora.errors import MissingExtra
from qc_builder_lora.harvest.essence import Essence, essence_of

NEAR = 0.9
"""Share of common word pairs, or of common pieces of code, from which two count as one."""
SAME_RETURNS = 0.9999
"""Correlation of daily returns from which two runs are the same trades."""
PERMUTATIONS = 64
_BANDS = (16, 4)
"""Bands, and rows of each: at 0.9 of the pieces shared one in 10 million is missed."""
_FEW = 8
_FEWEST_DAYS = 20
"""Days on which there must be something to win or to lose."""
_STILL = 1e-9
_USUAL = 0.95
"""The share of the days that must move as one by themselves, the greatest moves left out."""
_LAST = 50
"""Runs that a run is compared with, of those that share all their literals."""


def normalised(text: str) -> str:
    """Words and numbers in lower case; punctuation around them, layout and capitals gone."""
    return " ".join(re.findall(r"(?:[^\W_]|[%$])+(?:\.[^\W_]+)*", text.lower()))


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


def same_returns(first: Sequence[tuple[str, float]], second: Sequence[tuple[str, float]]) -> bool:
    """Whether two equity series are of the same days and move as one; a flat one is like none."""
    if len(first) != len(second) or len(first) <= _FEWEST_DAYS:
        return False
    if first[0][0] != second[0][0] or first[-1][0] != second[-1][0]:
        return False
    one, other = (np.array([value for _, value in series]) for series in (first, second))
    if (one[:-1] <= 0).any() or (other[:-1] <= 0).any():
        return False
    first_moves, second_moves = np.diff(one) / one[:-1], np.diff(other) / other[:-1]
    size = np.maximum(np.abs(first_moves), np.abs(second_moves))
    moving = size > _STILL
    if min((np.abs(moves) > _STILL).sum() for moves in (first_moves, second_moves)) < _FEWEST_DAYS:
        return False
    # Both in cash nearly always, and both there on one great day: that day would decide alone.
    usual = moving & (size <= np.quantile(size[moving], _USUAL))
    return all(
        float(np.corrcoef(first_moves[days], second_moves[days])[0, 1]) >= SAME_RETURNS
        for days in (moving, usual)
        if first_moves[days].std() > _STILL and second_moves[days].std() > _STILL
    )


def near_codes(codes: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Pairs of keys of codes of nearly the same structure; each code is named with its first."""
    if len(codes) < 2:
        return
    index: Any = _Few() if len(codes) <= _FEW else _Sketches()
    known: dict[str, tuple[Essence, frozenset[str]]] = {}
    for key in sorted(codes):
        essence = essence_of(codes[key])
        pieces = essence.pieces()
        for other in index.candidates(pieces):
            if _near(essence, pieces, *known[other]):
                yield other, key
                break
        else:
            # A code that is near an earlier one stands for nobody: likeness goes by the first.
            known[key] = (essence, pieces)
            index.add(key)


def _near(one: Essence, pieces: frozenset[str], other: Essence, others: frozenset[str]) -> bool:
    return len(pieces & others) >= NEAR * len(pieces | others) and not (
        one.turned(other) or other.turned(one)
    )


class _Few:
    """So few that each is compared with each."""

    def __init__(self) -> None:
        self._keys: list[str] = []

    def candidates(self, pieces: frozenset[str]) -> list[str]:
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

    def candidates(self, pieces: frozenset[str]) -> list[str]:
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
