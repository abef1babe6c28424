"""Every error we raise, in one small tree. An error is given data and writes its own sentence:
the fact, the value, the cure. Only the command line turns one into an exit code.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Any


class QcLoraError(Exception):
    """The root; `exit_code` is what the command line leaves with."""

    exit_code = 1

    def __reduce__(self) -> tuple[Any, ...]:
        # Each class makes its sentence out of its arguments; pickle would hand it the sentence.
        return _rebuilt, (type(self), self.args, self.__dict__)


def _rebuilt(kind: type[QcLoraError], args: tuple[Any, ...], state: dict[str, Any]) -> QcLoraError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class SettingsError(QcLoraError, ValueError):
    """A setting, recipe or option has a value that cannot be used."""

    exit_code = 2


class UnknownKey(SettingsError):
    """A file has a key that nobody reads; a silently ignored option is worse than an error."""

    def __init__(self, where: str | Path, key: str, known: Iterable[str]) -> None:
        names = sorted(known)
        close = difflib.get_close_matches(key, names, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        super().__init__(f"{where}: unknown key {key!r}.{hint} Known keys: {', '.join(names)}.")
        self.key = key


class MissingExtra(QcLoraError, ImportError):
    """A stage needs a library that this installation leaves out."""

    exit_code = 2

    def __init__(self, extra: str, library: str) -> None:
        super().__init__(
            f"{library} is not installed. Install it with: pip install 'qc-builder-lora[{extra}]'"
        )
        self.extra = extra


class NotFound(QcLoraError, LookupError):
    """Something asked for by name or id is not there."""

    exit_code = 2

    def __init__(self, what: str, name: str, cure: str, known: Iterable[str] = ()) -> None:
        close = difflib.get_close_matches(name, sorted(known), n=1)
        hint = f"Did you mean {close[0]!r}? " if close else ""
        super().__init__(f"No {what} named {name!r}. {hint}{cure}")


class InputError(QcLoraError, ValueError):
    """A file or text given by the user cannot be used as it is."""

    exit_code = 2


class FormulaError(InputError):
    """The text of an alpha does not follow the grammar or the types."""

    def __init__(self, formula: str, at: int, fact: str, cure: str) -> None:
        line = " ".join(formula.split("\n")).replace("\t", " ")
        start = max(0, at - 50)
        shown = f"    {line[start : at + 30]}\n    {' ' * (at - start)}^"
        super().__init__(f"column {at + 1}: {fact}. {cure}\n{shown}")
        self.at = at


class CorruptFile(InputError):
    """A file is damaged or is not what its name says."""

    def __init__(self, path: Path, fact: str, cure: str) -> None:
        super().__init__(f"{path}: {fact}. {cure}")
        self.path = path


class DiskFull(QcLoraError, OSError):
    """A write failed for lack of space; what was on disk before is still there."""

    def __init__(self, path: Path, needed_mb: float | None, free_mb: float, kept: str) -> None:
        needed = f"{needed_mb:.0f} MB needed, " if needed_mb is not None else ""
        super().__init__(
            f"{path}: no space left on the disk ({needed}{free_mb:.0f} MB free). "
            f"{kept}{' ' if kept else ''}"
            "Free some space, or move the home with QC_LORA_HOME, and run the same command again."
        )


class StoreError(QcLoraError):
    """The database cannot be used as asked."""


class NewerStore(StoreError):
    """The database was written by a later version of this program."""

    def __init__(self, url: str, found: str, known: str) -> None:
        super().__init__(
            f"{url}: the database is at revision {found!r}, which this version of qc-lora does not "
            f"know (it knows up to {known!r}). Nothing was changed. Install the newer qc-lora, or "
            "point QC_LORA_DATABASE at another database."
        )


class OlderStore(StoreError):
    """The database has to be upgraded before it can be used."""

    def __init__(self, url: str, found: str | None, needed: str) -> None:
        super().__init__(
            f"{url}: the database is at revision {found or 'empty'!r}, this version of qc-lora "
            f"needs {needed!r}. Nothing was changed. Upgrade it with: qc-lora store upgrade"
        )
        self.found = found


class StoreUnavailable(StoreError):
    """The database cannot be reached, opened or written at present; nothing was changed."""


class StoreBusy(StoreUnavailable):
    """Another process held the database for longer than we were told to wait."""


class EmptySnapshot(QcLoraError):
    """There is nothing to train on."""

    exit_code = 2

    def __init__(self, fact: str) -> None:
        super().__init__(
            f"The snapshot has no training examples: {fact}. Add some with: qc-lora corpus build, "
            "or look at what stopped the harvested ones: qc-lora strategy list"
        )


class DamagedSnapshot(StoreError):
    """A snapshot in the store is not what was frozen under its name."""

    def __init__(self, name: str, fact: str) -> None:
        super().__init__(
            f"Snapshot {name[:12]} is not what was frozen: {fact}. Look at the database with: "
            "qc-lora store check, take a backup in with: qc-lora store import FILE into an empty "
            "one, or freeze what there is now with: qc-lora snapshot build"
        )


class IngestBusy(QcLoraError):
    """Another process is reading the spool."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"{folder}: another process is taking records from it. Nothing is lost: it will take "
            "them all. Look at what it did with: qc-lora harvest status"
        )
        self.folder = folder


