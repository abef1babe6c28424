"""A host whose names are other things than ours expect: it stays what it is, to the letter."""

from __future__ import annotations

from tests.plugin.conftest import Stage

NAMES = """
import asyncio, copy, functools, inspect, os, pickle, subprocess, sys, threading, traceback
import types, typing
from unittest import mock


class FitnessTracker:
    def __init__(self):
        self.history = []

    def record(self, version, sharpe, iteration):
        "What a version gave."
        self.history.append((version, sharpe, iteration))

    async def should_rollback(self):
        return False


class Sub(FitnessTracker):
    def record(self, version, sharpe, iteration):
        super().record(version, sharpe, iteration)
        return "sub"


class ErrorClassifier:
    @staticmethod
    def classify(error_msg):
        return "API_ERROR"

    @classmethod
    def record_error(cls, error_msg, classification):
        return cls.__name__


def call_mcp_with_retry(session_manager, mcp_name, method, params, max_retries=3):
    if params.get("again"):
        less = {**params, "again": params["again"] - 1}
        return call_mcp_with_retry(session_manager, mcp_name=mcp_name, method=method, params=less)
    if params.get("raise"):
        raise params["raise"]
    return {"ok": params}


def notify_build_progress(event, details=None, webhook_url=None):
    yield event
    yield details
"""

CALLS = """
def show(*values):
    print(*values, flush=True)


def main():
    tracker = Sub()
    show(tracker.record("v1", 1.0, 1), tracker.history, asyncio.run(tracker.should_rollback()))
    show(ErrorClassifier.classify("x"), ErrorClassifier().classify("y"))
    show(ErrorClassifier.record_error("e", "c"))
    show(call_mcp_with_retry(session_manager=None, mcp_name="q", method="m", params={"again": 50}))
    show(call_mcp_with_retry(None, "q", method="tools/call", params={"name": "compile_project"}))
    for error in (ValueError("a"), KeyboardInterrupt("k"), SystemExit(7), GeneratorExit(),
                  StopIteration(3), asyncio.CancelledError()):
        try:
            call_mcp_with_retry(None, "q", "tools/call", {"raise": error, "name": "x"})
        except BaseException as caught:
            show(caught is error, caught.args, len(traceback.extract_tb(caught.__traceback__)))
            traceback.print_exc()
    for given, named in (((), {}), ((1, 2, 3, 4, 5, 6), {}), ((1, 2, 3, 4), {"bogus": 1})):
        try:
            call_mcp_with_retry(*given, **named)
        except TypeError as error:
            show(error)
    try:
        try:
            1 / 0
        except ZeroDivisionError:
            call_mcp_with_retry(None, "q", "m", {"raise": RuntimeError("from")})
    except RuntimeError as error:
        show(repr(error.__context__), error.__cause__)
        traceback.print_exc()
    generator = notify_build_progress("spec_submitted", {"title": "t"})
    show(next(generator), list(generator), inspect.isgeneratorfunction(notify_build_progress))
    show(inspect.signature(call_mcp_with_retry), call_mcp_with_retry.__name__)
    show(FitnessTracker.record.__doc__, inspect.isfunction(FitnessTracker.record))
    show(isinstance(call_mcp_with_retry, types.FunctionType), typing.get_type_hints(main))
    show(pickle.loads(pickle.dumps(call_mcp_with_retry)) is call_mcp_with_retry)
    show(copy.deepcopy(call_mcp_with_retry) is call_mcp_with_retry)
    show(functools.partial(call_mcp_with_retry, None, "q")("m", params={}))
    show(sorted(name for name in globals() if not name.startswith("__")))
    concurrently()
    replaced()
    return 5


def concurrently():
    def ask(number):
        return call_mcp_with_retry(None, "q", "tools/call", {"name": "compile_project"})

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    failing = threading.Thread(
        target=call_mcp_with_retry, args=(None, "q", "m", {"raise": OSError("here")}), name="T1"
    )
    failing.start()
    failing.join()
    child = os.fork()
    if child == 0:
        show(ask(0))
        os._exit(3)
    show(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    show(subprocess.run("echo hi; exit 3", shell=True, capture_output=True, text=True))
    try:
        subprocess.run(["/no/such"])
    except FileNotFoundError as error:
        show(error)
        traceback.print_exc()

    async def together():
        return await asyncio.gather(*[asyncio.to_thread(ask, number) for number in range(5)])

    show(asyncio.run(together()))


def replaced():
    import __main__

    before = __main__.call_mcp_with_retry
    __main__.call_mcp_with_retry = lambda *a, **k: ("patched", before(*a, **k))
    show(call_mcp_with_retry(None, "q", "m", {}))
    __main__.call_mcp_with_retry = before
    with mock.patch("__main__.call_mcp_with_retry", autospec=True) as double:
        call_mcp_with_retry(1, 2, 3, 4)
        show(double.call_count)
    with mock.patch.object(ErrorClassifier, "classify", return_value="z"):
        show(ErrorClassifier().classify("q"))
    show(ErrorClassifier().classify("q"))
    FitnessTracker.record = lambda self, *a: "patched"
    show(FitnessTracker().record(1, 2, 3))


if __name__ == "__main__":
    sys.exit(main())
"""


def test_names_that_are_other_things_behave_as_without_us(stage: Stage) -> None:
    stage.write(NAMES + CALLS)
    assert stage.same().code == 5
    kinds = [event.kind for event in stage.events()]
    assert kinds.count("mcp") > 60


def test_a_host_that_has_none_of_the_classes_is_recorded_as_far_as_it_goes(stage: Stage) -> None:
    stage.write(
        "def call_mcp_with_retry(session_manager, mcp_name, method, params, max_retries=3):\n"
        "    return {}\n"
        "FitnessTracker = None\n"
        "class ErrorClassifier:\n"
        "    classify = 'no method'\n"
        "def main():\n"
        "    call_mcp_with_retry(None, 'q', 'tools/call', {'name': 'read_backtest'})\n"
        "    print(FitnessTracker, ErrorClassifier.classify)\n"
        "    return 4\n"
        "raise SystemExit(main())\n"
    )
    assert stage.same().code == 4
    (start,) = [event for event in stage.events() if event.kind == "main_start"]
    assert {"FitnessTracker.record", "ErrorClassifier.classify"} <= set(start.body["missing"])
