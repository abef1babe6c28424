"""The 101 formulas out of the user's own copy of arXiv:1601.00991; its text is kept nowhere.

Text that a PDF breaks is mended: ligatures, lines and pages in the middle of a formula, hyphens and
underscores at the end of a line, page numbers and footers between the lines. Pages that are
pictures are not read: there is no text in them.
"""

from __future__ import annotations

import http.client
import logging
import re
import unicodedata
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from qc_builder_lora.errors import CorruptFile, FormulaError, InputError, MissingExtra, NotFound
from qc_builder_lora.files import atomic_write
from qc_builder_lora.harvest.corpus.alphas.grammar import parse
from qc_builder_lora.harvest.corpus.alphas.language import FUNCTIONS, INPUTS, LEVELS
from qc_builder_lora.harvest.corpus.alphas.tree import Expr

COUNT = 101
ADDRESS = "https://arxiv.org/pdf/1601.00991"
VERSION = "arXiv:1601.00991"
LICENCE = "LicenseRef-WorldQuant-paper"
"""The paper keeps all rights to its formulas, so they teach only those who ask for them."""
_HEADING = re.compile(r"^\s*Alpha\s*#\s*(\d{1,3})\s*[:.=\x00]?", re.IGNORECASE | re.MULTILINE)
_PAGE_NUMBER = re.compile(r"^\s*(page\s+)?\d{1,4}(\s+of\s+\d+)?\s*$", re.IGNORECASE)
_HYPHENATED = re.compile(r"([A-Za-z_]+)[-\u00ad\u2010]?\n\s*([A-Za-z_]+)")
_CUT_NAME = re.compile(r"(?<=[A-Za-z0-9][_.])[ \t]*\n\s*")
_WORDS = frozenset((*FUNCTIONS, *INPUTS, *LEVELS, "indclass"))
_SIGNS = str.maketrans({
    "\u2212": "-", "\u2013": "-", "\u2014": "-", "\u00d7": "*", "\u2217": "*", "\u2044": "/",
    "\u2215": "/", "\u02c6": "^", "\u2039": "<", "\u203a": ">", "\u2223": "|", "\u00a0": " ",
    "\u00b7": "*", "\u22c5": "*", "\u2219": "*", "\u00f7": "/", "\u2264": "<=", "\u2265": ">=",
    "\u2016": "||", "\u2225": "||", "\u200b": None, "\u2060": None, "\ufeff": None,
})  # fmt: skip
_LONGEST = 40
"""Lines that a formula may have; the longest of the paper has four."""
_TIMEOUT_S = 60.0
_LARGEST = 50 * 2**20
"""Bytes of a paper that is fetched; this one has 0.3 million."""
_CURE = f"Give the PDF of arXiv:1601.00991, as it is at {ADDRESS}."


@dataclass(frozen=True)
class PaperAlpha:
    """One numbered formula of the paper."""

    number: int
    tree: Expr


@dataclass(frozen=True)
class Reading:
    """What a PDF has of the 101: those that were read, and the numbers of those that were not."""

    path: Path
    found: tuple[PaperAlpha, ...]
    missing: tuple[int, ...]
    """No such heading in the text."""
    broken: Mapping[int, str]
    """Number → why what follows its heading is no formula."""

    @property
    def is_whole(self) -> bool:
        return len(self.found) == COUNT

    @property
    def lacking(self) -> str:
        """`Not found: 44 to 101. Alpha#3 cannot be read: …`; empty where nothing is lacking."""
        parts = [f"Not found: {_ranges(self.missing)}."] if self.missing else []
        parts += [f"Alpha#{n} cannot be read: {why}" for n, why in sorted(self.broken.items())]
        return " ".join(parts)

    def refused(self) -> InputError:
        """The sentence for a PDF that has not all of them."""
        told = f"{self.path}: {len(self.found)} of the {COUNT} formulas of {VERSION} were read. "
        told += f"{self.lacking} Nothing was stored. Give the paper itself, as it is at {ADDRESS}"
        return InputError(f"{told}{', or take what was read with --partial' * bool(self.found)}.")


