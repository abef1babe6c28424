"""What a documentation page says of one of its examples: title, headings, the text around it.

The pages are texts of what a browser showed: navigation, every method in C# and in Python, and the
code itself only on some. An example is matched with its own sentence where that is certain; else
the page's topic and its introduction stand for it.
"""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import dataclass
from functools import lru_cache

from qc_builder_lora.harvest.corpus.public.describe import algorithm_class, snake, steps

_SENTENCE = re.compile(
    r"The following (?:[\w'-]+ ){0,4}?(?:algorithm|example|strategy|class)\b(?!s)[^:]{10,600}?"
    r"(?::|\.(?=\s|$))"
)
_NAVIGATION = frozenset({
    "ask ai", "send", "hello", "contents", "in this page", "change log", "articles", "yes", "no",
    "you can also see our", "videos", "you can also get in touch with us via", "discord", ".",
    "did you find this page helpful?", "contribute to the documentation:", "to select, press",
    "↑ ↓ to select, press", "enter", "to go, use", "esc", "to exit.",
})  # fmt: skip
_CODE = re.compile(
    r"[;{}]\s*$|^\s*(?:self\.|def |class |public |private |protected |return\b|if |for |from "
    r"|import |#|//|else|while |using )|\w\(.*\)\s*$|\s=\s|=>"
)
_HEADING = re.compile(
    r"^\s{0,3}(?:[A-Z][\w/&-]*)(?: [A-Z][\w/&-]*| and| of| in| to| the| vs){0,5}$"
)
_LONGEST = 700


@dataclass(frozen=True)
class Page:
    """A page of the documentation as the wheel has it."""

    name: str
    url: str
    category: str
    text: str
    codes: tuple[str, ...]
    """Its examples that speak of QCAlgorithm, in order."""

    @property
    def topic(self) -> str:
        """`Indicators, custom indicators`: the last two parts of the address in words."""
        parts = [part for part in self.url.rstrip("/").split("/") if part][-2:]
        words = [part.replace("-", " ") for part in parts]
        return ", ".join(word for word in words if not word.startswith(("v2", "docs")))


def words_for(page: Page, code: str) -> str:
    """What the page says of this example, as one paragraph, and what its own comments say."""
    found = _right_before(page.text, code) or _own_sentence(page, code)
    if found:
        return f"{found[:_LONGEST].rstrip(' :.')}. Topic: {page.topic}."
    about = introduction(page.text)
    asked = f"Write a QuantConnect algorithm on this topic: {page.topic}. {about}".strip()
    told = " ".join(steps(code))
    return f"{asked} {told}" if told else asked


@lru_cache(maxsize=64)
def prose(text: str) -> str:
    """One paragraph; of each method the Python name alone."""
    lines = [line.strip() for line in text.split("\n")]
    kept = [line for line in lines if line and line.lower() not in _NAVIGATION]
    joined = re.sub(r"\s+([.,:;])", r"\1", " ".join(kept))

    def python_only(found: re.Match[str]) -> str:
        return found[2] if snake(found[1]) == found[2] else found[0]

    return re.sub(r"\b([A-Z]\w*) ([a-z_]\w*)\b", python_only, joined)


def introduction(text: str) -> str:
    """The first sentences below the page's `Introduction`; empty if there are none."""
    found = re.search(
        r"\n\s*Introduction\s*\n(?!\s*\n*[A-Z][\w ]{2,40}\n\s*\n*[A-Z][\w ]{2,40}\n)", text
    )
    if found is None:
        return ""
    lines: list[str] = []
    for line in text[found.end() :].split("\n"):
        # A heading, or the code: what comes next is no introduction.
        if _CODE.search(line) or (lines and _HEADING.match(line)):
            break
        if line.strip():
            lines.append(line)
    sentences = re.split(r"(?<=[.!?])\s+", prose("\n".join(lines)))
    whole = [one for one in sentences[:2] if one.endswith((".", "!", "?"))]
    return " ".join(whole)[:_LONGEST]


def _right_before(text: str, code: str) -> str | None:
    """The prose between the code, where the page's text has it, and whatever code is before it."""
    lines = [line.strip() for line in text.split("\n")]
    wanted = [line.strip() for line in code.split("\n") if line.strip()][:4]
    filled = [number for number, line in enumerate(lines) if line]
    for at, number in enumerate(filled):
        if (
            lines[number] == wanted[0]
            and [lines[one] for one in filled[at : at + len(wanted)]] == wanted
        ):
            return _prose_before([lines[one] for one in filled[:at]])
    return None


def _prose_before(lines: list[str]) -> str | None:
    above: list[str] = []
    # The C# version of it stands between the prose and the Python version.
    for line in _without_last_code(lines)[::-1]:
        if _CODE.search(line):
            break
        above.append(line)
        if sum(map(len, above)) > _LONGEST:
            break
    found = prose("\n".join(above[::-1]))
    sentences = re.split(r"(?<=[.!?:])\s+", found)
    text = " ".join(sentences[-3:]).strip()
    return text if len(text) >= 30 else None


def _without_last_code(lines: list[str]) -> list[str]:
    end = len(lines)
    while end and _CODE.search(lines[end - 1]):
        end -= 1
    return lines[:end]


def _own_sentence(page: Page, code: str) -> str | None:
    """The page's sentence on it: the only one, the one of its kind, or that of its number."""
    text = prose(page.text)
    told = [s.strip() for s in _SENTENCE.findall(text)]
    framework = re.search(r"Framework Algorithm Example[s]? (.{20,600}?[:.])(?=\s|$)", text)
    classic = re.search(r"Classic Algorithm Example[s]? (.{20,600}?[:.])(?=\s|$)", text)
    if classic and framework:
        return str((framework if _is_framework(code) else classic)[1]).strip()
    mine = _python(page.codes)
    if code not in mine or len(mine) != len(told):
        return None
    return str(told[mine.index(code)])


def _is_framework(code: str) -> bool:
    return re.search(r"\b(?:add|set)_alpha\(|SetAlpha\(|AddAlpha\(", code) is not None


@lru_cache(maxsize=64)
def _python(codes: tuple[str, ...]) -> list[str]:
    """Those that are Python algorithms, each once."""
    found: dict[str, None] = {}
    for code in codes:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(code)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        if algorithm_class(tree) is not None:
            found[code] = None
    return list(found)
