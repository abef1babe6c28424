"""An author's words about a strategy, turned into a request for it.

What nobody would ask for is left out: the name of a template, that it tests an engine, where an
idea was found, markup. What it is to do stays in the author's words.
"""

from __future__ import annotations

import inspect
import re

SHORTEST = 15
"""Letters that words must have to say anything."""
_CREF = re.compile(r"""<(?:see|paramref)\b[^>]*?(?:cref|name)=["']([\w.:{}`<>]+)["'][^>]*?/?>""")
_MARKUP = re.compile(
    r"</?(?:summary|remarks|see|param|paramref|returns|code|c|para|list|item|b|i|em|br|a|href)\b"
    r"[^<>]*>|<meta[^>]*>?",
    re.IGNORECASE,
)
_BREAK = re.compile(
    r"(?<=[^\s.:;,!?(\-])\n\s*(?=(?:This|The|A|An|It|In|We|If|When|Note|Source|Goals|Use|You)\b)"
)
_UNASKED = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"https?://|\bwww\.",
        r"^(?:source|retrieved from|reference|credit|author|see also|strategy by)\b",
        r"\bregression (?:test|algorithm)|\b(?:unit|integration) test|\bGH issue\b|\bissue #\d",
        r"\bskeleton (?:framework|algorithm)\b|\bsimply initiali[sz]es the date range and cash",
        r"^(?:basic|simple|minimal)? ?template (?:framework )?(?:algorithm|strategy)\.?$",
        r"\btemplate framework algorithm uses framework components\b",
        r"\bpart of the benchmark alpha series\b|\bopen[- ]sourced so\b",
        r"\bC#|\bF#|\bVB\.NET\b|\bMSDN\b|\bQCU\b.{0,3}$",
        r"^initiali[sz]e the data and resolution required|^all algorithms must initiali[sz]ed",
        r"\bon_?data event is the primary entry point\b",
        r"^this page (?:explains|shows|describes|lists|contains)\b",
        r"\bsee the LEAN GitHub repository\b",
    )
)  # fmt: skip
_SOURCE = re.compile(
    r"^[ \t]*(?:source|reference|retrieved from|see also|credits?|strategy by)s?\b(?:.+\n?)*",
    re.IGNORECASE | re.MULTILINE,
)
"""A citation, to the end of its paragraph."""
_HEADING = re.compile(
    r"^[^.!?:]{3,90}?\s(?=The following (?:[\w'-]+ ){0,3}?(?:algorithm|example|strategy)\b)"
    r"|^[^.!?:]{0,60}?\bIntroduction\s+(?=[A-Z])"
)
"""What stood above the words on a page: `VIX EMA Cross The following algorithm …`."""
_HANGING = re.compile(r"\b(?:or|and|the|a|an|of|to|in|for|with|as|that|which|on|by|from)$")
_NAMED = re.compile(r"^\w*(?:Algorithm|Alpha|Strategy|Model)\s*[:-]\s+")
_KINDS = (
    r"(?:(?:simple|basic|sample|complete|example|code|demo|demonstration|template|benchmark|alpha|"
    r"strategy|trading|quantconnect|lean)\s+)*"
)
_NOUN = r"(?:examples?|algorithms?|alphas?|strategy|strategies|snippet|program|templates?)"
_REQUEST = re.compile(
    r"(?:please\s+)?(?:write|create|build|implement|make|develop|design|trade|buy|sell|hold|go)\b",
    re.IGNORECASE,
)
_DESCRIBES = re.compile(
    rf"(?:the\s+following\s+|the\s+|this\s+|an?\s+|our\s+)?{_KINDS}{_NOUN}\s+"
    r"(?:that\s+|which\s+)?"
    r"(?:(?P<shows>(?:demonstrates?|demonstrating|shows?|showing|showcases?|showcasing|"
    r"illustrates?|illustrating)(?:\s+that)?)\s+"
    r"|(?=(?:\w*[a-rt-z]s|can|will)\s))"
    r"|the\s+following\s+(?:\w+\s+)?(?:algorithm|strategy)\s+"
    rf"|(?P<of>(?:this\s+is\s+an?\s+|an?\s+)?(?:simple\s+|basic\s+)?(?:demonstration|example|"
    rf"illustration)s?(?:\s+{_NOUN})?\s+(?:of|for|on)\s+)",
    re.IGNORECASE,
)
_WITH = re.compile(
    rf"(?:the\s+|this\s+|an?\s+)?{_KINDS}{_NOUN}\s+(?=(?:\w+ing|of|for|with|on|to|based)\b)",
    re.IGNORECASE,
)
_WE = re.compile(
    rf"in\s+this\s+{_KINDS}{_NOUN},?\s+(?:we|you|i)\s+(?:(?:will|can|are\s+going\s+to|'ll)\s+)?"
    r"(?=\w)",
    re.IGNORECASE,
)
_DOES = re.compile(
    r"(?:buys|sells|trades|holds|shorts|goes|uses|constructs|creates|ranks|rebalances|invests|"
    r"demonstrates|shows|illustrates|tests|checks|selects|implements|computes|calculates|adds)\b",
    re.IGNORECASE,
)
_TITLE = re.compile(
    r"(?:QCU\s+)?((?:[\w/&-]+\s+){1,5}?)(?:example\s+|sample\s+|demo\s+)?(?:algorithm|strategy)\.?$",
    re.IGNORECASE,
)


