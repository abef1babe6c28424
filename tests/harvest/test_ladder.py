"""The gates beyond the run: sanity, look-ahead, fidelity, the ledger of trials; and the funnel."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from qc_builder_lora.backtest.protocol import MOVED_MONEY, BacktestSettings
from qc_builder_lora.backtest.sample_data import convert
from qc_builder_lora.backtest.simulator import Simulator
from qc_builder_lora.cli import root
from qc_builder_lora.errors import BacktestError, InputError
from qc_builder_lora.harvest import gates as gates_module
from qc_builder_lora.harvest.fidelity import judge
from qc_builder_lora.harvest.funnel import explain, short
from qc_builder_lora.harvest.gates import Rules, run_gates
from qc_builder_lora.harvest.lookahead import _ended, cut_of, rerun
from qc_builder_lora.harvest.review import review
from qc_builder_lora.ids import now, text_hash
from qc_builder_lora.records import BacktestStatus, Gate, Outcome
from qc_builder_lora.store import Store
from tests.harvest.conftest import SOUND, Engine, Told, code

RULES = Rules()
UNKNOWN = {"status": BacktestStatus.UNKNOWN, "phase": "load", "orders": (), "reason": "no SPY"}
PEEKS = code().replace("self.time.day > 15", "self.time.day > 15 and self.end_date.month > 5")


@pytest.fixture
def ask(kept: Store, check_cache: Path) -> Any:
    def call(engine: Any = None, rules: Rules = RULES) -> Any:
        return run_gates(kept, engine or Engine(), rules, cache=check_cache)

    return call


def gate(store: Store, strategy_id: str, name: str) -> Gate:
    return next(g for n, g in store.gates.latest(strategy_id).items() if n.split()[0] == name)


@pytest.mark.parametrize(
    ("figures", "closed", "why"),
    [
        ({"Sharpe Ratio": "3.2"}, 3, "Sharpe ratio"),
        ({"Sharpe Ratio": "-4"}, 3, "Sharpe ratio (far below zero)"),
        ({"Drawdown": "0.500%", "Net Profit": "40%"}, 3, "drawdown"),
        ({"Win Rate": "93%", "Sharpe Ratio": "2.1"}, 25, "win rate"),
    ],
)
def test_what_is_too_good_is_quarantined_until_a_person_says_otherwise(
    kept: Store, told: Told, ask: Any, figures: dict[str, str], closed: int, why: str
) -> None:
    strategy = told.served(code())
    told_so = {code(): {"statistics": {**SOUND, **figures}, "closed_trades": closed}}
    assert ask(Engine(told_so)).stopped == {"G7 sanity": {"FAIL": 1, "UNKNOWN": 0}}
    evidence = gate(kept, strategy.id, "G7").evidence
    assert evidence["quarantined"] is True
    assert evidence["reason"] == f"too good to be true: {why}"
    review(kept, strategy.id, "G7 sanity", True, "Ada", "one trade a year")
    # Also under other rules, for the code is the same.
    assert ask(Engine(told_so), replace(RULES, minimum_closed_trades=2)).accepted == 1
    assert gate(kept, strategy.id, "G7").evidence["reviewed_by"] == "Ada"


@pytest.mark.parametrize(
    "figures",
    [
        {"Drawdown": "0.500%", "Net Profit": "2%"},
        {"Win Rate": "93%", "Sharpe Ratio": "0.9"},
        {"Win Rate": "100%", "Sharpe Ratio": "2.9"},
    ],
    ids=["hardly invested", "a trimmed basket", "few trades"],
)
def test_what_only_looks_too_good_is_let_through(
    told: Told, ask: Any, figures: dict[str, str]
) -> None:
    told.served(code())
    closed = 300 if figures.get("Sharpe Ratio") == "0.9" else 5
    engine = Engine({code(): {"statistics": {**SOUND, **figures}, "closed_trades": closed}})
    assert ask(engine).accepted == 1


def test_a_figure_that_is_missing_is_unknown_and_not_zero(
    kept: Store, told: Told, ask: Any
) -> None:
    strategy = told.served(code())
    assert ask(Engine({code(): {"statistics": {"Sharpe Ratio": "1"}}})).accepted == 0
    assert gate(kept, strategy.id, "G7").outcome is Outcome.UNKNOWN


def test_what_the_builders_engine_reported_can_be_too_good_as_well(
    kept: Store, told: Told, ask: Any
) -> None:
    build = told.build()
    strategy = told.served(code(), build_id=build)
    told.reported(strategy, build, **{"Sharpe Ratio": "9.1", "Drawdown": "2%"})
    assert ask().stopped == {"G7 sanity": {"FAIL": 1, "UNKNOWN": 0}}
    evidence = gate(kept, strategy.id, "G7").evidence
    assert evidence["reason"] == "too good to be true: Sharpe ratio, by the builder's engine"
    (told_so,) = evidence["reported"].values()
    assert (told_so["too_good"], told_so["sharpe"]) == (["Sharpe ratio"], 9.1)


def test_a_day_that_doubles_the_money_is_no_day(told: Told, ask: Any) -> None:
    told.served(code())
    leap = tuple((f"2010-01-{day:02}", 1e5 if day < 9 else 3e5) for day in range(1, 20))
    assert "G7 sanity" in ask(Engine({code(): {"equity": leap}})).stopped


@pytest.mark.parametrize("name", ["G4 engine", "G8 look-ahead", "asked"])
def test_only_quarantines_are_reviewed(kept: Store, told: Told, ask: Any, name: str) -> None:
    strategy = told.served(code())
    ask()
    with pytest.raises(InputError, match="is not reviewed; those that are: G6"):
        review(kept, strategy.id, name, True, "Ada", "because")
    with pytest.raises(InputError, match="needs a name and a reason"):
        review(kept, strategy.id, "G7 sanity", True, " ", "because")


def test_orders_that_depend_on_what_comes_later_are_found_on_the_real_engine(
    kept: Store, told: Told, ask: Any, tmp_path: Path
) -> None:
    strategy, sound = told.served(PEEKS), told.served(code())
    convert(tmp_path / "data")
    simulator = Simulator(tmp_path / "data")
    try:
        assert ask(simulator).accepted == 1
    finally:
        simulator.close()
    found = gate(kept, strategy.id, "G8")
    assert found.outcome is Outcome.FAIL
    assert found.evidence["reason"] == "its orders depend on what comes later"
    assert found.evidence["whole"] != found.evidence["shorter"]
    assert gate(kept, sound.id, "G8").evidence["orders"] > 2


class AsWritten(Engine):
    """LEAN outside of our process: dates are the code's own."""

    def run(self, code: str, settings: BacktestSettings = BacktestSettings()) -> Any:  # noqa: B008
        whole = super().run(code)
        if settings.end is not None:
            return replace(whole, **{**UNKNOWN, "reason": "end cannot be set from outside on x"})
        if "2010, 6, 30" in code:
            return whole
        return replace(whole, orders=whole.orders[:3])


