"""What the host asked its coder, read from the command line it starts: `aider --model M --message P
FILE`, or any program that takes the same options.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Sequence
from typing import NamedTuple

_AIDER = re.compile(r"aider([-_.]\w+)*", re.ASCII)
_SHORT = {"-m": "--message", "-f": "--message-file"}
_ALIASES = {"--msg": "--message"}
_TAKEN = ("--message", "--message-file", "--model", "--file", "--read", "--api-key")
LONGEST_MESSAGE_FILE = 4 * 2**20


class CoderCall(NamedTuple):
    """One call of the coder."""

    prompt: str
    model: str | None
    files: tuple[str, ...]
    """Python files it may write, as absolute paths."""


def coder_call(arguments: object, shell: bool, folder: str) -> CoderCall | None:
    """The call, or None if this is some other program."""
    words = _words(arguments, shell)
    options = _coder_options(words)
    if options is None:
        return None
    found: dict[str, str] = {}
    files: list[str] = []
    for name, value in options:
        if name in ("--file", "") and value.endswith(".py"):
            files.append(os.path.join(folder, value))  # noqa: PTH118
        elif name:
            found[name] = value
    prompt = found.get("--message") or _message_file(found.get("--message-file"), folder)
    if not prompt:
        return None
    return CoderCall(prompt, found.get("--model"), tuple(files))


def _words(arguments: object, shell: bool) -> list[str]:
    if isinstance(arguments, str | bytes):
        text = os.fsdecode(arguments)
        return shlex.split(text) if shell else [text]
    if not isinstance(arguments, Sequence):
        return []
    words = [os.fsdecode(word) for word in arguments if isinstance(word, str | bytes | os.PathLike)]
    if shell and words:
        return shlex.split(words[0])
    return words


def _coder_options(words: list[str]) -> Iterator[tuple[str, str]] | None:
    """The options of a coder's command line; positional words have the name ''."""
    for index, word in enumerate(words):
        if _AIDER.fullmatch(os.path.basename(word)):  # noqa: PTH119
            return _options(words[index + 1 :], short=True)
    names = {word.partition("=")[0] for word in words}
    # `-m` alone means too many things elsewhere (`python -m`, `git commit -m`).
    if "--model" in names and names & {"--message", "--message-file", "--msg"}:
        return _options(words[1:], short=False)
    return None


def _options(words: list[str], short: bool) -> Iterator[tuple[str, str]]:
    rest = iter(words)
    for word in rest:
        name, equals, value = word.partition("=")
        name = _ALIASES.get(name, _SHORT.get(name, name) if short else name)
        if name not in _TAKEN:
            if not word.startswith("-"):
                yield "", word
        elif equals:
            yield name, value
        else:
            yield name, next(rest, "")


def _message_file(name: str | None, folder: str) -> str:
    if not name:
        return ""
    with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:  # noqa: PTH118, PTH123
        return file.read(LONGEST_MESSAGE_FILE)
