"""A store with two models and their reports, and the review page on a real port."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
import uvicorn

from qc_builder_lora.ids import file_hash, new_id, now, text_hash
from qc_builder_lora.kinds import SHOWN
from qc_builder_lora.records import Model, Stage, Verdict, VerdictKind
from qc_builder_lora.release.register import promote
from qc_builder_lora.store import Store
from qc_builder_lora.web.app import build_app
from qc_builder_lora.web.serving import new_token

BASE = "base:gemma"
OUTCOME = {
    "wins": 14, "losses": 1, "pairs": 24, "difference": 13 / 24, "interval": [0.1, 0.8],
    "e_value": 212.3,
}  # fmt: skip
SENTENCE = "tuned is better than base:gemma: 14 prompts won, 1 lost."


class Project:
    """A store on disk, with artefacts and reports that are files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = f"sqlite:///{folder / 'store.db'}"
        self.store = Store.open(self.url)

    def model(self, key: str, **manifest: Any) -> Model:
        path = self.folder / f"{text_hash(key)[:8]}.gguf"
        path.write_bytes(key.encode())
        return self.store.models.add(
            Model(
                id=key,
                adapter_id=None,
                path=str(path),
                sha256=file_hash(path),
                quantization="Q5_K_M",
                manifest=manifest,
                stage=Stage.CANDIDATE,
                created_at=now(),
            )
        )

    def report(self, about: Model, against: str = BASE, **given: Any) -> Verdict:
        path = self.folder / f"report-{new_id()}.html"
        path.write_text(f"<html><h1>{about.sha256}</h1><style>h1 {{ color: red }}</style></html>")
        base: dict[str, Any] = {
            "id": new_id(),
            "champion": against,
            "challenger": about.id,
            "kind": VerdictKind.BETTER,
            "evidence": {
                "sentence": SENTENCE,
                "rates": dict.fromkeys(SHOWN, OUTCOME),
                "sharpe": {"pairs": 9, "wins": 7, "losses": 2, "e_value": 3.25},
            },
            "created_at": now(),
            "report_path": str(path),
            "report_sha256": file_hash(path),
        }
        return self.store.verdicts.add(Verdict(**{**base, **given}))

    def production(self) -> str | None:
        model = self.store.models.production()
        return model.id if model else None


class Page:
    """The page as a browser has it that was given the printed link."""

    def __init__(self, app: Any, token: str) -> None:
        self.token = token
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off")
        self._server = uvicorn.Server(config)
        sockets = {"sockets": [self._listener]}
        self._thread = threading.Thread(target=self._server.run, kwargs=sockets, daemon=True)
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", trust_env=False)

    def get(self, path: str, **given: Any) -> httpx.Response:
        return self.client.get(path, params={"token": self.token}, **given)

    def fields(self, path: str) -> dict[str, str]:
        """The hidden fields of the one form on a page."""
        return dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', self.get(path).text))

    def decide(self, path: str, fields: dict[str, str], by: str = "Ada", **more: str) -> Any:
        return self.client.post(path, data={**fields, "by": by, **more})

    def promote(self, verdict: Verdict, **given: str) -> Any:
        """Open the report, fill in the form, press the button."""
        place = f"/reports/{verdict.id}"
        return self.decide(f"{place}/promote", self.fields(place), **given)

    def close(self) -> None:
        self.client.close()
        self._server.should_exit = True
        self._thread.join(20)
        self._listener.close()


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    made = Project(tmp_path)
    yield made
    made.store.close()


@pytest.fixture
def start(project: Project) -> Iterator[Callable[..., Page]]:
    started: list[Page] = []

    def begin(host: str = "127.0.0.1") -> Page:
        token = new_token()
        started.append(Page(build_app(project.store, promote, token=token, host=host), token))
        return started[-1]

    yield begin
    for page in started:
        page.close()


@pytest.fixture
def page(start: Callable[..., Page]) -> Page:
    return start()
