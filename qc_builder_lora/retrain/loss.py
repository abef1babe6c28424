"""Cross-entropy on completion positions, with the gradient made in the forward pass.

For a small model with a large vocabulary the output layer is most of the arithmetic (Gemma 3 270M:
262,144 words, 63 %). Three facts make it cheap, without an approximation that training could see:

1. Only positions of the completion need logits; the weight is frozen, so the gradient to the hidden
   state, (softmax - onehot) @ W, can be formed at once and the logits forgotten: no [N, V] tensor
   outlives its chunk (the idea is Liger's and Cut-Cross-Entropy's).
2. The second product needs only the columns (words) that carry probability somewhere in the chunk.
   Columns are dropped while the probability they hold together stays below `tolerance` times the
   probability that is wrong in the chunk (the sum of 1 - p(target)), which bounds the error
   relative to the gradient itself, also late in training when both are small.
   What is dropped enters the gradient as its mean direction.
3. Which columns those are can be read from an 8-bit product, several times faster than fp32 where
   the CPU multiplies bytes (VNNI). The columns kept are then computed exactly in fp32.

`tests/retrain/test_loss.py` holds the relative error of the gradient under 1e-4.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

TOLERANCE = 1e-4
ROWS = 384
"""Most positions of a chunk: the search reads the whole weight once a chunk."""
_TILE = 8192


@dataclass(frozen=True)
class _Bytes:
    """The weight in 8 bits, a scale per word; `balance` moves outliers from hidden to weight."""

    values: Tensor
    scales: Tensor
    balance: Tensor

    def quantise(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        return _to_bytes(hidden / self.balance)


def _to_bytes(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """8-bit integers and a scale per row; rounding, not truncation."""
    scales = matrix.abs().amax(dim=1, keepdim=True).clamp_min(1e-12) / 127
    return (matrix / scales).round_().clamp_(-127, 127).to(torch.int8), scales.squeeze(1)


class CompletionLoss:
    """Sum of cross-entropies over positions, for a frozen output weight of shape [V, H].

    Call it with `hidden` [N, H] (fp32, requires grad) and `targets` [N] (int64): a scalar, the sum
    in nats, whose backward gives the gradient to `hidden`. `screen` picks the 8-bit search:
    None decides by measuring once.
    """

    def __init__(
        self, weight: Tensor, *, tolerance: float = TOLERANCE, screen: bool | None = None
    ) -> None:
        self.weight = weight.detach()
        self.tolerance = tolerance
        self._screen = screen
        self._bytes: _Bytes | None = None
        self._hot = torch.arange(min(4096, weight.shape[0]), device=weight.device)

    def __call__(self, hidden: Tensor, targets: Tensor) -> Tensor:
        loss: Tensor = _Function.apply(hidden, targets, self)  # type: ignore[no-untyped-call]
        return loss

    @torch.no_grad()
    def value_and_gradient(self, hidden: Tensor, targets: Tensor) -> tuple[float, Tensor]:
        """The summed loss and its gradient [N, H], chunk by chunk."""
        total = 0.0
        gradient = torch.empty_like(hidden)
        # Chunks of one size: a short last one would read the whole weight for a few rows.
        size = math.ceil(hidden.shape[0] / max(1, math.ceil(hidden.shape[0] / ROWS)))
        for start in range(0, hidden.shape[0], max(1, size)):
            rows = slice(start, start + size)
            loss, gradient[rows] = self._chunk(hidden[rows], targets[rows])
            total += loss
        return total, gradient

    def _chunk(self, hidden: Tensor, targets: Tensor) -> tuple[float, Tensor]:
        if self._use_screen(hidden):
            found = self._screened(hidden, targets)
            if found is not None:
                return found
        return self._dense(hidden, targets)

    def _use_screen(self, hidden: Tensor) -> bool:
        if self._screen is None:
            self._screen = hidden.device.type == "cpu" and bytes_are_faster(hidden, self.weight)
        if self._screen and self._bytes is None:
            self._bytes = _weight_in_bytes(hidden, self.weight)
        return self._screen

    def _dense(self, hidden: Tensor, targets: Tensor) -> tuple[float, Tensor]:
        """Exact logits for every word; only the second product is restricted."""
        at = torch.arange(hidden.shape[0], device=hidden.device)
        logits = hidden @ self.weight.T
        normaliser = logits.logsumexp(dim=1)
        loss = (normaliser - logits[at, targets]).sum().item()
        probability = logits.sub_(normaliser[:, None]).exp_()
        wrong = (1 - probability[at, targets]).sum().item()
        mass = probability.sum(dim=0)
        kept = _columns_to_keep(mass, self.tolerance * wrong, targets)
        probability_kept = probability[:, kept]
        # Row sums are one: what is not kept is the tail.
        tail = (1 - probability_kept.sum(dim=1)).clamp_min_(0)
        return loss, self._gradient(probability_kept, kept, targets, tail, mass)

    def _screened(self, hidden: Tensor, targets: Tensor) -> tuple[float, Tensor] | None:
        """8-bit logits to find the columns, fp32 for those; None if the search overflowed."""
        reference = (hidden @ self.weight[self._hot].T).logsumexp(dim=1)
        target_logit = (hidden * self.weight[targets]).sum(dim=1)
        reference = torch.maximum(reference, target_logit)
        row_sum, mass = self._search(hidden, reference)
        if not bool(torch.isfinite(row_sum).all()):
            return None
        wrong = (1 - (target_logit - reference).exp() / row_sum).clamp_min_(0).sum().item()
        kept = _columns_to_keep(mass, self.tolerance * wrong, targets)
        logits = hidden @ self.weight[kept].T
        outside = (row_sum - self._mass_of(hidden, reference, kept)).clamp_min_(0)
        normaliser = torch.logaddexp(logits.logsumexp(dim=1), outside.log() + reference)
        self._hot = kept
        loss = (normaliser - target_logit).sum().item()
        probability = logits.sub_(normaliser[:, None]).exp_()
        tail = outside * (reference - normaliser).exp()
        return loss, self._gradient(probability, kept, targets, tail, mass)

    def _search(self, hidden: Tensor, reference: Tensor) -> tuple[Tensor, Tensor]:
        """Over all words, from 8-bit logits: sum of exp(logit - reference) per row and per word."""
        assert self._bytes is not None
        values, scales = self._bytes.quantise(hidden)
        row_sum = torch.zeros(hidden.shape[0])
        mass = torch.empty(self.weight.shape[0])
        for start in range(0, self.weight.shape[0], _TILE):
            words = slice(start, start + _TILE)
            exponent = self._byte_logits(values, scales, reference, words).exp_()
            row_sum += exponent.sum(dim=1)
            mass[words] = exponent.sum(dim=0)
        return row_sum, mass

    def _byte_logits(
        self, values: Tensor, scales: Tensor, reference: Tensor, words: slice | Tensor
    ) -> Tensor:
        assert self._bytes is not None
        product = torch._int_mm(values, self._bytes.values[words].T).float()
        product.mul_(self._bytes.scales[words])
        return torch.addcmul(-reference[:, None], product, scales[:, None])

    def _mass_of(self, hidden: Tensor, reference: Tensor, words: Tensor) -> Tensor:
        assert self._bytes is not None
        values, scales = self._bytes.quantise(hidden)
        return self._byte_logits(values, scales, reference, words).exp_().sum(dim=1)

    def _gradient(
        self, probability: Tensor, kept: Tensor, targets: Tensor, tail: Tensor, mass: Tensor
    ) -> Tensor:
        """(softmax - onehot) @ W over the kept words, plus the tail along its mean word."""
        at = torch.arange(targets.shape[0], device=targets.device)
        probability[at, torch.searchsorted(kept, targets)] -= 1
        gradient = probability @ self.weight[kept]
        weights = mass.clone()
        weights[kept] = 0
        total = weights.sum()
        if total > 0:
            gradient += tail[:, None] * ((weights / total) @ self.weight)
        return gradient


class _Function(torch.autograd.Function):
    """Carries the gradient from the forward pass to backward."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, targets: Tensor, loss: CompletionLoss) -> Tensor:
        total, gradient = loss.value_and_gradient(hidden.detach(), targets)
        ctx.save_for_backward(gradient)
        return hidden.new_tensor(total)

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * outputs[0], None, None