def test_an_engine_that_takes_its_dates_from_the_code_is_given_code_that_ends_earlier() -> None:
    engine = AsWritten()
    whole = engine.run(code())
    cut = cut_of(code(), whole, 0.1)
    assert cut is not None
    assert f"self.set_end_date({cut.end.year}, {cut.end.month}, {cut.end.day})" in str(
        _ended(code(), cut.end)
    )
    first = [order["quantity"] for order in whole.orders]
    assert first
    (answer,) = rerun(engine, [cut], 1)
    # The moved date makes it another text, which this engine trades in another way.
    assert answer[0] is Outcome.FAIL
    twice = code() + "\n# x\n".join(["", "A.set_end_date(2010, 1, 1)"])
    assert _ended(twice, cut.end) is None


def test_a_shorter_run_that_cannot_be_had_is_unknown(kept: Store, told: Told, ask: Any) -> None:
    class Once(Engine):
        def run(self, code: str, settings: BacktestSettings = BacktestSettings()) -> Any:  # noqa: B008
            found = super().run(code, settings)
            return found if settings.end is None else replace(found, **UNKNOWN)

    strategy = told.served(code())
    assert ask(Once()).stopped == {"G8 look-ahead": {"FAIL": 0, "UNKNOWN": 1}}
    assert "no SPY" in gate(kept, strategy.id, "G8").evidence["reason"]
    assert ask().accepted == 1


