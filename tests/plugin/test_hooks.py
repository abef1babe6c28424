"""What the hooks write down, and how they are attached."""

from __future__ import annotations

import subprocess
import sys

from tests.plugin.conftest import CLI, HOST, Stage

FULL = (
    HOST
    + """
import os, subprocess

CODER = "import sys; open(sys.argv[-1], 'w').write('code of ' + sys.argv[4])"

def ask(prompt):
    subprocess.run([sys.executable, "-c", CODER, "--model", "m-1", "--message", prompt, "main.py"])

def main():
    classifier, tracker = ErrorClassifier(), FitnessTracker()
    notify_build_progress("spec_submitted", {"title": "Golden cross"})
    notify_build_progress(event="iteration_start", details={"iteration": 1})
    ask("write it")
    file = {"projectId": 7, "name": "main.py", "content": "x = 1"}
    call = {"name": "create_file", "arguments": {"model": file}}
    call_mcp_with_retry(None, "quantconnect", "tools/call", call)
    call = {"name": "create_issue", "arguments": {"title": "private"}}
    call_mcp_with_retry(None, "github", "tools/call", call)
    classifier.record_error("TypeError: x", classifier.classify("TypeError: x"))
    tracker.record("v1", sharpe=0.5, iteration=1)
    tracker.should_rollback()
    return 4

if __name__ == "__main__":
    sys.exit(main())
"""
)


def test_every_hooked_call_is_written_down_once(stage: Stage) -> None:
    stage.write(FULL)
    assert stage.same().code == 4
    assert stage.kinds() == [
        "opened",
        "main_start",
        "notify",
        "notify",
        "coder",
        "coder_file",
        "mcp",
        "mcp",
        "classify",
        "error",
        "fitness",
        "rollback",
        "main_end",
    ]
    assert [event.sequence for event in stage.events()] == list(range(13))


def test_the_records_hold_what_the_calls_held(stage: Stage) -> None:
    stage.write(FULL)
    stage.run(CLI, "script.py")
    bodies = {event.kind: event.body for event in stage.events()}
    assert bodies["coder"]["prompt"] == "write it"
    assert bodies["coder"]["model"] == "m-1"
    assert bodies["coder"]["files"] == [str(stage.folder / "main.py")]
    assert bodies["coder_file"]["text"] == "code of write it"
    assert bodies["coder_file"]["changed"] is True
    assert bodies["classify"] | {"ms": 0} == {
        "message": "TypeError: x",
        "class": "CODE_ERROR",
        "ms": 0,
    }
    assert bodies["fitness"]["sharpe"] == 0.5
    assert bodies["rollback"]["tracker"] == bodies["fitness"]["tracker"]
    assert bodies["main_end"] == {"code": 4}
    assert bodies["main_start"]["missing"] == []
    first, second = [event.body for event in stage.events() if event.kind == "mcp"]
    assert first["params"]["arguments"]["model"]["content"] == "x = 1"
    assert first["answer"]["result"]["content"][0]["text"] == '{"success": true}'
    # Tools of other servers are none of our business.
    assert {key: value for key, value in second.items() if key != "ms"} == {
        "server": "github",
        "tool": "create_issue",
    }


def test_a_host_that_another_script_imports_is_hooked(stage: Stage) -> None:
    stage.write(FULL, "autonomous_build.py")
    stage.write("import autonomous_build\nraise SystemExit(autonomous_build.main())\n")
    assert stage.same().code == 4
    assert "fitness" in stage.kinds()
    stage.write(
        "from autonomous_build import *\nfrom autonomous_build import main\nmain()\n", "b.py"
    )
    before = stage.kinds().count("main_end")
    stage.run(CLI, "b.py")
    assert stage.kinds().count("main_end") == before + 1


def test_install_in_the_host_itself_records_the_same(stage: Stage) -> None:
    line = "import qc_builder_lora; qc_builder_lora.install(sys.modules[__name__])\n"
    stage.write(FULL.replace('if __name__ == "__main__":', line + 'if __name__ == "__main__":'))
    assert stage.run([sys.executable], "script.py").code == 4
    alone = stage.kinds()
    assert "coder_file" in alone
    # Together with `qc-lora run` nothing is recorded twice.
    assert stage.run(CLI, "script.py").code == 4
    assert sorted(stage.kinds()) == sorted(alone * 2)


def test_install_reports_names_that_are_not_there(stage: Stage) -> None:
    stage.write(
        """
        import sys, types
        import qc_builder_lora
        module = types.ModuleType("host")
        module.main = lambda: 3
        module.FitnessTracker = 5
        async def notify_build_progress(event): ...
        module.notify_build_progress = notify_build_progress
        installed = qc_builder_lora.install(module)
        print(module.main())
        status = installed.status()
        print(status["hooked"], status["missing"], status["recorded"], status["lost"])
        installed = qc_builder_lora.install(None)
        print(installed.status())
        """
    )
    out = stage.run([sys.executable], "script.py").out.decode().splitlines()
    assert out[0] == "3"
    assert out[1] == (
        "['main'] ['FitnessTracker.record', 'FitnessTracker.should_rollback', "
        "'ErrorClassifier.classify', 'ErrorClassifier.record_error', 'notify_build_progress', "
        "'call_mcp_with_retry'] 2 0"
    )
    assert "TypeError" in out[2]


def test_a_script_without_the_names_leaves_nothing_behind(stage: Stage) -> None:
    stage.write("print('nothing of a builder')")
    stage.same()
    assert not (stage.home / "spool").exists()


def test_threads_and_forks_each_keep_their_records_whole(stage: Stage) -> None:
    stage.write(
        HOST
        + """
import os, threading
def work(name):
    tracker = FitnessTracker()
    for number in range(200):
        tracker.record(f"{name} {'x' * number}", float(number), number)

def main():
    threads = [threading.Thread(target=work, args=(str(n),)) for n in range(8)]
    for thread in threads: thread.start()
    children = []
    for n in range(3):
        pid = os.fork()
        if pid == 0:
            work(f"child {n}")
            os._exit(0)
        children.append(pid)
    for thread in threads: thread.join()
    for pid in children: os.waitpid(pid, 0)
main()
"""
    )
    assert stage.same().code == 0
    assert stage.kinds().count("fitness") == 11 * 200
    opened = [event.body for event in stage.events() if event.kind == "opened"]
    assert len(opened) == 4
    assert sum(body["parent"] is not None for body in opened) == 3


def test_what_the_coder_left_is_kept_even_if_the_host_never_uploads_it(stage: Stage) -> None:
    stage.write(FULL.replace('ask("write it")', 'ask("write it"); ask("again")'))
    stage.run(CLI, "script.py")
    texts = [event.body["text"] for event in stage.events() if event.kind == "coder_file"]
    assert texts == ["code of write it", "code of again"]


def test_verbose_says_one_line_on_standard_error(stage: Stage) -> None:
    stage.write("print('hello')")
    ran = stage.run([*CLI, "--verbose"], "script.py")
    assert ran.out == b"hello\n"
    assert ran.err == b"qc-lora: nothing was recorded: the script has none of the builder's names\n"


def test_the_plugin_loads_nothing_heavy() -> None:
    code = (
        "import sys, qc_builder_lora.plugin, qc_builder_lora.harvest.hooks; "
        "print([m for m in ('torch', 'sqlalchemy', 'numpy', 'click') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout == b"[]\n"