def _columns_to_keep(mass: Tensor, allowed: float, targets: Tensor) -> Tensor:
    """Sorted words: all targets, and all but the least likely that together hold `allowed`."""
    ordered, words = mass.sort()
    dropped = int(torch.searchsorted(ordered.double().cumsum(0), allowed).item())
    keep = torch.ones_like(mass, dtype=torch.bool)
    keep[words[:dropped]] = False
    keep[targets] = True
    return keep.nonzero().squeeze(1)


def _weight_in_bytes(hidden: Tensor, weight: Tensor) -> _Bytes:
    # Hidden states have a few outlier dimensions (Gemma 3: 150 against a median of 14); sharing
    # them evenly between both factors halves the error of the 8-bit product.
    balance = (hidden.abs().amax(0).clamp_min(1e-6) / weight.abs().amax(0).clamp_min(1e-6)).sqrt()
    values, scales = _to_bytes(weight * balance)
    return _Bytes(values, scales, balance)


def bytes_are_faster(hidden: Tensor, weight: Tensor) -> bool:
    """Whether the 8-bit search beats fp32 logits here: measured once on a slice of the words."""
    import time

    words = weight[: min(4 * _TILE, weight.shape[0])]
    try:
        left, _ = _to_bytes(hidden)
        right, _ = _to_bytes(words)
        torch._int_mm(left, right.T)
    except (RuntimeError, NotImplementedError, AttributeError):
        return False

    def seconds(left: Tensor, right: Tensor, product: Any) -> float:
        best = math.inf
        for _ in range(3):
            start = time.perf_counter()
            product(left, right)
            best = min(best, time.perf_counter() - start)
        return best

    return seconds(left, right.T, torch._int_mm) < 0.6 * seconds(hidden, words.T, torch.mm)
