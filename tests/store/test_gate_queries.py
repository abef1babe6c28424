"""What the gates ask of the store, on both databases."""

from typing import Any

from sqlalchemy import text

from qc_builder_lora.records import Outcome, Role
from qc_builder_lora.store import Store
from qc_builder_lora.store.address import parse_address
from qc_builder_lora.store.database import Database
from qc_builder_lora.store.revisions import ensure_revision

FIGURES = {"Net Profit": "4%", "Sharpe Ratio": "1", "Drawdown": "2%", "Total Orders": "12"}


def served(store: Store, make: Any, code: str, role: Role = Role.SERVED) -> str:
    key: str = store.strategies.add(make.strategy(code)).id
    request = store.requests.add(make.request(f"Write {code}"))
    store.generations.add(make.generation(request.id, strategy_id=key, role=role))
    return key


def test_undecided_are_those_served_without_a_pass_under_this_basis(
    store: Store, make: Any
) -> None:
    keys = [served(store, make, f"class A{n}: pass") for n in range(4)]
    served(store, make, "class Shadow: pass", Role.SHADOW)
    told = [("new", Outcome.PASS), ("new", Outcome.UNKNOWN), ("old", Outcome.PASS)]
    for key, (basis, outcome) in zip(keys, told, strict=False):
        store.gates.add(make.gate(key, "asked", outcome, basis=basis))
    assert store.strategies.undecided("asked", "new") == keys[1:]
    assert [one.id for one in store.strategies.answered(())] == keys[::-1]
    assert store.strategies.how_many() == len(keys)
    assert store.strategies.how_many(served=False) == len(keys) + 1


def test_unanswered_counts_only_unknown_ones_of_this_basis(store: Store, make: Any) -> None:
    key = served(store, make, "class A: pass")
    for basis, outcome in (("new", "UNKNOWN"), ("new", "UNKNOWN"), ("old", "UNKNOWN")):
        last = store.gates.add(make.gate(key, "asked", Outcome(outcome), basis=basis))
    times, moment = store.gates.unanswered("asked", "new")[key]
    assert times == 2
    assert moment < last.created_at
    assert store.gates.unanswered("G1 parse", "new") == {}


def test_the_newest_answers_come_in_the_order_of_the_ladder(store: Store, make: Any) -> None:
    key = served(store, make, "class A: pass")
    for name in ("G10 statistics", "G2 static", "G9 fidelity", "asked"):
        for outcome in (Outcome.UNKNOWN, Outcome.PASS):
            store.gates.add(make.gate(key, name, outcome))
    latest = store.gates.latest(key)
    assert list(latest) == ["G2 static", "G9 fidelity", "G10 statistics", "asked"]
    assert store.gates.latest_of([key, "none"]) == {key: latest, "none": {}}
    (one,) = store.strategies.answered(["G2 static", "asked", "G1 parse"])
    assert one.outcomes == {"G2 static": Outcome.PASS, "asked": Outcome.PASS}
    assert list(store.gates.newest("asked", [key, "none"])) == [latest["asked"]]
    assert list(store.gates.newest("G1 parse", [key])) == []


def test_strategies_come_in_pages_newest_first_filtered_by_source_and_age(
    store: Store, make: Any
) -> None:
    keys = [served(store, make, f"class A{n}: pass") for n in range(5)]
    pages = [store.strategies.answered((), limit=2, offset=start) for start in (0, 2, 4, 6)]
    assert [[one.id for one in page] for page in pages] == [
        [keys[4], keys[3]], [keys[2], keys[1]], [keys[0]], [],
    ]  # fmt: skip
    (first, *_), since = pages[1], store.strategies.get(keys[3]).created_at
    assert (first.source, first.created_at) == (
        store.strategies.get(keys[2]).source, store.strategies.get(keys[2]).created_at,
    )  # fmt: skip
    assert store.strategies.how_many(since=since) == 2
    assert store.strategies.how_many(source="nobody") == 0
    assert store.strategies.answered((), source="nobody") == []


def test_answers_are_counted_without_their_texts(store: Store, make: Any) -> None:
    served(store, make, "class A: pass")
    request = store.requests.add(make.request("Write")).id
    for code, role in ((" \n\t", Role.SERVED), ("def (", Role.SERVED), ("x", Role.SHADOW)):
        store.generations.add(make.generation(request, code=code, role=role, label="traded"))
    found = sorted(one[1:] for one in store.generations.served_briefly() if one[0] is None)
    assert found == [("traded", False), ("traded", True)]


def test_figures_reported_of_two_codes_are_found_and_runs_without_orders_are_not(
    store: Store, make: Any
) -> None:
    keys = [served(store, make, f"class A{n}: pass") for n in range(4)]
    build = store.builds.add(make.build()).id
    for key, orders, profit in zip(keys, (12, 12, 0, 12), ("4%", "4%", "4%", "5%"), strict=True):
        told = {**FIGURES, "Net Profit": profit}
        given = {"statistics": told, "total_orders": orders, "build_id": build}
        store.backtests.add(make.backtest(key, **given))
    store.backtests.add(make.backtest(keys[3], statistics=FIGURES, total_orders=12))
    (found,) = store.backtests.told_twice().values()
    assert found == {keys[0]: {build}, keys[1]: {build}}


def test_an_upgrade_finds_the_figures_of_earlier_backtests(empty_url: str, make: Any) -> None:
    database = Database(parse_address(empty_url), busy_s=5)
    ensure_revision(database, upgrade=True)
    store = Store(database)
    keys = [served(store, make, f"class A{n}: pass") for n in range(2)]
    build = store.builds.add(make.build()).id
    for key in keys:
        given = {"statistics": FIGURES, "total_orders": 3, "build_id": build}
        store.backtests.add(make.backtest(key, **given))
    expected = store.backtests.told_twice()
    with database.writing() as connection:
        connection.execute(text("DROP INDEX ix_backtests_figures"))
        connection.execute(text("ALTER TABLE backtests DROP COLUMN figures"))
        connection.execute(text("ALTER TABLE gates DROP COLUMN basis"))
        connection.execute(text("DROP TABLE entries"))
        connection.execute(text("DROP TABLE tallies"))
        connection.execute(text("DROP TABLE redactions"))
        connection.execute(text("ALTER TABLE examples DROP COLUMN origin"))
        connection.execute(text("UPDATE qc_lora_revision SET version_num = '0005'"))
    database.close()
    with Store.open(empty_url) as upgraded:
        assert upgraded.backtests.told_twice() == expected
        assert len(expected) == 1
