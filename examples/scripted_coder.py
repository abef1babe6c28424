#!/usr/bin/env python3
"""Stands in for Aider where there is no model: writes what `answers/NAME.md` holds, block by block.

    python scripted_coder.py --model M --message PROMPT [options] strategies/NAME/main.py

It takes the options that the builder gives Aider and needs neither network nor key. The file gets
the first block; each further call replaces it by the block after the one it holds, the last block
stays. Exit code 1 if there are no answers for NAME.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

ANSWERS = Path(__file__).resolve().parent / "answers"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def next_answer(blocks: list[str], held: str | None) -> str:
    """The block after the one the file holds; the first if it holds none of them."""
    position = blocks.index(held) + 1 if held in blocks else 0
    return blocks[min(position, len(blocks) - 1)]


def main() -> int:
    parser = argparse.ArgumentParser(description="Write the next scripted answer into FILE.")
    parser.add_argument("--model")
    parser.add_argument("--message", required=True)
    parser.add_argument("--yes-always", action="store_true")
    parser.add_argument("--no-auto-commits", action="store_true")
    parser.add_argument("--no-stream", action="store_true")
    parser.add_argument("file", type=Path)
    options = parser.parse_args()
    answers = ANSWERS / f"{options.file.resolve().parent.name}.md"
    if not answers.exists():
        print(f"{answers}: no answers for this strategy", file=sys.stderr)
        return 1
    blocks = BLOCK.findall(answers.read_text("utf-8"))
    held = options.file.read_text("utf-8") if options.file.exists() else None
    options.file.write_text(next_answer(blocks, held), "utf-8")
    print(f"Applied edit to {options.file}\nCost: $0.00 message, $0.00 session.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
