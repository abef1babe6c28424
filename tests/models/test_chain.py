"""The chain over real SDKs and real connections, and over scripted Writers where time is asked."""

import asyncio
import itertools
import threading
from decimal import Decimal

import pytest

from qc_builder_lora.errors import BudgetExhausted, NoProvider, ProviderError
from qc_builder_lora.models.breaker import State
from qc_builder_lora.models.budget import Budget, MemoryLedger
from qc_builder_lora.models.chain import Chain
from qc_builder_lora.models.faults import Action, rule_of
from qc_builder_lora.models.means import Awaited
from qc_builder_lora.models.prices import load_prices
from qc_builder_lora.models.writer import Chunk, Draft, new_request
from tests.models.test_writers import KEY, NAMES, STREAMS, WAYS, awaited_draft, make
from tests.models.upstream import CODE, FAULTS, PIECES, TEXT, Upstream

REQUEST = new_request("Buy SPY")
BROKEN = ("cut", "hang_mid_answer", "trickle", "no_end")
HANGS = ("hang_before_headers", "hang_mid_answer", "trickle")


@pytest.fixture
def build():
    """A chain over upstreams; every wait is noted and not waited."""
    opened = []

    def make_chain(*upstreams, **options):
        waits = []

        async def wait(seconds):
            waits.append(seconds)

        chain = Chain([make(u) for u in upstreams], sleep=waits.append, **options)
        chain.waits, chain._awaited = waits, Awaited(wait)
        opened.extend([chain, *upstreams])
        return chain

    yield make_chain
    for item in opened:
        item.__exit__() if isinstance(item, Upstream) else item.close()


def ask(chain, stream, awaited=False, **options):
    if awaited:
        return asyncio.run(awaited_draft(chain, stream, REQUEST, options))
    if not stream:
        return chain.write(REQUEST, **options)
    chunks = list(chain.stream(REQUEST, **options))
    assert "".join(chunk.text for chunk in chunks) == chunks[-1].draft.text
    return chunks[-1].draft


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize(("name", "awaited"), WAYS)
@pytest.mark.parametrize("fault", FAULTS)
def test_next_provider_answers_when_the_first_keeps_failing(
    build, happened, every_log, name, awaited, fault, stream
):
    other = "openai" if name in ("gemini", "local") else "gemini"
    first, second = Upstream(name, fault, key=KEY), Upstream(other, key=KEY)
    late = fault in HANGS
    chain = build(first, second, deadline_s=8.0 if late else 60.0, share=0.08 if late else 0.6)
    draft, error = None, None
    try:
        draft = ask(chain, stream, awaited)
    except ProviderError as caught:
        error = caught
    asked = len(first.requests), len(second.requests)
    way = f"{name} async" if awaited else name
    happened(way, fault, stream, kind=FAULTS[fault][stream], asked=asked,
             then=draft.provider if draft else "error")  # fmt: skip
    broken = stream and (fault in BROKEN or (fault, name) == ("malformed_json", "gemini"))
    if broken:
        # Its first words were given out already: an error, and no second model.
        assert "no other model continues them" in str(error)
    else:
        assert (draft.code, draft.provider) == (CODE, other)
    tries = 0 if fault == "refused" else 2 if retried(fault, stream) and not broken else 1
    assert asked == (tries, 0 if broken else 1)
    assert KEY not in every_log.text


def retried(fault, stream):
    return rule_of(FAULTS[fault][stream]).action is Action.RETRY


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("fault", ["500", "529", "429", "cut_before_text"])
def test_passing_fault_is_tried_again_at_the_same_provider(build, name, fault, stream):
    first, second = Upstream(name, fault, "answer"), Upstream("openai")
    chain = build(first, second)
    assert ask(chain, stream).provider == name
    assert len(second.requests) == 0
    assert len(chain.waits) == 1
    assert 0.5 <= chain.waits[0] < 1.0
    assert chain.breakers[name].state is State.CLOSED


@pytest.mark.parametrize("name", NAMES)
def test_retry_after_is_waited_for_to_the_second(build, name):
    chain = build(Upstream(name, "429_retry_after", "answer"))
    assert ask(chain, False).provider == name
    assert chain.waits == [7.0]


def test_retry_after_beyond_the_cap_is_not_waited_for_and_rests_the_provider(build):
    first, second = Upstream("anthropic", "429_retry_after"), Upstream("openai")
    chain = build(first, second, wait_cap_s=5.0)
    assert ask(chain, False).provider == "openai"
    assert chain.waits == []
    assert ask(chain, False).provider == "openai"
    assert len(first.requests) == 1


