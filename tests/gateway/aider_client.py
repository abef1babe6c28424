"""Run the real Aider against a gateway, as a builder does: one message, one file, no questions.

    python tests/gateway/aider_client.py --make FOLDER     make the environment it needs
    python tests/gateway/aider_client.py --where           the folder it is looked for in

Development only: `aider-chat` pins other versions of the libraries this project uses, so it gets an
environment of its own outside of the checkout and talks to us over HTTP alone.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import venv
from pathlib import Path

VERSION = "0.86.2"
MODEL = "openai/qc-lora"
COMMAND = "python tests/gateway/aider_client.py --make"
PRICES = ".aider/caches/model_prices_and_context_window.json"
"""Aider fetches this file when it is a day old; a fresh one keeps it at home."""


ALONE = (
    "--yes-always", "--no-git", "--no-gitignore", "--map-tokens", "0", "--no-pretty",
    "--no-check-update", "--no-show-release-notes", "--no-show-model-warnings",
    "--no-detect-urls", "--no-suggest-shell-commands", "--analytics-disable",
)  # fmt: skip
"""No questions, nothing from the net, and the file alone."""


def folder() -> Path:
    """QC_LORA_AIDER, or a folder of the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    given = os.environ.get("QC_LORA_AIDER")
    return Path(given) if given else cache / "qc-lora" / "aider"


def aider(where: Path) -> Path:
    return where / "bin" / "aider"


def make(where: Path) -> None:
    """The environment, in a minute or two; needs a package index."""
    python = where / "bin" / "python"
    if not python.exists():
        venv.create(where, with_pip=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", f"aider-chat=={VERSION}"]
    subprocess.run(pip, check=True)


def missing(where: Path) -> str | None:
    """Why the environment cannot be used; None if it can."""
    if not aider(where).exists():
        return f"Aider is not in {where}: make it with {COMMAND}"
    if not list(where.glob(f"lib/python*/site-packages/aider_chat-{VERSION}.dist-info")):
        return f"{where} has no aider-chat {VERSION}"
    return None


def edit(
    url: str, key: str, home: Path, message: str, *options: str, within_s: float = 120.0
) -> tuple[str, float]:
    """What Aider printed while it edited `home/main.py`, and how many seconds it took."""
    cache = home / PRICES
    cache.parent.mkdir(parents=True, exist_ok=True)
    limits = {"max_input_tokens": 4096, "max_output_tokens": 1024, "mode": "chat"}
    cache.write_text(json.dumps({MODEL: {"litellm_provider": "openai", **limits}}))
    command = [str(aider(folder())), "--model", MODEL, "--message", message, *ALONE, *options]
    start = time.monotonic()
    done = subprocess.run(
        [*command, "main.py"], cwd=home, timeout=within_s, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, check=False,
        env={
            "PATH": "/usr/bin:/bin", "HOME": str(home), "TERM": "dumb",
            "OPENAI_API_BASE": f"{url}/v1", "OPENAI_API_KEY": key,
            # Its library would fetch a table of prices from the net at every start.
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        },
    )  # fmt: skip
    return done.stdout + done.stderr, time.monotonic() - start


if __name__ == "__main__":
    if sys.argv[1:2] == ["--where"]:
        print(folder())
    elif sys.argv[1:2] == ["--make"]:
        make(Path(sys.argv[2]) if len(sys.argv) > 2 else folder())
    else:
        sys.exit(__doc__)
