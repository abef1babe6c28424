"""What the host asks for strategies: one object over the chain, and a drop-in function.

    provider = StrategyProvider()
    draft = provider.generate("Buy SPY when it crosses its 50-day mean")

Which local model answers is decided in `standing`; what follows from it for a person is said here,
once in the life of a process.
"""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from qc_builder_lora.config import Settings, load_settings
from qc_builder_lora.errors import NoProvider, NotFound, StoreError
from qc_builder_lora.ids import new_id
from qc_builder_lora.log import get_logger
from qc_builder_lora.models.artefact import describe
from qc_builder_lora.models.budget import Budget, Ledger
from qc_builder_lora.models.chain import Chain
from qc_builder_lora.models.ledger import BUSY_S, StoreLedger
from qc_builder_lora.models.local import LocalWriter
from qc_builder_lora.models.local_server import LocalServer
from qc_builder_lora.models.prices import load_prices
from qc_builder_lora.models.standing import HOSTED, PRODUCTION, hosted, local_model, named_file
from qc_builder_lora.models.succession import LocalSeat, probe
from qc_builder_lora.models.writer import Chunk, Draft, Writer, new_request
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
        self._chain: Chain | None = None
        self._seat: LocalSeat | None = None

    @property
    def chain(self) -> Chain:
        """The chain, made when first asked for; NoProvider when nothing can answer."""
        with self._lock:
            if self._chain is None:
                self._chain = self._make()
            return self._chain

    @property
    def local_server(self) -> LocalServer | None:
        """Our own llama.cpp child, once the chain is made and if it has one."""
        return self._seat.server if self._seat else None

    @property
    def local_model(self) -> str | None:
        """The id of the Model that our own child serves, None without one."""
        return self._seat.model if self._seat else None

    def seat(self, path: Path, model_id: str) -> None:
        """Let this Model answer in place of the local one there is; returns when it does.

        The other answers meanwhile, and goes on where this one raises a QcLoraError.
        """
        writer = self._own(path, model_id)
        try:
            probe(writer)
        except BaseException:
            writer.close()
            raise
        with self._lock:
            chain, seat = self._chain, self._seat
            if chain is not None:
                self._seat = seat or LocalSeat(writer)
                order = self.settings.providers
                before = order[: order.index("local")]
                place = sum(1 for other in chain.writers if other.name in before)
                chain.admit(self._seat, place)
        if chain is None:
            writer.close()
        elif seat is not None:
            seat.seat(writer)

    def generate(self, prompt: str, context: str = "", *, build_id: str | None = None) -> Draft:
        """One strategy. Raises NoProvider or BudgetExhausted when nobody answers."""
        return self.write(new_request(prompt, context), build_id=build_id)

    def stream(
        self, prompt: str, context: str = "", *, build_id: str | None = None
    ) -> Iterator[Chunk]:
        """One strategy as it is written; the last Chunk carries the Draft."""
        request = new_request(prompt, context)
        return self.chain.stream(request, build_id=build_id or self.build_id)

    def write(self, request: Request, *, build_id: str | None = None) -> Draft:
        """The answer to a Request that was made before."""
        return self.chain.write(request, build_id=build_id or self.build_id)

    def close(self) -> None:
        """End the child and close the connections; the next call would open them again."""
        with self._lock:
            chain, self._chain, self._seat = self._chain, None, None
        if chain is not None:
            chain.close()
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
        return Chain(
            writers,
            budget=budget,
            max_tokens=self.settings.max_tokens,
            deadline_s=self.settings.deadline_s,
        )

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
        return own_writer(self.settings, path, model_id)

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
        if model is None and hosted(self.settings):
            _say("no local model is in production", then="hosted models answer")
        elif model and self.settings.local_model == PRODUCTION and model.stage is Stage.CANDIDATE:
            _say(
                "no local model is in production and no hosted key is set",
                then=f"the newest candidate answers: {model.id}",
                promote_it=f"qc-lora model promote {model.id} --report REPORT --by NAME",
            )
        return model


def own_writer(
    settings: Settings, path: Path, model_id: str | None, *, niceness: int = 0
) -> LocalWriter:
    """A Writer with a llama.cpp child of ours, not started yet."""
    server = LocalServer(
        describe(path, model_id),
        context=settings.local_context,
        threads=settings.local_threads,
        memory_mb=settings.local_memory_mb,
        niceness=niceness,
    )
    return LocalWriter(server=server)


def open_store(settings: Settings) -> Store:
    """The store, made if need be, for one who will not wait long for it."""
    from qc_builder_lora.store import Store

    return Store.open(settings.database_url, busy_s=BUSY_S)


def hosted_writer(settings: Settings, name: str) -> Writer | None:
    """The Writer of a hosted provider, None where no key of it is set."""
    key: str | None = getattr(settings, f"{name}_key")
    if not key:
        return None
    writer: Callable[..., Writer] = _hosted_class(name)
    return writer(key, getattr(settings, f"{name}_model"), url=getattr(settings, f"{name}_url"))


def _hosted_class(name: str) -> Any:
    if name == "anthropic":
        from qc_builder_lora.models.anthropic import AnthropicWriter

        return AnthropicWriter
    if name == "openai":
        from qc_builder_lora.models.openai import OpenAIWriter

        return OpenAIWriter
    from qc_builder_lora.models.gemini import GeminiWriter

    return GeminiWriter


def _say(event: str, **keys: str) -> None:
    """A warning, once in the life of a process."""
    line = f"{event} {sorted(keys.items())}"
    if line not in _said:
        _said.add(line)
        log.warning(event, **keys)


_default_lock = threading.Lock()
_default: StrategyProvider | None = None


def generate_strategy(prompt: str) -> str:
    """The code of one strategy: a drop-in for a builder's own function of that name.

    The provider is made at the first call and kept until the process ends.
    """
    global _default  # noqa: PLW0603 - kept between calls, so that the model is loaded once
    with _default_lock:
        if _default is None:
            _default = StrategyProvider()
            atexit.register(_default.close)
        provider = _default
    return provider.generate(prompt).code
