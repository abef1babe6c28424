"""The 8-bit half of the loss: exact for the words that matter, bytes for the many that do not.

`loss.py` says why. A Screen belongs to one weight and remembers, from chunk to chunk, which words
carry the probability; a word that comes up is found while its chunk is read and made exact there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

COLD = 2e-3
"""Share of the wrong probability that may be left to 8-bit products."""
_TILE = 1024
"""Words at a time: a tile of logits stays in the cache of a core."""
_MANY_WORDS = 16 * _TILE
"""Of fewer, the output layer is too small a part of the work."""
_BYTES = ("avx512_vnni", "avx_vnni", "amx_int8")
"""Instructions that multiply bytes, as torch.cpu.get_capabilities() names them."""
_TOO_COLD = 1.5
"""From this multiple of COLD on, the words are chosen anew and the chunk is made again."""
_MEMORY = 0.9
"""What a word's weight in the choice keeps from one chunk to the next."""
_SHRINK_EVERY = 20
"""Chunks after which words that no longer matter are let go."""


@dataclass(frozen=True)
class _Bytes:
    """The weight in 8 bits, a scale per word; `balance` moves outliers from hidden to weight."""

    values: Tensor
    scales: Tensor
    balance: Tensor

    def quantise(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        return to_bytes(hidden / self.balance)


@dataclass
class _Read:
    """What one pass over the weight found outside the exact words."""

    cold: Tensor
    """Per row [N]: sum of exp(logit - reference) over the words left to bytes."""
    gradient: Tensor
    """[N, H]: the same terms times their words."""
    mass: Tensor
    """Per word [V]: sum of exp(logit - reference) over rows."""
    risen: Tensor
    """Words that hold too much for bytes, not in `cold` or `gradient`."""


class Screen:
    """The words that matter for a frozen weight [V, H], learned chunk by chunk."""

    def __init__(self, weight: Tensor, balance: Tensor) -> None:
        self.weight = weight
        self._bytes = _Bytes(*to_bytes(weight * balance), balance)
        self._importance = torch.zeros(weight.shape[0])
        self._cut = 0.0
        self._chunks = 0
        self._choose(torch.arange(0))

    @classmethod
    def fitted(cls, hidden: Tensor, weight: Tensor) -> Screen:
        """A Screen for hidden states like these."""
        # Hidden states have a few outlier dimensions (Gemma 3: 150 against a median of 14); sharing
        # them evenly between both factors halves the error of the 8-bit product.
        large, small = hidden.abs().amax(0).clamp_min(1e-6), weight.abs().amax(0).clamp_min(1e-6)
        return cls(weight, (large / small).sqrt())

    @classmethod
    def restored(cls, weight: Tensor, state: Mapping[str, Tensor]) -> Screen:
        """The Screen that `state` was taken of."""
        made = cls(weight, state["balance"])
        made._importance = state["importance"]
        made._cut = float(state["cut"])
        made._chunks = int(state["chunks"])
        made._choose(state["words"])
        return made

    def state(self) -> dict[str, Tensor]:
        """Everything but the weight, for a checkpoint."""
        return {
            "balance": self._bytes.balance,
            "importance": self._importance,
            "cut": torch.tensor(self._cut, dtype=torch.float64),
            "chunks": torch.tensor(self._chunks),
            "words": self._words,
        }

    @property
    def words(self) -> Tensor:
        """Those computed exactly."""
        return self._words

    def _choose(self, words: Tensor) -> None:
        self._words = words
        self._chosen = self.weight[words]
        self._is_exact = torch.zeros(self.weight.shape[0], dtype=torch.bool)
        self._is_exact[words] = True

    def learn(self, mass: Tensor, wrong: float) -> None:
        """Take in how much probability every word held in a chunk, and choose anew."""
        self._remember(mass, wrong)
        self._select()

    def _remember(self, mass: Tensor, wrong: float) -> None:
        share = mass / max(wrong, 1e-12)
        self._importance = torch.maximum(self._importance * _MEMORY, share)

    def _select(self) -> None:
        # Half of what is allowed: the next chunk is not this one.
        words, self._cut = words_that_matter(self._importance, COLD / 2)
        self._choose(words)

    def value_and_gradient(self, hidden: Tensor, targets: Tensor) -> tuple[float, Tensor] | None:
        """Loss and gradient of a chunk; None when it is too far from those before."""
        self._chunks += 1
        if self._chunks % _SHRINK_EVERY == 0:
            self._select()
        return self._value_and_gradient(hidden, targets, again=True)

    def _value_and_gradient(
        self, hidden: Tensor, targets: Tensor, *, again: bool
    ) -> tuple[float, Tensor] | None:
        logits = hidden @ self._chosen.T
        target_logit = (hidden * self.weight[targets]).sum(dim=1)
        reference = torch.maximum(logits.logsumexp(dim=1), target_logit)
        certain = (target_logit - reference).exp()
        read = self._read(hidden, targets, reference, self._cut * (1 - certain).sum().item())
        words = self.weight[read.risen]
        risen = (hidden @ words.T).sub_(reference[:, None]).exp_()
        exact = logits.sub_(reference[:, None]).exp_()
        total = exact.sum(dim=1) + risen.sum(dim=1) + read.cold
        if not bool(torch.isfinite(total).all()):
            return None
        wrong = (1 - certain / total).clamp_min_(0).sum().item()
        mass = read.mass
        mass[self._words] = (exact / total[:, None]).sum(dim=0)
        mass[read.risen] = (risen / total[:, None]).sum(dim=0)
        self._remember(mass, wrong)
        if (read.cold / total).sum().item() > _TOO_COLD * COLD * wrong:
            self._select()
            return self._value_and_gradient(hidden, targets, again=False) if again else None
        gradient = exact @ self._chosen
        gradient += risen @ words
        gradient += read.gradient
        gradient /= total[:, None]
        gradient -= self.weight[targets]
        return (reference + total.log() - target_logit).sum().item(), gradient

    def _read(self, hidden: Tensor, targets: Tensor, reference: Tensor, limit: float) -> _Read:
        """One pass over all words in bytes; a word that holds more than `limit` is not summed."""
        mine = self._bytes
        values, scales = mine.quantise(hidden)
        exact = self._is_exact.clone()
        exact[targets] = True
        rows, count = hidden.shape[0], self.weight.shape[0]
        cold, gradient = torch.zeros(rows), torch.zeros_like(hidden)
        mass, summed = torch.empty(count), torch.empty(count, dtype=torch.bool)
        for start in range(0, count, _TILE):
            tile = slice(start, start + _TILE)
            terms = torch._int_mm(values, mine.values[tile].T).float()
            terms.mul_(scales[:, None]).mul_(mine.scales[tile]).sub_(reference[:, None]).exp_()
            torch.sum(terms, dim=0, out=mass[tile])
            summed[tile] = (mass[tile] <= limit) & ~exact[tile]
            # A mask, not a product with zero: zero times infinity is no number.
            terms[:, ~summed[tile]] = 0
            cold += terms.sum(dim=1)
            gradient += _byte_product(terms.mul_(mine.scales[tile]), mine.values[tile])
        risen = (~(summed | self._is_exact)).nonzero().squeeze(1)
        return _Read(cold, gradient / mine.balance, mass, risen)


def words_that_matter(mass: Tensor, allowed: float) -> tuple[Tensor, float]:
    """Sorted words but the least likely, which together hold at most `allowed`; the least kept."""
    ordered, words = mass.sort()
    dropped = int(torch.searchsorted(ordered.double().cumsum(0), allowed).item())
    return words[dropped:].sort().values, float(ordered[min(dropped, len(ordered) - 1)])


def _byte_product(terms: Tensor, words: Tensor) -> Tensor:
    """terms [N, T] (not negative) @ words [T, H] with both in 8 bits."""
    largest = terms.amax(dim=1, keepdim=True).clamp_min_(1e-30)
    rounded = terms.mul_(127 / largest).round_().to(torch.int8)
    return torch._int_mm(rounded, words).float().mul_(largest / 127)


def to_bytes(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """8-bit integers and a scale per row; rounding, not truncation."""
    scales = matrix.abs().amax(dim=1, keepdim=True).clamp_min(1e-12) / 127
    return (matrix / scales).round_().clamp_(-127, 127).to(torch.int8), scales.squeeze(1)


def bytes_are_faster(weight: Tensor) -> bool:
    """Whether 8-bit products beat fp32 ones: a CPU that multiplies bytes, and many words.

    From what the CPU says it can do, not by the clock: two runs of one recipe must be equal, on a
    busy machine too. Where it says nothing of the kind, the products are fp32: slower and exact.
    """
    can = torch.cpu.get_capabilities()
    return weight.shape[0] >= _MANY_WORDS and any(can.get(name, False) for name in _BYTES)
