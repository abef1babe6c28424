"""harvest file: JSONL of strategies, one broken line reported and the rest taken."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import pytest

from qc_builder_lora.errors import EngineUnavailable, InputError
from qc_builder_lora.harvest.sources import kept
from qc_builder_lora.harvest.sources.lines import LONGEST_LINE, pieces, total
from qc_builder_lora.harvest.sources.piece import Piece, Skipped
from qc_builder_lora.harvest.sources.take import BATCH, SourceReport, take
from qc_builder_lora.records import Role
from qc_builder_lora.requests import new_request
from qc_builder_lora.store import Store
from tests.harvest.sources.conftest import SECRET, code, everything


def line(weight: float = 1.0, **more: object) -> str:
    return json.dumps({"code": code(weight), **more})


def harvested(store: Store, path: Path, *lines: str | bytes) -> SourceReport:
    raw = [one if isinstance(one, bytes) else one.encode() for one in lines]
    path.write_bytes(b"\n".join(raw) + b"\n")
    return take(store, "file", pieces(path))


def test_a_line_becomes_a_build_a_request_a_generation_and_a_strategy(
    store: Store, tmp_path: Path
) -> None:
    report = harvested(
        store, tmp_path / "x.jsonl",
        line(instruction="Hold AAPL.\nAlways.", model="gpt-x", build="b1", iteration=2,
             version="v2", created_at="2026-01-05T12:00:00", licence="MIT", family="hold"),
    )  # fmt: skip
    assert (report.seen, report.builds, report.generations, report.strategies) == (1, 1, 1, 1)
    (generation,) = store.generations.find()
    assert (generation.model, generation.iteration, generation.version) == ("gpt-x", 2, "v2")
    assert generation.role is Role.SERVED
    assert generation.created_at.isoformat() == "2026-01-05T12:00:00+00:00"
    assert store.requests.get(generation.request_id).instruction == "Hold AAPL.\nAlways."
    strategy = store.strategies.get(str(generation.strategy_id))
    assert (strategy.licence, strategy.family, strategy.source) == ("MIT", "hold", "file")
    assert store.builds.find()[0].title == "Hold AAPL."


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        ('{"code": "class A(QCAlgorithm): pass", "code": "x"}', "'code' is there twice"),
        ('{"code": "class A(QCAlgorithm): pass", "iteration": 99999999999999999999}',
         "'iteration' must be from 0 to 1,000,000, got 1e+20"),
        ('{"code": "class A(QCAlgorithm): pass", "iteration": -1}', "got -1"),
        ('{"code": "class A(QCAlgorithm): pass", "created_at": "0001-01-01T00:00:00+14:00"}',
         "'created_at' must be ISO 8601, got '0001-01-01T00:00:00+14:00'"),
        ('{"code": "class A(QCAlgorithm): pass", "created_at": "9999-12-31T23:59:59-01:00"}',
         "'created_at' must be ISO 8601"),
        ('{"code": "public class A : QCAlgorithm { void Initialize() { } }"}', "its code is C#"),
    ],
)  # fmt: skip
def test_a_line_that_cannot_be_meant_is_named_and_costs_no_other(
    store: Store, tmp_path: Path, broken: str, why: str
) -> None:
    report = harvested(store, tmp_path / "x.jsonl", line(0.5), broken, line(1.0))
    assert report.generations == 2
    (skipped,) = report.skipped
    assert skipped.where.endswith("x.jsonl:2")
    assert why in skipped.why


def test_harvested_again_nothing_is_doubled(store: Store, tmp_path: Path) -> None:
    lines = [line(weight, instruction=f"Hold {weight}.") for weight in (0.5, 1.0)]
    harvested(store, tmp_path / "x.jsonl", *lines)
    before = everything(store)
    # Another name, another order: the same lines.
    report = harvested(store, tmp_path / "y.jsonl", *reversed(lines))
    assert (report.seen, report.builds, report.generations, report.strategies) == (2, 0, 0, 0)
    assert everything(store) == before


def test_lines_of_a_build_share_it(store: Store, tmp_path: Path) -> None:
    lines = [line(weight, build="b", iteration=n) for n, weight in enumerate((0.1, 0.2), 1)]
    assert harvested(store, tmp_path / "x.jsonl", *lines).builds == 1
    assert {one.build_id for one in store.generations.find()} == {store.builds.find()[0].id}


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        ('{"code": "x', "not JSON: Unterminated string"),
        (b"\xff\xfe{}", "not JSON: 'utf-8' codec"),
        ("[1, 2]", "not an object but a list"),
        ("null", "not an object but a NoneType"),
        ("{}", "it has no 'code'"),
        ('{"code": 5}', "'code' must be text, got 5"),
        (line(instrucion="x"), "unknown key 'instrucion'. Did you mean 'instruction'?"),
        (line(iteration="2"), "'iteration' must be a whole number, got '2'"),
        (line(iteration=True), "'iteration' must be a whole number, got True"),
        (line(created_at="yesterday"), "'created_at' must be ISO 8601, got 'yesterday'"),
        (line(instruction="\ud800"), "its text cannot be kept"),
        ('{"code": "print(1)"}', "no class derives from QCAlgorithm"),
        ('{"code": "  "}', "it is empty"),
        ("[" * 100_000, "not JSON"),
        (line(licence="Apache 2"), "'licence': 'Apache 2' is no SPDX licence expression. Did you "
                                   "mean 'Apache-2.0'?"),
    ],
)  # fmt: skip
def test_a_broken_line_is_reported_with_its_number_and_the_rest_is_taken(
    store: Store, tmp_path: Path, broken: str | bytes, why: str
) -> None:
    path = tmp_path / "x.jsonl"
    report = harvested(store, path, line(0.1), broken, "", line(0.2))
    (skipped,) = report.skipped
    assert skipped.where == f"{path}:2"
    assert why in skipped.why
    assert report.generations == 2


def test_a_pipe_is_read_like_a_file(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    text = line(0.1) + "\n{\n" + line(0.2) + "\n"
    writer = threading.Thread(target=path.write_text, args=(text,))
    writer.start()
    # What a progress bar asks first must not swallow it.
    assert total(path) == 0
    report = take(store, "file", pieces(path))
    writer.join()
    assert (report.generations, len(report.skipped)) == (2, 1)


def test_a_line_without_end_is_not_read_whole(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    with path.open("wb") as file:
        file.write(b'{"code": "')
        file.seek(LONGEST_LINE + 1000)
        file.write(b'"}\n' + line(0.2).encode() + b"\n")
    report = take(store, "file", pieces(path))
    assert [one.where for one in report.skipped] == [f"{path}:1"]
    assert report.generations == 1


def test_a_strategy_with_a_syntax_error_is_kept_as_what_was_answered(
    store: Store, tmp_path: Path
) -> None:
    text = json.dumps({"code": "class A(QCAlgorithm:\n  pass"})
    report = harvested(store, tmp_path / "x.jsonl", text)
    assert (report.generations, report.strategies) == (1, 0)
    assert report.labels == {"syntax_error": 1}


def test_secrets_are_removed_and_counted(store: Store, tmp_path: Path) -> None:
    text = json.dumps(
        {"code": code() + f'KEY = "{SECRET}"\n', "instruction": f"Use {SECRET}", "title": SECRET}
    )
    report = harvested(store, tmp_path / "x.jsonl", text)
    assert report.redacted["anthropic_key"] == 3
    assert SECRET not in json.dumps(everything(store), default=str)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.jsonl: cannot be read: No such file"):
        list(pieces(tmp_path / "none.jsonl"))


def test_clocks_that_run_backwards_change_nothing(store: Store, tmp_path: Path) -> None:
    lines = [line(0.1, created_at="2031-01-01", build="b"),
             line(0.2, created_at="1969-01-01", build="b")]  # fmt: skip
    assert harvested(store, tmp_path / "x.jsonl", *lines).generations == 2
    assert harvested(store, tmp_path / "x.jsonl", *lines).generations == 0


def test_two_harvesters_of_one_file_double_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text("\n".join(line(weight / 100, build="b") for weight in range(60)))
    url = f"sqlite:///{tmp_path}/store.db"
    Store.open(url).close()
    reports: list[SourceReport] = []

    def harvest() -> None:
        with Store.open(url, busy_s=60) as store:
            reports.append(take(store, "file", pieces(path)))

    threads = [threading.Thread(target=harvest) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert len(reports) == 3
    assert sum(report.generations for report in reports) == 60
    with Store.open(url) as store:
        assert store.counts()["generations"] == 60
        assert store.counts()["builds"] == 1


def test_a_record_that_another_harvester_wrote_in_between_is_as_good(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    harvested(store, tmp_path / "x.jsonl", line(0.1))
    # A line that differs only in when it was kept, as the other harvester's does.
    look, looks = store.generations.among, []

    def among(keys: Iterable[str]) -> set[str]:
        looks.append(keys)
        return look(keys) if len(looks) > 1 else set()

    monkeypatch.setattr(store.generations, "among", among)
    report = harvested(store, tmp_path / "x.jsonl", line(0.1))
    assert (report.generations, store.counts()["generations"], report.skipped) == (0, 1, [])
    assert len(looks) > 1


def test_what_the_store_refuses_is_named_and_costs_no_other(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        kept, "new_request", lambda text, created_at: new_request(text, created_at=created_at)
        if "third" not in text
        else replace(new_request(text, created_at=created_at), created_at="yesterday"),
    )  # fmt: skip
    path = tmp_path / "x.jsonl"
    lines = [line(0.1 * n, instruction=f"the {name}")
             for n, name in enumerate(("first", "second", "third", "fourth"))]  # fmt: skip
    report = harvested(store, path, *lines, line(0.9, api_key="x"), line(0.8, instruction=SECRET))
    assert [one.where for one in report.skipped] == [f"{path}:5", f"{path}:3"]
    assert report.skipped[1].why.startswith("the store refuses it: Request.created_at")
    assert (report.seen, report.generations, store.generations.count()) == (5, 4, 4)
    assert report.redacted["anthropic_key"] == 2


def test_many_lines_are_written_in_few_transactions_and_each_is_there(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = []
    begin = store.transaction

    def transaction() -> AbstractContextManager[None]:
        begun.append(1)
        return begin()

    monkeypatch.setattr(store, "transaction", transaction)
    lines = [line(number, build=f"b{number // 7}") for number in range(BATCH + 20)]
    report = harvested(store, tmp_path / "x.jsonl", *lines, *lines)
    assert (report.seen, report.generations) == (2 * BATCH + 40, BATCH + 20)
    assert report.builds == store.builds.count() == (BATCH + 20) // 7 + 1
    assert len(begun) < 20


def test_what_a_source_gave_before_it_failed_is_kept(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text("\n".join(line(weight) for weight in range(30)))

    def failing() -> Iterator[Piece | Skipped]:
        yield from pieces(path)
        raise EngineUnavailable("quantconnect", "went away.")

    with pytest.raises(EngineUnavailable, match="went away"):
        take(store, "file", failing())
    assert store.generations.count() == 30