def test_retry_after_that_does_not_fit_the_time_left_goes_to_the_next(build):
    first, second = Upstream("anthropic", "429_retry_after"), Upstream("openai")
    chain = build(first, second, deadline_s=9.0)
    assert ask(chain, False).provider == "openai"
    assert chain.waits == []


@pytest.mark.parametrize("stream", STREAMS)
def test_all_failing_is_one_error_that_tells_each_reason(build, stream):
    chain = build(
        *(Upstream(n, f) for n, f in zip(NAMES, ("refused", "500", "401", "empty"), strict=True))
    )
    with pytest.raises(NoProvider) as caught:
        ask(chain, stream)
    told = str(caught.value)
    for part in (
        "local: nobody answers there",
        "openai: HTTP 500",
        "anthropic: HTTP 401",
        "gemini: an empty answer",
    ):
        assert part in told
    assert [error.kind for error in caught.value.failures] == [
        "refused",
        "server",
        "server",
        "auth",
        "empty",
    ]


def test_provider_that_keeps_failing_is_left_alone(build):
    first, second = Upstream("anthropic", "500"), Upstream("openai")
    chain = build(first, second)
    for _ in range(5):
        assert ask(chain, False).provider == "openai"
    assert len(first.requests) == 3
    assert chain.breakers["anthropic"].state is State.OPEN


def test_wrong_key_is_tried_once_and_not_again(build):
    first, second = Upstream("anthropic", "401"), Upstream("openai")
    chain = build(first, second)
    for _ in range(3):
        assert ask(chain, False).provider == "openai"
    assert len(first.requests) == 1


def test_overlong_prompt_goes_on_to_a_larger_model_and_harms_nobody(build):
    first, second = Upstream("local", "context_overflow"), Upstream("gemini")
    chain = build(first, second)
    for _ in range(5):
        assert ask(chain, False).provider == "gemini"
    assert len(first.requests) == 5
    assert chain.breakers["local"].state is State.CLOSED


def test_awaited_stream_that_breaks_after_its_first_word_is_continued_by_nobody(build):
    second = Upstream("openai")
    chain = build(Upstream("local", "cut"), second)
    with pytest.raises(ProviderError, match=r"local: .*\d+ characters were sent already"):
        ask(chain, True, awaited=True)
    assert second.requests == []
    assert not chain.busy


def test_stream_that_breaks_before_its_first_word_falls_back_unseen(build):
    chain = build(Upstream("anthropic", "cut_before_text"), Upstream("openai"))
    chunks = list(chain.stream(REQUEST))
    assert "".join(chunk.text for chunk in chunks) == TEXT
    assert chunks[-1].draft.provider == "openai"


def test_stream_that_breaks_after_its_first_word_is_never_continued_by_another(build):
    second = Upstream("openai")
    chain = build(Upstream("anthropic", "cut"), second)
    got = []
    with pytest.raises(
        ProviderError, match=r"anthropic: .*\d+ characters were sent already"
    ) as caught:
        got.extend(chunk.text for chunk in chain.stream(REQUEST))
    assert caught.value.kind == "truncated"
    assert TEXT.startswith("".join(got))
    assert "".join(got)
    assert second.requests == []


def test_stream_is_given_on_as_it_comes(build):
    chain = build(Upstream("anthropic"))
    texts = [chunk.text for chunk in chain.stream(REQUEST) if chunk.text]
    assert texts == PIECES


class Scripted:
    """A Writer that does as it is told, and notes the time it was given."""

    def __init__(self, name, *steps, model="m"):
        self.name, self.model, self.steps, self.given = name, model, itertools.cycle(steps), []

    def write(self, request, *, max_tokens, deadline_s):
        self.given.append(deadline_s)
        step = next(self.steps)
        if isinstance(step, BaseException):
            raise step
        return step() if callable(step) else self.draft()

    def stream(self, request, *, max_tokens, deadline_s):
        yield Chunk(text="some ")
        yield Chunk(text="code")
        yield Chunk(draft=self.draft())

    def draft(self):
        return Draft(text="x", code="x", provider=self.name, model=self.model, finish_reason="stop")


def test_one_that_hangs_leaves_the_others_their_time():
    moment = [0.0]

    def hang(left):
        def wait():
            moment[0] += left[-1]
            raise ProviderError("local", "timeout", "late")

        return wait

    local = Scripted("local")
    local.steps = iter([hang(local.given)])
    others = [Scripted("anthropic", None)]
    chain = Chain([local, *others], deadline_s=100.0, share=0.6, clock=lambda: moment[0])
    assert chain.write(REQUEST).provider == "anthropic"
    assert local.given == [60.0]
    assert others[0].given == [40.0]


