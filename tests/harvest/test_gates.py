from pathlib import Path
from typing import Any

import pytest

from qc_builder_lora.backtest.sample_data import convert
from qc_builder_lora.backtest.simulator import Simulator
from qc_builder_lora.errors import InputError, SettingsError, UnknownKey
from qc_builder_lora.harvest import ladder
from qc_builder_lora.harvest.gates import LADDER, NAMES, Rules, load_rules, run_gates
from qc_builder_lora.ids import text_hash
from qc_builder_lora.records import BacktestStatus, Outcome, Role, Strategy
from qc_builder_lora.store import Store
from tests.harvest.conftest import Engine, Told, code

RULES = Rules()
CANNOT_SAY = {"status": BacktestStatus.UNKNOWN, "phase": "load", "orders": (), "reason": "no SPY"}
FAILS = {"status": BacktestStatus.FAILED, "phase": "run", "orders": (), "reason": "ValueError: x"}


def outcomes(store: Store, strategy: Strategy) -> dict[str, str]:
    """The first word of each gate's name → its latest answer."""
    latest = store.gates.latest(strategy.id)
    return {name.split()[0]: str(latest[name].outcome.value) for name in LADDER if name in latest}


@pytest.fixture
def ask(kept: Store, check_cache: Path) -> Any:
    def call(engine: Any = None, rules: Rules = RULES) -> dict[str, Any]:
        found = run_gates(kept, engine or Engine(), rules, cache=check_cache).plain()
        if not found["waiting"]:
            del found["waiting"]
        return found

    return call


def accepted(store: Store, rules: Rules = RULES) -> list[str]:
    return [one.id for one in store.strategies.accepted(rules.line)]


def test_a_good_strategy_passes_all_on_the_real_engine(
    kept: Store, told: Told, ask: Any, tmp_path: Path
) -> None:
    strategy = told.served(code())
    convert(tmp_path / "data")
    simulator = Simulator(tmp_path / "data")
    try:
        assert ask(simulator) == {"asked": 1, "accepted": 1, "stopped": {}}
    finally:
        simulator.close()
    found = outcomes(kept, strategy)
    assert found.pop("G10") == "FAIL"  # half a year is no proof of skill
    assert set(found.values()) == {"PASS"}
    assert accepted(kept) == [strategy.id]
    (backtest,) = kept.backtests.find(strategy_id=strategy.id)
    linked = {gate.backtest_id for gate in kept.gates.find(strategy_id=strategy.id)}
    assert linked == {backtest.id, None}  # uniqueness rests on no backtest of ours


def test_unknown_is_not_accepted_is_told_apart_and_is_asked_again(
    kept: Store, told: Told, ask: Any
) -> None:
    strategy = told.served(code())
    engine = Engine({code(): CANNOT_SAY})
    report = ask(engine)
    assert report["accepted"] == 0
    assert report["stopped"] == {"G4 engine": {"FAIL": 0, "UNKNOWN": 1}}
    assert outcomes(kept, strategy)["G4"] == outcomes(kept, strategy)["G5"] == "UNKNOWN"
    assert accepted(kept) == []
    assert kept.gates.latest(strategy.id)["G4 engine"].evidence["reason"] == "no SPY"
    again = ask(Engine())
    assert again["changed"]["G4 engine: UNKNOWN → PASS"] == 1
    assert (again["accepted"], again["stopped"], "reused" in again) == (1, {}, False)
    assert accepted(kept) == [strategy.id]


def test_an_engine_that_does_not_count_trades_leaves_activity_unknown(
    kept: Store, told: Told, ask: Any
) -> None:
    strategy = told.served(code())
    ask(Engine({code(): {"closed_trades": None}}))
    assert outcomes(kept, strategy)["G5"] == "UNKNOWN"
    assert accepted(kept) == []


