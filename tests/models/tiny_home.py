"""A home with tiny models that llama.cpp really serves, for tests of who answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qc_builder_lora.config import Settings
from qc_builder_lora.ids import file_hash, new_id, now, text_hash
from qc_builder_lora.records import Model, Promotion, Stage, Verdict, VerdictKind
from qc_builder_lora.store import Store


class Home:
    """A home with a store and tiny models that llama.cpp really serves."""

    def __init__(self, folder: Path, weights: Path) -> None:
        self.folder, self._weights = folder, weights
        self.url = f"sqlite:///{folder / 'store.db'}"
        self.store = Store.open(self.url)

    def settings(self, **given: Any) -> Settings:
        return Settings(
            **{
                "home": self.folder,
                "local_context": 1024,
                "max_tokens": 8,
                "local_standby_s": 0,
                **given,
            }
        )

    def model(self, name: str, weights: bytes | None = None) -> Model:
        path = self.folder / name / "model.gguf"
        path.parent.mkdir()
        path.write_bytes(self._weights.read_bytes() if weights is None else weights)
        # This template ends in a bracket, which the random weights repeat: text, and not a blank.
        (path.parent / "manifest.json").write_text('{"template": "inst"}')
        return self.store.models.add(
            Model(
                id=name, adapter_id=None, path=str(path), sha256=file_hash(path) + name,
                quantization="F16", manifest={}, stage=Stage.CANDIDATE, created_at=now(),
            )
        )  # fmt: skip

    def promote(self, model: Model, share: float | None = None) -> Promotion:
        """Into production, or on trial for a share of the Builds."""
        before = self.store.models.production()
        report = text_hash(new_id())
        self.store.verdicts.add(
            Verdict(
                id=new_id(), champion=before.id if before else "base:tiny", challenger=model.id,
                kind=VerdictKind.BETTER, evidence={}, created_at=now(), report_sha256=report,
            )
        )  # fmt: skip
        return self.store.promotions.promote(model.id, model.sha256, report, "Ada", share=share)
