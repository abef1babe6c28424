"""A model that does worse is taken back by itself; one that does not, never."""

from __future__ import annotations

import json
import logging
import random
import time
from pathlib import Path
from typing import Any

import pytest

from qc_builder_lora.errors import InputError, SettingsError, StoreUnavailable, UnknownKey
from qc_builder_lora.models.call import Outcome
from qc_builder_lora.models.evidence import Seen, gap, rate_interval
from qc_builder_lora.models.guard import HOSTED, Guard
from qc_builder_lora.models.provider import StrategyProvider
from qc_builder_lora.models.rollback_rule import RollbackRule, load_rollback_rule
from qc_builder_lora.models.routing import takes
from qc_builder_lora.models.succession import Succession
from qc_builder_lora.models.watch import Watch, in_doubt, new_watch
from qc_builder_lora.models.writer import Draft, new_request
from qc_builder_lora.notify import Webhook
from tests.models.loopback_hook import Hook
from tests.models.tiny_home import Home

CODE = "x = 1\n"


def outcome(model: str, kind: str | None = None, code: str = CODE, latency: float = 1.0) -> Outcome:
    provider = "local" if model.startswith("m") else "openai"
    draft = None
    if kind is None:
        draft = Draft(text=code, code=code, provider=provider, model=model, latency_s=latency)
    return Outcome(provider=provider, model=model, canary=False, kind=kind, draft=draft)


def fed(guard: Guard, model: str, number: int, **given: Any) -> None:
    for _ in range(number):
        guard.note(outcome(model, **given))
    guard.count()


def guard_of(course: Any, **rule: Any) -> Guard:
    """One that counts for what stands."""
    guard = Guard(RollbackRule(**rule))
    guard.stands(course)
    return guard


def of(guard: Guard, model: str) -> Any:
    """What was counted of a model in the phase that stands."""
    return guard.tallies.get((guard.phase, model))


def on_trial(home: Home) -> Any:
    home.promote(home.model("m1"))
    home.promote(home.model("m2"), 0.4)
    return home.store.promotions.course()


def test_an_interval_covers_its_rate_at_all_looks_together() -> None:
    chance, missed = random.Random(7), 0
    for _ in range(150):
        bad = 0
        for number in range(1, 120):
            bad += chance.random() < 0.2
            low, high = rate_interval(Seen(bad, number), 0.05)
            if not low <= 0.2 <= high:
                missed += 1
                break
    assert missed / 150 <= 0.05


def test_equal_models_are_told_apart_far_less_often_than_by_the_naive_rule() -> None:
    chance, false_alarms, naive = random.Random(11), 0, 0
    for _ in range(200):
        mine = theirs = 0
        rule = look = False
        for number in range(1, 100):
            mine += chance.random() < 0.1
            theirs += chance.random() < 0.1
            if number < 20:
                continue
            if mine > theirs:
                rule = rule or gap(Seen(mine, number), Seen(theirs, number), 0.0, 0.05).worse
            look = look or mine / number > theirs / number + 0.05
        false_alarms, naive = false_alarms + rule, naive + look
    assert false_alarms / 200 <= 0.05
    assert naive / 200 > 0.3


def test_nothing_seen_is_nothing_known() -> None:
    assert rate_interval(Seen(0, 0), 0.05) == (0.0, 1.0)
    assert not gap(Seen(50, 50), Seen(0, 0), 0.0, 0.05).worse


@pytest.mark.parametrize(
    ("bad", "figure", "words"),
    [
        ({"kind": "timeout"}, "error rate", "30 of 30 requests failed, of m1 0 of 100; at least"),
        ({"latency": 9.0}, "slow answers", "30 of 30 requests were slow, of m1 0 of 100"),
        ({"code": "def f(:"}, "pass rate", "30 of 30 requests did not pass, of m1 0 of 100"),
    ],
)
def test_a_canary_that_does_worse_is_found_by_that_figure(
    home: Home, bad: dict[str, Any], figure: str, words: str
) -> None:
    course = on_trial(home)
    guard = guard_of(course)
    fed(guard, "m1", 100)
    fed(guard, "m2", 30, **bad)
    found = guard.find(course)
    assert found is not None
    assert (found.figure, found.trialled.model, found.trialled.other) == (figure, "m2", "m1")
    assert words in found.sentence
    assert found.plain()["of"] == 30


@pytest.mark.parametrize(
    ("ones", "others"), [(19, 100), (100, 19), (100, 0)], ids=["few", "few others", "no others"]
)
def test_too_few_requests_of_either_side_decide_nothing(home: Home, ones: int, others: int) -> None:
    course = on_trial(home)
    guard = guard_of(course)
    fed(guard, "m1", others)
    fed(guard, "m2", ones, kind="timeout")
    assert guard.find(course) is None