def read_paper(path: Path) -> list[PaperAlpha]:
    """All 101, in order; InputError names those that are not there or cannot be read."""
    reading = look_through(path)
    if not reading.is_whole:
        raise reading.refused()
    return list(reading.found)


def look_through(path: Path) -> Reading:
    """Whatever formulas of the paper a PDF has, and which it has not."""
    found: dict[int, Expr] = {}
    broken: dict[int, str] = {}
    for number, texts in _sections(pages_of(path)).items():
        try:
            found[number] = _first_formula(texts)
        except FormulaError as error:
            broken[number] = str(error)
    numbers = range(1, COUNT + 1)
    return Reading(
        path=path,
        found=tuple(PaperAlpha(n, found[n]) for n in numbers if n in found),
        missing=tuple(n for n in numbers if n not in found and n not in broken),
        broken={n: why for n, why in broken.items() if n in numbers},
    )


def _ranges(numbers: Sequence[int]) -> str:
    """`1, 3 to 5, 9`."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(str(r[0]) if len(r) == 1 else f"{r[0]} to {r[-1]}" for r in runs)


def pages_of(path: Path) -> list[str]:
    """The text of each page of a PDF; errors say what kind of file it was."""
    try:
        from pypdf import PdfReader
        from pypdf.errors import FileNotDecryptedError, PyPdfError
    except ImportError as error:
        raise MissingExtra("corpus", "pypdf") from error
    _check_head(path)
    # It tells its logger of every flaw that it works around.
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    try:
        pages = [page.extract_text() or "" for page in PdfReader(path).pages]
    except FileNotDecryptedError as error:
        told = "a PDF that opens with a password only"
        raise CorruptFile(path, told, f"Save a copy without one. {_CURE}") from error
    # Its parser meets a damaged file with errors of many kinds.
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError,
            ZeroDivisionError, NotImplementedError, AssertionError, OSError) as error:  # fmt: skip
        raise CorruptFile(path, f"a PDF that cannot be read ({error})", _CURE) from error
    if not any(page.strip() for page in pages):
        raise CorruptFile(path, "a PDF without text, perhaps scanned pages", _CURE)
    return pages


def _check_head(path: Path) -> None:
    """Raise for what is no PDF at all, saying what it is."""
    try:
        with path.open("rb") as file:
            head = file.read(1024)
    except FileNotFoundError as error:
        if "://" in str(path) or ":/" in str(path):
            cure = "--paper takes a file. Without --paper it is fetched from arXiv."
            raise InputError(f"{path}: is an address. {cure}") from error
        raise NotFound("paper", str(path), _CURE) from error
    except IsADirectoryError as error:
        raise InputError(f"{path}: is a folder. {_CURE}") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}. {_CURE}") from error
    if not head:
        raise CorruptFile(path, "an empty file", _CURE)
    if _PAGE.match(head):
        raise CorruptFile(path, "a web page and not a PDF, perhaps a server's error", _CURE)
    if b"%PDF-" not in head:
        raise CorruptFile(path, "not a PDF", _CURE)


_PAGE = re.compile(rb"\s*(?:\xef\xbb\xbf)?\s*<(?:!doctype|html|head|\?xml|!--)", re.IGNORECASE)


def _sections(pages: Sequence[str]) -> dict[int, list[list[str]]]:
    """The lines that follow each `Alpha#n:`, up to the next one; each place of a number."""
    text = "\n".join(_without_running_lines([_mended(page) for page in pages]))
    headings = list(_HEADING.finditer(text))
    sections: dict[int, list[list[str]]] = {}
    ends = [heading.start() for heading in headings] + [len(text)]
    for heading, end in zip(headings, ends[1:], strict=True):
        lines = _joined(text[heading.end() : end]).splitlines()
        sections.setdefault(int(heading.group(1)), []).append(lines[:_LONGEST])
    return sections


def _mended(page: str) -> str:
    """Ligatures as letters, every kind of dash, star and slash as the one that programs use."""
    return unicodedata.normalize("NFKC", page).translate(_SIGNS)


def _joined(text: str) -> str:
    """Names that a line break cut in two; a hyphen goes only where that makes a word we know."""

    def whole(cut: re.Match[str]) -> str:
        word = cut.group(1) + cut.group(2)
        return word if word.lower() in _WORDS else cut.group()

    return _CUT_NAME.sub("", _HYPHENATED.sub(whole, text))


def _without_running_lines(pages: Sequence[str]) -> Iterator[str]:
    """Pages without numbers, and without what stands at the top or foot of most of them: a number
    or a title between two pages is not the formula's."""
    edges = [_edges(page.split("\n")) for page in pages]
    seen = Counter(line for page in edges for line in set(page.values()))
    often = max(2, round(len(pages) * 0.6))
    for page, found in zip(pages, edges, strict=True):
        lines = page.split("\n")
        for row, line in found.items():
            outermost = row in (min(found), max(found))
            if seen[line] >= often or (outermost and _PAGE_NUMBER.match(line)):
                lines[row] = ""
        yield "\n".join(lines)


