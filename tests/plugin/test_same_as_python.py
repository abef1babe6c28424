"""`qc-lora run SCRIPT` and `python SCRIPT`: the same bytes out, the same exit code."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import termios
import time

import pytest

from tests.plugin.conftest import CLI, HOST, Stage

ENDINGS = {
    "returns": "",
    "exits with a number": "sys.exit(3)",
    "exits with a text": "sys.exit('no strategies: ünïcode')",
    "exits with none": "sys.exit(None)",
    "exits with a number above 255": "sys.exit(300)",
    "exits with a tuple": "sys.exit((1, 2))",
    "exits at once": "sys.stdout.flush(); os._exit(7)",
    "raises": "raise ValueError('wrong: ünïcode')",
    "raises from": "raise OSError(5, 'x') from KeyError('a')",
    "raises a group": "raise ExceptionGroup('both', [ValueError(1), TypeError(2)])",
    "is interrupted": "raise KeyboardInterrupt",
    "kills itself": "sys.stdout.flush(); os.kill(os.getpid(), signal.SIGTERM)",
    "is killed": "sys.stdout.flush(); os.kill(os.getpid(), signal.SIGKILL)",
    "aborts": "sys.stdout.flush(); os.abort()",
    "asserts": "assert 1 == 2, 'not so'",
    "leaves a thread": "threading.Timer(0.2, print, ('from a thread',)).start()",
}


@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS.keys())
def test_every_way_to_end_is_passed_through(stage: Stage, ending: str) -> None:
    stage.write(
        HOST
        + f"""
import atexit, os, resource, signal, threading, time
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
atexit.register(print, "first registered")
atexit.register(print, "second registered")

def main():
    notify_build_progress("spec_submitted", {{"title": "α and β"}})
    print("to standard error", file=sys.stderr)
    {ending}

if __name__ == "__main__":
    main()
    print("the end")
"""
    )
    stage.same()
    assert "main_start" in stage.kinds()


def test_namespace_and_arguments_are_pythons_own(stage: Stage) -> None:
    stage.write(
        '''
        """The docstring."""
        from __future__ import annotations
        import sys
        print(list(globals()), __name__, __file__, __doc__, __spec__, __cached__, __package__)
        print(__loader__.name, __loader__.path, type(__loader__))
        print(sys.argv, sys.orig_argv, sys.path, sys.flags)
        print(sys.modules["__main__"].__dict__ is globals() is locals())
        def main(x: Missing = 3) -> Nothing: ...
        print(main.__annotations__, main.__module__, main.__qualname__, main.__defaults__)
        print(__import__("inspect").getsource(main), __import__("inspect").signature(main))
        '''
    )
    odd = ["--help", "--", "-c", "", "a b", "ü", "--verbose", "*"]
    ran = stage.same("script.py", *odd)
    assert ran.code == 0
    assert b"The docstring." in ran.out


def test_locals_at_module_level_stay_one_dictionary(stage: Stage) -> None:
    stage.write(
        """
        x = 1
        def set_x():
            global x
            x = 2
        set_x()
        print(x, [x for _ in range(2)], locals() is globals())
        del x
        exec("x = 5")
        print(x)
        class main: pass
        print(main.__name__)
        from os.path import *
        if True:
            try:
                from math import sqrt as main
            finally:
                print(main(9))
        match 3:
            case 3:
                def main(): return "matched"
        print(main())
        """
    )
    assert stage.same().out.endswith(b"matched\n")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a syntax error", b"x = 1\nprint('hello'\nx = = 2\n"),
        ("an indentation error", b"def f():\nreturn 1\n"),
        ("return outside a function", b"print(1)\nreturn 3\n"),
        ("a null byte", b"x = 1\0\n"),
        ("an unknown encoding", b"# coding: nope\nx = 1\n"),
        ("bytes that are no UTF-8", b"x = '\xff'\n"),
        ("Latin-1, declared", b"# coding: latin-1\nprint('\xe4')\n"),
        ("a byte order mark", b"\xef\xbb\xbfprint('bom')\n"),
        ("Windows line ends", b"def main():\r\n    print(1)\r\nmain()\r\n"),
        ("nothing", b""),
        ("a syntax warning", b"x = 1\nprint(x is 1)\nprint('\\d')\n"),
    ],
)
def test_any_file_content_gives_what_python_gives(stage: Stage, name: str, content: bytes) -> None:
    (stage.folder / "script.py").write_bytes(content)
    stage.same()


def test_a_missing_script_is_pythons_own_error(stage: Stage) -> None:
    ran = stage.same("nope.py", "argument")
    assert ran.code == 2
    assert b"can't open file" in ran.err


def test_a_folder_with_main_runs(stage: Stage) -> None:
    stage.write("import sys; print('folder', sys.argv, __name__)", "app/__main__.py")
    assert stage.same("app", "x").out.startswith(b"folder")


@pytest.mark.parametrize("path", ["./script.py", "sub/../script.py", "link.py"])
def test_however_the_script_is_named_its_siblings_are_found(stage: Stage, path: str) -> None:
    stage.write(
        "import sibling, sys; print(sibling.VALUE, __file__, sys.path[0]); 1 / 0", "real.py"
    )
    stage.write("VALUE = 3", "sibling.py")
    (stage.folder / "sub").mkdir()
    (stage.folder / "script.py").symlink_to(stage.folder / "real.py")
    (stage.folder / "sub" / "x").touch()
    (stage.folder / "link.py").symlink_to("real.py")
    assert b"ZeroDivisionError" in stage.same(path).err


def test_processes_pickles_and_dataclasses_work(stage: Stage) -> None:
    stage.write(
        HOST
        + """
