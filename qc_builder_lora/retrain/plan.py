"""What a recipe would take, worked out from its shape: nothing is loaded, nothing is downloaded.

Memory is weights + adapter + optimiser + gradients + activations + output layer; time is
arithmetic over a measured rate. For a frozen base of N weights in matrices a token costs 2N
operations forward and 2N backward (to the inputs only), and 2N more with gradient checkpointing.
Estimates: expect a quarter off either way.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from qc_builder_lora.retrain.batches import steps_an_epoch
from qc_builder_lora.retrain.recipe import Architecture, Base, Recipe

_BYTES = {"fp32": 4, "bf16": 2}
# What a framework and its kernels take before the first tensor, in bytes.
_OVERHEAD = {"cpu": 0.6e9, "gpu": 1.4e9}
# Values a layer keeps for backward per token: about 14 hidden, 3 feed-forward, 4 of attention.
_KEPT_HIDDEN, _KEPT_FEED_FORWARD, _KEPT_ATTENTION = 14, 3, 4
# Rows of the vocabulary held at a time by our own loss, and working copies of them.
_HEAD_ROWS, _HEAD_COPIES = 256, 3
# bf16 matrix work that training reaches of a card's peak, TFLOP/s: of h100 as measured with a
# micro-batch of 4 short examples (bench/gpu/shapes.py, Mistral 7B), of the others from published
# runs of long sequences. A small base reaches far less: its kernels are too short for the card.
DEVICES = {
    "cpu": None,
    "rtx-4090": (93e12, 24e9),
    "a100-40gb": (106e12, 40e9),
    "h100": (120e12, 80e9),
    "h200": (300e12, 141e9),
}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Parameters (counts), memory (bytes) and time (seconds) of one recipe on one device."""

    recipe: str
    device: str
    base_parameters: int
    adapter_parameters: int
    memory: dict[str, float]
    tokens: int
    steps: int
    flops_per_token: float
    flops_per_s: float
    fits: bool | None
    time_budget_s: float | None

    @property
    def total_bytes(self) -> float:
        """All of the memory."""
        return sum(self.memory.values())

    @property
    def seconds(self) -> float:
        """Training time without the budget."""
        return self.tokens * self.flops_per_token / self.flops_per_s

    def plain(self) -> dict[str, Any]:
        """As JSON values: counts, GB (1e9 bytes), minutes."""
        return {
            "recipe": self.recipe,
            "device": self.device,
            "base_parameters": self.base_parameters,
            "adapter_parameters": self.adapter_parameters,
            "memory_gb": {k: round(v / 1e9, 2) for k, v in self.memory.items()},
            "total_memory_gb": round(self.total_bytes / 1e9, 2),
            "fits": self.fits,
            "tokens": self.tokens,
            "steps": self.steps,
            "gflop_per_token": round(self.flops_per_token / 1e9, 2),
            "tokens_per_s": round(self.flops_per_s / self.flops_per_token, 1),
            "minutes": round(self.seconds / 60, 1),
            "time_budget_minutes": self.time_budget_s and round(self.time_budget_s / 60, 1),
        }


def plan(
    recipe: Recipe,
    base: Base,
    *,
    examples: int = 264,
    tokens_an_example: int = 340,
    prompt_share: float = 0.17,
    device: str = "cpu",
    flops_per_s: float | None = None,
) -> Plan:
    """Estimate a recipe; on the CPU the rate is measured by a matrix product of a second."""
    shape = base.architecture
    precision = recipe.cpu_precision if device == "cpu" else recipe.gpu_precision
    known = DEVICES[device]
    rate = flops_per_s or (known[0] if known else measured_flops(precision))
    total = int(examples * recipe.epochs) * tokens_an_example
    memory = _memory(recipe, shape, precision, tokens_an_example, device)
    return Plan(
        recipe=recipe.name,
        device=device,
        base_parameters=base_parameters(shape),
        adapter_parameters=adapter_parameters(recipe, shape),
        memory=memory,
        tokens=total,
        steps=round(recipe.epochs * steps_an_epoch(examples, recipe.batch, recipe.accumulate)),
        flops_per_token=_flops(recipe, shape, prompt_share),
        flops_per_s=rate,
        fits=_fits(sum(memory.values()), device),
        time_budget_s=recipe.time_budget_min and recipe.time_budget_min * 60,
    )


