"""Blue/green: the local model changes while requests go on, and none of them notices.

The new model's server is started and probed beside the old one's; only then it is asked. What the
old one has begun it finishes, then it ends, or stays loaded for a while so that going back takes
no time (`local_standby_s`). A new one that does not come up changes nothing. A canary comes and
goes in the same way. While two are loaded, the machine holds both in memory: a second that has no
room is not started.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from qc_builder_lora.errors import NotFound, QcLoraError
from qc_builder_lora.log import get_logger
from qc_builder_lora.models.guard import HOSTED as HOSTED_MODELS
from qc_builder_lora.models.guard import Trialled
from qc_builder_lora.models.standing import PRODUCTION, Trying, canary_of, hosted
from qc_builder_lora.records import Model, Stage

if TYPE_CHECKING:
    from qc_builder_lora.models.provider import StrategyProvider
    from qc_builder_lora.models.watch import Watch
    from qc_builder_lora.store import Store

LOOK_S = 1.0
"""How often a serving process looks who is to answer, in seconds."""
_AGAIN_S = 300.0
"""After a model that did not come up: how long until the same one is tried again."""

log = get_logger(__name__)


@dataclass(frozen=True)
class _Wanted:
    """Who is to answer, as the store says."""

    production: Model | None
    canary: Trying | None
    taken_back: bool
    """Whether who answers now was taken out of production, and nobody put in."""


class Succession:
    """Looks now and then who is to answer, and lets them answer in a provider."""

    def __init__(
        self, provider: StrategyProvider, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._provider, self._clock = provider, clock
        self._store: Store | None = None
        self._failed: dict[str, float] = {}
        """Model id → when it last did not come up."""
        self._kept_since: float | None = None
        self._said = ""

    def look(self, doubted: Trialled | None = None, share: float = 0.0) -> None:
        """Look once; returns when those who are to answer do, or cannot.

        Beside a promotion that is `doubted` the one before it answers for a share of the Builds.
        """
        wanted = self._wanted()
        if wanted is None:
            return
        before = self._provider.local_model
        if wanted.production is not None and wanted.production.id != before:
            self._change(wanted.production, before)
        elif wanted.taken_back:
            self._provider.unseat()
            log.info("the local model was taken back; hosted models answer", before=before)
        in_doubt = doubted is not None and wanted.canary is None
        self._look_at_holdback(doubted if in_doubt else None, share)
        self._look_at_canary(wanted.canary)
        self._let_go()

    def follow(self, every_s: float, stop: threading.Event, watch: Watch | None = None) -> None:
        """Look every so many seconds until told to stop; `watch` looks for who is worse."""
        while not stop.wait(every_s):
            try:
                self.step(watch)
            except Exception as error:  # noqa: BLE001 - said; a thread that ends here says nothing
                fact = f"{type(error).__name__}: {error}"
                log.error("looking who is to answer failed", error=fact)
        if watch is not None:
            watch.close()
        if self._store is not None:
            self._store.close()

    def step(self, watch: Watch | None = None) -> None:
        """Look once who does worse, then who is to answer."""
        finding = watch.look() if watch is not None else None
        trial = self._provider.trial
        if finding is not None and trial is not None and trial.model.id == finding.trialled.model:
            # Here at once, whether or not the store could be told.
            self._provider.end_trial()
        if watch is None:
            self.look()
        else:
            self.look(watch.holdback, watch.guard.rule.holdback)

    def _change(self, model: Model, before: str | None) -> None:
        keep = self._provider.settings.local_standby_s > 0
        if self._comes_up(model.id, f"{before or 'hosted models'} as before", lambda:
                          self._provider.seat(Path(model.path), model.id, keep=keep)):  # fmt: skip
            self._kept_since = self._clock()
            log.info("the promoted model answers", model=model.id, before=before)

    def _look_at_holdback(self, doubted: Trialled | None, share: float) -> None:
        before = self._provider.holdback
        wanted = doubted.other if doubted and doubted.model == self._provider.local_model else None
        if wanted == before:
            return
        if before is not None:
            self._provider.end_holdback()
            log.info("the model before answers no more", model=before)
        if wanted is None or self._store is None:
            return
        try:
            model = None if wanted == HOSTED_MODELS else self._store.models.get(wanted)
        except QcLoraError:
            return  # The next look asks again.
        # A name of its own: where there was no room for it beside the other, it may yet replace it.
        if self._comes_up(f"{wanted} again", "the promoted model for all Builds",
                          lambda: self._provider.hold_back(model, share)):  # fmt: skip
            log.info("the model before answers again", model=wanted, share=share)

    def _look_at_canary(self, canary: Trying | None) -> None:
        before = self._provider.trial
        if canary is None:
            if before is not None:
                self._provider.end_trial()
                log.info("the canary has ended", model=before.model.id)
            return
        if before is not None and before.same(canary):
            return
        if self._comes_up(canary.model.id, "all Builds as before",
                          lambda: self._provider.try_out(canary)):  # fmt: skip
            log.info("the canary answers", model=canary.model.id, share=canary.share)

    def _comes_up(self, model: str, otherwise: str, seat: Callable[[], object]) -> bool:
        last = self._failed.get(model)
        if last is not None and self._clock() - last < _AGAIN_S:
            return False
        try:
            seat()
        except QcLoraError as error:
            self._failed[model] = self._clock()
            if last is None:
                log.warning("a model that is to answer does not come up", answers=otherwise,
                            why=str(error))  # fmt: skip
            return False
        self._failed.pop(model, None)
        return True

    def _let_go(self) -> None:
        """End the model before the last one, when its time is over."""
        since = self._kept_since
        if since is not None and self._clock() - since >= self._provider.settings.local_standby_s:
            self._kept_since = None
            self._provider.forget_before()

    def _wanted(self) -> _Wanted | None:
        """None where the store cannot say: then nothing changes."""
        from qc_builder_lora.store import Store

        settings = self._provider.settings
        try:
            if self._store is None:
                self._store = Store.open(settings.database_url, upgrade=False)
            production = self._store.models.production()
            before = self._provider.local_model
            gone = (
                production is None
                and before is not None
                and bool(hosted(settings))
                and self._store.models.has(before)
                and self._store.models.get(before).stage is Stage.ARCHIVED
            )
            found = _Wanted(production, canary_of(settings, self._store), gone)
        except NotFound:
            return None  # No database yet, so nobody has promoted anything.
        except QcLoraError as error:
            # By its kind: a text may have figures in it that change all the time.
            if type(error).__name__ != self._said:
                self._said = type(error).__name__
                log.warning("production cannot be looked up", why=str(error))
            return None
        self._said = ""
        return found


@contextmanager
def following(
    provider: StrategyProvider, every_s: float = LOOK_S, watch: Watch | None = None
) -> Iterator[None]:
    """Follow the store's decisions in a thread, as long as the block lasts.

    Not where the settings name the local model, or another's server: those are the owner's word.
    """
    stop = threading.Event()
    if follows(provider):
        follow = Succession(provider).follow
        # Not waited for: it may be loading a model. Closing the provider ends that.
        threading.Thread(target=follow, args=(every_s, stop, watch), daemon=True).start()
    try:
        yield
    finally:
        stop.set()


def follows(provider: StrategyProvider) -> bool:
    """Whether the store says who answers locally."""
    settings = provider.settings
    return (
        "local" in settings.providers
        and not settings.local_url
        and settings.local_model == PRODUCTION
    )
