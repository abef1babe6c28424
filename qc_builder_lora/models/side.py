"""What a serving process keeps and asks beside answering: the recorder, the shadow behind it, and
the watch over who is on trial.

    chain ──answer──▶ recorder ──kept──▶ shadow
      └────outcome──▶ watch ──worse──▶ rollback, webhook

Made from the settings for `qc-lora serve`. A provider used from Python has neither.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qc_builder_lora.config import Settings
from qc_builder_lora.errors import NotFound, SettingsError
from qc_builder_lora.models.budget import Budget
from qc_builder_lora.models.chain import Answered, Chain
from qc_builder_lora.models.ledger import StoreLedger
from qc_builder_lora.models.prices import load_prices
from qc_builder_lora.models.provider import StrategyProvider
from qc_builder_lora.models.recorder import Recorder
from qc_builder_lora.models.served_spool import ServedSpool
from qc_builder_lora.models.shadow import Shadow, ShadowRule, parse_window
from qc_builder_lora.models.standing import HOSTED
from qc_builder_lora.models.telling import forget, tell
from qc_builder_lora.models.watch import new_watch
from qc_builder_lora.models.writer import Writer
from qc_builder_lora.models.writers import hosted_writer, open_store, own_writer
from qc_builder_lora.notify import Webhook
from qc_builder_lora.records import Stage

if TYPE_CHECKING:
    from qc_builder_lora.store import Store

_NICEST = 19
_TELL_S = 2.0


class Side:
    """Attached to a provider's chain until it is closed."""

    def __init__(self, provider: StrategyProvider) -> None:
        """Raises SettingsError or NotFound where the settings name a shadow that there is not."""
        self._settings = settings = provider.settings
        self._ending = threading.Event()
        self.shadow = self._make_shadow(provider) if settings.shadow_share else None
        self.recorder: Recorder | None = None
        if settings.keep_requests or self.shadow:
            spool = ServedSpool(settings.home / "served-spool")
            self.recorder = Recorder(
                self._open,
                host="gateway",
                then=self._offer,
                spool=spool,
                busy=lambda: provider.chain.busy,
            )
            provider.chain.on_answer = self.recorder.take
        self.webhook = Webhook(settings.notify_webhook, settings.notify_secret)
        self.watch = new_watch(settings, "gateway", webhook=self.webhook)
        provider.chain.listen(self.watch.note)
        self._teller = threading.Thread(target=self._tell, daemon=True)
        self._teller.start()

    def plain(self) -> dict[str, Any]:
        """Counts and states, as JSON values."""
        recorder, shadow = self.recorder, self.shadow
        return {
            "requests": _counts(recorder.counts, recorder.waiting) if recorder else None,
            "shadow": shadow
            and {
                "model": shadow.model,
                "share": self._settings.shadow_share,
                "paused": shadow.paused,
                **_counts(shadow.counts, shadow.waiting),
            },
        }

    def close(self) -> None:
        """End both; what was served is written first."""
        if self.recorder is not None:
            self.recorder.close()
        if self.shadow is not None:
            self.shadow.close()
            self._ledger.close()
        self.watch.save()
        self.webhook.close()
        self._ending.set()
        self._teller.join(5)

    def _offer(self, generation_id: str, answered: Answered) -> None:
        if self.shadow is not None:
            self.shadow.offer(answered)

    def _tell(self) -> None:
        """For `qc-lora shadow status`, which shows all processes."""
        forget(self._settings.home)
        while not self._ending.wait(_TELL_S):
            tell(self._settings.home, self.plain())
        tell(self._settings.home, self.plain(), ends=True)

    def _open(self) -> Store:
        return open_store(self._settings)

    def _make_shadow(self, provider: StrategyProvider) -> Shadow:
        settings = self._settings
        rule = ShadowRule(
            share=settings.shadow_share,
            window=parse_window(settings.shadow_window),
            queue=settings.shadow_queue,
            deadline_s=settings.deadline_s,
        )
        self._ledger = StoreLedger(self._open)
        budget = Budget(load_prices(), settings.shadow_daily_usd, self._ledger)
        chain = Chain([shadow_writer(settings, self._open)], budget=budget, attempts=1)
        return Shadow(chain, rule, self._open, busy=lambda: provider.chain.busy)


def shadow_writer(settings: Settings, opened: Callable[[], Store]) -> Writer:
    """Who is asked beside the one who answers; its llama.cpp child leaves the CPUs to others."""
    wanted = settings.shadow_model
    if wanted in HOSTED:
        writer = hosted_writer(settings, wanted)
        if writer is None:
            raise SettingsError(f"shadow_model is {wanted!r}, but no key of it is set.")
        return writer
    path, name = _local_shadow(wanted, opened)
    return own_writer(settings, path, name, niceness=_NICEST)


def _local_shadow(wanted: str, opened: Callable[[], Store]) -> tuple[Path, str | None]:
    if wanted.endswith(".gguf"):
        return Path(wanted), None
    with opened() as store:
        if wanted != "candidate":
            model = store.models.get(wanted)
        else:
            found = store.models.find(stage=Stage.SHADOW) or store.models.find(
                stage=Stage.CANDIDATE
            )
            if not found:
                raise NotFound(
                    "model",
                    "candidate",
                    "There is no candidate to ask. Make one with: qc-lora turn",
                )
            model = found[0]
    return Path(model.path), model.id


def _counts(counts: Mapping[str, int], waiting: int) -> dict[str, int]:
    return {**dict(sorted(counts.items())), "waiting": waiting}
