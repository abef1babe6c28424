"""What the pages of the harvest share: colours, the head of a page, figures in a row.

No script, no font, no image from elsewhere; light and dark as the reader's system is set. A page
adds its own rules, in the colours named here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

_STYLE = """
:root { color-scheme: light dark; --back: #fff; --text: #1d2329; --soft: #5b6670; --line: #dde3e8;
  --first: #2f6f9f; --second: #b86a1c; --third: #98a3ad; --code: #f5f7f9; }
@media (prefers-color-scheme: dark) { :root { --back: #14181c; --text: #e4e9ed; --soft: #9aa6b0;
  --line: #2c343b; --first: #5aa3d6; --second: #e09a4e; --third: #6b7680; --code: #1c2227; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 68rem; padding: 1.5rem; background: var(--back);
  color: var(--text); font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; } h2 { font-size: 1.1rem; margin: 2.2rem 0 .6rem; }
.soft { color: var(--soft); } code, pre { font: 13px/1.45 ui-monospace, monospace; }
code { overflow-wrap: anywhere; }
.facts { display: flex; flex-wrap: wrap; gap: 1rem 2.5rem; margin: 1.2rem 0; padding: 0; }
.facts div { min-width: 6rem; } .facts b { display: block; font-size: 1.5rem; }
"""


def document(title: str, style: str, parts: Iterable[str]) -> str:
    """A whole page from parts that are HTML; `style` comes after what all pages have."""
    body = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}{style.lstrip()}</style></head>"
        f"<body>\n{body}\n</body></html>\n"
    )


def figures(facts: Sequence[tuple[str, int]]) -> str:
    """Names, each with its large number."""
    told = "".join(f"<div><b>{number:,}</b>{escape(name)}</div>" for name, number in facts)
    return f"<div class=facts>{told}</div>"