def test_last_provider_may_use_all_the_time_there_is():
    only = Scripted("local", None)
    Chain([only], deadline_s=100.0, clock=lambda: 0.0).write(REQUEST)
    assert only.given == [100.0]


def test_nobody_is_asked_when_the_time_is_over():
    moment = [0.0]
    late = ProviderError("local", "timeout", "late")

    def use_up():
        moment[0] += 200.0
        raise late

    second = Scripted("openai", None)
    chain = Chain([Scripted("local", use_up), second], deadline_s=100.0, clock=lambda: moment[0])
    with pytest.raises(NoProvider, match="openai: no time was left to ask it"):
        chain.write(REQUEST)
    assert second.given == []


def test_cancelled_request_ends_the_chain():
    second = Scripted("openai", None)
    chain = Chain([Scripted("local", ProviderError("local", "cancelled", "gone")), second])
    with pytest.raises(ProviderError, match="local: gone"):
        chain.write(REQUEST)
    assert second.given == []


def test_interrupt_goes_through_and_keeps_what_may_have_been_spent(tmp_path):
    ledger = MemoryLedger()
    budget = Budget(load_prices(tmp_path), Decimal(5), ledger)
    writer = Scripted("anthropic", KeyboardInterrupt(), model="claude-sonnet-4-6")
    chain = Chain([writer], budget=budget)
    with pytest.raises(KeyboardInterrupt):
        chain.write(REQUEST, build_id="b")
    assert ledger.spent("b") > 0


def test_no_provider_at_all_says_what_to_set():
    with pytest.raises(
        NoProvider, match=r"No provider is configured\. Set QC_LORA_PROVIDERS, or a key"
    ):
        Chain([]).write(REQUEST)


@pytest.fixture
def paid(build, tmp_path):
    """A chain with a budget over upstreams, and its ledger."""

    def make_paid(*upstreams, limit="5"):
        ledger = MemoryLedger()
        chain = build(*upstreams, budget=Budget(load_prices(tmp_path), Decimal(limit), ledger))
        for writer in chain.writers:
            writer.model = {"anthropic": "claude-sonnet-4-6"}.get(writer.name, writer.model)
        return chain, ledger

    return make_paid


AWAITED = [False, True]


@pytest.mark.parametrize("awaited", AWAITED)
@pytest.mark.parametrize("stream", STREAMS)
def test_answer_costs_what_its_tokens_cost(paid, stream, awaited):
    chain, ledger = paid(Upstream("anthropic"))
    draft = ask(chain, stream, awaited, build_id="b")
    assert draft.cost_usd == Decimal("0.000423")
    assert ledger.spent("b") == draft.cost_usd


def test_local_answer_costs_nothing(paid):
    chain, ledger = paid(Upstream("local"), limit="0")
    assert ask(chain, False, build_id="b").cost_usd == 0
    assert ledger.spent("b") == 0


def test_spent_budget_stops_the_hosted_and_not_the_local(paid):
    hosted = Upstream("anthropic")
    chain, _ = paid(hosted, Upstream("local"), limit="0.001")
    assert ask(chain, False, build_id="b").provider == "local"
    assert hosted.requests == []


def test_spent_budget_with_nothing_free_left_is_said_with_the_figures(paid):
    hosted = Upstream("anthropic")
    chain, _ = paid(hosted, limit="0.001")
    with pytest.raises(
        BudgetExhausted, match=r"anthropic: this call may cost \$0\.01.*of the \$0\.001"
    ):
        ask(chain, False, build_id="b")
    assert hosted.requests == []
    assert chain.breakers["anthropic"].state is State.CLOSED


def test_model_without_a_price_is_not_asked(paid):
    hosted = Upstream("openai")
    chain, _ = paid(hosted)
    chain.writers[0].model = "gpt-99"
    with pytest.raises(BudgetExhausted, match="openai: no price is known for 'gpt-99'"):
        ask(chain, False, build_id="b")
    assert hosted.requests == []


@pytest.mark.parametrize("awaited", AWAITED)
@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize(
    ("fault", "charged"),
    [("401", False), ("500", False), ("cut", True), ("hang_mid_answer", True), ("no_end", True)],
)
def test_failure_is_charged_only_where_tokens_may_have_been_written(
    paid, fault, charged, stream, awaited
):
    chain, ledger = paid(Upstream("anthropic", fault))
    with pytest.raises((NoProvider, ProviderError)):
        ask(chain, stream, awaited, build_id="b", deadline_s=0.8 if fault in HANGS else 20.0)
    assert (ledger.spent("b") > 0) is charged


