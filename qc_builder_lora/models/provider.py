"""What the host asks for strategies: one object over the chain.

    provider = StrategyProvider()
    draft = provider.generate("Buy SPY when it crosses its 50-day mean")

Which local model answers is decided in `standing`; what follows from it for a person is said here,
once in the life of a process.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from qc_builder_lora.config import Settings, load_settings
from qc_builder_lora.errors import NoProvider, NotFound, QcLoraError, StoreError
from qc_builder_lora.ids import new_id
from qc_builder_lora.log import get_logger
from qc_builder_lora.models.budget import Budget, Ledger
from qc_builder_lora.models.chain import Chain
from qc_builder_lora.models.guard import HOSTED as HOSTED_MODELS
from qc_builder_lora.models.ledger import StoreLedger
from qc_builder_lora.models.local import LocalWriter
from qc_builder_lora.models.local_server import Child
from qc_builder_lora.models.memory import available_mb, needed_mb, refuse_without_room
from qc_builder_lora.models.prices import load_prices
from qc_builder_lora.models.routing import takes
from qc_builder_lora.models.seat import LocalSeat, probe
from qc_builder_lora.models.standing import (
    HOSTED,
    PRODUCTION,
    Trying,
    canary_of,
    hosted,
    local_model,
    named_file,
)
from qc_builder_lora.models.writer import Chunk, Draft, Writer, new_request
from qc_builder_lora.models.writers import adapter_host, hosted_writer, open_store, own_writer
from qc_builder_lora.records import Model, Request, Stage

if TYPE_CHECKING:
    from qc_builder_lora.store import Store

_KEYS = "ANTHROPIC_API_KEY, OPENAI_API_KEY or GEMINI_API_KEY"

log = get_logger(__name__)
_said: set[str] = set()


class StrategyProvider:
    """Writes strategies with the first provider of the chain that can."""

    def __init__(
        self,
        settings: Settings | None = None,
        store: Store | None = None,
        *,
        ledger: Ledger | None = None,
        build_id: str | None = None,
    ) -> None:
        """`build_id` is the Build whose budget is used where a call names none; by default this
        object is a Build of its own. Nothing is opened, started or spent before the first call.
        """
        self.settings = settings or load_settings()
        self.build_id = build_id or new_id()
        self._store, self._ledger = store, ledger
        self._lock = threading.Lock()
        self._host = adapter_host(self.settings)
        self._chain: Chain | None = None
        self._seat: LocalSeat | None = None
        self._closed = threading.Event()
        self._closed.set()
        self._canary: Trying | None = None
        self.trial: Trying | None = None
        """The canary that answers here for a share of the Builds."""
        self.holdback: str | None = None
        """Who answers beside a promotion in doubt: the Model before it, or HOSTED_MODELS."""

    @property
    def chain(self) -> Chain:
        """The chain, made when first asked for; NoProvider when nothing can answer."""
        with self._lock:
            if self._chain is None:
                self._chain = self._make()
            return self._chain

    @property
    def local_server(self) -> Child | None:
        """Our own llama.cpp child, once the chain is made and if it has one."""
        return self._seat.server if self._seat else None

    @property
    def local_model(self) -> str | None:
        """The id of the Model that our own child serves, None without one."""
        return self._seat.model if self._seat else None

    @property
    def unsaved_spendings(self) -> int:
        """Rows of the ledger that the store has not taken yet."""
        return self._ledger.waiting if isinstance(self._ledger, StoreLedger) else 0

    @property
    def local_waiting(self) -> int:
        """Requests that our own children have begun and not ended."""
        return self._seat.waiting if self._seat else 0

    def seat(self, path: Path, model_id: str, *, keep: bool = False) -> None:
        """Let this Model answer in place of the local one there is; returns when it does.

        The other answers meanwhile, and goes on where this one raises a QcLoraError. With `keep`
        it stays loaded, for a way back.
        """
        writer = self._ready(path, model_id)
        with self._lock:
            chain, seat = self._chain, self._seat
            if chain is not None and seat is None:
                self._seat = LocalSeat(writer)
        if chain is None:
            writer.close()
            return
        if seat is not None:
            seat.seat(writer, keep=keep)
        with self._lock:
            if chain is self._chain and self._seat is not None:
                chain.admit(self._seat, self._place(chain))
        if self.trial is not None and self.trial.model.id == model_id:
            self.end_trial()
        if self.holdback is not None:
            self.end_holdback()

    def unseat(self) -> None:
        """Let no local model answer but a canary."""
        if self._chain is not None and self._seat is not None:
            self._chain.dismiss("local")
            self._seat.seat(None)

    def forget_before(self) -> None:
        """Keep the Model that answered before this one loaded no longer."""
        if self._seat is not None:
            self._seat.forget_before()

    def try_out(self, canary: Trying) -> None:
        """Let a canary answer for its share of the Builds; returns when it does."""
        model = canary.model
        if self.trial is None or self.trial.model.id != model.id:
            writer = self._ready(Path(model.path), model.id)
            with self._lock:
                chain = self._chain
                if chain is not None and self._seat is None:
                    self._seat = LocalSeat()
                seat = self._seat
            if chain is None or seat is None:
                writer.close()
                return
            seat.try_out(writer)
        self._route(canary)

    def end_trial(self) -> None:
        """Let the canary answer no more; what it has begun it ends."""
        self.trial = None
        if self._chain is not None and self._seat is not None:
            self._chain.end_trial()
            self._seat.try_out(None)

    def hold_back(self, before: Model | None, share: float) -> None:
        """Let the Model before the one that answers, or the hosted ones for None, answer for a
        part of the Builds again; returns when it does."""
        writer = self._ready(Path(before.path), before.id) if before else None
        chain, seat = self._chain, self._seat
        if chain is None or seat is None:
            if writer is not None:
                writer.close()
            return
        who = before.id if before else HOSTED_MODELS
        if writer is not None:
            seat.try_out(writer)
        beside: Writer | None = seat.canary
        if before is None:
            beside = next((one for one in chain.writers if one.name in HOSTED), None)
        if beside is None:
            raise NoProvider("No hosted model can answer: no key is set.")
        key = f"holdback:{who}"
        chain.try_out(beside, self._place(chain), lambda build: takes(key, share, build))
        self.holdback = who

    def end_holdback(self) -> None:
        """Let the one before answer no more; what it has begun it ends."""
        self.holdback = None
        if self._chain is not None and self._seat is not None:
            self._chain.end_trial()
            self._seat.try_out(None)

    def generate(self, prompt: str, context: str = "", *, build_id: str | None = None) -> Draft:
        """One strategy. Raises NoProvider or BudgetExhausted when nobody answers."""
        return self.write(new_request(prompt, context), build_id=build_id)

    def stream(
        self, prompt: str, context: str = "", *, build_id: str | None = None
    ) -> Iterator[Chunk]:
        """One strategy as it is written; the last Chunk carries the Draft."""
        request = new_request(prompt, context)
        return self._followed().stream(request, build_id=build_id or self.build_id)

    def write(self, request: Request, *, build_id: str | None = None) -> Draft:
        """The answer to a Request that was made before."""
        return self._followed().write(request, build_id=build_id or self.build_id)

    def close(self) -> None:
        """End the child and close the connections; the next call would open them again."""
        with self._lock:
            chain, seat = self._chain, self._seat
            self._chain, self._seat, self.trial, self.holdback = None, None, None, None
            self._closed.set()
        if chain is not None:
            chain.close()
        if seat is not None:
            seat.close()
        if isinstance(self._ledger, StoreLedger):
            self._ledger.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _make(self) -> Chain:
        makers: dict[str, Callable[[], Writer | None]] = {
            "local": self._local,
            **{name: self._maker(name) for name in HOSTED},
        }
        writers = [
            writer for name in self.settings.providers if (writer := makers[name]()) is not None
        ]
        if not writers:
            raise NoProvider(
                "No model can answer: none is in production, there is no candidate, and no key of "
                "a hosted model is set. Make one with: make demo; or name a GGUF file in "
                f"QC_LORA_LOCAL_MODEL, a server in QC_LORA_LOCAL_URL, or set {_KEYS}."
            )
        if not hosted(self.settings):
            _say("no hosted key is set", then="the local model answers alone", keys=_KEYS)
        if self._ledger is None:
            self._ledger = StoreLedger(lambda: open_store(self.settings))
        budget = Budget(load_prices(), self.settings.budget_usd, self._ledger)
        chain = Chain(
            writers,
            budget=budget,
            max_tokens=self.settings.max_tokens,
            deadline_s=self.settings.deadline_s,
        )
        self._begin_trial(chain)
        return chain

    def _followed(self) -> Chain:
        """The chain; where a canary answers, what becomes of it is looked after from now on."""
        chain = self.chain
        with self._lock:
            if self.trial is None or not self._closed.is_set():
                return chain
            self._closed = threading.Event()
        from qc_builder_lora.models.succession import LOOK_S, Succession
        from qc_builder_lora.models.watch import new_watch

        watch = new_watch(self.settings, "builder")
        chain.listen(watch.note)
        follow = Succession(self).follow
        threading.Thread(target=follow, args=(LOOK_S, self._closed, watch), daemon=True).start()
        return chain

    def _ready(self, path: Path, model_id: str) -> LocalWriter:
        """A Writer whose model is loaded and has written a word."""
        seat = self._seat
        loaded = seat.loaded(model_id) if seat is not None else None
        if loaded is not None:
            return loaded
        if seat is not None and seat.server is not None and self._host is None:
            refuse_without_room(path)
        writer = self._own(path, model_id)
        try:
            probe(writer)
        except BaseException:
            writer.close()
            raise
        return writer

    def _place(self, chain: Chain) -> int:
        """Where in the chain the local model stands."""
        order = self.settings.providers
        before = order[: order.index("local")]
        return sum(1 for other in chain.writers if other.name in before)

    def _route(self, canary: Trying, chain: Chain | None = None) -> None:
        chain = chain or self._chain
        if chain is None or self._seat is None:
            return
        key, share = canary.model.id, canary.share
        place = self._place(chain)
        chain.try_out(self._seat.canary, place, lambda build: takes(key, share, build))
        self.trial = canary

    def _begin_trial(self, chain: Chain) -> None:
        """The canary of a new chain: loaded when it is first asked, like the champion."""
        canary = self._canary
        if canary is None or self.local_model == canary.model.id:
            return
        path, seated = Path(canary.model.path), self._seat
        try:
            free = available_mb()
            if seated is not None and seated.server is not None and free is not None:
                free -= needed_mb(seated.server.artefact.path)
            if self._host is None:
                refuse_without_room(path, free)
            writer = self._own(path, canary.model.id)
        except QcLoraError as error:
            _say("the canary does not answer", then="all Builds as before", why=str(error))
            return
        self._seat = seated or LocalSeat()
        self._seat.try_out(writer)
        self._route(canary, chain)

    def _maker(self, name: str) -> Callable[[], Writer | None]:
        return lambda: hosted_writer(self.settings, name)

    def _local(self) -> Writer | None:
        settings = self.settings
        if settings.local_url:
            named = settings.local_model if settings.local_model != PRODUCTION else None
            return LocalWriter(url=settings.local_url, model=named, key=settings.local_key)
        found = self._artefact()
        if found is None:
            return None
        self._seat = LocalSeat(self._own(*found))
        return self._seat

    def _own(self, path: Path, model_id: str | None) -> LocalWriter:
        """A Writer with a llama.cpp child of ours, not started yet."""
        if self._host is None or model_id is None:
            return own_writer(self.settings, path, model_id)
        return LocalWriter(server=self._host.lease(path, model_id))

    def _artefact(self) -> tuple[Path, str | None] | None:
        """The model's file and id; None if there is none and a hosted model can answer."""
        if file := named_file(self.settings):
            return file, None
        try:
            model = self._from_store()
        except StoreError as error:
            if not hosted(self.settings):
                raise
            _say("the store cannot be read", then="hosted models answer", why=str(error))
            return None
        return (Path(model.path), model.id) if model else None

    def _from_store(self) -> Model | None:
        if self._store is not None:
            return self._choose(self._store)
        from qc_builder_lora.store import Store

        try:
            # Asking for a strategy must not make or change a database.
            opened = Store.open(self.settings.database_url, upgrade=False)
        except NotFound:
            if self.settings.local_model != PRODUCTION:
                raise
            return None
        with opened:
            return self._choose(opened)

    def _choose(self, store: Store) -> Model | None:
        model, _ = local_model(self.settings, store)
        self._canary = canary_of(self.settings, store)
        if model is None and hosted(self.settings):
            _say("no local model is in production", then="hosted models answer")
        elif model and self.settings.local_model == PRODUCTION and model.stage is Stage.CANDIDATE:
            _say(
                "no local model is in production and no hosted key is set",
                then=f"the newest candidate answers: {model.id}",
                promote_it=f"qc-lora model promote {model.id} --report REPORT --by NAME",
            )
        return model


def _say(event: str, **keys: str) -> None:
    """A warning, once in the life of a process."""
    line = f"{event} {sorted(keys.items())}"
    if line not in _said:
        _said.add(line)
        log.warning(event, **keys)
