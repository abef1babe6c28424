"""Export and import: lossless between any two databases, and all or nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from qc_builder_lora.errors import InputError, StoreError
from qc_builder_lora.records import Outcome, Split, Stage
from qc_builder_lora.store import Store, columns
from qc_builder_lora.store.checks import check_store
from qc_builder_lora.store.revisions import HEAD
from qc_builder_lora.store.rows import Rows
from qc_builder_lora.store.transfer import export_store, import_store

ANY_TEXT = st.text(st.characters(), max_size=30)
ANY_JSON = st.dictionaries(
    ANY_TEXT,
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | ANY_TEXT,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
        max_leaves=8,
    ),
    max_size=3,
)
ZONES = st.sampled_from(
    [UTC, timezone(timedelta(hours=-9, minutes=-30)), timezone(timedelta(hours=14))]
)
VALUES: dict[type, st.SearchStrategy[Any]] = {
    columns.Name: ANY_TEXT,
    columns.LongText: ANY_TEXT,
    columns.Moment: st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=ZONES),
    columns.Money: st.decimals(allow_nan=False, allow_infinity=False).filter(
        lambda value: abs(value.adjusted()) <= 40 and len(value.as_tuple().digits) <= 40
    ),
    columns.Whole: st.integers(-(2**63), 2**63 - 1),
    columns.Real: st.floats(allow_nan=False, allow_infinity=False),
    columns.JsonObject: ANY_JSON,
    columns.Equity: st.lists(
        st.tuples(ANY_TEXT, st.floats(allow_nan=False, allow_infinity=False)), max_size=4
    ).map(tuple),
}


def a_record(draw: Any, noun: Rows[Any], number: int, ids: dict[str, list[str]]) -> Any:
    """Any record of the noun that refers only to what was drawn before it."""
    given_values: dict[str, Any] = {}
    for name, kind in noun._kinds():
        column = noun.table.c[name]
        parents = [key.column.table.name for key in column.foreign_keys]
        if name == "id":
            value = draw(ANY_TEXT) + str(number)
        elif parents:
            if column.nullable and (not ids[parents[0]] or draw(st.booleans())):
                value = None
            else:
                value = draw(st.sampled_from(ids[parents[0]]))
        elif column.nullable and draw(st.booleans()):
            value = None
        elif isinstance(kind, columns.OneOf):
            members = [item for item in kind.kind if item is not Stage.PRODUCTION]
            value = draw(st.sampled_from(members))
        else:
            value = draw(VALUES[type(kind)])
        given_values[name] = value
    if noun.word == "snapshot":
        splits = st.sampled_from(list(Split))
        given_values["members"] = draw(
            st.dictionaries(st.sampled_from(ids["examples"]), splits, max_size=3)
        )
    return noun.record(**given_values)


@st.composite
def worlds(draw: Any, nouns: tuple[Rows[Any], ...]) -> dict[str, list[Any]]:
    """Word → records, for every noun of the store."""
    ids: dict[str, list[str]] = {}
    world: dict[str, list[Any]] = {}
    for noun in nouns:
        number = draw(st.integers(1, 2))
        world[noun.word] = [a_record(draw, noun, n, ids) for n in range(number)]
        ids[noun.table.name] = [record.id for record in world[noun.word]]
    return world


def content(store: Store) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {noun.word: list(noun.each()) for noun in store.nouns()}
    found["redactions"] = list(store.redactions.each())
    return {**found, "ingested": list(store.ingested.each())}


@contextmanager
def opened(databases: Any, kind: str) -> Iterator[Store]:
    with Store.open(databases.migrated(kind)) as store:
        yield store


@pytest.mark.parametrize(
    ("here", "there"),
    [
        ("sqlite", "sqlite"),
        ("sqlite", "postgresql"),
        ("postgresql", "sqlite"),
        ("postgresql", "postgresql"),
    ],
)
def test_any_content_survives_the_way_there_and_back(
    databases: Any, tmp_path: Path, lite: Store, here: str, there: str
) -> None:
    @settings(
        max_examples=16 if here == there == "sqlite" else 8,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(worlds(lite.nouns()), st.lists(st.tuples(ANY_TEXT, VALUES[columns.Whole]), max_size=3))
    def survives(world: dict[str, list[Any]], taken: list[tuple[str, int]]) -> None:
        file, again = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
        with opened(databases, here) as first, opened(databases, there) as second:
            for noun in first.nouns():
                noun.restore(world[noun.word])
            for pair in taken:
                first.ingested.take(*pair)
            exported = export_store(first, file)
            imported = import_store(second, file)
            assert imported.counts == exported.counts
            assert imported.added == exported.total
            there_now = content(second)
            for noun in second.nouns():
                drawn = {record.id: record for record in world[noun.word]}
                assert {record.id: record for record in there_now[noun.word]} == drawn
            assert set(there_now["ingested"]) == set(taken)
            export_store(second, again)
            assert again.read_bytes() == file.read_bytes()
            assert import_store(second, file).added == 0
            assert content(second) == there_now
        databases.drop()

    survives()


def filled(store: Store, make: Any) -> None:
    """A little of everything, with one Model in production."""
    build = store.builds.add(make.build())
    request = store.requests.add(make.request())
    strategy = store.strategies.add(make.strategy())
    answers = [
        store.generations.add(make.generation(request.id, build_id=build.id)) for _ in range(3)
    ]
    store.backtests.add(make.backtest(strategy.id, equity=(("2026-01-02", 0.1),)))
    store.gates.add(make.gate(strategy.id, "G1 parse", Outcome.PASS))
    example = store.examples.add(make.example(strategy_id=strategy.id))
    snapshot = store.snapshots.add(make.snapshot({example.id: Split.TRAIN}))
    run = store.runs.add(make.run(snapshot.id))
    store.adapters.add(make.adapter(run.id))
    make.promoted(store, "m1")
    make.promoted(store, "m2", champion="m1")
    store.promotions.rollback("Ada")
    store.evaluations.add(make.evaluation("m1"))
    pair = store.comparisons.add(make.comparison(request.id, answers[0].id, answers[1].id))
    store.ratings.add(make.rating(pair.id))
    store.spendings.add(make.spending())
    store.entries.put([make.entry("a"), make.entry("b", outcome=None, reason="C#")])
    store.turns.add(make.turn())
    store.ingested.take("spool", 3)
    store.redactions.add("builder", "spool", {"email": 2})
    lease = store.leases.acquire("loop", "me", 60)
    assert lease is not None


@pytest.fixture
def file(databases: Any, make: Any, tmp_path: Path) -> Path:
    """An export with one line of each type at least."""
    path = tmp_path / "export.jsonl"
    with opened(databases, "sqlite") as store:
        filled(store, make)
        export_store(store, path)
    return path


def test_production_and_its_history_come_along(file: Path, store: Store) -> None:
    import_store(store, file)
    production = store.models.production()
    assert production is not None
    assert production.id == "m1"
    assert [item.action.value for item in store.promotions.history()] == [
        "promote",
        "promote",
        "rollback",
    ]
    assert store.leases.current("loop") is None


def test_the_file_says_what_it_is_and_ends_with_its_hash(file: Path) -> None:
    lines = file.read_bytes().splitlines(keepends=True)
    assert json.loads(lines[0]) == {"type": "qc-lora-store", "format": 1, "revision": HEAD}
    last = json.loads(lines[-1])
    assert last["sha256"] == hashlib.sha256(b"".join(lines[:-1])).hexdigest()
    assert sum(last["counts"].values()) == len(lines) - 2
    assert last["counts"]["generation"] == 3
    kinds = [json.loads(line)["type"] for line in lines]
    assert kinds.index("strategy") < kinds.index("generation") < kinds.index("comparison")


def test_importing_twice_changes_nothing(file: Path, store: Store) -> None:
    assert import_store(store, file).added > 0
    before = content(store)
    assert import_store(store, file).added == 0
    assert content(store) == before


Change = Callable[[list[bytes]], list[bytes]]


def position(lines: list[bytes], kind: str) -> int:
    return next(n for n, line in enumerate(lines) if json.loads(line)["type"] == kind)


def edited(kind: str, old: bytes, new: bytes) -> Change:
    def change(lines: list[bytes]) -> list[bytes]:
        number = position(lines, kind)
        assert old in lines[number]
        lines[number] = lines[number].replace(old, new)
        return lines

    return change


def cut(lines: list[bytes]) -> list[bytes]:
    return lines[:-1]


def cut_in_the_middle(lines: list[bytes]) -> list[bytes]:
    return [*lines[:5], lines[5][:20]]


def without_the_request(lines: list[bytes]) -> list[bytes]:
    del lines[position(lines, "request")]
    return lines


def one_more(lines: list[bytes]) -> list[bytes]:
    return [*lines, lines[1]]


def latin(lines: list[bytes]) -> list[bytes]:
    lines[1] = b'{"type": "build", "record": {"title": "\xe9"}}\n'
    return lines


@pytest.mark.parametrize(
    ("change", "fact"),
    [
        (lambda lines: [], r"line 1 is missing: the file is empty or was cut short"),
        (cut, r"line 30 is missing: the file is empty or was cut short"),
        (cut_in_the_middle, r"line 6 is not JSON \("),
        (latin, r"line 2 is not JSON \(.*utf-8"),
        (one_more, r"line 31 comes after the last line"),
        (lambda lines: lines[1:], r"line 1 is a 'build'; an export of a store begins with"),
        (edited("qc-lora-store", HEAD.encode(), b"9999"), r"line 1 says format 1, revision '9999'"),
        (edited("qc-lora-store", b"1", b"2"), r"line 1 says format 2.*a newer one"),
        (edited("build", b'"build"', b'"bild"'), r"line 2 has the unknown type 'bild'; known"),
        (edited("build", b'"title"', b'"titel"'), r"unknown field 'titel'. Did you mean 'title'"),
        (edited("build", b'"host": "test", ', b""), r"line 2 is not a build: .*'host'"),
        (edited("build", b"12:00:00", b"noon"), r"line 2 is not a build: Invalid isoformat"),
        (edited("build", b"+00:00", b""), r"line 2 is not a build: .*no time zone"),
        (edited("build", b'"cost_usd": null', b'"cost_usd": 0.5'), r"money must be text, got 0.5"),
        (edited("build", b'"cost_usd": null', b'"cost_usd": "x"'), r"not an amount of money: 'x'"),
        (edited("build", b'"cost_usd": null', b'"cost_usd": NaN'), r"NaN is not JSON"),
        (edited("model", b'"production"', b'"great"'), r"is 'great'; known are candidate"),
        (edited("build", b"Momentum", b"Monentum"), r"line 30 says SHA-256 .* was changed after"),
        (without_the_request, r"line 4 cannot be taken: generation .* is not in the store"),
    ],
)
def test_a_broken_file_is_refused_by_line_and_nothing_is_imported(
    file: Path, store: Store, make: Any, change: Change, fact: str
) -> None:
    lines = file.read_bytes().splitlines(keepends=True)
    assert len(lines) == 30
    file.write_bytes(b"".join(change(lines)))
    kept = store.builds.add(make.build())
    with pytest.raises(InputError, match=fact) as caught:
        import_store(store, file)
    assert str(caught.value).startswith(f"{file}: line ")
    assert str(caught.value).endswith("Nothing was imported.")
    assert store.counts() == {**dict.fromkeys(store.counts(), 0), "builds": 1}
    assert store.builds.find() == [kept]


def test_wrong_counts_are_refused(file: Path, lite: Store) -> None:
    lines = file.read_bytes().splitlines(keepends=True)
    last = json.loads(lines[-1])
    last["counts"]["build"] = 7
    file.write_bytes(b"".join([*lines[:-1], json.dumps(last).encode()]))
    with pytest.raises(InputError, match=r"line 30 counts .*'build': 7"):
        import_store(lite, file)
    assert lite.builds.count() == 0


def test_what_differs_from_what_is_there_is_refused_by_line(file: Path, store: Store) -> None:
    import_store(store, file)
    build = store.builds.find()[0]
    store.builds.update(build.id, status="finished since")
    before = content(store)
    with pytest.raises(InputError, match=r"line 2 cannot be taken: build .* differs in status"):
        import_store(store, file)
    assert content(store) == before


def test_a_second_model_in_production_is_refused_by_line(
    file: Path, store: Store, make: Any
) -> None:
    make.promoted(store, "mine")
    with pytest.raises(InputError, match=r"line \d+ cannot be taken: model 'm1': 'mine' is in"):
        import_store(store, file)
    assert [model.id for model in store.models.each()] == ["mine"]


def test_an_export_that_fails_leaves_the_former_file(
    databases: Any, make: Any, tmp_path: Path
) -> None:
    path = tmp_path / "export.jsonl"
    with opened(databases, "sqlite") as store:
        filled(store, make)
        export_store(store, path)
        before = path.read_bytes()
        with store.database.writing() as connection:
            connection.execute(text("UPDATE backtests SET equity = :x"), {"x": b"junk"})
        with pytest.raises(StoreError, match="equity series in the database is damaged"):
            export_store(store, path)
    assert path.read_bytes() == before
    assert list(tmp_path.glob(".*.tmp")) == []


def test_an_export_sees_one_moment_while_others_write(store: Store, make: Any, url: str) -> None:
    filled(store, make)
    with Store.open(url) as other, store.database.frozen():
        before = store.counts()
        other.builds.add(make.build())
        other.turns.add(make.turn())
        assert store.counts() == before
        with pytest.raises(StoreError, match="Nothing can be written"):
            store.builds.add(make.build())
    assert store.builds.count() == before["builds"] + 1


def test_a_file_that_cannot_be_opened_is_named(lite: Store, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        import_store(lite, tmp_path)


class Seen:
    def __init__(self) -> None:
        self.done: list[float] = []

    def update(self, done: float, note: str = "") -> None:
        self.done.append(done)


def test_progress_reaches_the_end_and_never_goes_back(
    databases: Any, make: Any, tmp_path: Path
) -> None:
    path = tmp_path / "many.jsonl"
    there, back = Seen(), Seen()
    with opened(databases, "sqlite") as store, opened(databases, "sqlite") as other:
        store.builds.add_all(make.build() for _ in range(1700))
        export_store(store, path, there)
        import_store(other, path, back)
        assert other.builds.count() == 1700
    assert there.done == [500, 1000, 1500, 1700]
    assert back.done == sorted(back.done)
    assert back.done[-1] == path.stat().st_size
    assert len(back.done) >= 4


IMPORT = """
import sys, time
from pathlib import Path
from qc_builder_lora.store import Store
from qc_builder_lora.store.revisions import HEAD
from qc_builder_lora.store.transfer import import_store

class Half:
    def update(self, done, note=""):
        print(done, flush=True)
        time.sleep(60)

with Store.open(sys.argv[1]) as store:
    import_store(store, Path(sys.argv[2]), Half())
"""


def test_an_import_that_is_killed_leaves_nothing_behind(
    databases: Any, kind: str, make: Any, tmp_path: Path, child: Any
) -> None:
    path = tmp_path / "many.jsonl"
    with opened(databases, "sqlite") as store:
        store.builds.add_all(make.build() for _ in range(1700))
        export_store(store, path)
    url = databases.migrated(kind)
    process = child(IMPORT, url, str(path))
    assert int(process.stdout.readline()) > 0
    process.kill()
    process.wait()
    with Store.open(url) as store:
        assert store.builds.count() == 0
        assert import_store(store, path).added == 1700
    assert check_store(url).problems == ()


def test_a_record_equal_but_for_the_form_of_its_values_is_the_same(store: Store, make: Any) -> None:
    example = store.examples.add(make.example(parameters={"fast": 1.0, "days": [1, 2]}))
    again = replace(example, parameters={"days": (1, 2), "fast": 1.0})
    assert store.examples.add(again).parameters == example.parameters
