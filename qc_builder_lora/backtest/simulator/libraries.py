"""Where the libraries lie that a strategy may import: numpy, pandas and what they need."""

from __future__ import annotations

import re
import sys
from functools import cache
from pathlib import Path


@cache
def library_folders() -> list[str]:
    """This interpreter's site-packages; the surface decides which names are let in."""
    return [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]


_WANTS = re.compile(r"\b(history|History|indicator_history|IndicatorHistory|pandas|numpy|np|pd)\b")


def wants_frames(code: str) -> bool:
    """Whether a strategy probably uses pandas or numpy: a guess, for speed alone."""
    return _WANTS.search(code) is not None
