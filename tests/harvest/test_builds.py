"""Records become builds and attempts: none is lost, none counts twice, whatever their order."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from qc_builder_lora.harvest.attempts import Attempt
from qc_builder_lora.harvest.builds import MOST_ATTEMPTS, MOST_OPEN, Done, Reconstruction
from qc_builder_lora.harvest.spool import Event
from qc_builder_lora.records import BacktestStatus
from tests.harvest.story import Story, code


def rebuild(story: Story) -> tuple[list[Done], Reconstruction]:
    found = Reconstruction()
    done = []
    for event in story.events():
        found.take(event)
        done += found.done()
    found.end()
    return [*done, *found.done()], found


def attempts(done: list[Done]) -> list[Attempt]:
    return [attempt for part in done for attempt in part.attempts if not attempt.empty]


def assert_all_accounted_for(story: Story, done: list[Done], found: Reconstruction) -> None:
    numbers = Counter(found.free)
    for part in done:
        numbers.update(part.records)
    assert numbers == Counter(range(len(story.told)))


def test_one_build_of_two_iterations() -> None:
    story = Story().spec("Golden cross").project().round(1, code(1)).round(2, code(2), "improve it")
    done, found = rebuild(story.complete().main_end())
    assert_all_accounted_for(story, done, found)
    (build,) = done
    assert build.build.title == "Golden cross"
    assert build.build.status == "complete"
    first, second = attempts(done)
    assert (first.iteration, first.prompt, first.model, first.code) == (1, "write it", "m", code(1))
    assert (second.iteration, second.version, second.fitness) == (2, "v2", 0.7)
    assert list(second.backtests) == ["b2"]


def test_builds_on_several_threads_are_kept_apart() -> None:
    story = Story()
    for number in (1, 2):
        for thread in (1, 2, 3):
            story.thread = thread
            if number == 1:
                story.spec(f"spec {thread}").project(thread)
            story.iteration(number).coder(f"prompt {thread} {number}", path=f"/w/{thread}/main.py")
        for thread in (3, 1, 2):
            story.thread = thread
            story.upload(code(10 * thread + number), thread)
            story.fitness(number, thread / 10, thread)
    done, found = rebuild(story)
    assert_all_accounted_for(story, done, found)
    assert [part.build.title for part in done] == ["spec 1", "spec 2", "spec 3"]
    for part in done:
        thread = int(part.build.title[-1])
        assert {a.prompt for a in part.attempts} == {f"prompt {thread} 1", f"prompt {thread} 2"}
        assert {a.code for a in part.attempts if a.code} == {
            code(10 * thread + 1),
            code(10 * thread + 2),
        }
        assert [a.fitness for a in part.attempts] == [thread / 10] * 2


def test_builds_that_take_turns_on_one_thread_are_told_apart_by_project_and_file() -> None:
    story = Story().spec("a").project(1, "a").coder("ask a", path="/a/main.py")
    story.spec("b").project(2, "b").coder("ask b", path="/b/main.py")
    story.upload(code(1), 1).upload(code(2), 2).backtest(project=1, number="x")
    story.coder("again a", path="/a/main.py").upload(code(3), 1)
    done, found = rebuild(story)
    assert_all_accounted_for(story, done, found)
    by_title = {part.build.title: [(a.prompt, a.code) for a in part.attempts] for part in done}
    assert by_title == {
        "a": [("ask a", code(1)), ("again a", code(3))],
        "b": [("ask b", code(2))],
    }


def test_a_host_that_tells_nothing_is_understood_from_its_calls() -> None:
    story = Story().project(1, "alpha").coder("one").upload(code(1), 1).backtest(project=1)
    story.project(2, "beta").coder("two").upload(code(2), 2)
    done, found = rebuild(story)
    assert_all_accounted_for(story, done, found)
    assert [part.build.title for part in done] == ["alpha", "beta"]
    assert [a.prompt for a in attempts(done)] == ["one", "two"]


def test_iterations_without_their_start_are_seen_by_the_coder_and_the_code() -> None:
    story = Story().spec("a").coder("one").left(code(1)).coder("two").left(code(2))
    story.upload(code(2)).upload(code(3))
    done, found = rebuild(story)
    assert_all_accounted_for(story, done, found)
    # The last code was nobody's answer: the question stays, the model is not known.
    assert [(a.prompt, a.model, a.code) for a in attempts(done)] == [
        ("one", "m", code(1)),
        ("two", "m", code(2)),
        ("two", None, code(3)),
    ]


def test_going_back_to_an_earlier_version_is_not_a_new_answer() -> None:
    story = Story().spec("a").project().round(1, code(1)).round(2, code(2), "improve")
    story.upload(code(1)).backtest(number="again")
    done, found = rebuild(story)
    assert_all_accounted_for(story, done, found)
    first, second = attempts(done)
    assert list(first.backtests) == ["b1", "again"]
    assert list(second.backtests) == ["b2"]


def test_what_the_coder_left_counts_where_nothing_was_uploaded() -> None:
    story = Story().spec("a").iteration(1).coder("ask").left("def broken(:")
    (attempt,) = attempts(rebuild(story)[0])
    assert attempt.code == "def broken(:"
    assert attempt.label() == "syntax_error"


def test_what_is_uploaded_wins_over_what_the_coder_left() -> None:
    story = Story().spec("a").iteration(1).coder("ask").left("```python").upload(code(1))
    (attempt,) = attempts(rebuild(story)[0])
    assert attempt.code == code(1)


def test_a_refused_upload_is_not_what_ran() -> None:
    story = Story().spec("a").coder("ask")
    story.tool(
        "create_file", {"success": False, "errors": ["File already exist"]}, name="main.py",
        content=code(1), projectId=7,
    )  # fmt: skip
    (attempt,) = attempts(rebuild(story)[0])
    assert (attempt.uploaded, attempt.code) == (None, code(1))
    assert attempt.error == "File already exist"


def test_code_under_another_name_is_not_what_ran() -> None:
    story = Story().spec("a").coder("ask").upload(code(1), name="golden_cross.py").backtest()
    (attempt,) = attempts(rebuild(story)[0])
    status, reason = attempt.verdict(attempt.backtests["b"])
    assert status is BacktestStatus.UNKNOWN
    assert reason == "main.py was not uploaded (golden_cross.py was): other code ran."
    assert attempt.label() == "unknown"


def test_code_that_is_not_what_was_read_back_is_unknown() -> None:
    story = Story().spec("a").read_back("boilerplate").upload(code(1)).backtest()
    (attempt,) = attempts(rebuild(story)[0])
    # Read before the upload: it says nothing about it.
    assert attempt.read_back_state == "absent"
    assert attempt.verdict(attempt.backtests["b"])[0] is BacktestStatus.COMPLETED
    story.told.insert(-2, Story().read_back("boilerplate").told[0])
    (attempt,) = attempts(rebuild(story)[0])
    status, reason = attempt.verdict(attempt.backtests["b"])
    assert status is BacktestStatus.UNKNOWN
    assert reason == "main.py read back is not what was uploaded."


def test_backtests_that_say_too_little_are_unknown() -> None:
    for story, reason in (
        (Story().backtest(project="stub"), "The project is a stub"),
        (Story().backtest({}), "The engine's answer has no statistics."),
        (Story().backtest(completed=False), "The backtest had not ended"),
        (Story().backtest(error="x", status="Unknown"), "x"),
    ):
        whole = Story().spec("a").upload(code(1))
        whole.told += story.told
        (attempt,) = attempts(rebuild(whole)[0])
        (seen,) = attempt.backtests.values()
        status, why = attempt.verdict(seen)
        assert status is BacktestStatus.UNKNOWN
        assert (why or "").startswith(reason)


def test_fitness_finds_its_iteration_even_when_it_comes_late() -> None:
    story = Story().spec("a").iteration(1).upload(code(1)).iteration(2).upload(code(2)).fitness(1)
    first, second = attempts(rebuild(story)[0])
    assert (first.version, second.version) == ("v1", None)


def test_records_after_the_end_of_a_build_still_belong_to_it() -> None:
    story = Story().spec("a").project().round(1, code(1)).complete().error("late")
    story.spec("b").project(8).round(1, code(2), project=8)
    done, found = rebuild(story)
    assert_all_accounted_for(story, done, found)
    assert [(part.build.title, len(part.attempts)) for part in done] == [("a", 1), ("b", 1)]
    assert done[0].attempts[0].error == "late"


def test_a_crash_is_the_status_of_the_builds_it_ended() -> None:
    story = Story().spec("a").iteration(1).upload(code(1)).main_end(raised="KeyError: 'x'", code=1)
    (done,), _ = rebuild(story)
    assert done.build.status == "ended: KeyError: 'x'"
    assert done.build.finished_ns is None


def test_a_kill_is_a_build_that_stopped() -> None:
    (done,), _ = rebuild(Story().spec("a").iteration(1).upload(code(1)))
    assert done.build.status == "stopped"


def test_unknown_kinds_and_events_are_passed_over_and_counted() -> None:
    story = Story().tell("from a later version", x=1).notify("heartbeat").spec("a")
    story.notify("heartbeat").upload(code(1)).tell("mcp", tool="create_issue", params={})
    done, found = rebuild(story)
    assert_all_accounted_for(story, done, found)
    assert found.unknown == 3
    assert len(attempts(done)) == 1


def test_memory_is_bounded_by_handing_out_early() -> None:
    story = Story().spec("endless")
    for number in range(3 * MOST_ATTEMPTS):
        story.round(number, code(number))
    for number in range(2 * MOST_OPEN):
        story.spec(f"left open {number}")
    found = Reconstruction()
    done: list[Done] = []
    for event in story.events():
        found.take(event)
        done += found.done()
        assert len(found.open) <= MOST_OPEN
        assert all(len(build.attempts) <= MOST_ATTEMPTS for build in found.open)
    found.end()
    done += found.done()
    assert_all_accounted_for(story, done, found)
    endless = [part for part in done if part.build.title == "endless"]
    assert [part.last for part in endless] == [False] * (len(endless) - 1) + [True]
    assert len(attempts(endless)) == 3 * MOST_ATTEMPTS


STEPS = st.one_of(
    st.builds(lambda t: lambda s: s.spec(t), st.sampled_from(["a", "b", ""])),
    st.builds(lambda n: lambda s: s.iteration(n), st.integers(0, 3)),
    st.builds(lambda p: lambda s: s.coder("ask", path=f"/{p}/main.py"), st.sampled_from("xyz")),
    st.builds(lambda p: lambda s: s.left("left", path=f"/{p}/main.py"), st.sampled_from("xyz")),
    st.builds(lambda p: lambda s: s.project(p), st.sampled_from([1, 2, "stub"])),
    st.builds(
        lambda n, p: lambda s: s.upload(code(n), p),
        st.integers(1, 4),
        st.sampled_from([1, 2, None]),
    ),
    st.builds(lambda p: lambda s: s.read_back("x", p), st.sampled_from([1, 2])),
    st.just(lambda s: s.compiled()),
    st.builds(lambda b: lambda s: s.backtest(number=b), st.sampled_from("pq")),
    st.builds(lambda n, t: lambda s: s.fitness(n, 0.1, t), st.integers(1, 3), st.integers(1, 2)),
    st.just(lambda s: s.error("x")),
    st.just(lambda s: s.complete()),
    st.just(lambda s: s.main_end()),
    st.just(lambda s: s.notify("backtest_complete")),
    st.just(lambda s: s.tell("mcp", tool="read_backtest", params=None, answer="no JSON")),
    st.just(lambda s: s.tell("mcp", tool="create_backtest", params={"x": 1}, answer={"logs": 5})),
    st.just(lambda s: s.tell("notify", event=["no", "text"], details="no mapping")),
    st.just(lambda s: s.tell("fitness")),
    st.just(lambda s: s.tell("coder")),
    st.just(lambda s: s.tell("coder_file")),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(STEPS, st.integers(1, 2)), max_size=40))
def test_no_order_of_records_loses_or_doubles_one(steps: list) -> None:
    story = Story()
    for step, thread in steps:
        story.thread = thread
        step(story)
    done, found = rebuild(story)
    assert_all_accounted_for(story, done, found)
    uploaded = {
        body["params"]["arguments"]["model"]["content"]
        for kind, body, _ in story.told
        if body.get("tool") == "update_file_content"
    }
    assert uploaded <= {attempt.code for attempt in attempts(done)}
    keys = [(a.time_ns, a.sequence) for part in done for a in part.attempts]
    assert len(keys) == len(set(keys))


def test_an_event_whose_body_is_no_object_is_passed_over() -> None:
    found = Reconstruction()
    found.take(Event("notify", 0, 0, 1, ["list"], 0, 1))  # type: ignore[arg-type]
    assert found.free == [0]