RSI = """from AlgorithmImports import *
class A(QCAlgorithm):
    def initialize(self):
        self._ibm = self.add_equity("IBM", Resolution.DAILY).symbol
        self._rsi = self.rsi(self._ibm, 14)
    def on_data(self, data):
        if self._rsi.current.value < 30:
            self.set_holdings(self._ibm, 0.5)
"""


@pytest.mark.parametrize(
    ("asked", "outcome"),
    [
        ("Buy IBM when its 14-day RSI is below 30.", "PASS"),
        ("Put 50 percent into IBM on a low RSI.", "PASS"),
        ("symbols: [IBM]\nparameters:\n  period: 14\ntarget_sharpe: 3.0", "PASS"),
        ("Buy MSFT when its 14-day RSI is below 30.", "FAIL"),
        ("Buy IBM and MSFT when their RSI is below 30.", "FAIL"),
        ("Buy IBM when the MACD crosses its signal.", "FAIL"),
        ("Buy IBM when its 21-day RSI is below 25, sell above 77.", "FAIL"),
        ("Buy Microsoft on a low RSI.", "FAIL"),
        ("Write me something that makes money.", "UNKNOWN"),
        ("", "UNKNOWN"),
    ],
)
def test_the_checklist_of_an_instruction(asked: str, outcome: str) -> None:
    assert judge(asked, RSI, RULES)[0].value == outcome


def test_the_checklist_quotes_the_line_where_a_thing_was_found() -> None:
    _, evidence = judge("Buy IBM when its 14-day RSI is below 30.", RSI, RULES)
    quotes = {item["asked"]: (item["line"], item["quote"]) for item in evidence["checklist"]}
    assert quotes["IBM"] == (4, 'self._ibm = self.add_equity("IBM", Resolution.DAILY).symbol')
    assert quotes["30"][0] == 7


def test_a_question_with_nothing_to_look_for_is_never_accepted_and_not_asked_for_ever(
    told: Told, ask: Any
) -> None:
    told.served(code(), "Write me something that makes money.")
    assert ask().stopped == {"G9 fidelity": {"FAIL": 0, "UNKNOWN": 1}}
    assert ask().asked == 0