import copy, dataclasses, multiprocessing, pickle

@dataclasses.dataclass(frozen=True)
class Point:
    x: int
    y: "int" = 2

def double(point):
    return Point(point.x * 2)

def tracked(tracker):
    tracker.record("in the child", 1.0, 1)
    return tracker.history

def main():
    print(pickle.loads(pickle.dumps(Point(3))), copy.deepcopy(Point(4)))
    tracker = FitnessTracker()
    tracker.record("v1", 0.5, 1)
    print(pickle.loads(pickle.dumps(tracker)).history)
    for function in (main, call_mcp_with_retry, notify_build_progress):
        assert pickle.loads(pickle.dumps(function)) is function
        assert copy.copy(function) is copy.deepcopy(function) is function
    print(pickle.loads(pickle.dumps(tracker.record))("v2", 0.6, 2), FitnessTracker.record.__name__)
    for method in ("spawn", "fork"):
        context = multiprocessing.get_context(method)
        with context.Pool(1) as pool:
            print(pool.map(double, [Point(1), Point(5)]), pool.map(tracked, [tracker]))
            print(pool.apply(call_mcp_with_retry, (None, "x", "ping", {})))
            pool.close()
            pool.join()

if __name__ == "__main__":
    main()
"""
    )
    ran = stage.same()
    assert ran.code == 0, ran.err
    # The spawned child is a plain Python; the forked one has a file of its own.
    assert len([event for event in stage.events() if event.kind == "opened"]) == 2


def test_hooked_calls_do_not_show_in_tracebacks(stage: Stage) -> None:
    stage.write(
        HOST
        + """
import logging, subprocess, traceback

def main():
    tracker = FitnessTracker()
    try:
        tracker.record("v1", None, 1)
    except ValueError:
        traceback.print_exc()
    try:
        subprocess.run(["no-such-aider", "--model", "m", "--message", "p", "main.py"])
    except FileNotFoundError:
        logging.exception("the coder is missing")
    try:
        notify_build_progress()
    except TypeError as error:
        print(error)
    tracker.record("v2", None, 2)

sys.exit(main())
"""
    )
    ran = stage.same()
    assert ran.code == 1
    assert ran.err.count(b"has no Sharpe ratio") == 4
    assert b"qc_builder_lora" not in ran.err


def test_the_hosts_own_excepthook_sees_its_own_frames(stage: Stage) -> None:
    stage.write(
        """
        import sys, traceback
        def hook(kind, error, trace):
            print(kind, error, [frame.name for frame in traceback.extract_tb(trace)])
        sys.excepthook = hook
        def main():
            raise LookupError("x")
        main()
        """
    )
    assert b"['<module>', 'main']" in stage.same().out


def test_standard_input_reaches_the_script(stage: Stage) -> None:
    stage.write("import sys; print(sys.stdin.isatty(), len(sys.stdin.buffer.read()))")
    assert stage.same(stdin=b"\x00\xff" * 100_000).out == b"False 200000\n"


def test_warnings_are_shown_once(stage: Stage) -> None:
    stage.write("import warnings\nwarnings.warn('mind', UserWarning)\nprint(1 is 1)\n")
    assert stage.same().err.count(b"SyntaxWarning") == 1


def test_warnings_as_errors_are_pythons_own(stage: Stage) -> None:
    stage.environment["PYTHONWARNINGS"] = "error"
    stage.write("print(1 is 1)\n")
    assert stage.same().code == 1


def test_optimised_python_stays_optimised(stage: Stage) -> None:
    stage.environment["PYTHONOPTIMIZE"] = "2"
    stage.write('"""doc"""\nassert False\nprint(__doc__)\n')
    assert stage.same().out == b"None\n"


def _start(stage: Stage, prefix: list[str], terminal: int | None = None) -> subprocess.Popen[bytes]:
    """A script that has said ready, in a session of its own, on `terminal` if one is given."""
    environment = {**os.environ, "QC_LORA_HOME": str(stage.home)}
    process = subprocess.Popen(
        [*prefix, "script.py"],
        cwd=stage.folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=terminal,
        start_new_session=True,
        preexec_fn=None if terminal is None else _take_terminal,  # noqa: PLW1509 (no threads)
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    # The traceback names the line it was in: let it come from `print` to `sleep`.
    time.sleep(0.5)
    return process


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@pytest.mark.parametrize("from_terminal", [True, False], ids=["terminal", "another process"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_does_what_it_does_to_python(
    stage: Stage, number: signal.Signals, from_terminal: bool
) -> None:
    stage.write(
        HOST
        + """
import time
def main():
    print("ready", flush=True)
    try:
        time.sleep(60)
    finally:
        print("cleaned up", flush=True)
sys.exit(main())
"""
    )
    outcomes = []
    for prefix in ([sys.executable], CLI):
        keyboard, terminal = os.openpty()
        process = _start(stage, prefix, terminal)
        if not from_terminal:
            process.send_signal(number)
        elif number is signal.SIGINT:
            os.write(keyboard, b"\x03")
        else:
            os.killpg(process.pid, number)
        out, err = process.communicate(timeout=60)
        outcomes.append((process.returncode, out, err))
        os.close(keyboard)
        os.close(terminal)
    assert outcomes[0] == outcomes[1]


def test_a_script_that_handles_a_signal_goes_on(stage: Stage) -> None:
    stage.write(
        """
        import signal, sys, time
        got = []
        signal.signal(signal.SIGTERM, lambda *_: got.append("term"))
        print("ready", flush=True)
        while not got:
            time.sleep(0.01)
        print(got)
        """
    )
    process = _start(stage, CLI)
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, b"['term']\n")
