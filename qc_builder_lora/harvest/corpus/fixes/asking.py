"""Ways to ask for a repair: the broken code, the message, and mostly what was wanted."""

from __future__ import annotations

from collections.abc import Mapping
from string import Template

STYLES: Mapping[str, str] = {
    "builder": (
        "$request\n\nThe strategy in main.py failed:\n\n$message\n\nmain.py:\n\n"
        "```python\n$code\n```\n\nCorrect it and return the whole file."
    ),
    "terse": "Fix this:\n\n```python\n$code\n```\n\n$message\n\nIt should do this: $request",
    "request first": (
        "I asked for this strategy:\n\n$request\n\nand got this code:\n\n```python\n$code\n```\n\n"
        "which fails with\n\n$message\n\nPlease write it correctly."
    ),
    "error first": (
        "$message\n\nThat is what I get for the QuantConnect algorithm below. What it has to do: "
        "$request\n\n```python\n$code\n```"
    ),
    "ticket": (
        "title: strategy fails\nexpected: $request\nactual: |\n  $indented\nfile: main.py\n\n"
        "```python\n$code\n```"
    ),
    "question": (
        "Why does this LEAN algorithm not work, and how does it look when it does?\n\n"
        "```python\n$code\n```\n\nOutput:\n$message\n\nTask: $request"
    ),
    "code first": (
        "```python\n$code\n```\n\nError:\n\n$message\n\nRepair the strategy so that it compiles, "
        "runs and trades. The request was: $request"
    ),
    "log": (
        "Build log of: $request\n\nmain.py\n```python\n$code\n```\nresult: failed\n$message\n\n"
        "Give me main.py without the mistake."
    ),
    "short": (
        "$message\n\n```python\n$code\n```\n\nWanted: $request\n\nChange only what is wrong."
    ),
    "review": (
        "Please review. The specification says:\n\n$request\n\nThe code is\n\n```python\n$code\n"
        "```\n\nand the tool says\n\n$message\n\nWhat must main.py be instead?"
    ),
    "again": (
        "You wrote the file below for this task: $request\n\n```python\n$code\n```\n\n"
        "It was run. $message\n\nTry again, the complete file."
    ),
    "bare": "```python\n$code\n```\n\n$message\n\nReturn the corrected main.py.",
}
"""By name; `bare` alone leaves out what was wanted, as a builder's later iterations do."""


def asked(number: int, request: str, message: str, code: str) -> tuple[str, str]:
    """The style that the number takes, and the whole instruction."""
    style = list(STYLES)[number % len(STYLES)]
    text = Template(STYLES[style]).substitute(
        request=request.strip(),
        message=message.strip(),
        indented=message.strip().replace("\n", "\n  "),
        code=code.strip("\n"),
    )
    return style, text