def test_as_bad_as_the_other_is_not_worse(home: Home) -> None:
    course = on_trial(home)
    guard = guard_of(course)
    for model in ("m1", "m2"):
        fed(guard, model, 60, kind="timeout")
        fed(guard, model, 60, latency=7.0)
    assert guard.find(course) is None


def test_what_is_nobodys_fault_is_not_counted(home: Home) -> None:
    course = on_trial(home)
    guard = guard_of(course)
    fed(guard, "m1", 100)
    for kind in ("cancelled", "context_overflow", "bad_request", "budget"):
        fed(guard, "m2", 50, kind=kind)
    assert guard.find(course) is None
    assert of(guard, "m2") is None


def promoted_twice(home: Home, **rule: Any) -> tuple[Guard, Any]:
    """m2 after m1, which answered 100 requests well."""
    home.promote(home.model("m1"))
    guard = guard_of(home.store.promotions.course(), **rule)
    fed(guard, "m1", 100)
    home.promote(home.model("m2"))
    course = home.store.promotions.course()
    guard.stands(course)
    return guard, course


def test_without_a_second_look_a_fresh_promotion_is_taken_back_by_what_was_before(
    home: Home,
) -> None:
    guard, course = promoted_twice(home, watch=200, holdback=0.0)
    fed(guard, "m2", 40, kind="timeout")
    found = guard.find(course)
    assert found is not None
    assert (found.trialled.other, found.trialled.decision) == ("m1", course.promoted[-1])
    assert guard.holding_back(course) is None
    fed(guard, "m2", 200)
    assert guard.find(course) is None


def test_a_fresh_promotion_that_looks_worse_is_in_doubt_and_not_taken_back(home: Home) -> None:
    guard, course = promoted_twice(home)
    fed(guard, "m2", 40, latency=9.0)
    assert guard.find(course) is None
    doubted = guard.holding_back(course)
    assert doubted is not None
    assert (doubted.model, doubted.other) == ("m2", "m1")
    assert guard.suspicion is not None
    assert guard.suspicion.figure == "slow answers"


def test_a_busier_machine_that_makes_both_slow_takes_nobody_back(home: Home) -> None:
    guard, course = promoted_twice(home)
    fed(guard, "m2", 40, latency=9.0)
    assert guard.find(course) is None
    for _ in range(6):
        fed(guard, "m2", 40, latency=9.0)
        fed(guard, "m1", 40, latency=9.0)
        assert guard.find(course) is None
    fed(guard, "m2", 300, latency=9.0)
    assert guard.find(course) is None
    assert guard.holding_back(course) is None


def test_on_the_same_traffic_worse_it_is_taken_back_by_that_alone(home: Home) -> None:
    guard, course = promoted_twice(home)
    fed(guard, "m2", 40, kind="timeout")
    assert guard.find(course) is None
    fed(guard, "m2", 30, kind="timeout")
    fed(guard, "m1", 30)
    found = guard.find(course)
    assert found is not None
    assert (found.gap.mine, found.gap.theirs) == (Seen(30, 30), Seen(0, 30))


def test_where_nobody_can_let_the_one_before_answer_its_earlier_figures_decide(home: Home) -> None:
    guard, course = promoted_twice(home)
    fed(guard, "m2", 30, kind="timeout")
    assert guard.find(course) is None
    fed(guard, "m2", 39, kind="timeout")
    assert guard.find(course) is None
    fed(guard, "m2", 1, kind="timeout")
    found = guard.find(course)
    assert found is not None
    assert (found.gap.mine.all, found.gap.theirs.all) == (70, 100)


def test_a_canary_is_not_compared_with_what_production_did_before_it(home: Home) -> None:
    home.promote(home.model("m1"))
    guard = guard_of(home.store.promotions.course())
    fed(guard, "m1", 200)
    home.promote(home.model("m2"), 0.4)
    course = home.store.promotions.course()
    guard.stands(course)
    for model in ("m1", "m2"):
        fed(guard, model, 40, kind="timeout")
    assert guard.find(course) is None


def test_without_a_model_before_it_the_hosted_ones_are_compared_with(home: Home) -> None:
    guard = guard_of(home.store.promotions.course(), holdback=0.0)
    fed(guard, "gpt-4.1", 30)
    fed(guard, "claude", 30)
    home.promote(home.model("m1"))
    course = home.store.promotions.course()
    guard.stands(course)
    fed(guard, "m1", 40, kind="server")
    found = guard.find(course)
    assert found is not None
    assert (found.trialled.other, found.gap.theirs.all) == (HOSTED, 60)


