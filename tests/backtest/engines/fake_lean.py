"""A `lean` for tests: it takes what the LEAN CLI takes and leaves the files that LEAN leaves.

What it does is in the variable FAKE_LEAN: `run` (backtest on our simulator, data from lean.json),
`canned` (the result in FAKE_LEAN_RESULT), or a way to fail, in the real CLI's own words.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

WORDS = {
    "no_docker": "Error: Please make sure Docker is installed and running\nVisit "
    "https://www.lean.io/docs/v2/lean-cli/key-concepts/troubleshooting#02-Common-Errors for more "
    "information",
    "no_login": 'Error: UserID not valid\nPlease login to your account with "lean login". ',
    "no_workspace": "Error: This command requires a Lean configuration file, run `lean init` in "
    "an empty \ndirectory to create one, or specify the file to use with --lean-config",
    "no_image": "Error: Something went wrong while pulling quantconnect/lean:latest, see the logs "
    "\nabove for more information",
    "sudo": "This command requires access to Docker, you may be asked to enter your password\n"
    "sudo: a terminal is required to read the password",
    "nonsense": "Traceback (most recent call last):\n  boom",
    "no_class": "20260105 12:00:00.000 ERROR:: Engine.Run(): During the algorithm initialization, "
    "the following exception has occurred: Loader.TryCreatePythonAlgorithm(): Unable to import "
    "python module ./main.py. SyntaxError : invalid syntax (main.py, line 3)",
}


def main() -> int:
    arguments = sys.argv[1:]
    if arguments == ["--version"]:
        print("lean 1.0.230")
        return 0
    mode = os.environ.get("FAKE_LEAN", "run")
    if mode in WORDS:
        print(WORDS[mode])
        return 1
    assert arguments[:3] == ["backtest", "project", "--no-update"], arguments
    root = Path.cwd()
    output = root / arguments[arguments.index("--output") + 1]
    if mode == "hang":
        print("hanging", flush=True)
        time.sleep(600)
    output.mkdir(parents=True)
    shutil.copytree(root / "project", output / "code")
    if mode == "tampered":
        (output / "code" / "main.py").write_text("pass\n")
    result = _result(mode, root, arguments)
    text = json.dumps(result)
    (output / "1710698424.json").write_text(text[:40] if mode == "cut" else text)
    (output / "1710698424-summary.json").write_text("{}")
    events = [event for order in _orders(result) for event in order.pop("events", ())]
    (output / "1710698424-order-events.json").write_text(json.dumps(events))
    print("20260105 12:00:00.000 TRACE:: Log: hello from the strategy")
    return 0


def _result(mode: str, root: Path, arguments: list[str]) -> dict[str, Any]:
    if mode != "run":
        found: dict[str, Any] = json.loads(Path(os.environ["FAKE_LEAN_RESULT"]).read_text())
        return found
    from qc_builder_lora.backtest.protocol import BacktestSettings
    from qc_builder_lora.backtest.simulator import Simulator
    from tests.backtest.engines.lean_format import result_file

    data = Path(json.loads((root / "lean.json").read_text())["data-folder"])
    given = [
        (arguments[at + 1], arguments[at + 2])
        for at, word in enumerate(arguments)
        if word == "--parameter"
    ]
    simulator = Simulator(data, allow_open_sandbox=True)
    code = (root / "project" / "main.py").read_text()
    result = simulator.run(code, BacktestSettings(parameters=dict(given)))
    simulator.close()
    return result_file(result)


def _orders(result: dict[str, Any]) -> list[dict[str, Any]]:
    return list(result.get("orders", {}).values())


if __name__ == "__main__":
    sys.exit(main())
