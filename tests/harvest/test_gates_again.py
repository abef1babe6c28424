"""Asked again under other rules, by kept runs; and what the ladder must not be deceived by."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from qc_builder_lora.backtest.protocol import BacktestSettings
from qc_builder_lora.cli import root
from qc_builder_lora.errors import InputError, NotFound, SettingsError
from qc_builder_lora.harvest.gates import LADDER, Rules, load_rules, run_gates
from qc_builder_lora.harvest.imports import first_odd, strange_imports
from qc_builder_lora.harvest.ledger import of_one_specification, read_ledger
from qc_builder_lora.harvest.lookahead import cut_of, rerun
from qc_builder_lora.harvest.review import review
from qc_builder_lora.harvest.rules import THRESHOLDS
from qc_builder_lora.records import Gate, Outcome
from qc_builder_lora.store import Store
from tests.harvest.conftest import SOUND, Engine, Told, code

RULES = Rules()


@pytest.fixture
def ask(kept: Store, check_cache: Path) -> Any:
    def call(engine: Any = None, rules: Rules = RULES) -> Any:
        return run_gates(kept, engine or Engine(), rules, cache=check_cache)

    return call


def gate(store: Store, strategy_id: str, name: str) -> Gate:
    return next(g for n, g in store.gates.latest(strategy_id).items() if n.split()[0] == name)


class Resting(Engine):
    """An engine that must not be asked."""

    def run(self, code: str, settings: BacktestSettings = BacktestSettings()) -> Any:  # noqa: B008
        raise AssertionError("nothing was to be run")


def test_another_threshold_is_held_against_the_kept_run(kept: Store, told: Told, ask: Any) -> None:
    sharp, plain = told.served(code(3)), told.served(code(4))
    ask(Engine({code(3): {"statistics": {**SOUND, "Sharpe Ratio": "1.7"}}}))
    runs = len(kept.backtests.find())
    found = ask(Resting(), replace(RULES, maximum_sharpe=1.5))
    assert (found.asked, found.reused, found.accepted) == (2, 2, 1)
    assert found.rules_changed == {"maximum_sharpe": "3.0 → 1.5"}
    assert found.changed == {"G7 sanity: PASS → FAIL": 1}
    assert len(kept.backtests.find()) == runs
    evidence = gate(kept, sharp.id, "G7").evidence
    assert (evidence["sharpe"], evidence["thresholds"]["maximum_sharpe"]) == (1.7, 1.5)
    assert gate(kept, plain.id, "G8").outcome is Outcome.PASS
    back = ask(Resting())
    assert (back.accepted, back.changed) == (2, {"G7 sanity: FAIL → PASS": 1})


def test_the_delayed_run_is_not_run_again_either(kept: Store, told: Told, ask: Any) -> None:
    told.served(code(3))
    ask(Engine({code(3): {"statistics": {**SOUND, "Sharpe Ratio": "2.4"}}}))
    found = ask(Resting(), replace(RULES, delay_keeps=1.0, minimum_closed_trades=2))
    assert (found.reused, found.accepted) == (1, 1)
    assert found.rules_changed == {
        "delay_keeps": "0.25 → 1.0",
        "minimum_closed_trades": "1 → 2",
    }


def test_what_the_kept_run_does_not_say_is_run_again(told: Told, ask: Any) -> None:
    told.served(code(3))
    sharp = Engine({code(3): {"closed_trades": 1}})
    assert ask(sharp, replace(RULES, minimum_closed_trades=2)).accepted == 0
    asked = sharp.asked
    # It stopped before the shorter run, which needs its orders.
    found = ask(sharp)
    assert (found.accepted, found.reused) == (1, 0)
    assert sharp.asked == asked + 2
    assert ask(sharp, replace(RULES, cut_share=0.5)).reused == 0


def test_every_threshold_of_the_file_stands_in_the_evidence(
    kept: Store, told: Told, ask: Any
) -> None:
    strategy = told.served(code(3))
    ask()
    latest = kept.gates.latest(strategy.id)
    assert set(latest) >= set(LADDER)
    shown = {key for one in latest.values() for key in one.evidence.get("thresholds", {})}
    general = {"line", "retry_s"}
    assert shown == set(vars(RULES)) - general
    assert set(THRESHOLDS) <= set(LADDER)


@pytest.mark.parametrize(
    ("line", "stranger"),
    [
        ("import requests", "requests"),
        ("import yfinance as yf", "yfinance"),
        ("import socket, math", "socket"),
        ("from urllib.request import urlopen", "urllib.request"),
        ("import os", "os"),
        ("x = __import__('subprocess')", "subprocess"),
        ("import importlib\nimportlib.import_module(name)", "importlib"),
        ("from . import mine", "."),
        ("from my_rules import Rule", "my_rules"),
    ],
)
def test_modules_that_reach_out_or_are_not_there_stop_at_the_parse(
    kept: Store, told: Told, ask: Any, line: str, stranger: str
) -> None:
    strategy = told.served(f"{line}\n{code(3)}")
    assert ask().stopped == {"G1 parse": {"FAIL": 1, "UNKNOWN": 0}}
    evidence = gate(kept, strategy.id, "G1").evidence
    assert evidence["not_on_the_list"][0] == stranger
    assert f"imports {stranger}, which is not on the list of modules" in evidence["reason"]


def test_what_computes_is_imported_freely_and_a_user_may_allow_more() -> None:
    good = (
        "import math, datetime\nimport numpy as np\nfrom scipy.stats import norm\nimport hmmlearn"
    )
    assert strange_imports(good + "\nfrom urllib.parse import quote") == []
    assert strange_imports("import os.path") == [(1, "os.path")]
    assert strange_imports("import os.path", ["os"]) == []


def test_text_that_is_not_ascii_is_refused_with_its_place(
    kept: Store, told: Told, ask: Any
) -> None:
    odd = code(3) + "# über\n"
    strategy = told.served(odd)
    assert "G1 parse" in ask().stopped
    assert first_odd(odd) == (15, "U+00FC")
    assert gate(kept, strategy.id, "G1").evidence["character"] == "U+00FC"
    assert ask(None, replace(RULES, ascii_only=False)).accepted == 1


@pytest.mark.parametrize("figure", ["NaN", "-", "nan%", "Infinity", "∞", "1e999", ""])
def test_a_figure_that_is_no_number_is_never_a_pass(
    kept: Store, told: Told, ask: Any, figure: str
) -> None:
    strategy = told.served(code(3))
    found = ask(Engine({code(3): {"statistics": {**SOUND, "Sharpe Ratio": figure}}}))
    assert found.stopped == {"G7 sanity": {"FAIL": 0, "UNKNOWN": 1}}
    assert gate(kept, strategy.id, "G7").evidence["sharpe"] is None


class Dice(Engine):
    """Trades in another way each time."""

    def run(self, code: str, settings: BacktestSettings = BacktestSettings()) -> Any:  # noqa: B008
        found = super().run(code, settings)
        orders = ({**one, "quantity": self.asked} for one in found.orders)
        return replace(found, orders=tuple(orders))


def test_one_that_rolls_dice_is_unknown_and_not_accused(kept: Store, told: Told, ask: Any) -> None:
    strategy = told.served(code(3))
    assert ask(Dice()).stopped == {"G8 look-ahead": {"FAIL": 0, "UNKNOWN": 1}}
    found = gate(kept, strategy.id, "G8")
    assert "differ from run to run" in found.evidence["reason"]
    assert ask(Dice()).asked == 0


def test_orders_of_the_last_day_of_the_shorter_run_are_no_look_ahead() -> None:
    engine = Engine()
    whole = engine.run(code(3))
    cut = cut_of(code(3), whole, 0.5)
    assert cut is not None

    class Closes(Engine):
        def run(self, text: str, settings: BacktestSettings = BacktestSettings()) -> Any:  # noqa: B008
            found = super().run(text, settings)
            if settings.end is None:
                return found
            last = f"{settings.end.replace(day=1).isoformat()[:8]}01"
            equity = (("2010-01-04", 1e5), (last, 1e5))
            closing = {"id": 99, "time": f"{last}T20:00:00Z", "quantity": -5, "fills": ()}
            return replace(found, equity=equity, orders=(*found.orders, closing))

    ((outcome, evidence),) = rerun(Closes(), [cut], 1)
    assert outcome is Outcome.PASS, evidence


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('line = "G1 parse"', "line must be a list, got 'G1 parse'"),
        ("maximum_sharpe = '3'", "maximum_sharpe must be a number, got '3'"),
        ("maximum_sharpe = nan", "maximum_sharpe must not be negative, got nan"),
        ("minimum_closed_trades = 1.5", "minimum_closed_trades must be a whole number, got 1.5"),
        ("minimum_closed_trades = inf", "minimum_closed_trades must be a whole number, got inf"),
        ("ascii_only = 1", "ascii_only must be true or false, got 1"),
        ("more_modules = [1]", r"more_modules must be a list of names, got \[1\]"),
        ("overfitting_blocks = 40", "even and at least 2, at most 20, got 40"),
        ("cut_share = 0", "cut_share must be above zero, got 0"),
        ("retry_s = -1", "retry_s must not be negative, got -1"),
        ("[G7]\nmaximum_sharpe = 2", "unknown key 'G7'"),
    ],
)
def test_a_bad_threshold_is_told_with_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    (tmp_path / "harvest").mkdir()
    (tmp_path / "harvest/gates.toml").write_text(text)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError, match=message) as error:
        load_rules()
    assert "gates.toml" in str(error.value)


def test_an_empty_file_keeps_every_gate_and_the_order_in_it_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "harvest").mkdir()
    (tmp_path / "harvest/gates.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    assert load_rules() == RULES
    turned = Rules(line=tuple(reversed(RULES.line)))
    assert turned.basis("e", "1", None, "c") == RULES.basis("e", "1", None, "c")


def test_the_gates_are_asked_on_the_command_line_without_any_training(
    kept: Store, told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QC_LORA_DATABASE", kept.url)
    monkeypatch.setenv("QC_LORA_HOME", str(tmp_path / "home"))
    good = told.served(code(3))
    told.served("import os\n" + code(4))

    def say(*words: str) -> str:
        done = CliRunner().invoke(root, list(words), catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    said = say("harvest", "gates")
    assert "2 asked, 1 accepted, 1 new examples" in said
    assert "stopped at G1 parse" in said
    again = json.loads(say("harvest", "gates", "--json"))
    assert (again["asked"], again["examples"]) == (0, 0)
    assert [one.strategy_id for one in kept.examples.find()] == [good.id]


@pytest.fixture
def say(kept: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("QC_LORA_DATABASE", kept.url)
    monkeypatch.setenv("QC_LORA_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)

    def call(*words: str) -> str:
        done = CliRunner().invoke(root, list(words), catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    return call


def test_a_strategy_is_shown_with_thresholds_figures_and_what_to_do(
    told: Told, ask: Any, say: Any, tmp_path: Path
) -> None:
    sharp, dull = told.served(code(3)), told.served(code(4), "Makes money.")
    ask(Engine({code(3): {"statistics": {**SOUND, "Sharpe Ratio": "5"}}}))
    shown = say("strategy", "show", sharp.id[:16])
    assert "held against: maximum_sharpe = 3, minimum_drawdown = 1" in shown
    assert "sharpe: 5" in shown
    assert (
        f"what to do: look at it, then: qc-lora strategy review {sharp.id[:12]} --gate G7" in shown
    )
    assert "name tickers, numbers or indicators in the instruction" in say(
        "strategy", "show", dull.id[:16]
    )
    plain = json.loads(say("strategy", "show", sharp.id[:16], "--json"))["gates"]
    assert plain["G5 activity"]["thresholds"] == {
        "minimum_closed_trades": 1,
        "minimum_filled_orders": 2,
    }
    assert plain["G4 engine"]["cure"] is None
    (tmp_path / "harvest").mkdir()
    (tmp_path / "harvest/gates.toml").write_text("maximum_sharpe = 6.0")
    changed = say("strategy", "show", sharp.id[:16])
    assert "gates.toml now says maximum_sharpe = 6: ask again with qc-lora harvest gates" in changed
    listed = say("strategy", "thresholds")
    assert "maximum_sharpe = 6.0  (built in: 3.0)" in listed
    assert all(key in listed for keys in THRESHOLDS.values() for key in keys)


def test_the_list_is_filtered_and_says_how_much_it_leaves_out(
    told: Told, ask: Any, say: Any
) -> None:
    for day in range(3, 9):
        told.served(code(day), source="file" if day % 2 else "builder")
    ask(Engine({code(5): {"statistics": {**SOUND, "Sharpe Ratio": "5"}}}))
    told.served(code(9))

    def rows(*words: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(say("strategy", "list", *words, "--json"))
        return found

    assert len(rows()) == 7
    assert len(rows("--verdict", "accepted", "--source", "file")) == 2
    assert [one["gates"] for one in rows("--verdict", "unasked")] == ["not asked yet"]
    assert [one["status"] for one in rows("--verdict", "QUARANTINED")] == ["completed"]
    assert rows("--stopped-at", "G7", "--verdict", "accepted") == []
    assert len(rows("--since", "2026-01-01", "--limit", "2")) == 2
    table = say("strategy", "list", "--limit", "3")
    assert "3 of 7; the next: --skip 3; all of them: --limit 0, or --json" in table
    assert "of 7" not in say("strategy", "list")


def test_the_list_is_read_in_pages_that_leave_nothing_out(told: Told, ask: Any, say: Any) -> None:
    keys = [told.served(code(day)).id for day in range(3, 8)]
    ask(Engine({code(4): {"statistics": {**SOUND, "Sharpe Ratio": "5"}}}))
    for words in ((), ("--answer", "g6=pass")):
        pages = [
            json.loads(say("strategy", "list", *words, "--limit", "2", "--skip", skip, "--json"))
            for skip in ("0", "2", "4", "6")
        ]
        assert [one["id"] for page in pages for one in page] == keys[::-1]
        assert pages[3] == []
    last = say("strategy", "list", "--limit", "2", "--skip", "4")
    assert "1 of 5; all of them" in last
    assert "the next" not in last


def test_a_gate_off_the_line_is_a_filter_too_and_a_wrong_one_is_told(
    told: Told, ask: Any, say: Any
) -> None:
    good, sharp = told.served(code(3)), told.served(code(4))
    ask(Engine({code(4): {"statistics": {**SOUND, "Sharpe Ratio": "5"}}}))

    def ids(*words: str) -> list[str]:
        return [one["id"] for one in json.loads(say("strategy", "list", *words, "--json"))]

    assert ids("--answer", "G7=FAIL") == [sharp.id]
    assert ids("--answer", "G7=PASS", "--answer", "G10=UNKNOWN") == ids("--verdict", "accepted")
    assert good.id in ids("--answer", "G1 parse=pass")
    with pytest.raises(InputError, match=r"--answer 'G7': give a gate and PASS, FAIL or UNKNOWN"):
        say("strategy", "list", "--answer", "G7")
    with pytest.raises(InputError, match="G7=perhaps"):
        say("strategy", "list", "--answer", "G7=perhaps")
    with pytest.raises(NotFound, match="No gate named 'G77'"):
        say("strategy", "list", "--answer", "G77=FAIL")


def test_the_ledger_counts_failed_attempts_and_other_builds_of_the_same_wish_once(
    kept: Store, told: Told, ask: Any
) -> None:
    first, second, other = told.build("Trend"), told.build("  trend "), told.build("Else")
    told.served(code(3), build_id=first)
    told.served(code(4), build_id=first)
    broken = told.served("import os\n" + code(5), build_id=second)
    told.served(code(3), build_id=second)
    told.served(code(6), build_id=other)
    ask()
    alike = of_one_specification(kept)
    assert alike[first] == alike[second] == tuple(sorted((first, second)))
    assert alike[other] == (other,)
    found = read_ledger(kept, alike[first])
    assert (found.count, found.failed, len(found.trials), found.complete) == (3, 1, 2, True)
    assert gate(kept, broken.id, "G10").outcome is Outcome.UNKNOWN
    assert gate(kept, found.trials[0].strategy_id, "G10").evidence["trials"] == 3
    ask(None, replace(RULES, minimum_closed_trades=2))
    assert read_ledger(kept, alike[first]) == found


def test_untitled_builds_are_not_taken_for_one_wish(kept: Store, told: Told) -> None:
    builds = [told.build("untitled"), told.build("untitled")]
    assert [of_one_specification(kept)[one] for one in builds] == [(one,) for one in builds]


@pytest.mark.parametrize(("good", "accepted"), [(True, 1), (False, 0)])
def test_a_persons_word_stands_whatever_the_thresholds_become(
    kept: Store, told: Told, ask: Any, good: bool, accepted: int
) -> None:
    strategy = told.served(code(3))
    ask(Engine({code(3): {"statistics": {**SOUND, "Sharpe Ratio": "3.5"}}}))
    review(kept, strategy.id, "G7 sanity", not good, "Bob", "at a glance")
    review(kept, strategy.id, "G7 sanity", good, "Ada", "looked at it")
    stricter = replace(RULES, maximum_sharpe=1.0)
    looser = replace(RULES, maximum_sharpe=9.0, maximum_day=200.0)
    sharp = Engine({code(3): {"statistics": {**SOUND, "Sharpe Ratio": "3.5"}}})
    for rules in (looser, stricter, RULES):
        assert ask(sharp, rules).accepted == accepted
    evidence = gate(kept, strategy.id, "G7").evidence
    assert (evidence["reviewed_by"], evidence["sharpe"]) == ("Ada", 3.5)
    # A changed code is another strategy, which nobody has looked at.
    changed = code(4)
    told.served(changed)
    told_so = {"statistics": {**SOUND, "Sharpe Ratio": "3.5"}}
    assert ask(Engine({changed: told_so})).stopped == {"G7 sanity": {"FAIL": 1, "UNKNOWN": 0}}


def test_a_lift_covers_what_was_looked_at_and_another_suspicion_is_asked_anew(
    kept: Store, told: Told, ask: Any
) -> None:
    strategy = told.served(code(3))

    def figures(version: str, **changed: str) -> Engine:
        engine = Engine({code(3): {"statistics": {**SOUND, **changed}}})
        engine.version = version
        return engine

    sharp = {"Sharpe Ratio": "3.5"}
    flat = {"Drawdown": "0.1%", "Net Profit": "60%"}
    ask(figures("1", **sharp))
    lifted = review(kept, strategy.id, "G7 sanity", True, "Ada", "one trade a year")
    assert lifted.evidence["lifted"] == ["Sharpe ratio"]
    assert ask(figures("2", **sharp)).accepted == 1
    assert ask(figures("3", **sharp, **flat)).accepted == 0
    evidence = gate(kept, strategy.id, "G7").evidence
    assert evidence["quarantined"] is True
    assert (evidence["not_lifted"], evidence["lifted_before"]) == (["drawdown"], ["Sharpe ratio"])
    review(kept, strategy.id, "G7 sanity", True, "Ada", "cash most of the time")
    assert ask(figures("4", **flat)).accepted == 1
    assert ask(figures("5", **sharp, **flat)).accepted == 1
