"""The 101 formulas out of the user's own copy of arXiv:1601.00991; its text is kept nowhere.

Text that a PDF breaks is mended: ligatures, lines and pages in the middle of a formula, hyphens and
underscores at the end of a line, page numbers and footers between the lines.
"""

from __future__ import annotations

import re
import unicodedata
import urllib.error
import urllib.request
from collections.abc import Sequence
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
_HEADING = re.compile(r"^\s*Alpha\s*#\s*(\d{1,3})\s*:", re.IGNORECASE | re.MULTILINE)
_PAGE_NUMBER = re.compile(r"^\s*(page\s+)?\d{1,4}(\s+of\s+\d+)?\s*$", re.IGNORECASE)
_HYPHENATED = re.compile(r"([A-Za-z_]+)[-\u00ad\u2010]\n\s*([A-Za-z_]+)")
_CUT_NAME = re.compile(r"(?<=[A-Za-z0-9][_.])[ \t]*\n\s*")
_WORDS = frozenset((*FUNCTIONS, *INPUTS, *LEVELS, "indclass"))
_SIGNS = str.maketrans({
    "\u2212": "-", "\u2013": "-", "\u2014": "-", "\u00d7": "*", "\u2217": "*", "\u2044": "/",
    "\u2215": "/", "\u02c6": "^", "\u2039": "<", "\u203a": ">", "\u2223": "|", "\u00a0": " ",
})  # fmt: skip
_LONGEST = 40
"""Lines that a formula may have; the longest of the paper has four."""
_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class PaperAlpha:
    """One numbered formula of the paper."""

    number: int
    tree: Expr


def read_paper(path: Path) -> list[PaperAlpha]:
    """All 101, in order; InputError names those that are not there or cannot be read."""
    found: dict[int, Expr] = {}
    broken: dict[int, str] = {}
    for number, lines in _sections(pages_of(path)).items():
        try:
            found[number] = _formula(lines)
        except FormulaError as error:
            broken[number] = str(error)
    missing = [n for n in range(1, COUNT + 1) if n not in found and n not in broken]
    if missing or broken:
        raise InputError(_complaint(path, len(found), missing, broken))
    return [PaperAlpha(number, found[number]) for number in range(1, COUNT + 1)]


def _complaint(path: Path, found: int, missing: Sequence[int], broken: dict[int, str]) -> str:
    parts = [f"{path}: {found} of the {COUNT} formulas of arXiv:1601.00991 were read."]
    if missing:
        parts.append(f"Not found: {_ranges(missing)}.")
    parts += [f"Alpha#{number} cannot be read: {why}" for number, why in sorted(broken.items())]
    parts.append(f"Nothing was stored. Give the paper itself, as it is at {ADDRESS}.")
    return " ".join(parts)


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
        from pypdf.errors import PyPdfError
    except ImportError as error:
        raise MissingExtra("corpus", "pypdf") from error
    cure = f"Give the PDF of arXiv:1601.00991, as it is at {ADDRESS}."
    try:
        head = path.read_bytes()[:1024]
    except FileNotFoundError as error:
        raise NotFound("paper", str(path), cure) from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error}. {cure}") from error
    if b"%PDF-" not in head:
        raise CorruptFile(path, "not a PDF", cure)
    try:
        pages = [page.extract_text() or "" for page in PdfReader(path).pages]
    # Its parser meets a damaged file with errors of many kinds.
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, IndexError,
            RecursionError, NotImplementedError, OSError) as error:  # fmt: skip
        raise CorruptFile(path, f"a PDF that cannot be read ({error})", cure) from error
    if not any(page.strip() for page in pages):
        raise CorruptFile(path, "a PDF without text, perhaps scanned pages", cure)
    return pages


def _sections(pages: Sequence[str]) -> dict[int, list[str]]:
    """The lines that follow each `Alpha#n:`, up to the next one."""
    text = "\n".join(_without_page_number(_mended(page)) for page in pages)
    headings = list(_HEADING.finditer(text))
    sections: dict[int, list[str]] = {}
    ends = [heading.start() for heading in headings] + [len(text)]
    for heading, end in zip(headings, ends[1:], strict=True):
        lines = _joined(text[heading.end() : end]).splitlines()
        # The first one counts: a later chapter may speak of an alpha again.
        sections.setdefault(int(heading.group(1)), lines[:_LONGEST])
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


def _without_page_number(page: str) -> str:
    """A number alone in the first or last line of a page is the page's, not the formula's."""
    lines = page.split("\n")
    filled = [row for row, line in enumerate(lines) if line.strip()]
    for row in {*filled[:1], *filled[-1:]}:
        if _PAGE_NUMBER.match(lines[row]):
            lines[row] = ""
    return "\n".join(lines)


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
    """The paper from arXiv, once; InputError says what to do without a network."""
    if target.exists():
        return target
    request = urllib.request.Request(address, headers={"User-Agent": "qc-lora"})
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:
            content: bytes = answer.read()
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise InputError(
            f"{address}: cannot be fetched: {error}. Fetch it with a browser, and give the file "
            "with: qc-lora corpus add worldquant --paper FILE"
        ) from error
    with atomic_write(target) as file:
        file.write(content)
    return target
