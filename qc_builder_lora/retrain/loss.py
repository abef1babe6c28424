"""Cross-entropy on completion positions, with the gradient made in the forward pass.

For a small model with a large vocabulary the output layer is most of the arithmetic (Gemma 3 270M:
262,144 words, 63 %). Three facts make it cheap, without an approximation that training could see:

1. Only positions of the completion need logits; the weight is frozen, so the gradient to the hidden
   state, (softmax - onehot) @ W, can be formed at once and the logits forgotten: no [N, V] tensor
   outlives its chunk (the idea is Liger's and Cut-Cross-Entropy's).
2. Few words carry nearly all of the probability in a chunk, and mostly the same ones as in the
   chunk before. For those both products are exact.
3. All other words together hold at most `cold` of the probability that is wrong in the chunk (the
   sum of 1 - p(target)). Theirs are made from 8-bit products, four times faster than fp32 where
   the CPU multiplies bytes (VNNI); an error of some percent in a thousandth is what is left of it.

On a GPU, where the base is bf16, both products run in bf16 and everything between them (the
normaliser, the probabilities, the loss) in fp32, over the whole vocabulary: no word is left out.

The share is measured against what is wrong, so the error stays small relative to the gradient late
in training too, when both are small. `tests/retrain/test_loss.py` holds it under 1e-4.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from qc_builder_lora.retrain.screen import Screen, bytes_are_faster, words_that_matter

ROWS = {"cpu": 384, "cuda": 2048}
"""Most positions of a chunk, by device: every chunk reads the whole weight once."""
DROPPED = 3e-5
"""Without the 8-bit products: share of the wrong probability whose words are left out."""


class CompletionLoss:
    """Sum of cross-entropies over positions, for a frozen output weight of shape [V, H].

    Call it with `hidden` [N, H] (of the weight's type, fp32 or bf16; requires grad) and `targets`
    [N] (int64): an fp32 scalar, the sum in nats, whose backward gives the gradient to `hidden`.
    `screen` says whether to use the 8-bit products: None decides by the CPU and the
    number of words.
    """

    def __init__(self, weight: Tensor, *, screen: bool | None = None) -> None:
        self.weight = weight.detach()
        self.screen: Screen | None = None
        self._wanted = screen

    def __call__(self, hidden: Tensor, targets: Tensor) -> Tensor:
        loss: Tensor = _Function.apply(hidden, targets, self)  # type: ignore[no-untyped-call]
        return loss

    @torch.no_grad()
    def value_and_gradient(self, hidden: Tensor, targets: Tensor) -> tuple[float, Tensor]:
        """The summed loss and its gradient [N, H], chunk by chunk."""
        total = 0.0
        gradient = torch.empty_like(hidden)
        # Chunks of one size: a short last one would read the whole weight for a few rows.
        most = ROWS.get(hidden.device.type, ROWS["cpu"])
        size = math.ceil(hidden.shape[0] / max(1, math.ceil(hidden.shape[0] / most)))
        for start in range(0, hidden.shape[0], max(1, size)):
            rows = slice(start, start + size)
            loss, gradient[rows] = self._chunk(hidden[rows], targets[rows])
            total += loss
        return total, gradient

    def state(self) -> dict[str, Tensor]:
        """What the next chunk depends on besides the weight, for a checkpoint."""
        wanted = {} if self._wanted is None else {"screened": torch.tensor(self._wanted)}
        return wanted | (self.screen.state() if self.screen is not None else {})

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on where `state` was taken."""
        if "screened" in state:
            self._wanted = bool(state["screened"])
        if "importance" in state:
            self.screen = Screen.restored(self.weight, state)

    def _chunk(self, hidden: Tensor, targets: Tensor) -> tuple[float, Tensor]:
        if self._wanted is None:
            exact = hidden.device.type != "cpu" or hidden.dtype != torch.float32
            self._wanted = not exact and bytes_are_faster(self.weight)
        if not self._wanted:
            return self._dense(hidden, targets)
        if self.screen is not None:
            found = self.screen.value_and_gradient(hidden, targets)
            if found is not None:
                return found
        # The first chunk, and any the screen could not follow, shows which words matter.
        self.screen = self.screen or Screen.fitted(hidden, self.weight)
        return self._dense(hidden, targets)

    def _dense(self, hidden: Tensor, targets: Tensor) -> tuple[float, Tensor]:
        """Exact logits for every word; only the second product is restricted."""
        at = torch.arange(hidden.shape[0], device=hidden.device)
        # bf16 logits are good to three digits; sums over 262,144 words need fp32.
        logits = (hidden @ self.weight.T).float()
        normaliser = logits.logsumexp(dim=1)
        loss = (normaliser - logits[at, targets]).sum().item()
        probability = logits.sub_(normaliser[:, None]).exp_()
        if hidden.device.type != "cpu":
            # Choosing words costs a GPU more than the product that it saves.
            probability[at, targets] -= 1
            return loss, probability.to(self.weight.dtype) @ self.weight
        wrong = (1 - probability[at, targets]).sum().item()
        mass = probability.sum(dim=0)
        if self.screen is not None:
            self.screen.learn(mass, wrong)
        likely, _ = words_that_matter(mass, DROPPED * wrong)
        words = torch.unique(torch.cat([likely, targets]))
        probability[at, targets] -= 1
        return loss, probability[:, words].to(self.weight.dtype) @ self.weight[words]


class _Function(torch.autograd.Function):
    """Carries the gradient from the forward pass to backward."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, targets: Tensor, loss: CompletionLoss) -> Tensor:
        total, gradient = loss.value_and_gradient(hidden.detach(), targets)
        ctx.save_for_backward(gradient)
        return torch.tensor(total, dtype=torch.float32, device=hidden.device)

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * outputs[0].to(gradient.dtype), None, None