def _edges(lines: Sequence[str]) -> dict[int, str]:
    """Row → text of the first and the last three lines of a page that have any."""
    filled = [row for row, line in enumerate(lines) if line.strip()]
    return {row: lines[row].strip() for row in sorted({*filled[:3], *filled[-3:]})}


def _first_formula(texts: Sequence[Sequence[str]]) -> Expr:
    """Of the first place that has one: a chapter may speak of an alpha before or after."""
    first: FormulaError | None = None
    for lines in texts:
        try:
            return _formula(lines)
        except FormulaError as error:
            first = first or error
    raise first or FormulaError("", 0, "nothing follows its heading", "Give the whole paper.")


def _formula(lines: Sequence[str]) -> Expr:
    """The most lines that are a formula together: what follows the last one is prose."""
    first: FormulaError | None = None
    for count in range(len(lines), 0, -1):
        text = " ".join(" ".join(lines[:count]).split())
        try:
            return parse(text)
        except FormulaError as error:
            # What an error says of the prose behind a formula is no use to anyone.
            if first is None or error.at > first.at:
                first = error
    raise first or FormulaError("", 0, "nothing follows its heading", "Give the whole paper.")


def download(target: Path, address: str = ADDRESS) -> Path:
    """The paper from arXiv, once; InputError says what to do without a network.

    Kept only when all 101 formulas can be read from it: what a server answers in its place (a page
    that asks for a login, half a file) is fetched again the next time.
    """
    if target.exists() and _has_all(target):
        return target
    cure = (
        "Fetch it with a browser, and give the file with: "
        "qc-lora corpus add worldquant --paper FILE"
    )
    request = urllib.request.Request(address, headers={"User-Agent": "qc-lora"})
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:
            content: bytes = answer.read(_LARGEST + 1)
    except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as error:
        raise InputError(f"{address}: cannot be fetched: {error}. {cure}") from error
    if len(content) > _LARGEST:
        raise InputError(f"{address}: answers with more than {_LARGEST:,} bytes. {cure}")
    with atomic_write(target) as file:
        file.write(content)
    try:
        read_paper(target)
    except InputError as error:
        target.unlink()
        told = str(error).replace(f"{target}: ", "").replace(" Nothing was stored.", "")
        told = told.replace(f" {_CURE}", "").partition(" Give the paper")[0].rstrip(".")
        raise InputError(f"{address}: does not answer with the paper: {told}. {cure}") from error
    return target


def _has_all(path: Path) -> bool:
    try:
        return look_through(path).is_whole
    except InputError:
        return False
