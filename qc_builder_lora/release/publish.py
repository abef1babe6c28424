"""From an Adapter to a Model: merge, quantise, and let nothing out that is not the trained model.

The parity gate: the file must cut every prompt into the training's tokens, must find held-out
completions as likely as the trained model does (`gate.py`), and must be clearly nearer to it than
to the base. The smallest quantisation that passes is published; those refused are kept in
the manifest with their figures, the file is not.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qc_builder_lora.errors import ParityError
from qc_builder_lora.files import write_json
from qc_builder_lora.ids import file_hash, now
from qc_builder_lora.progress import SILENT, Progress
from qc_builder_lora.records import Adapter, Example, Model, Stage
from qc_builder_lora.release import llama
from qc_builder_lora.release.adapter import read_adapter
from qc_builder_lora.release.gate import Attempt, judge, load_parity_rule
from qc_builder_lora.release.merge import open_base, write_lora, write_merged
from qc_builder_lora.release.reference import Reference, passages, reference
from qc_builder_lora.template import Template

LADDER = ("Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0", "F16")
"""Tried in this order: the smallest first. F16 is the merged file as it is."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """What a release starts from."""

    adapter: Adapter
    base_gguf: Path
    base_folder: Path
    template: Template
    held_out: Sequence[Example]
    snapshot_id: str
    recipe_sha256: str
    recipe_text: str
    parent: Mapping[str, Any] | None = None
    """The adapter that training began from; None for one that began from the base."""
    seen: Mapping[str, Any] | None = None
    """Runs, steps and tokens, the parent's included; None where a part is unknown."""


class Release:
    """One adapter on its way to a Model; leaves a folder with the GGUF and its manifest."""

    def __init__(
        self, source: Source, models: Path, threads: int, progress: Progress = SILENT
    ) -> None:
        self._source, self._models, self._threads = source, models, threads
        self._progress = progress
        self._rule = load_parity_rule()
        self._work = models / f".{source.adapter.id[:12]}.work"

    def publish(self, ladder: Sequence[str] = LADDER) -> Model:
        """The Model, written to disk but not yet in any store.

        Raises ParityError with the figures when no quantisation passes; nothing is published then.
        """
        shutil.rmtree(self._work, ignore_errors=True)
        self._work.mkdir(parents=True)
        try:
            return self._publish(ladder)
        finally:
            shutil.rmtree(self._work, ignore_errors=True)

    def _publish(self, ladder: Sequence[str]) -> Model:
        merged, lora = self._merge()
        held_out = passages(self._source.held_out, self._source.template, self._tokenizer())
        if not held_out:
            raise ParityError("There are no held-out examples to check the served model on.")
        self._progress.update(2, "reference")
        target = reference(self._source.base_folder, Path(self._source.adapter.path), held_out)
        attempts: list[Attempt] = []
        for step, kind in enumerate(ladder):
            self._progress.update(3 + step, kind)
            file = self._work / f"{kind}.gguf"
            llama.quantise(merged, file, kind, self._threads)
            scored = llama.score(file, held_out, self._threads)
            attempts.append(judge(kind, file.stat().st_size / 1e6, scored, target, self._rule))
            if attempts[-1].reason is None:
                self._progress.update(3 + len(ladder), kind)
                return self._keep(file, lora, attempts, target)
            file.unlink()
        raise ParityError(_refusal(attempts, target))

    def _merge(self) -> tuple[Path, Path]:
        self._progress.update(0, "reading the base")
        reader = open_base(self._source.base_gguf)
        weights = read_adapter(Path(self._source.adapter.path), reader)
        self._progress.update(1, "merging")
        merged, lora = self._work / "merged-f16.gguf", self._work / "adapter-lora.gguf"
        write_merged(reader, weights, merged, self._source.template)
        write_lora(reader, weights, lora)
        return merged, lora

    def _tokenizer(self) -> Any:
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(self._source.base_folder)

    def _keep(
        self, file: Path, lora: Path, attempts: Sequence[Attempt], target: Reference
    ) -> Model:
        """Move the files to their place; the manifest last: with it the Model is complete."""
        digest = file_hash(file)
        source = self._source
        model_id = f"{source.adapter.base}-{digest[:12]}"
        folder = self._models / model_id
        manifest = self._manifest(model_id, file, digest, file_hash(lora), attempts, target)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{model_id}.gguf"
        shutil.move(file, path)
        shutil.move(lora, folder / "adapter-lora.gguf")
        write_json(folder / "manifest.json", manifest)
        return Model(
            id=model_id,
            adapter_id=source.adapter.id,
            path=str(path),
            sha256=digest,
            quantization=attempts[-1].quantization,
            manifest=manifest,
            stage=Stage.CANDIDATE,
            created_at=now(),
        )

    def _manifest(
        self,
        model_id: str,
        file: Path,
        digest: str,
        lora_digest: str,
        attempts: Sequence[Attempt],
        target: Reference,
    ) -> Mapping[str, Any]:
        source, chosen = self._source, attempts[-1]
        return {
            "id": model_id,
            "sha256": digest,
            "bytes": file.stat().st_size,
            "quantization": chosen.quantization,
            "template": source.template.name,
            "base": {"name": source.adapter.base, "sha256": source.adapter.base_sha256},
            "adapter": {
                "sha256": source.adapter.id,
                "rank": source.adapter.rank,
                "alpha": source.adapter.alpha,
                "gguf_sha256": lora_digest,
            },
            "snapshot": source.snapshot_id,
            "parent": source.parent,
            "seen": source.seen,
            "recipe": {"sha256": source.recipe_sha256, "text": source.recipe_text},
            "parity": {
                "nll_hf": round(target.tuned, 5),
                "nll_gguf": round(chosen.nll, 5),
                "nll_base": round(target.base, 5),
                "tokens": target.tokens,
                **self._rule.plain(target.tuned),
                "attempts": [attempt.plain() for attempt in attempts],
            },
            "llama_cpp": llama_version(),
            "created_at": now().isoformat(),
        }


def llama_version() -> str:
    """The llama.cpp binding's version."""
    from importlib.metadata import version

    return f"llama-cpp-python {version('llama-cpp-python')}"


def _refusal(attempts: Sequence[Attempt], target: Reference) -> str:
    lines = [f"{attempt.quantization}: {attempt.reason}" for attempt in attempts]
    return (
        f"No quantisation reproduces the trained model (NLL {target.tuned:.4f}, base "
        f"{target.base:.4f}); nothing is published. " + "; ".join(lines)
    )
