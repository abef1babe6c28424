"""What can be read and decided on the page: reports as they were stored, and decisions on them.

Every decision goes through the function that the command line uses, so both refuse the same things
in the same words. The page adds one check of its own: a form that was opened before another
decision was made, or that was sent twice, changes nothing.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path

from qc_builder_lora.errors import CorruptFile, NotFound, PromotionRefused
from qc_builder_lora.ids import file_hash
from qc_builder_lora.records import Promotion, Verdict
from qc_builder_lora.store import Store

Promote = Callable[[Store, str, Path, str, str | None], Promotion]
"""Store, Model id, report, name of who decides, reason; refuses with a QcLoraError."""


class Decisions:
    """The decisions of one store; may be shared by threads."""

    def __init__(self, store: Store, promote: Promote) -> None:
        self._store = store
        self._promote = promote
        self._one_at_a_time = threading.Lock()

    def last(self) -> Promotion | None:
        """The newest decision, if there was one."""
        found = self._store.promotions.find(limit=1)
        return found[0] if found else None

    def promote(self, verdict: Verdict, by: str, reason: str | None, seen: str) -> Promotion:
        """Let the Model of this report answer.

        `seen` is the id of the newest decision that the person saw, "" for none. Raises
        PromotionRefused, NotFound and the other errors of the command line, with nothing changed.
        """
        with self._one_at_a_time:
            self._refuse_stale(seen)
            path = report_file(verdict)
            self._refuse_successor(verdict, path)
            return self._promote(self._store, verdict.challenger, path, by, reason)

    def reject(self, verdict: Verdict, by: str, reason: str | None, seen: str) -> Promotion:
        """Write down that the Model of this report is not to answer. Raises as `promote` does."""
        with self._one_at_a_time:
            self._refuse_stale(seen)
            path = report_file(verdict)
            self._refuse_successor(verdict, path)
            digest = verdict.report_sha256 or ""
            return self._store.promotions.reject(verdict.challenger, digest, by, reason)

    def rollback(self, by: str, reason: str | None, seen: str) -> Promotion:
        """Take the last promotion back. Raises PromotionRefused with nothing changed."""
        with self._one_at_a_time:
            self._refuse_stale(seen)
            return self._store.promotions.rollback(by, reason)

    def _refuse_stale(self, seen: str) -> None:
        last = self.last()
        if last is not None and last.id != seen:
            raise PromotionRefused(
                f"Another decision came first: {last.action} of {last.model_id!r} by "
                f"{last.decided_by}. Nothing was changed. Read this page again, then decide."
            )

    def _refuse_successor(self, verdict: Verdict, path: Path) -> None:
        """A deleted report's name may be given to the next one, which this person did not read."""
        if not path.is_file():
            return
        digest = file_hash(path)
        if digest != verdict.report_sha256 and self._store.verdicts.find(report_sha256=digest):
            raise PromotionRefused(
                f"{path} is another report by now: its SHA-256 is {digest}, this page is about "
                f"{verdict.report_sha256}. Nothing was changed. Read that report, then decide."
            )


def report_file(verdict: Verdict) -> Path:
    """Where the report of a Verdict is, or should be; NotFound when it never had one."""
    if verdict.report_path is None:
        cure = f"Build one with: qc-lora report build {verdict.challenger}"
        raise NotFound("report of verdict", verdict.id, cure)
    return Path(verdict.report_path)


def read_report(verdict: Verdict) -> bytes:
    """The report exactly as it was stored; NotFound or CorruptFile when that cannot be had."""
    path = report_file(verdict)
    cure = (
        "Nobody can decide by it. Put it back as it was, or build a new one with: "
        f"qc-lora report build {verdict.challenger}"
    )
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise NotFound("report", str(path), cure) from error
    except OSError as error:
        raise CorruptFile(path, f"cannot be read ({error.strerror})", cure) from error
    digest = hashlib.sha256(content).hexdigest()
    if digest != verdict.report_sha256:
        fact = (
            f"was changed after it was made: its SHA-256 is {digest}, the store says "
            f"{verdict.report_sha256}"
        )
        raise CorruptFile(path, fact, cure)
    return content
