"""A host whose methods are static or class methods is recorded like any other, and stays itself."""

from __future__ import annotations

import sys

import pytest

from tests.plugin.conftest import Stage

HOST = """
import copy, inspect, pickle, sys, threading, traceback


class FitnessTracker:
    history = []

    {decorator}
    def record({owner}version, sharpe, iteration=0):
        "What a version gave."
        if sharpe is None:
            raise ValueError(version + " has no Sharpe ratio")
        FitnessTracker.history.append((version, sharpe, iteration))

    {decorator}
    def should_rollback({owner}*, least=2):
        return len(FitnessTracker.history) > least


class Sub(FitnessTracker):
    pass


class ErrorClassifier:
    def __init__(self):
        self.lock = threading.Lock()

    {decorator}
    def classify({owner}error_msg):
        return {named} + "_ERROR"

    {decorator}
    def record_error({owner}error_msg, classification):
        return classification, ErrorClassifier.classify(error_msg)


class Other(ErrorClassifier):
    pass


def main():
    FitnessTracker.record("v1", 1.0, 1)
    FitnessTracker().record("v2", sharpe=2.0, iteration=2)
    Sub.record(version="v3", sharpe=3.0)
    print(Sub().should_rollback(), FitnessTracker.should_rollback(least=5), FitnessTracker.history)
    for call in (FitnessTracker.record, FitnessTracker().record):
        for given in (("v4", None), (), (1, 2, 3, 4)):
            try:
                call(*given)
            except (TypeError, ValueError) as error:
                print(repr(error), len(traceback.extract_tb(error.__traceback__)))
                traceback.print_exc()
    print(ErrorClassifier.classify("a"), ErrorClassifier().classify("b"), Other.classify("c"))
    print(Other().record_error("d", classification="CODE_ERROR"))
    for name in ("classify", "record_error"):
        kept = vars(ErrorClassifier)[name]
        print(isinstance(kept, staticmethod), isinstance(kept, classmethod), kept.__func__.__name__)
        for bound in (getattr(Other, name), getattr(Other(), name)):
            print(inspect.signature(bound), inspect.isfunction(bound), inspect.ismethod(bound))
            print(bound.__qualname__, bound.__doc__, getattr(bound, "__self__", None))
            again = pickle.loads(pickle.dumps(bound))
            print(again("x") if name == "classify" else again("x", "y"))
            print(copy.deepcopy(bound) == bound)
    return 6


if __name__ == "__main__":
    sys.exit(main())
"""
KINDS = [
    ("@staticmethod", "", "'ANY'"),
    ("@classmethod", "cls, ", "cls.__name__"),
]


@pytest.mark.parametrize(("decorator", "owner", "named"), KINDS)
def test_static_and_class_methods_are_written_down_and_behave_as_without_us(
    stage: Stage, decorator: str, owner: str, named: str
) -> None:
    host = HOST.replace("{decorator}", decorator).replace("{owner}", owner)
    host = host.replace("{named}", named)
    if not owner:
        host = host.replace("*, least=2", "least=2")
    stage.write(host)
    assert stage.same().code == 6
    found = stage.events()
    (start,) = [event.body for event in found if event.kind == "main_start"]
    assert start["missing"] == ["notify_build_progress", "call_mcp_with_retry"]
    fitness = [event.body for event in found if event.kind == "fitness"]
    assert [(one["version"], one["sharpe"], one["iteration"]) for one in fitness[:3]] == [
        ("v1", 1.0, 1), ("v2", 2.0, 2), ("v3", 3.0, None),
    ]  # fmt: skip
    assert fitness[3]["version"] == "v4"
    assert fitness[3]["raised"] == "ValueError: v4 has no Sharpe ratio"
    assert [event.body["answer"] for event in found if event.kind == "rollback"] == [True, False]
    classified = [event.body for event in found if event.kind == "classify"]
    assert [one["message"] for one in classified[:4]] == ["a", "b", "c", "d"]
    assert classified[2]["class"] == ("Other_ERROR" if owner else "ANY_ERROR")
    (error, *_) = [event.body for event in found if event.kind == "error"]
    assert (error["message"], error["class"]) == ("d", "CODE_ERROR")


def test_installed_twice_a_static_method_is_written_down_once(stage: Stage) -> None:
    stage.write(
        """
        import sys, types
        import qc_builder_lora

        module = types.ModuleType("host")
        exec(
            "class ErrorClassifier:\\n"
            "    @staticmethod\\n"
            "    def classify(error_msg): return 'API_ERROR'\\n"
            "    @classmethod\\n"
            "    def record_error(cls, error_msg, classification): return 1\\n",
            module.__dict__,
        )
        for _ in range(2):
            installed = qc_builder_lora.install(module)
        print(module.ErrorClassifier.classify("a"), module.ErrorClassifier.record_error("a", "b"))
        print(installed.status()["hooked"], installed.status()["recorded"])
        """
    )
    ran = stage.run([sys.executable], "script.py")
    hooked = b"['ErrorClassifier.classify', 'ErrorClassifier.record_error']"
    assert ran.out == b"API_ERROR 1\n" + hooked + b" 2\n", ran.err