def test_unknown_usage_is_charged_as_the_most_and_not_told_as_a_cost(paid):
    chain, ledger = paid(Upstream("anthropic", "no_usage"))
    assert ask(chain, False, build_id="b").cost_usd is None
    assert ledger.spent("b") > Decimal("0.015")


def test_reader_that_goes_away_is_charged_the_most(paid):
    chain, ledger = paid(Upstream("anthropic", "trickle"))
    stream = chain.stream(REQUEST, build_id="b")
    assert next(stream).text
    stream.close()
    assert ledger.spent("b") > Decimal("0.015")


def test_awaiting_reader_that_goes_away_is_charged_the_most(paid):
    async def leave():
        stream = chain.stream_async(REQUEST, build_id="b")
        assert (await anext(stream)).text
        await stream.aclose()

    chain, ledger = paid(Upstream("anthropic", "trickle"))
    asyncio.run(leave())
    assert ledger.spent("b") > Decimal("0.015")
    assert not chain.busy


@pytest.mark.parametrize("stream", STREAMS)
def test_who_is_cancelled_is_charged_the_most_and_no_other_provider_is_asked(paid, stream):
    async def leave():
        work = asyncio.create_task(awaited_draft(chain, stream, asked={"build_id": "b"}))
        while not first.requests:
            await asyncio.sleep(0.01)
        work.cancel()
        with pytest.raises(ProviderError, match="anthropic: the request was cancelled"):
            await work

    first, second = Upstream("anthropic", "hang_before_headers"), Upstream("openai")
    chain, ledger = paid(first, second)
    asyncio.run(leave())
    assert ledger.spent("b") > Decimal("0.015")
    assert (second.requests, chain.busy) == ([], False)
    assert chain.breakers["anthropic"].state is State.CLOSED


class SlowLedger(MemoryLedger):
    """Takes its time, as a store does that another process holds."""

    def reserve(self, *asked):
        threading.Event().wait(0.3)
        return super().reserve(*asked)


def test_who_is_cancelled_while_money_is_set_aside_leaves_no_open_end(tmp_path):
    ledger = SlowLedger()
    budget = Budget(load_prices(tmp_path), Decimal(5), ledger)
    writer = Scripted("anthropic", model="claude-sonnet-4-6")

    async def never(*_, **__):
        await asyncio.sleep(60)

    async def leave():
        work = asyncio.create_task(chain.write_async(REQUEST, build_id="b"))
        await asyncio.sleep(0.1)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work

    writer.write_async = never
    chain = Chain([writer], budget=budget)
    asyncio.run(leave())
    assert ledger._open == {}
    assert not chain.busy


def test_slow_books_hold_up_nobody_who_needs_none(tmp_path):
    budget = Budget(load_prices(tmp_path), Decimal(5), SlowLedger())
    paid = Scripted("anthropic", model="claude-sonnet-4-6")
    free = Scripted("local")

    async def at_once(*_, **__):
        return free.draft()

    async def both():
        one = asyncio.create_task(Chain([paid], budget=budget).write_async(REQUEST))
        await asyncio.sleep(0.05)
        await Chain([free], budget=budget).write_async(REQUEST)
        overtaken = not one.done()
        await one
        return overtaken

    paid.write_async = free.write_async = at_once
    assert asyncio.run(both())


def test_awaited_fifty_at_once_stay_within_the_budget(paid):
    async def crowd():
        return await asyncio.gather(*(chain.write_async(REQUEST, build_id="b") for _ in range(50)))

    chain, ledger = paid(Upstream("anthropic"), Upstream("local"), limit="0.05")
    drafts = asyncio.run(crowd())
    assert ledger.spent("b") == sum(draft.cost_usd for draft in drafts) <= Decimal("0.05")
    assert {draft.provider for draft in drafts} == {"anthropic", "local"}


def test_fifty_requests_at_once_stay_within_the_budget(paid):
    hosted = Upstream("anthropic")
    chain, ledger = paid(hosted, Upstream("local"), limit="0.05")
    drafts = []
    threads = [
        threading.Thread(target=lambda: drafts.append(chain.write(REQUEST, build_id="b")))
        for _ in range(50)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(drafts) == 50
    assert ledger.spent("b") == sum(draft.cost_usd for draft in drafts) <= Decimal("0.05")
    assert {draft.provider for draft in drafts} == {"anthropic", "local"}
