"""The exit code of a process that Ctrl-C stopped."""

from __future__ import annotations

import sys
from typing import NoReturn


def leave(code: int) -> NoReturn:
    """End this process with `code`, also after a KeyboardInterrupt that was caught.

    Where one passed through an `exec` of text (a dataclass is made so, while a module is imported),
    the interpreter keeps a mark, and `python -m` then ends by SIGINT instead of with the code.
    Running any text takes the mark away (CPython: Python/pythonrun.c, run_eval_code_obj).
    """
    exec("")
    sys.exit(code)
