import threading

import pytest

from qc_builder_lora.models.breaker import Breaker, State


@pytest.fixture
def moment():
    return [1000.0]


@pytest.fixture
def breaker(moment):
    return Breaker(failures=3, rest_s=30, long_rest_s=300, clock=lambda: moment[0])


def fail(breaker, times, kind="server", **more):
    for _ in range(times):
        assert breaker.allow()
        breaker.failed(kind, **more)


def test_third_failure_in_a_row_opens_it(breaker):
    fail(breaker, 2)
    assert breaker.state is State.CLOSED
    fail(breaker, 1)
    assert breaker.state is State.OPEN
    assert not breaker.allow()
    assert breaker.opens_in_s == 30


def test_success_in_between_starts_the_count_anew(breaker):
    fail(breaker, 2)
    breaker.succeeded()
    fail(breaker, 2)
    assert breaker.state is State.CLOSED


def test_half_open_lets_one_single_probe_through(breaker, moment):
    fail(breaker, 3)
    moment[0] += 31
    assert breaker.state is State.HALF_OPEN
    assert [breaker.allow() for _ in range(5)] == [True, False, False, False, False]


def test_one_probe_even_if_a_hundred_threads_ask_at_once(breaker, moment):
    fail(breaker, 3)
    moment[0] += 31
    start, allowed = threading.Barrier(100), []

    def ask():
        start.wait()
        allowed.append(breaker.allow())

    threads = [threading.Thread(target=ask) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(allowed) == 1


def test_probe_that_succeeds_closes_it(breaker, moment):
    fail(breaker, 3)
    moment[0] += 31
    assert breaker.allow()
    breaker.succeeded()
    assert breaker.state is State.CLOSED
    fail(breaker, 2)
    assert breaker.state is State.CLOSED


def test_probe_that_fails_opens_it_again(breaker, moment):
    fail(breaker, 3)
    moment[0] += 31
    assert breaker.allow()
    breaker.failed("timeout")
    assert breaker.state is State.OPEN
    assert breaker.opens_in_s == 30


@pytest.mark.parametrize("kind", ["auth", "not_found"])
def test_refused_key_or_unknown_model_opens_it_at_once_and_for_long(breaker, kind):
    fail(breaker, 1, kind)
    assert breaker.state is State.OPEN
    assert breaker.opens_in_s == 300


@pytest.mark.parametrize("kind", ["context_overflow", "content_filter", "bad_request", "empty"])
def test_fault_of_the_request_never_counts(breaker, kind):
    fail(breaker, 10, kind)
    assert breaker.state is State.CLOSED


def test_probe_that_was_cancelled_frees_the_place_for_another(breaker, moment):
    fail(breaker, 3)
    moment[0] += 31
    assert breaker.allow()
    breaker.forget()
    assert breaker.state is State.HALF_OPEN
    assert breaker.allow()


def test_probe_that_never_reports_does_not_block_for_ever(breaker, moment):
    fail(breaker, 3)
    moment[0] += 31
    assert breaker.allow()
    moment[0] += 599
    assert not breaker.allow()
    moment[0] += 2
    assert breaker.allow()


def test_provider_that_asks_for_a_pause_gets_it_but_not_for_ever(breaker):
    breaker.rest(90)
    assert breaker.opens_in_s == 90
    breaker.rest(10**9)
    assert breaker.opens_in_s == 300


def test_clock_that_jumps_back_leaves_it_open_and_no_longer_than_said(breaker, moment):
    fail(breaker, 3)
    moment[0] -= 10
    assert breaker.state is State.OPEN
    moment[0] += 41
    assert breaker.state is State.HALF_OPEN