def test_a_model_tried_again_by_a_persons_word_begins_anew(home: Home) -> None:
    course = on_trial(home)
    guard = guard_of(course)
    fed(guard, "m1", 100)
    fed(guard, "m2", 40, kind="timeout")
    assert guard.find(course) is not None
    home.store.promotions.rollback("Ada")
    guard.stands(home.store.promotions.course())
    assert guard.find(home.store.promotions.course()) is None
    home.promote(home.store.models.get("m2"), 0.2)
    guard.stands(home.store.promotions.course())
    assert guard.find(home.store.promotions.course()) is None
    assert "m2" not in {model for _, model in guard.tallies}


def test_switched_off_nothing_is_found(home: Home) -> None:
    course = on_trial(home)
    guard = guard_of(course, enabled=False)
    fed(guard, "m1", 100)
    fed(guard, "m2", 40, kind="timeout")
    assert guard.find(course) is None


def failing(watch: Watch) -> None:
    for _ in range(60):
        watch.note(outcome("m1"))
        watch.note(outcome("m2", "timeout"))


def test_it_is_written_down_logged_and_told_with_its_figures(
    home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "qc_builder_lora")
    on_trial(home)
    with Hook() as hook:
        settings = home.settings(notify_webhook=hook.url, notify_secret="s")
        webhook = Webhook(hook.url, "s")
        watch = new_watch(settings, "gateway", webhook=webhook)
        failing(watch)
        assert watch.look() is not None
        watch.close()
        webhook.close()
        (event,) = hook.events
    row = home.store.promotions.history()[-1]
    assert row.automatic
    assert row.decided_by.startswith("automatic (gateway ")
    assert (row.action, row.model_id, row.previous_model_id) == ("rollback", "m1", "m2")
    assert row.reason is not None
    assert row.reason.startswith("error rate: 60 of 60 requests failed, of m1 0 of 60;")
    assert "a model was taken back by itself model=m2 reason=error rate" in caplog.text
    assert (event["event"], event["model"], event["answers"]) == ("rollback", "m2", "m1")
    assert (event["id"], event["canary_share"]) == (row.id, 0.4)
    assert event["figures"]["bad"] == 60
    assert event["text"].startswith("qc-lora: m2 was taken back by itself, m1 answers. error rate")


def test_of_two_that_find_it_one_takes_it_back(home: Home) -> None:
    on_trial(home)
    told: list[Any] = []
    watches = [
        Watch(home.settings(), home_store(home), told.append, who="gateway") for _ in range(2)
    ]
    for watch in watches:
        failing(watch)
    for watch in watches:
        watch.look()
    assert [row.action.value for row in home.store.promotions.history()] == [
        "promote", "canary", "rollback"
    ]  # fmt: skip
    assert len(told) == 1


def home_store(home: Home) -> Any:
    from qc_builder_lora.store import Store

    return lambda: Store.open(home.url)


