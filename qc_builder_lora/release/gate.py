"""The parity gate: whether a quantised file may stand for the trained model.

`eval/parity.toml` holds its rule. Two-sided: what finds the held-out completions likelier than the
trained model does is another model too. Whether the model is any good is not asked here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from qc_builder_lora.errors import SettingsError
from qc_builder_lora.files import read_rule
from qc_builder_lora.release.llama import Scored
from qc_builder_lora.release.reference import Reference


@dataclass(frozen=True, kw_only=True)
class ParityRule:
    """What the file says; each field stands there with its meaning."""

    relative: float = 0.02
    nats: float = 0.0005
    towards_base: float = 0.1

    def __post_init__(self) -> None:
        for name in ("relative", "nats"):
            if not 0 <= getattr(self, name) < math.inf:
                raise SettingsError(f"{name} must be 0 or more, got {getattr(self, name)}.")
        if not 0 < self.towards_base < 1:
            raise SettingsError(f"towards_base must be in (0, 1), got {self.towards_base}.")

    def allowed(self, trained: float) -> float:
        """How far from the trained model's NLL a file's may lie, in nats a token."""
        return max(self.relative * trained, self.nats)

    def plain(self, trained: float) -> dict[str, Any]:
        """For the manifest: the rule, what it allowed, and that in words."""
        allowed = self.allowed(trained)
        return {
            "tolerance": self.relative,
            "tolerance_nats": self.nats,
            "nll_allowed_off": round(allowed, 6),
            "allowance": f"{allowed:.5f} nats a token, the larger of {100 * self.relative:g} % "
            f"and {self.nats:g}, to either side (eval/parity.toml)",
        }


def load_parity_rule() -> ParityRule:
    """The user's rule, or the built-in one."""
    return read_rule(ParityRule, "eval/parity.toml")


@dataclass(frozen=True)
class Attempt:
    """One quantisation, judged."""

    quantization: str
    megabytes: float
    nll: float
    above: float
    """NLL above the trained model's, nats a token; below zero where the file is surer."""
    prompts_equal: int
    prompts: int
    reason: str | None
    """Why it is refused; None when it passes."""

    def plain(self) -> dict[str, Any]:
        """As JSON values; a figure that is no number is null."""
        return {
            "quantization": self.quantization,
            "gguf_mb": round(self.megabytes, 1),
            "nll": _rounded(self.nll),
            "nll_above_trained": _rounded(self.above),
            "prompts_equal": f"{self.prompts_equal}/{self.prompts}",
            "passes": self.reason is None,
            "reason": self.reason,
        }


def judge(
    quantization: str, megabytes: float, scored: Scored, target: Reference, rule: ParityRule
) -> Attempt:
    """Whether a file with this score may stand for the trained model."""
    return Attempt(
        quantization,
        megabytes,
        scored.mean,
        scored.mean - target.tuned,
        scored.prompts_equal,
        scored.prompts,
        _reason(scored, target, rule),
    )


def _reason(scored: Scored, target: Reference, rule: ParityRule) -> str | None:
    if scored.prompts_equal < scored.prompts:
        return (
            f"{scored.prompts - scored.prompts_equal} of {scored.prompts} prompts are tokenised "
            "otherwise than in training"
        )
    # Comparisons with NaN are all false, and would let it pass.
    for name, nll in (("the file's", scored.mean), ("the trained model's", target.tuned)):
        if not math.isfinite(nll):
            return f"{name} NLL is no number ({nll})"
    if not target.tuned < target.base:
        return f"the trained model (NLL {target.tuned:.4f}) is no better than the base"
    above = scored.mean - target.tuned
    back = above / (target.base - target.tuned)
    if back > rule.towards_base:
        return f"{100 * back:.0f} % of the way back to the base (NLL {scored.mean:.4f})"
    if abs(above) > rule.allowed(target.tuned):
        side = "above" if above > 0 else "below"
        return (
            f"NLL {scored.mean:.5f} is {abs(above):.5f} {side} the trained model's "
            f"{target.tuned:.5f}, {rule.allowed(target.tuned):.5f} is allowed"
        )
    return None


def _rounded(value: float) -> float | None:
    return round(value, 5) if math.isfinite(value) else None