def test_unknown_is_asked_again_at_once_then_later_each_time(
    kept: Store, told: Told, ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    told.served(code())
    engine = Engine({code(): UNKNOWN})
    assert [ask(engine).asked for _ in range(3)] == [1, 1, 0]
    assert ask(engine).waiting == 1
    later = now() + timedelta(seconds=RULES.retry_s + 60)
    monkeypatch.setattr(gates_module, "now", lambda: later)
    assert ask(engine).asked == 1
    assert ask(engine).asked == 0
    # Other market data may well know it.
    engine.data_fingerprint = "1"
    assert ask(engine).asked == 1


def test_a_run_that_was_too_slow_by_the_clock_is_unknown(kept: Store, told: Told, ask: Any) -> None:
    strategy = told.served(code())
    slow = {"status": BacktestStatus.FAILED, "reason": "did not finish within 60 s", "orders": ()}
    ask(Engine({code(): slow}))
    assert gate(kept, strategy.id, "G4").outcome is Outcome.UNKNOWN


def test_a_broken_engine_decides_nothing(kept: Store, told: Told, ask: Any) -> None:
    class Broken(Engine):
        def run(self, code: str, settings: BacktestSettings = BacktestSettings()) -> Any:  # noqa: B008
            raise BacktestError("The sandbox is broken.")

    told.served(code())
    with pytest.raises(BacktestError):
        ask(Broken())
    assert kept.gates.count() == 0
    assert ask().accepted == 1


def test_another_rule_engine_or_data_asks_everything_again(told: Told, ask: Any) -> None:
    told.served(code())
    engine = Engine()
    assert [ask(engine).asked, ask(engine).asked] == [1, 0]
    engine.version = "2"
    assert ask(engine).asked == 1
    assert ask(engine, replace(RULES, maximum_sharpe=2.5)).asked == 1
    assert ask(engine, replace(RULES, maximum_sharpe=2.5, retry_s=5)).asked == 0


def test_a_decided_strategy_is_not_even_read_again(
    kept: Store, told: Told, ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for day in range(3, 9):
        told.served(code(day))
    ask()
    monkeypatch.setattr(kept.strategies, "get", lambda key: pytest.fail(f"read {key}"))
    monkeypatch.setattr(kept.strategies, "find", lambda **_: pytest.fail("read all"))
    assert ask().asked == 0


def test_the_same_figures_of_codes_that_trade_alike_are_explained(
    kept: Store, told: Told, ask: Any
) -> None:
    same = ({"id": 1, "time": "2010-01-11T15:00:00Z", "quantity": 5, "fills": [1]},) * 3
    builds = [told.build(), told.build("another")]
    pair = [told.served(code(n), build_id=builds[n]) for n in (0, 1)]
    for number in (0, 1):
        told.reported(pair[number], builds[number])
    assert ask(Engine({code(n): {"orders": same} for n in (0, 1)})).accepted == 2
    evidence = gate(kept, pair[0].id, "G6").evidence
    assert evidence["explained"] == "our own engine trades them alike"


def equity(seed: int, mean: float, days: int = 1600) -> tuple[tuple[str, float], ...]:
    moment = np.datetime64("2004-01-01")
    values = 1e5 * np.cumprod(1 + np.random.default_rng(seed).normal(mean, 0.01, days))
    return tuple((str(moment + n), float(value)) for n, value in enumerate(values))


@pytest.mark.parametrize(
    ("mean", "closed", "outcome", "reason"),
    [
        (0.003, 200, "PASS", None),
        (0.003, 5, "FAIL", "too few closed trades to speak of performance"),
        (0.0004, 200, "FAIL", "the deflated Sharpe ratio is too low"),
        (-0.002, 200, "FAIL", "it earned nothing for its risk"),
    ],
)
def test_the_trials_of_a_build_decide_what_is_promising(
    kept: Store, told: Told, ask: Any, mean: float, closed: int, outcome: str, reason: str | None
) -> None:
    build, ones, table = told.build(), [], {}
    for day in range(3, 9):
        ones.append(told.served(code(day), build_id=build, iteration=day))
        table[code(day)] = {"equity": equity(day, 0.0), "closed_trades": closed}
    table[code(8)]["equity"] = equity(8, mean)
    report = ask(Engine(table))
    assert report.accepted == 6  # profit is a label and no condition
    found = gate(kept, ones[-1].id, "G10")
    assert found.evidence["trials"] == 6
    assert (found.outcome.value, found.evidence.get("reason")) == (outcome, reason)
    assert (found.evidence["deflated_sharpe"] > 0.95) == (mean == 0.003)


def test_a_trial_without_returns_leaves_overfitting_unknown(
    kept: Store, told: Told, ask: Any
) -> None:
    build = told.build()
    ones = [told.served(code(day), build_id=build) for day in (3, 4, 5)]
    table = {
        code(day): {"equity": equity(day, 0.003), "closed_trades": 200, "statistics": SOUND}
        for day in (3, 4)
    }
    ask(Engine({**table, code(5): UNKNOWN}))
    found = gate(kept, ones[0].id, "G10")
    assert found.evidence["trials"] == 3
    assert found.outcome is Outcome.UNKNOWN
    assert "needs the returns of all trials" in found.evidence["reason"]


def test_the_funnel_counts_everything_once(kept: Store, told: Told, ask: Any) -> None:
    told.served(code(3))
    told.served(code(3), "Follow AAPL once more.")
    told.served(code(4))
    told.served(code(5), "Makes money.")
    told.served(code(6).replace("set_holdings", "set_holdingz"))
    ask(Engine({code(4): UNKNOWN}))
    told.served(code(7))
    found = explain(kept, RULES)
    assert (found.generations, found.strategies, found.same_strategy) == (6, 5, 1)
    assert (found.not_asked, found.accepted, found.promising) == (1, 1, 0)
    steps = {step.name.split()[0]: step for step in found.steps}
    assert (steps["G2"].reached, steps["G2"].passed, steps["G2"].failed) == (4, 3, 1)
    assert steps["G4"].reasons == {"no SPY": 1}
    assert steps["G9"].reasons == {"the instruction names nothing that can be looked for": 1}
    on_line = [step for step in found.steps if step.on_line]
    stops = sum(step.failed + step.unknown for step in on_line)
    assert found.strategies == found.not_asked + stops + found.accepted


def test_reasons_are_counted_without_their_places() -> None:
    assert short("line 18: no such name\nmore") == short("line 4: no such name")
    assert short("x (line 12: y)") == "x (line N: y)"
    assert short("") == "no reason kept"


def test_all_is_shown_on_the_command_line(
    kept: Store, told: Told, ask: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = told.served(code(3)), told.served(code(4))
    sharp = {"statistics": {**SOUND, "Sharpe Ratio": "5"}}
    ask(Engine({code(4): sharp}))
    monkeypatch.setenv("QC_LORA_DATABASE", kept.url)
    monkeypatch.setenv("QC_LORA_HOME", str(tmp_path / "home"))

    def say(*words: str) -> str:
        done = CliRunner().invoke(root, list(words), catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    listed = {row["id"]: row for row in json.loads(say("strategy", "list", "--json"))}
    assert listed[good.id]["gates"] == "accepted"
    assert listed[bad.id]["gates"] == "G7 sanity: quarantined"
    assert set(listed[good.id]["ladder"]) == {f"G{number}" for number in range(11)}
    shown = json.loads(say("strategy", "show", good.id[:20], "--json"))
    assert list(shown["gates"])[-1] == "G10 statistics"
    assert shown["gates"]["G4 engine"]["evidence"]["code_sha256"] == text_hash(code(3))
    assert "(G10 statistics)" in say("strategy", "show", good.id)
    assert bad.id[:12] in say("strategy", "list", "--stopped-at", "G7")
    assert bad.id[:12] in say("strategy", "list", "--stopped-at", "g7 sanity")
    words = ("--gate", "g7", "--pass", "--by", "Ada", "--reason", "looked at it")
    assert "PASS, reviewed by Ada" in say("strategy", "review", bad.id[:20], *words)
    told_so = json.loads(say("harvest", "explain", "--json"))
    assert (told_so["accepted"], told_so["strategies"]) == (2, 2)
    assert "2 accepted, 0 of them promising" in say("harvest", "explain")


def test_a_strategy_whose_own_models_moved_money_is_quarantined(
    kept: Store, told: Told, ask: Any
) -> None:
    strategy = told.served(code())
    told_so = {code(): {"logs": (MOVED_MONEY, "2010-01-04 bought")}}
    assert ask(Engine(told_so)).stopped == {"G7 sanity": {"FAIL": 1, "UNKNOWN": 0}}
    reason = gate(kept, strategy.id, "G7").evidence["reason"]
    assert reason == "too good to be true: money that models of its own moved"
