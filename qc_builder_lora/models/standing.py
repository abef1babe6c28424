"""Who answers now: the rule that the provider follows and `qc-lora status` tells. Starts nothing.

The local model is the one that QC_LORA_LOCAL_MODEL names, or the one in production. Where nothing
has been promoted, the hosted models whose key is set; without any, the newest candidate.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from qc_builder_lora.config import Settings
from qc_builder_lora.records import Model, Stage

if TYPE_CHECKING:
    from qc_builder_lora.store import Store

HOSTED = ("anthropic", "openai", "gemini")
PRODUCTION = "production"
"""What `local_model` says when it names no model itself."""


@dataclass(frozen=True)
class Standing:
    """One provider of the chain, and why it is there."""

    provider: str
    model: str
    why: str


@dataclass(frozen=True)
class Trying:
    """A canary: the Model, and the part of the Builds for which it answers."""

    model: Model
    share: float

    def same(self, other: Trying) -> bool:
        """Whether it is the same Model at the same share."""
        return (self.model.id, self.share) == (other.model.id, other.share)


def hosted(settings: Settings) -> list[str]:
    """The hosted providers of the chain whose key is set, in its order."""
    return [
        name for name in settings.providers if name in HOSTED and getattr(settings, f"{name}_key")
    ]


def named_file(settings: Settings) -> Path | None:
    """The GGUF file that `local_model` names, where it names one."""
    wanted = settings.local_model
    return Path(wanted) if wanted.endswith(".gguf") or Path(wanted).is_file() else None


def local_model(settings: Settings, store: Store) -> tuple[Model | None, str]:
    """The store's Model that answers, and why; NotFound for an id that it does not hold."""
    if settings.local_model != PRODUCTION:
        return store.models.get(settings.local_model), "named by local_model"
    production = store.models.production()
    if production is not None:
        return production, "in production"
    if hosted(settings):
        return None, "nothing is in production"
    if canary := store.promotions.course().canary:
        why = "the canary, for all Builds: nothing is in production, no hosted key is set"
        return store.models.get(canary.model_id), why
    newest = store.models.find(stage=Stage.CANDIDATE, limit=1)
    if newest:
        return newest[0], "the newest candidate: nothing is in production, no hosted key is set"
    return None, "nothing is in production, there is no candidate"


def canary_of(settings: Settings, store: Store) -> Trying | None:
    """The canary, where the settings leave it to the store who answers locally."""
    if "local" not in settings.providers or settings.local_url or named_file(settings):
        return None
    canary = None if settings.local_model != PRODUCTION else store.promotions.course().canary
    if canary is None or canary.share is None:
        return None
    return Trying(store.models.get(canary.model_id), canary.share)


def who_answers(settings: Settings, store: Store) -> list[Standing]:
    """The chain in its order, as a new process would have it; empty when nobody can answer."""
    keys = hosted(settings)
    found = []
    for name in settings.providers:
        if name in keys:
            found.append(Standing(name, getattr(settings, f"{name}_model"), "its key is set"))
        elif name == "local":
            found += _canary(settings, store)
            found += [local] if (local := _local(settings, store)) else []
    return found


def _canary(settings: Settings, store: Store) -> list[Standing]:
    one = canary_of(settings, store)
    if one is None or (store.models.production() is None and not hosted(settings)):
        return []
    why = f"the canary, for {one.share:.0%} of the Builds"
    return [Standing("local", one.model.id, why)]


def _local(settings: Settings, store: Store) -> Standing | None:
    if settings.local_url:
        named = settings.local_model if settings.local_model != PRODUCTION else "its first model"
        return Standing("local", named, f"the server at {settings.local_url}")
    if file := named_file(settings):
        return Standing("local", str(file), "named by local_model")
    model, why = local_model(settings, store)
    return Standing("local", model.id, why) if model else None
