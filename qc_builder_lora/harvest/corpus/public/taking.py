"""From a text that somebody published to a candidate, or to the reason why it is none."""

from __future__ import annotations

import ast
import re
import warnings
from collections import Counter
from collections.abc import Set
from dataclasses import dataclass, field

from qc_builder_lora.backtest.check.parsing import imported_modules
from qc_builder_lora.harvest.corpus.candidate import Candidate, LeftOut
from qc_builder_lora.harvest.corpus.public.describe import algorithm_class, describe
from qc_builder_lora.ids import text_hash
from qc_builder_lora.redact import Redactor

CSHARP = re.compile(
    r"class\s+\w+\s*:\s*\w|^\s*using\s+[\w.]+;|\b(?:public|private|protected)\s+(?:override|class|"
    r"void|virtual|static|readonly|\w+\s+\w+\s*[;({=])",
    re.MULTILINE,
)
_OURS = frozenset({"AlgorithmImports"})
"""Files that LEAN, or an editor for its sake, lays beside strategies; the engine has its own."""
_IMPORTS = "from AlgorithmImports import *\n\n\n"


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where code comes from, as each Example of it says."""

    source: str
    licence: str
    version: str


@dataclass
class Taking:
    """Takes the texts of one source one after another; what was seen before is a copy."""

    origin: Origin
    taken_out: dict[str, Counter[str]] = field(default_factory=dict)
    """What was taken out of each text, by kind."""
    _seen: dict[str, str] = field(default_factory=dict)

    @property
    def redacted(self) -> Counter[str]:
        """The same of all texts together."""
        found: Counter[str] = Counter()
        for counts in self.taken_out.values():
            found.update(counts)
        return found

    def left_out(self, key: str, reason: str, place: str, detail: str | None = None) -> LeftOut:
        """Something that is not taken."""
        return LeftOut(key=key, reason=reason, place=place, detail=detail, **vars(self.origin))

    def take(
        self,
        text: str,
        place: str,
        family: str,
        *,
        about: str | None = None,
        siblings: Set[str] = frozenset(),
    ) -> Candidate | LeftOut:
        """A candidate with an instruction, secrets taken out of both; or why it is none."""
        key = f"{place} {text_hash(text)}"
        if not is_unicode(text):
            why = "half a character (a lone surrogate): no text. Write it again as Unicode"
            return self.left_out(key, "cannot be read", place, why)
        reason = why_not(text, siblings)
        if reason is not None:
            return self.left_out(key, reason, place)
        # Anew, for a copy of a text is the same text.
        clean = Redactor()
        self.taken_out[text_hash(text)] = clean.counts
        code = clean.text(text.replace("\r\n", "\n").replace("\r", "\n")).strip("\n") + "\n"
        if "AlgorithmImports" not in code:
            code = _IMPORTS + code
        first = self._seen.setdefault(text_hash(code), place)
        if first != place:
            return self.left_out(key, "a copy", place, f"of {first}")
        said = _described(code, about if about is None or is_unicode(about) else None)
        return Candidate(
            instruction=clean.text(said[0]),
            code=code,
            family=family,
            style=said[1],
            place=place,
            **vars(self.origin),
        )


def is_unicode(text: str) -> bool:
    """Whether every database, file and model can be given the text: JSON may hold what cannot."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _described(code: str, about: str | None) -> tuple[str, str]:
    try:
        with warnings.catch_warnings():
            # A backslash of the author's is not ours to complain of.
            warnings.simplefilter("ignore")
            found = describe(code, about)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        # Does not parse: it stops at the first step, and no instruction of it is kept.
        return about or "Write a QuantConnect algorithm.", "code"
    return found.instruction, f"from its {found.origin}"


def why_not(text: str, siblings: Set[str] = frozenset()) -> str | None:
    """Why a text is not one Python strategy that can stand alone; None if it is, or might be.

    A text with a syntax error that looks like Python is taken: it stops at the step `parsed`.
    """
    if not text.strip():
        return "empty"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        if CSHARP.search(text):
            return "C#"
        return None if "QCAlgorithm" in text else "no class derives from QCAlgorithm"
    if algorithm_class(tree) is None:
        return "no class derives from QCAlgorithm"
    return "imports a file beside it" if imported_modules(tree) & siblings - _OURS else None


def is_csharp(text: str) -> bool:
    """Whether a text is C#, and so no Python at all."""
    if not CSHARP.search(text):
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return True
    return False


def slug(text: str) -> str:
    """`Using Data` → `using_data`: the name of a family."""
    return re.sub(r"\W+", "_", text).strip("_").lower() or "other"