def clean(text: str) -> str:
    """One paragraph without LEAN's markup; of a reference, the name stays."""
    plain = _CREF.sub(lambda found: re.split(r"[.:]", found[1].rstrip("`"))[-1], text)
    plain = _BREAK.sub(". ", inspect.cleandoc(_MARKUP.sub(" ", plain)))
    return re.sub(r"\s+([.,;:!?])(?=\s|$)", r"\1", " ".join(plain.split()))


def told(text: str) -> str:
    """The sentences that say what is wanted; empty where none does."""
    parts = re.split(r"\n\s*\n", inspect.cleandoc(_SOURCE.sub("\n\n", text)))
    whole = " ".join(_ended(one) for part in parts if (one := clean(part)))
    sentences = re.split(r"(?<=[.!?])\s+(?=[A-Z\"'(])", _HEADING.sub("", _NAMED.sub("", whole)))
    kept = [one for one in sentences if not any(rule.search(one) for rule in _UNASKED)]
    if len(kept) > 1 and _HANGING.search(kept[-1].rstrip(".")):
        # The author stopped in the middle of it.
        kept.pop()
    return " ".join(kept).strip(" -=*#")


def asked(text: str) -> str:
    """A description turned into a request, where it is one of the usual forms."""
    text = _UNCLEAR.sub("", text.strip().rstrip(": ").strip())
    if _REQUEST.match(text) and not _DOES.match(text):
        return _ended(text)
    if found := _WE.match(text):
        return _ended(f"Write a QuantConnect algorithm to {_lowered(text[found.end() :])}")
    if found := _DESCRIBES.match(text):
        shows = "demonstrates " if found["shows"] or found["of"] else ""
        rest = text[found.end() :].strip()
        return _ended(f"Write a QuantConnect algorithm that {shows}{rest}")
    if found := _TITLE.match(text):
        return f"Write a QuantConnect algorithm: {found[1].strip()}."
    if found := _WITH.match(text):
        return _ended(f"Write a QuantConnect algorithm {text[found.end() :].strip()}")
    if _DOES.match(text):
        return _ended(f"Write a QuantConnect algorithm that {_lowered(text)}")
    if re.match(r"Using\s", text):
        return _ended(f"Write a QuantConnect algorithm {_lowered(text)}")
    return _ended(f"Write a QuantConnect algorithm. {text}")


_UNCLEAR = re.compile(r"^(?:description|summary|overview|strategy)\s*[:-]\s*", re.IGNORECASE)


def _lowered(text: str) -> str:
    """The first letter small, unless the word is a name in capitals."""
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]


def _ended(text: str) -> str:
    return text if text.endswith((".", "!", "?", ":")) else f"{text}."
