"""One training Run: a LoRA on a frozen base, with completion-only loss, resumable at any point.

The order of the data and the adapter's first values depend on the recipe and the snapshot alone, so
a run that was stopped and taken up again ends where an unbroken one would have ended. Where the
recipe gives a time, the learning rate falls with the time spent, so that its end is always reached.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qc_builder_lora.errors import EmptySnapshot, MissingExtra, TrainingError
from qc_builder_lora.ids import json_hash
from qc_builder_lora.progress import SILENT, Progress
from qc_builder_lora.records import Example
from qc_builder_lora.retrain import checkpoint
from qc_builder_lora.retrain.adapter import load_adapter, save_adapter
from qc_builder_lora.retrain.base import load_model, load_tokenizer
from qc_builder_lora.retrain.batches import (
    Item,
    collate,
    context_of,
    fitting,
    steps,
    steps_an_epoch,
    tokenise,
)
from qc_builder_lora.retrain.recipe import Recipe
from qc_builder_lora.template import get_template

if TYPE_CHECKING:
    from torch import Tensor

# However short the time: fewer would not be a training.
_LEAST_STEPS = 8


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What a run left: the adapter's folder (peft's format) and its figures."""

    adapter: Path
    metrics: dict[str, Any]


class Training:
    """A run in progress. `run()` trains to the end; a KeyboardInterrupt checkpoints first."""

    def __init__(
        self,
        recipe: Recipe,
        base: Path,
        train: Sequence[Example],
        validation: Sequence[Example],
        folder: Path,
        progress: Progress = SILENT,
        *,
        parent: Path | None = None,
    ) -> None:
        """`parent` is an adapter's folder to start from, of the recipe's base and shape."""
        torch = _torch()
        self.recipe, self.folder, self._progress = recipe, folder, progress
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        tokenizer = load_tokenizer(base)
        self._pad = tokenizer.pad_token_id or 0
        # No longer than the recipe allows, nor than the base was made for.
        self.longest = min(recipe.max_tokens, context_of(base) or recipe.max_tokens)
        self._train, self.left_out = self._fitting(train, tokenizer)
        self._validation, self.validation_left_out = self._fitting(
            sorted(validation, key=lambda e: e.id), tokenizer, recipe.validation_examples
        )
        self._check_not_empty(len(train))
        self._build(base)
        if parent is not None:
            load_adapter(self.model, parent)
        examples = json_hash([item.id for item in self._train])
        self.state = checkpoint.State(recipe.sha256, examples)
        self._resume()

    def _fitting(
        self, examples: Sequence[Example], tokenizer: Any, count: int | None = None
    ) -> tuple[list[Item], int]:
        template = get_template(self.recipe.template)
        items = [tokenise(example, template, tokenizer) for example in examples]
        return fitting(items, self.longest, count)

    def _check_not_empty(self, given: int) -> None:
        if not self._train:
            limit = f"max_tokens={self.recipe.max_tokens}"
            if self.longest < self.recipe.max_tokens:
                limit = f"the {self.longest} tokens that the base was made for"
            raise EmptySnapshot(f"{given} given, {self.left_out} longer than {limit}")

    def _build(self, base: Path) -> None:
        torch = _torch()
        from peft import LoraConfig, get_peft_model

        from qc_builder_lora.retrain.loss import CompletionLoss

        recipe = self.recipe
        torch.manual_seed(recipe.seed)
        precision = recipe.cpu_precision if self._device == "cpu" else recipe.gpu_precision
        # The adapter is fp32 in either case; on a GPU its products run in the base's bf16.
        self._mixed = self._device == "cuda" and precision == "bf16"
        model = load_model(base, precision).to(self._device)
        lora = LoraConfig(
            r=recipe.lora.rank,
            lora_alpha=recipe.lora.alpha,  # type: ignore[arg-type]
            lora_dropout=recipe.lora.dropout,
            target_modules=list(recipe.lora.targets),
            task_type="CAUSAL_LM",
        )
        self.model = get_peft_model(model, lora)
        if recipe.gradient_checkpointing:
            model.gradient_checkpointing_enable()
            model.enable_input_require_grads()
        self._trunk = model.model
        self._loss = CompletionLoss(model.get_output_embeddings().weight)
        self.parameters = {n: p for n, p in self.model.named_parameters() if p.requires_grad}
        # 0.98: a run of some dozens of steps is over before a longer memory has filled.
        self._optimiser = torch.optim.AdamW(
            self.parameters.values(),
            lr=recipe.learning_rate,
            betas=(0.9, 0.98),
            weight_decay=recipe.weight_decay,
        )

    def _resume(self) -> None:
        torch = _torch()
        path = checkpoint.newest(self.folder)
        if path is None:
            return
        state = checkpoint.read_state(path)
        same = (state.recipe_sha256, state.examples_sha256)
        if same != (self.state.recipe_sha256, self.state.examples_sha256):
            raise TrainingError(
                f"{path} belongs to another recipe or snapshot. Remove {self.folder} to start over."
            )
        others = checkpoint.restore(path, self.parameters, self._optimiser)
        torch.set_rng_state(others.pop("random"))
        if "random_gpu" in others and self._device == "cuda":
            torch.cuda.set_rng_state(others.pop("random_gpu"))
        self._loss.load_state(others)
        self.state = state

    @property
    def epoch_steps(self) -> int:
        """Optimiser steps of all epochs, whatever the time allows."""
        each = steps_an_epoch(len(self._train), self.recipe.batch, self.recipe.accumulate)
        return max(1, round(each * self.recipe.epochs))

    @property
    def share(self) -> float:
        """How much of the run is done, 0 to 1: of its steps, or of its time if that is shorter."""
        state, budget = self.state, self.recipe.time_budget_min
        share = state.step / self.epoch_steps
        if budget is not None and state.step >= _LEAST_STEPS:
            # By the clock, not by a forecast: the machine may be busier tomorrow than at the start.
            share = max(share, state.seconds / (budget * 60))
        return min(1.0, share)

    def run(self) -> Trained:
        """Train to the end and write the adapter.

        Raises TrainingError when the loss is no longer a number, DiskFull when the result does not
        fit; the last checkpoint stays and the same call goes on from it.
        """
        if self.state.validation_first is None:
            self.state.validation_first = self.validate()
        saved = time.monotonic()
        try:
            for index, batches in enumerate(self._steps()):
                if index < self.state.step:
                    continue
                self._step(batches)
                self._tell()
                if time.monotonic() - saved >= self.recipe.checkpoint_s:
                    self.save()
                    saved = time.monotonic()
                if self.share >= 1:
                    break
        except KeyboardInterrupt:
            self.save()
            raise
        return self._finish()

    def _steps(self) -> Any:
        if self.share >= 1:
            return iter(())
        recipe = self.recipe
        return steps(self._train, recipe.batch, recipe.accumulate, recipe.seed)

    def _step(self, batches: list[list[int]]) -> None:
        torch = _torch()
        start = time.monotonic()
        for group in self._optimiser.param_groups:
            group["lr"] = self.learning_rate()
        items = [[self._train[index] for index in batch] for batch in batches]
        count = sum(len(item.completion) for batch in items for item in batch)
        total = 0.0
        for batch in items:
            loss = self._loss_of(batch) / count
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.item()
        norm = torch.nn.utils.clip_grad_norm_(self.parameters.values(), self.recipe.clip).item()
        for name, value in (("loss", total), ("gradient", norm)):
            # Before the step: afterwards the adapter would be lost too.
            if not math.isfinite(value):
                raise TrainingError(
                    f"The {name} of step {self.state.step} is not a number. Lower learning_rate "
                    f"(now {self.recipe.learning_rate}) or use fp32."
                )
        self._optimiser.step()
        self._optimiser.zero_grad(set_to_none=True)
        state = self.state
        state.losses.append((state.step, total))
        state.step += 1
        state.tokens += sum(len(item) for batch in items for item in batch)
        state.seconds += time.monotonic() - start

    def _loss_of(self, items: Sequence[Item]) -> Tensor:
        """Summed loss in nats over the completion tokens of a micro-batch."""
        torch = _torch()
        batch = collate(items, self._pad)
        # No mask: padding stands on the right, where a causal model never looks from a real token.
        # With one, padding longer than a sliding window is a row that may look nowhere, whose
        # gradient some GPU kernels make NaN.
        with torch.autocast(self._device, torch.bfloat16, enabled=self._mixed):
            hidden = self._trunk(input_ids=batch.ids.to(self._device)).last_hidden_state
        chosen = hidden[batch.positions.to(self._device)]
        return self._loss(chosen, batch.targets.to(self._device))

    def learning_rate(self) -> float:
        """Linear warm-up, then a linear fall to `final_learning_rate` at the end of the run."""
        recipe = self.recipe
        rise = min(1.0, (self.state.step + 1) / (recipe.warmup_steps + 1))
        return recipe.learning_rate * rise * (1 - (1 - recipe.final_learning_rate) * self.share)

    def _tell(self) -> None:
        state = self.state
        rate = state.tokens / state.seconds if state.seconds else 0.0
        self._progress.update(self.share, f"loss {state.losses[-1][1]:.3f}, {rate:.0f} tok/s")

    def validate(self) -> float | None:
        """Mean loss per completion token on the validation examples, in nats; None without any."""
        torch = _torch()
        if not self._validation:
            return None
        total, count = 0.0, 0
        self.model.eval()
        with torch.no_grad():
            for start in range(0, len(self._validation), self.recipe.batch):
                items = self._validation[start : start + self.recipe.batch]
                total += self._loss_of(items).item()
                count += sum(len(item.completion) for item in items)
        self.model.train()
        return total / count

    def save(self) -> None:
        """Checkpoint now."""
        self.state.peak_rss_mb = max(self.state.peak_rss_mb, peak_rss_mb())
        torch = _torch()
        others = {"random": torch.get_rng_state(), **self._loss.state()}
        if self._device == "cuda":
            # Dropout draws from the card's own generator.
            others["random_gpu"] = torch.cuda.get_rng_state()
        checkpoint.save(self.folder, self.state, self.parameters, self._optimiser, others)

    def _finish(self) -> Trained:
        self.save()
        last = self.validate()
        adapter = self.folder / "adapter"
        save_adapter(self.model, adapter)
        state = self.state
        return Trained(
            adapter=adapter,
            metrics={
                "steps": state.step,
                "epochs": state.step / (self.epoch_steps / self.recipe.epochs),
                "tokens": state.tokens,
                "tokens_per_s": round(state.tokens / state.seconds, 1),
                "minutes": round(state.seconds / 60, 2),
                "peak_rss_mb": round(max(state.peak_rss_mb, peak_rss_mb())),
                "device": self._device_name(),
                "peak_gpu_mb": self._peak_gpu_mb(),
                "train_loss_first": round(state.losses[0][1], 4),
                "train_loss_last": round(_mean([loss for _, loss in state.losses[-5:]]), 4),
                "val_loss_first": _rounded(state.validation_first),
                "val_loss_last": _rounded(last),
                "trainable_parameters": sum(p.numel() for p in self.parameters.values()),
                "examples": len(self._train),
                "longest_tokens": self.longest,
                "left_out_too_long": self.left_out,
                "validation_left_out_too_long": self.validation_left_out,
                "losses": [[step, round(loss, 4)] for step, loss in state.losses],
            },
        )

    def _device_name(self) -> str:
        return str(_torch().cuda.get_device_name()) if self._device == "cuda" else "cpu"

    def _peak_gpu_mb(self) -> int | None:
        """Most memory of the card in tensors at once, in MB (1e6 bytes); None without one."""
        if self._device != "cuda":
            return None
        return round(int(_torch().cuda.max_memory_allocated()) / 1e6)


def peak_rss_mb() -> float:
    """Largest resident memory of this process so far, in MB (1e6 bytes), from the kernel."""
    # Not ru_maxrss: that one is inherited over exec and would count the parent's.
    for line in Path("/proc/self/status").read_text("ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    return 0.0


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _torch() -> Any:
    try:
        import torch
    except ImportError as error:
        raise MissingExtra("train", "torch") from error
    return torch
