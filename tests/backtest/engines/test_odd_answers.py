"""QuantConnect answers in another form than it is known to: every figure is read or unknown."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from qc_builder_lora.backtest.quantconnect import QuantConnect
from qc_builder_lora.records import BacktestStatus
from tests.backtest.engines.conftest import CODE, FAST, Canned, Make
from tests.backtest.engines.fake_quantconnect import Account

Json = dict[str, Any]
ODD: tuple[tuple[str, Json, str], ...] = (
    ("projects/read", {"projects": None}, "projects/read: the answer has no list of 'projects'"),
    ("projects/read", {}, "projects/read: the answer has no list of 'projects'"),
    ("projects/read", {"projects": [{"name": "qc-lora", "language": "Py"}]},
     "projects/read: its 'projectId' is no number but None"),
    ("projects/create", {"projects": [{"projectId": "x"}]},
     "projects/create: its 'projectId' is no number but 'x'"),
    ("files/read", {"files": None}, "files/read: the answer has no list of 'files'"),
    ("files/read", {"files": [{"name": "main.py", "content": None}]}, "main.py read back after"),
    ("compile/create", {"compileId": None}, "compile/create: the answer has no 'compileId'"),
    ("backtests/read", {"backtest": None}, "read: the answer has no 'backtest'"),
    ("backtests/read", {"backtest": {"completed": True, "statistics": [1], "totalPerformance": 5}},
     "the engine gave no statistics"),
    ("backtests/orders/read", {}, "backtests/orders/read: the answer has no list of 'orders'"),
    ("backtests/orders/read", {"orders": [], "length": 0},
     "gave 0 orders, and its statistics say 2"),
    ("backtests/orders/read", {"orders": [], "length": "2"},
     "gave 0 orders, and its statistics say 2"),
    ("backtests/chart/read", {"chart": None}, "gave no chart 'Strategy Equity'"),
    ("backtests/chart/read", {}, "gave no chart 'Strategy Equity'"),
)  # fmt: skip


def answering(cloud: Account, monkeypatch: pytest.MonkeyPatch, endpoint: str, odd: Json) -> None:
    """The account does what it is asked, and says something else."""
    plain = cloud.answer

    def answer(asked: str, given: Json) -> Json:
        found = plain(asked, given)
        return odd if asked == endpoint else found

    monkeypatch.setattr(cloud, "answer", answer)


@pytest.mark.parametrize(("endpoint", "odd", "reason"), ODD, ids=[f"{e} {o}" for e, o, _ in ODD])
def test_an_answer_of_another_form_is_unknown_with_what_it_lacks(
    engine: QuantConnect, cloud: Account, monkeypatch: pytest.MonkeyPatch,
    endpoint: str, odd: Json, reason: str,
) -> None:  # fmt: skip
    answering(cloud, monkeypatch, endpoint, odd)
    result = engine.run(CODE)
    assert result.status is BacktestStatus.UNKNOWN
    assert reason in (result.reason or "")


def test_a_list_of_projects_that_did_not_come_makes_no_second_project(
    make: Make, cloud: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert make().run(CODE).status is BacktestStatus.COMPLETED
    answering(cloud, monkeypatch, "projects/read", {"projects": None})
    assert make().run(CODE).status is BacktestStatus.UNKNOWN
    assert cloud.count("projects/create") == 1


@pytest.mark.parametrize("odd", [{}, {"backtest": {}}, {"backtest": {"backtestId": None}}])
def test_a_backtest_that_was_started_without_its_number_is_found_by_its_name(
    engine: QuantConnect, cloud: Account, monkeypatch: pytest.MonkeyPatch, odd: Json
) -> None:
    answering(cloud, monkeypatch, "backtests/create", odd)
    assert engine.run(CODE).status is BacktestStatus.COMPLETED
    assert cloud.count("backtests/create") == 1


@pytest.mark.parametrize(
    ("logs", "said"), [("one text", "one text"), (None, "(no reason given)"), (5, "5")]
)
def test_a_compilers_words_are_shown_in_whatever_form_they_come(
    engine: QuantConnect, cloud: Account, monkeypatch: pytest.MonkeyPatch, logs: Any, said: str
) -> None:
    odd = {"compileId": "x", "state": "BuildError", "logs": logs}
    answering(cloud, monkeypatch, "compile/create", odd)
    result = engine.run(CODE)
    assert (result.status, result.reason) == (
        BacktestStatus.FAILED, f"does not compile:\n{said}"
    )  # fmt: skip


def test_progress_in_words_is_no_failure_of_ours(
    make: Make, cloud: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = {"backtest": {"progress": "half", "status": "In Progress..."}}
    answering(cloud, monkeypatch, "backtests/read", odd)
    result = make(pace=replace(FAST, deadline_s=0.5)).run(CODE)
    assert result.status is BacktestStatus.UNKNOWN
    assert "did not finish within 0.5 s" in (result.reason or "")
    assert len(cloud.deleted) == 1


def test_the_same_page_of_orders_twice_is_unknown(
    engine: QuantConnect, cloud: Account, canned: Canned, monkeypatch: pytest.MonkeyPatch
) -> None:
    canned.orders = 250
    plain = cloud.on_backtests_orders_read
    monkeypatch.setattr(
        cloud, "on_backtests_orders_read", lambda given: plain({**given, "start": 0, "end": 100})
    )
    result = engine.run(CODE)
    assert result.status is BacktestStatus.UNKNOWN
    assert "on two pages" in (result.reason or "")
    assert not result.orders


def test_a_deadline_without_a_rate_limit_does_not_blame_one(
    make: Make, cloud: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = cloud.answer

    def slow(asked: str, given: Json) -> Json:
        if asked == "files/update":
            time.sleep(0.4)
        return plain(asked, given)

    monkeypatch.setattr(cloud, "answer", slow)
    result = make(pace=replace(FAST, deadline_s=0.3)).run(CODE)
    assert result.status is BacktestStatus.UNKNOWN
    assert "waited for an answer to " in (result.reason or "")
    assert "rate limit" not in (result.reason or "")
