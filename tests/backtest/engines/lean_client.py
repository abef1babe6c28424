"""Drive a server with the real `lean` CLI's own API client, and say what it made of the answers.

    python tests/backtest/engines/lean_client.py --make FOLDER     make the environment it needs
    python tests/backtest/engines/lean_client.py --where           the folder it is looked for in

Development only: `lean` pulls in what this project must not depend on, so it gets an environment of
its own outside of the checkout. Without options, started by that environment's Python, it is the
driver: it takes the address of a server, prints one JSON object, and imports nothing of ours.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

VERSION = "1.0.230"
MODULES = "modules-1.14.json"
"""`lean` fetches this file when it is imported; offline one must be there. With a source of data in
it, `lean backtest` comes as far as Docker."""
LOCAL = {"id": "Local", "display-id": "Local", "type": ["data-downloader"], "platform": ["cli"],
         "configurations": []}  # fmt: skip
COMMAND = "python tests/backtest/engines/lean_client.py --make"
FIRST = "class A(QCAlgorithm):\n    pass\n"


def folder() -> Path:
    """QC_LORA_LEAN_CLIENT, or a folder of the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    given = os.environ.get("QC_LORA_LEAN_CLIENT")
    return Path(given) if given else cache / "qc-lora" / "lean-client"


def python(where: Path) -> Path:
    return where / "bin" / "python"


def make(where: Path) -> None:
    """The environment, in a minute or two; needs a package index."""
    if not python(where).exists():
        venv.create(where, with_pip=True)
    pip = [str(python(where)), "-m", "pip", "install", "--quiet", f"lean=={VERSION}"]
    subprocess.run(pip, check=True)
    package = next(where.glob("lib/python*/site-packages/lean"))
    (package / MODULES).write_text(json.dumps({"modules": [LOCAL]}))


def missing(where: Path) -> str | None:
    """Why the environment cannot be used; None if it can."""
    if not python(where).exists():
        return f"the lean CLI's client is not in {where}: make it with {COMMAND}"
    if not list(where.glob(f"lib/python*/site-packages/lean-{VERSION}.dist-info")):
        return f"{where} has no lean {VERSION}"
    # Older than a day it is fetched again, and a failed fetch keeps the old one.
    for path in where.glob(f"lib/python*/site-packages/lean/{MODULES}"):
        if "Local" in path.read_text():
            path.touch()
            return None
    return f"{where} has not our {MODULES}: make it with {COMMAND}"


def drive(url: str) -> dict[str, Any]:
    """Everything the CLI's client does with a project, against the server at `url`."""
    import lean.constants

    lean.constants.API_BASE_URL = url
    from lean.components.api.api_client import APIClient
    from lean.components.cloud.cloud_runner import CloudRunner
    from lean.components.util.http_client import HTTPClient
    from lean.components.util.logger import Logger
    from lean.components.util.task_manager import TaskManager
    from lean.models.api import QCLanguage
    from lean.models.errors import RequestFailedError

    logger = Logger()
    logger._console.quiet = True
    client = APIClient(logger, HTTPClient(logger), "1", "secret")
    wrong = APIClient(logger, HTTPClient(logger), "1", "wrong")
    found: dict[str, Any] = {
        "authenticated": client.is_authenticated(), "wrong": wrong.is_authenticated()
    }  # fmt: skip
    project = client.projects.create("checked", QCLanguage.Python, None)
    found["project"] = project.name
    found["listed"] = [one.name for one in client.projects.get_all(None)]
    number = project.projectId
    client.files.update(number, "main.py", FIRST)
    client.files.create(number, "other.py", "x = 1\n")
    found["content"] = client.files.get(number, "main.py").content
    found["files"] = sorted(one.name for one in client.files.get_all(number))
    found["twice"] = _refusal(RequestFailedError, client.files.create, number, "other.py", "")
    runner = CloudRunner(logger, client, TaskManager(logger))
    backtest = runner.run_backtest(project, "first", {"fast": "20"})
    found["completed"] = backtest.completed and backtest.is_complete()
    found["statistics"] = backtest.statistics
    found["backtests"] = [one["name"] for one in client.backtests.list(number)]
    page = client.backtests.read_orders(number, backtest.backtestId, 0, 100)
    found["orders"] = [page["length"], len(page["orders"])]
    chart = client.backtests.read_chart(
        number, backtest.backtestId, "Strategy Equity", 0, 4_000_000_000, 1000
    )
    found["points"] = len(chart["series"]["Equity"]["values"])
    found["log"] = client.backtests.read_log(number, backtest.backtestId, 0, 200)["logs"]
    client.files.update(number, "main.py", "class A(QCAlgorithm:\n")
    found["broken"] = _refusal(RuntimeError, runner.compile_project, project)
    client.backtests.delete(number, backtest.backtestId)
    found["after"] = client.backtests.list(number)
    client.projects.delete(number)
    found["left"] = [one.name for one in client.projects.get_all(None)]
    return found


def _refusal(kind: type[Exception], call: Any, *arguments: Any) -> str | None:
    try:
        call(*arguments)
    except kind as error:
        return str(error) or type(error).__name__
    return None


if __name__ == "__main__":
    if sys.argv[1:2] == ["--where"]:
        print(folder())
    elif sys.argv[1:2] == ["--make"]:
        make(Path(sys.argv[2]) if len(sys.argv) > 2 else folder())
    else:
        with tempfile.TemporaryDirectory() as home:
            os.environ["HOME"] = home
            print(json.dumps(drive(sys.argv[1])))