def _projections(shape: Architecture) -> dict[str, tuple[int, int]]:
    """Projection → (in, out) of one layer."""
    attention = shape.heads * shape.head_dim
    keys = shape.kv_heads * shape.head_dim
    return {
        "q_proj": (shape.hidden, attention),
        "k_proj": (shape.hidden, keys),
        "v_proj": (shape.hidden, keys),
        "o_proj": (attention, shape.hidden),
        "gate_proj": (shape.hidden, shape.feed_forward),
        "up_proj": (shape.hidden, shape.feed_forward),
        "down_proj": (shape.feed_forward, shape.hidden),
    }


def body_parameters(shape: Architecture) -> int:
    """Weights in the matrices of all layers."""
    return shape.layers * sum(rows * columns for rows, columns in _projections(shape).values())


def base_parameters(shape: Architecture) -> int:
    """All weights but the norms: layers, embedding, and the output layer if it is its own."""
    embedding = shape.vocabulary * shape.hidden
    return body_parameters(shape) + embedding * (1 if shape.tied else 2)


def adapter_parameters(recipe: Recipe, shape: Architecture) -> int:
    """Weights of the LoRA: rank x (in + out) for each targeted projection."""
    sides = _projections(shape)
    chosen = [sum(sides[name]) for name in recipe.lora.targets if name in sides]
    return shape.layers * recipe.lora.rank * sum(chosen)


def _memory(
    recipe: Recipe, shape: Architecture, precision: str, tokens: int, device: str
) -> dict[str, float]:
    width = _BYTES[precision]
    adapter = adapter_parameters(recipe, shape)
    batch_tokens = recipe.batch * tokens
    kept = (
        _KEPT_HIDDEN * shape.hidden
        + _KEPT_FEED_FORWARD * shape.feed_forward
        + _KEPT_ATTENTION * shape.heads * shape.head_dim
    )
    layers = 2 + shape.layers**0.5 if recipe.gradient_checkpointing else shape.layers
    vocabulary_in_bytes = shape.vocabulary * shape.hidden if device == "cpu" else 0
    return {
        "weights": base_parameters(shape) * width,
        "adapter": adapter * 4,
        "optimiser": adapter * 8,
        "gradients": adapter * 4,
        "activations": batch_tokens * kept * layers * width,
        "output_layer": _HEAD_ROWS * shape.vocabulary * 4 * _HEAD_COPIES + vocabulary_in_bytes,
        "overhead": _OVERHEAD["cpu" if device == "cpu" else "gpu"],
    }


def _flops(recipe: Recipe, shape: Architecture, prompt_share: float) -> float:
    """Operations a token: the layers forward and backward, the output layer for completions."""
    passes = 6 if recipe.gradient_checkpointing else 4
    head = 4 * shape.vocabulary * shape.hidden * (1 - prompt_share)
    return passes * body_parameters(shape) + head


def _fits(needed: float, device: str) -> bool | None:
    known = DEVICES[device]
    if known is not None:
        return needed <= known[1]
    import psutil

    return bool(needed <= psutil.virtual_memory().available)


def measured_flops(precision: str, seconds: float = 1.0) -> float:
    """Operations a second of a matrix product on this CPU, with the threads torch would use."""
    import torch

    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
    left, right = torch.ones(512, 1024, dtype=dtype), torch.ones(1024, 1024, dtype=dtype)
    left @ right
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        left @ right
        count += 1
    return count * 2 * 512 * 1024 * 1024 / (time.perf_counter() - start)
