"""The bill against a table made by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner

from qc_builder_lora.cli import root
from qc_builder_lora.ids import new_id
from qc_builder_lora.models.bill import bill
from qc_builder_lora.models.prices import Price, Prices
from qc_builder_lora.records import Build, Generation, Role, Spending
from qc_builder_lora.requests import new_request
from qc_builder_lora.store import Store

INSTEAD = ("anthropic", "claude")
PRICES = Prices({INSTEAD: Price(Decimal("2"), Decimal("10"), 5000)}, "here")
HOSTED = frozenset({"claude", "gpt"})
SPENT = [  # build, day, model, reserved, settled
    ("b1", 1, "claude", "0.05", "0.0123"),
    ("b1", 2, "gpt", "0.04", None),
    ("b2", 2, "claude", "0.05", "0"),
    ("b2", 2, "claude", "0.05", "0.000000000001"),
]
SERVED = [  # build, day, model, read, written, cost
    ("b1", 1, "m1", 1000, 500, "0"),  # 0.002 + 0.005
    ("b1", 2, "m1", 1, 1, "0"),  # 0.000002 + 0.000010
    ("b2", 2, "m2", None, 500, "0"),
    ("b2", 2, "m2", 1000, 500, "0"),
    (None, 2, "m3", 6000, 10, "0"),  # beyond what the price holds for
    ("b1", 1, "claude", 1000, 500, "0.007"),
    ("b1", 1, "gpt", 1000, 500, None),
]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store.open(f"sqlite:///{tmp_path / 'store.db'}")
    for build in ("b1", "b2"):
        made.builds.add(Build(id=build, title="t", host="h", started_at=at(1)))
    for build, day, model, reserved, cost in SPENT:
        made.spendings.add(
            Spending(id=new_id(), build_id=build, provider="p", model=model, created_at=at(day),
                     reserved_usd=Decimal(reserved), cost_usd=Decimal(cost) if cost else None,
                     settled_at=at(day) if cost else None)
        )  # fmt: skip
    for build, day, model, read, written, cost in SERVED:
        request = made.requests.add(new_request(new_id()))
        made.generations.add(
            Generation(id=new_id(), request_id=request.id, code="x", role=Role.SERVED, model=model,
                       created_at=at(day), build_id=build, prompt_tokens=read,
                       completion_tokens=written, cost_usd=Decimal(cost) if cost else None)
        )  # fmt: skip
    return made


def at(day: int) -> datetime:
    return datetime(2026, 5, day, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        (
            "build",
            {  # hosted calls, spent, still open, local answers, saved
                "no build": (0, "0", "0", 1, None),
                "b2": (2, "0.000000000001", "0", 2, None),
                "b1": (2, "0.0523", "0.04", 2, "0.007012"),
            },
        ),
        (
            "day",
            {
                "2026-05-02": (3, "0.040000000001", "0.04", 4, None),
                "2026-05-01": (1, "0.0123", "0", 1, "0.007"),
            },
        ),
        (
            "model",
            {
                "claude": (3, "0.012300000001", "0", 0, "0"),
                "gpt": (1, "0.04", "0.04", 0, "0"),
                "m1": (0, "0", "0", 2, "0.007012"),
                "m2": (0, "0", "0", 2, None),
                "m3": (0, "0", "0", 1, None),
            },
        ),
    ],
)
def test_every_row_is_what_a_person_reckons(
    store: Store, by: str, expected: dict[str, tuple[object, ...]]
) -> None:
    lines = bill(store, by, since=None, instead=INSTEAD, hosted=HOSTED, prices=PRICES)
    found = {one.key: (one.calls, one.spent, one.open, one.local, one.saved) for one in lines}
    assert list(found) == list(expected)
    for key, (calls, spent, open_, local, saved) in expected.items():
        wanted = (calls, Decimal(str(spent)), Decimal(str(open_)), local)
        assert found[key] == (*wanted, None if saved is None else Decimal(str(saved)))


def test_what_was_before_is_left_out(store: Store) -> None:
    lines = bill(store, "day", since=at(2), instead=INSTEAD, hosted=HOSTED, prices=PRICES)
    assert [one.key for one in lines] == ["2026-05-02"]


def test_an_amount_too_small_to_be_written_is_not_called_nothing(
    store: Store, tmp_path: Path
) -> None:
    store.close()
    given = {"QC_LORA_HOME": str(tmp_path), "QC_LORA_DATABASE": f"sqlite:///{tmp_path}/store.db"}
    done = CliRunner().invoke(root, ["cost", "--by", "build"], env=given)
    assert done.exit_code == 0, done.output
    (row,) = [line for line in done.output.splitlines() if line.startswith("b2")]
    assert row.split() == ["b2", "2", "<0.0001", "0.0000", "2", "unknown"]
    (row,) = [line for line in done.output.splitlines() if line.startswith("b1")]
    assert row.split()[:4] == ["b1", "2", "0.0523", "0.0400"]