def test_without_a_compile_check_nothing_is_accepted(
    kept: Store, told: Told, ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from qc_builder_lora.backtest.check import compiling

    monkeypatch.setattr(compiling, "_version", lambda name: "not installed")
    strategy = told.served(code())
    assert ask()["stopped"] == {"G2 static": {"FAIL": 0, "UNKNOWN": 1}}
    evidence = kept.gates.latest(strategy.id)["G2 static"].evidence
    assert "pip install 'qc-builder-lora[check]'" in evidence["messages"][0]


@pytest.mark.parametrize(
    ("text", "result", "gate"),
    [
        (code().replace("(QCAlgorithm)", ""), {}, "G1"),
        (code().replace("set_holdings", "set_holdingz"), {}, "G2"),
        (code().replace("self.set_holdings(self.aapl, 1)", "self.set_holding_s()"), {}, "G2"),
        (code().replace("self.set_holdings(self.aapl, 1)", "pass"), {}, "G3"),
        (
            code().replace("self.set_holdings(self.aapl, 1)", "0 > 1 and self.buy(self.aapl, 1)"),
            {},
            "G3",
        ),
        (code(), FAILS, "G4"),
        (code(), {"code_sha256": text_hash("something else")}, "G4"),
        (code(), {"orders": ({"fills": [1]}, {"fills": []})}, "G5"),
        (code(), {"closed_trades": 0}, "G5"),
    ],
    ids=[
        "no class",
        "misspelt",
        "invented",
        "a stub",
        "never holds",
        "raises",
        "other code ran",
        "one fill",
        "never closed",
    ],
)
def test_each_fault_stops_at_its_own_gate(
    kept: Store, told: Told, ask: Any, text: str, result: dict[str, Any], gate: str
) -> None:
    strategy = told.served(text)
    ask(Engine({text: result}))
    found = outcomes(kept, strategy)
    assert found[gate] == "FAIL"
    assert next(name for name in found if found[name] != "PASS") == gate
    assert accepted(kept) == []


def test_code_that_is_not_what_its_hash_says_has_no_provenance(
    kept: Store, told: Told, ask: Any
) -> None:
    strategy = told.served(code())
    assert ladder.provenance(strategy, [], ["r"], writer_needed=False)[0] is Outcome.PASS
    changed = Strategy(
        id="x", code=code(3), code_sha256=text_hash("x"), created_at=strategy.created_at, source="b"
    )
    assert ladder.provenance(changed, [], ["r"], writer_needed=False)[0] is Outcome.FAIL


def test_a_strategy_that_passed_or_failed_is_not_executed_twice(told: Told, ask: Any) -> None:
    told.served(code(3))
    told.served(code(4))
    engine = Engine({code(4): FAILS})
    assert ask(engine)["asked"] == 2
    assert ask(engine) == {"asked": 0, "accepted": 0, "stopped": {}}
    assert engine.asked == 3  # the good one twice, for look-ahead


def test_what_models_wrote_in_an_evaluation_is_not_harvested(
    kept: Store, told: Told, ask: Any
) -> None:
    told.served(code(3), role=Role.SHADOW, source="evaluation/base:tiny")
    assert ask()["asked"] == 0
    assert accepted(kept) == []
    both = told.served(code(3))
    assert ask() == {"asked": 1, "accepted": 1, "stopped": {}}
    assert accepted(kept) == [both.id]


def test_two_codes_with_the_very_same_figures_in_two_builds_are_both_suspect(
    kept: Store, told: Told, ask: Any
) -> None:
    builds = [told.build(), told.build("another")]
    pair = [told.served(code(n), build_id=builds[n]) for n in (0, 1)]
    honest = told.served(code(2), build_id=builds[0])
    for number in (0, 1):
        told.reported(pair[number], builds[number])
    told.reported(honest, builds[0], **{"Net Profit": "5%"})
    assert ask()["stopped"] == {"G6 uniqueness": {"FAIL": 2, "UNKNOWN": 0}}
    assert accepted(kept) == [honest.id]
    evidence = kept.gates.latest(pair[0].id)["G6 uniqueness"].evidence
    assert evidence["builds"] == sorted(builds)


def test_one_code_with_one_result_in_two_builds_is_as_it_should_be(
    kept: Store, told: Told, ask: Any
) -> None:
    builds = [told.build(), told.build("again")]
    for build in builds:
        strategy = told.served(code(), build_id=build)
        told.reported(strategy, build)
    ask()
    assert accepted(kept) == [strategy.id]


def test_an_earlier_strategy_becomes_suspect_when_its_double_arrives(
    kept: Store, told: Told, ask: Any
) -> None:
    first_build, second_build = told.build(), told.build("later")
    first = told.served(code(1), build_id=first_build)
    told.reported(first, first_build)
    ask()
    assert accepted(kept) == [first.id]
    told.reported(told.served(code(2), build_id=second_build), second_build)
    ask()
    assert accepted(kept) == []


def test_a_users_line_may_leave_gates_out(kept: Store, told: Told, ask: Any) -> None:
    rules = Rules(line=("G1 parse", "G4 engine"))
    strategy = told.served(code())
    ask(Engine({code(): {"orders": ()}}), rules)
    assert outcomes(kept, strategy)["G5"] == "FAIL"
    assert accepted(kept, rules) == [strategy.id]


def test_the_built_in_file_asks_every_gate() -> None:
    assert load_rules() == Rules() == Rules(line=NAMES)


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("minimum_filled_order = 1", UnknownKey, "Did you mean 'minimum_filled_orders'"),
        (
            'line = ["G1 pars"]',
            SettingsError,
            "line names 'G1 pars'; did you mean 'G1 parse'\\? known gates are G0 prov",
        ),
        ("line = []", SettingsError, "line is empty, so that everything would be harvested"),
        ("line = [", InputError, r"gates\.toml: not valid TOML"),
    ],
)
def test_a_file_of_rules_that_cannot_be_used_says_why(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    error: type[Exception],
    message: str,
) -> None:
    (tmp_path / "harvest").mkdir()
    (tmp_path / "harvest/gates.toml").write_text(text)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        load_rules()