class BacktestError(QcLoraError):
    """The engine itself failed, as opposed to the strategy. Never counted as the strategy's."""


class EngineUnavailable(BacktestError):
    """An engine outside of this process cannot be asked, or did not answer as it should."""

    exit_code = 2

    def __init__(self, engine: str, fact: str, cure: str = "") -> None:
        super().__init__(f"{engine}: {fact}" + (f" {cure}" if cure else ""))
        self.engine, self.fact, self.cure = engine, fact, cure


class SandboxUnavailable(BacktestError):
    """A part of the wall around strategies cannot be had here, and was not waived."""

    exit_code = 2

    def __init__(self, missing: Iterable[str], why: str, cure: str) -> None:
        self.missing, self.why, self.cure = tuple(missing), why, cure
        super().__init__(
            f"The sandbox has no wall here ({', '.join(self.missing)} missing): {why}. No strategy "
            f"was run. {cure}"
        )


class ProviderError(QcLoraError):
    """A model provider did not answer as it should.

    `kind` decides what the chain does: see `qc_builder_lora.models.faults`. `retry_after_s` is
    what the provider asked us to wait, in seconds, None where it did not say.
    """

    def __init__(
        self,
        provider: str,
        kind: str,
        fact: str,
        cure: str = "",
        *,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(f"{provider}: {fact}" + (f" {cure}" if cure else ""))
        self.provider = provider
        self.kind = kind
        self.retry_after_s = retry_after_s


class NoProvider(QcLoraError):
    """Every provider of the chain failed, or none is configured. `failures` says how, in order."""

    def __init__(self, fact: str, failures: Iterable[ProviderError] = ()) -> None:
        super().__init__(fact)
        self.failures = tuple(failures)


class BudgetExhausted(NoProvider):
    """The build has spent its money; local generation stays allowed."""


class UnknownPrice(QcLoraError):
    """Nobody knows what a hosted model costs, so it is not asked."""

    def __init__(self, provider: str, model: str, where: str) -> None:
        super().__init__(
            f"{provider}: no price is known for {model!r}, so it is not asked. Add to {where}, "
            f'under [{provider}]: "{model}" = {{ input = "…", output = "…" }} in US dollars per '
            'million tokens ("0" if it is free).'
        )


class PromptTooLong(UnknownPrice):
    """The price that is known does not hold for a prompt of that length."""

    def __init__(self, provider: str, model: str, tokens: int, up_to: int, where: str) -> None:
        QcLoraError.__init__(
            self,
            f"{provider}: the prompt may have {tokens} tokens, and the price of {model!r} is known "
            f"up to {up_to}, so it is not asked. Shorten the prompt, or raise up_to in {where}.",
        )


class TrainingError(QcLoraError):
    """Training cannot go on."""


class ParityError(QcLoraError):
    """The served artefact does not reproduce the trained model; it is not published."""


class PromotionRefused(QcLoraError):
    """A promotion that is not bound to the right report and artefact."""


class TurnBusy(QcLoraError):
    """Another process holds the lease of the loop."""


class Stopped(QcLoraError):
    """Work was asked to stop and did, with what it had finished kept."""

    exit_code = 130