def test_a_clock_that_jumps_takes_nobody_back(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    on_trial(home)
    watch = Watch(home.settings(), home_store(home), lambda event: None, who="gateway")
    real = time.time
    jumps = iter([0, 86_400, -86_400, 3_000_000, -3_000_000] * 100)
    monkeypatch.setattr(time, "time", lambda: real() + next(jumps))
    with StrategyProvider(home.settings()) as provider:
        provider.chain.listen(watch.note)
        for number in range(60):
            provider.chain.write(new_request("Buy SPY"), build_id=f"b{number}")
            if number % 5 == 0:
                assert watch.look() is None
    watch.guard.count()
    tallies = {model: one for (_, model), one in watch.guard.tallies.items()}
    assert {key: (one.failed, one.asked >= 20) for key, one in tallies.items()} == {
        "m1": (0, True),
        "m2": (0, True),
    }
    assert all(0 <= latency < 60 for one in tallies.values() for latency in one.latencies)
    assert len(home.store.promotions.history()) == 2


def sharing(home: Home) -> Watch:
    return Watch(home.settings(), home_store(home), lambda event: None, who="gateway")


def test_figures_outlive_a_restart(home: Home) -> None:
    on_trial(home)
    first = sharing(home)
    first.guard.rule = RollbackRule(minimum=1000)
    first.look()
    failing(first)
    first.close()
    second = sharing(home)
    assert second.look() is not None
    assert home.store.promotions.course().canary is None
    second.close()


def test_two_that_serve_one_store_count_together(home: Home) -> None:
    on_trial(home)
    both = [sharing(home), sharing(home)]
    for watch in both:
        watch.look()
        for _ in range(15):
            watch.note(outcome("m1"))
            watch.note(outcome("m2", "timeout"))
    found = [watch.look() for watch in both for _ in range(2)]
    (first, *_) = [one for one in found if one is not None]
    assert (first.gap.mine, first.gap.theirs) == (Seen(30, 30), Seen(0, 30))
    assert home.store.promotions.course().canary is None
    for watch in both:
        watch.close()


def test_a_doubt_is_known_to_all_who_serve_and_to_whoever_is_started_then(home: Home) -> None:
    home.promote(home.model("m1"))
    both = [sharing(home), sharing(home)]
    for watch in both:
        watch.look()
        for _ in range(30):
            watch.note(outcome("m1"))
        watch.save()
    home.promote(home.model("m2"))
    both[0].look()
    for _ in range(30):
        both[0].note(outcome("m2", "timeout"))
    assert both[0].look() is None
    later = sharing(home)
    assert in_doubt(home.store) == both[0].holdback
    for watch in (both[1], later):
        assert watch.look() is None
        assert watch.holdback is not None
        assert (watch.holdback.model, watch.holdback.other) == ("m2", "m1")
    for watch in (*both, later):
        watch.close()


def test_figures_of_decisions_that_no_longer_count_are_forgotten_in_the_store(home: Home) -> None:
    watch = sharing(home)
    for name in ("m1", "m2", "m3", "m4"):
        home.promote(home.model(name))
        watch.look()
        watch.note(outcome(name))
        watch.guard.count()
        watch.save()
    kept = {told.model for told in home.store.tallies.find()}
    assert kept == {"m3", "m4"}
    watch.close()


def test_figures_of_another_process_that_cannot_be_read_are_said_and_left_out(
    home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "qc_builder_lora")
    course = on_trial(home)
    phase = course.canary.id
    home.store.tallies.put("older", {(phase, "m2"): {"asked": 3}})
    home.store.tallies.put("newer", {(phase, "m2"): {"asked": 3, "unheard_of": 1}})
    watch = sharing(home)
    failing(watch)
    assert watch.look() is not None
    watch.look()
    for process in ("older", "newer"):
        assert caplog.text.count(f"cannot be read process={process}") == 1
    watch.close()


def test_a_canary_that_says_nothing_is_ended_while_requests_are_answered(home: Home) -> None:
    """End to end: real children, the chain's own outcomes, real webhook."""
    home.promote(home.model("m1"))
    silent = home.model("m2")
    # With this template the random weights write blanks, which is no answer.
    (Path(silent.path).parent / "manifest.json").write_text('{"template": "gemma"}')
    home.promote(silent, 0.5)
    with Hook() as hook, StrategyProvider(home.settings()) as provider:
        webhook = Webhook(hook.url)
        watch = new_watch(home.settings(), "gateway", webhook=webhook)
        watch.look()
        provider.chain.listen(watch.note)
        succession = Succession(provider)
        answered = {
            provider.chain.write(new_request("Buy"), build_id=f"b{n}").model for n in range(90)
        }
        assert answered == {"m1"}
        assert provider.trial is not None
        succession.step(watch)
        assert provider.trial is None
        webhook.close()
        (event,) = hook.events
        share = sum(takes("m2", 0.5, f"b{n}") for n in range(90))
        assert event["figures"]["bad"] == event["figures"]["of"] == share
    watch.close()


def test_while_the_store_is_away_the_canary_ends_here_and_is_written_down_later(
    home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "qc_builder_lora")
    on_trial(home)
    away = [False]

    def opened() -> Any:
        if away[0]:
            raise StoreUnavailable("the database is not reachable.")
        return home.store

    with StrategyProvider(home.settings()) as provider:
        provider.chain.write(new_request("Buy"))
        watch = Watch(home.settings(), opened, lambda e: None, who="gateway")
        watch.look()
        away[0], watch._store = True, None
        failing(watch)
        Succession(provider).step(watch)
        Succession(provider).step(watch)
        assert home.store.promotions.course().canary is not None
        assert caplog.text.count("cannot be taken back yet") == 1
        away[0] = False
        Succession(provider).step(watch)
        assert provider.trial is None
    assert home.store.promotions.course().canary is None


@pytest.mark.parametrize(
    ("text", "error", "fact"),
    [
        ("alpha = 2.0", SettingsError, r"alpha must be in \(0, 1\), got 2.0"),
        ("minimum = 0", SettingsError, "minimum must be at least 1, got 0"),
        ("minimum = '20'", SettingsError, "minimum must be int, got '20'"),
        ("holdback = 1", SettingsError, r"holdback must be in \[0, 1\), got 1"),
        ("slow_factor = 0.5", SettingsError, "slow_factor must be at least 1"),
        ("pass_margin = 1.5", SettingsError, r"pass_margin must be in \[0, 1\)"),
        ("minimun = 3", UnknownKey, "unknown key 'minimun'. Did you mean 'minimum'"),
        ("alpha =", InputError, "not valid TOML"),
    ],
)
def test_a_rule_that_cannot_be_used_is_refused_with_its_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, error: type[Exception], fact: str
) -> None:
    (tmp_path / "eval").mkdir()
    (tmp_path / "eval/rollback.toml").write_text(text)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=fact):
        load_rollback_rule()


def test_the_built_in_rule_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_rollback_rule() == RollbackRule()
    assert json.dumps(vars(load_rollback_rule()))
