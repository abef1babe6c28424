"""`qc-lora report serve` as a person starts it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2 as httpx

from qc_builder_lora.cli.report import command


def started(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("QC_LORA_")}
    return subprocess.Popen(
        [sys.executable, "-m", "qc_builder_lora.cli", "report", "serve", *arguments],
        cwd=folder,
        env={**kept, "QC_LORA_HOME": str(folder), "PYTHONPATH": os.pathsep.join(sys.path)},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_the_printed_link_opens_the_page_and_decides_until_it_is_stopped(project: Any) -> None:
    verdict = project.report(project.model("m1"))
    child = started(project.folder)
    try:
        link = child.stdout.readline().strip()
        assert urlsplit(link).hostname == "127.0.0.1"
        with httpx.Client(trust_env=False) as client:
            assert verdict.id in client.get(link).text
            place = f"http://{urlsplit(link).netloc}/reports/{verdict.id}/promote"
            token = urlsplit(link).query.removeprefix("token=")
            done = client.post(place, data={"token": token, "seen": "", "by": "Ada"})
        assert done.status_code == 303
    finally:
        child.send_signal(signal.SIGINT)
        _, said = child.communicate(timeout=30)
    assert child.returncode in (0, 130)
    assert token not in said
    assert project.production() == "m1"


def test_a_taken_port_is_named_before_anything_is_shown(tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        child = started(tmp_path, "--port", str(port))
        shown, said = child.communicate(timeout=60)
    assert (child.returncode, shown) == (2, "")
    assert f"qc-lora: Cannot listen on 127.0.0.1 port {port}" in said


def test_help_of_the_page_loads_neither_the_server_nor_the_templates() -> None:
    assert "serve" in command.commands
    code = (
        "import sys; from qc_builder_lora.cli.report import command; "
        "import qc_builder_lora.web.serving; "
        "sys.exit(bool({'starlette', 'uvicorn', 'jinja2'} & set(sys.modules)))"
    )
    path = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", code], env=path, check=False).returncode == 0
