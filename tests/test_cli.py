"""What every command of `qc-lora` has in common; each noun's own work is tested beside its room."""

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from qc_builder_lora.cli import _NOUNS, root
from qc_builder_lora.ids import file_hash, new_id, now, text_hash
from qc_builder_lora.records import Model, Stage, Verdict, VerdictKind
from qc_builder_lora.store import Store


def commands(group: click.Command = root, path: tuple[str, ...] = ()) -> dict[str, click.Command]:
    """`noun` or `noun verb` → the command, for all of them."""
    if not isinstance(group, click.Group):
        return {" ".join(path): group}
    context = click.Context(group)
    found = {} if path == () else {" ".join(path): group}
    for name in group.list_commands(context):
        inner = group.get_command(context, name)
        assert inner is not None
        found |= commands(inner, (*path, name))
    return found


ALL = commands()


@pytest.fixture
def run(tmp_path: Path):
    def call(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("QC_LORA_")}
        return subprocess.run(
            [sys.executable, "-m", "qc_builder_lora.cli", *arguments],
            cwd=tmp_path,
            env={**kept, "QC_LORA_HOME": str(tmp_path / "home"), **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return call


@pytest.mark.parametrize("noun", sorted(_NOUNS))
def test_help_of_a_noun_has_an_example_that_can_be_typed(noun: str) -> None:
    done = CliRunner().invoke(root, [noun, "--help"])
    assert done.exit_code == 0
    _, _, examples = done.output.partition("Example")
    lines = [line for line in examples.splitlines() if f"qc-lora {noun}" in line]
    assert lines
    for line in lines:
        words = line[line.index("qc-lora ") :].split()[1:]
        verbs = ALL[noun]
        if isinstance(verbs, click.Group) and len(words) > 1 and not words[1].startswith("-"):
            assert words[1] in verbs.commands


@pytest.mark.parametrize("name", sorted(ALL))
def test_help_of_a_verb_has_an_example_with_options_that_it_takes(name: str) -> None:
    done = CliRunner().invoke(root, [*name.split(), "--help"])
    examples = done.output.partition("Example")[2].partition("Options:")[0]
    lines = [line for line in examples.splitlines() if f"qc-lora {name}" in line]
    assert lines
    command = ALL[name]
    known = {word for param in command.params for word in (*param.opts, *param.secondary_opts)}
    used = {word for line in lines for word in line.split() if word.startswith("--")}
    # `qc-lora run` hands the script's own on.
    assert isinstance(command, click.Group) or name == "run" or used <= known


@pytest.mark.parametrize("name", sorted(ALL))
def test_every_command_and_every_option_says_what_it_does(name: str) -> None:
    command = ALL[name]
    assert command.help
    assert (
        command.help.strip().splitlines()[0].rstrip().endswith((".", ",", ";"))
        or len(command.help.strip().splitlines()) > 1
    )
    names = {option for p in command.params for option in p.opts if option.startswith("--")}
    assert all(option == option.lower() for option in names)


def test_the_bare_command_shows_all_nouns(run) -> None:
    done = run("--help")
    assert done.returncode == 0
    assert all(f"  {noun}" in done.stdout for noun in _NOUNS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("modle",), "No such command 'modle'. Did you mean 'model'?"),
        (("model", "lst"), "No such command 'lst'. Did you mean 'list'?"),
        (("retrain", "--recipe", "gemma-3-270"), "Did you mean 'gemma-3-270m'? Known: codellama"),
        (("retrain", "plan", "--recipe", "mistral-7"), "No recipe named 'mistral-7'. Did you mean"),
        (("turn", "--until", "relase"), "No stage named 'relase'. Did you mean 'release'?"),
        (("model", "show", "nothing"), "No model named 'nothing'. See them with: qc-lora model"),
        (("release",), "No adapter named '(newest)'. Make one with: qc-lora retrain"),
        (("eval",), "Make one with: qc-lora turn"),
        (("report", "open"), "Build one with: qc-lora report build"),
        (("snapshot", "build"), "The snapshot has no training examples: 0 in the store."),
        (("store", "export"), "Missing argument"),
        (("backtest", "no.py"), "no.py"),
        (("harvest", "ingest", "--wait", "-3"), "-3.0 is not in the range x>=0"),
        (("corpus", "build", "--jobs", "-1"), "-1 is not in the range x>=1"),
        (("corpus", "hold-out", "--count", "-1", "--out", "x"), "-1 is not in the range x>=1"),
        (("corpus", "hold-out", "--out", "."), "File '.' is a directory"),
        (("suite", "build", "golden", "--out", "."), "File '.' is a directory"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_wrong_word_is_one_sentence_and_exit_code_2(
    run, arguments: tuple[str, ...], message: str
) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_path_that_the_machine_refuses_is_one_sentence(run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run("alpha", "compile", "rank(close)", "--tickers", "IBM,AAPL", "--out", "file/main.py")
    assert done.returncode == 2
    assert "file/main.py: cannot be written: File exists. Name another place" in done.stderr
    done = run("status", QC_LORA_HOME=str(tmp_path / "file"))
    assert "Traceback" not in done.stderr


def test_a_filter_that_nothing_fits_does_not_say_that_there_is_nothing(run) -> None:
    done = run("strategy", "list", "--source", "nobody")
    assert done.stdout == "none is so. All of the harvest: qc-lora strategy list\n"
    assert run("strategy", "list").stdout == "nothing yet\n"


def test_a_folder_without_results_of_lean_says_so(run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = run("harvest", "lean", "empty")
    assert done.returncode == 0
    assert "empty: no result of LEAN below it." in done.stdout


def test_a_wrong_setting_stops_every_command_that_reads_them(run, tmp_path: Path) -> None:
    (tmp_path / "qc-lora.toml").write_text("recipee = 'x'\n")
    for arguments in (("status",), ("turn",), ("model", "list"), ("retrain",)):
        done = run(*arguments)
        assert done.returncode == 2
        assert "unknown key 'recipee'. Did you mean 'recipe'?" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("status",),
        ("model", "list"),
        ("model", "history"),
        ("snapshot", "list"),
        ("strategy", "list"),
        ("report", "list"),
        ("harvest", "status"),
        ("harvest", "ingest"),
        ("retrain", "recipes"),
        ("retrain", "plan", "--recipe", "codellama-7b"),
        ("store", "check"),
    ],
    ids=" ".join,
)
def test_json_is_one_value_on_standard_output_even_of_an_empty_home(
    run, arguments: tuple[str, ...]
) -> None:
    run("store", "upgrade")
    done = run(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    assert isinstance(json.loads(done.stdout), dict | list)


def test_a_closed_pipe_is_no_traceback(run, tmp_path: Path) -> None:
    shell = f"{sys.executable} -m qc_builder_lora.cli retrain recipes --json | head -c 1"
    done = subprocess.run(
        ["bash", "-c", shell],
        cwd=tmp_path,
        env={**os.environ, "QC_LORA_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == "["
    assert "Traceback" not in done.stderr


def test_a_model_is_not_promoted_with_the_report_of_another_artefact(run, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/home/store.db"
    with Store.open(url) as store:
        models = [store.models.add(made(tmp_path, name)) for name in ("one", "two")]
        reports = [reported(store, tmp_path, model) for model in models]
    done = run("model", "promote", "one", "--report", str(reports[1]), "--by", "Ada")
    assert done.returncode == 1
    assert f"two.html does not mention the artefact {models[0].sha256} of one" in done.stderr
    assert "it is about another model. Build one with: qc-lora report build" in done.stderr
    assert json.loads(run("model", "history", "--json").stdout) == []
    done = run("model", "promote", "one", "--report", str(reports[0]), "--by", "Ada", "--json")
    assert json.loads(done.stdout)["model"] == "one"


def test_a_canary_is_begun_shown_widened_and_finished(run, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/home/store.db"
    with Store.open(url) as store:
        report = reported(store, tmp_path, store.models.add(made(tmp_path, "one")))
    bare = run("model", "promote", "one", "--share", "0.1", "--by", "Ada")
    assert "'one' is not on trial as canary, so a promotion needs the report" in bare.stderr
    asked = ("model", "promote", "one", "--share", "0.1", "--report", str(report), "--by", "Ada")
    begun = run(*asked)
    assert "one is the canary for 10% of the Builds." in begun.stdout
    assert "The rest: hosted models, nothing is in production." in begun.stdout
    assert json.loads(run("model", "list", "--json").stdout)[0]["canary_share"] == 0.1
    assert json.loads(run("model", "show", "one", "--json").stdout)["canary_share"] == 0.1
    status = json.loads(run("status", "--json").stdout)
    assert status["canary"] == {"model": "one", "share": 0.1, "since": status["canary"]["since"]}
    wider = json.loads(run("model", "promote", "--share", "0.5", "--by", "A", "--json").stdout)
    assert (wider["action"], wider["model"], wider["share"]) == ("canary", "one", 0.5)
    done = run("model", "promote", "--full", "--by", "Ada")
    assert "one is in production (before: none)." in done.stdout
    history = json.loads(run("model", "history", "--json").stdout)
    assert [(row["action"], row["share"]) for row in history] == [
        ("canary", 0.1), ("canary", 0.5), ("promote", None)
    ]  # fmt: skip
    assert len({row["report_sha256"] for row in history}) == 1
    assert "canary 10%  one" in run("model", "history").stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--share", "1.5"), "--share is a fraction above 0 and at most 1, got 1.5."),
        (("--share", "0"), "--share is a fraction above 0 and at most 1, got 0."),
        (("--full", "--share", "0.2"), "--full means all Builds, --share 0.2 a part of them"),
        (("--full",), "No model is on trial as canary, so name the one to promote."),
    ],
)
def test_a_share_that_makes_no_sense_is_refused(run, arguments, message: str) -> None:
    done = run("model", "promote", *arguments, "--by", "Ada")
    assert (done.returncode, message in done.stderr) == (2, True)


def test_no_person_decides_under_the_name_of_the_machine(run) -> None:
    done = run("model", "rollback", "--by", "Automatic (me)")
    assert "'Automatic (me)' marks what no person decided." in done.stderr


def made(folder: Path, name: str) -> Model:
    path = folder / f"{name}.gguf"
    path.write_text(name)
    return Model(
        id=name,
        adapter_id=None,
        path=str(path),
        sha256=file_hash(path),
        quantization="Q8_0",
        manifest={},
        stage=Stage.CANDIDATE,
        created_at=now(),
    )


def reported(store: Store, folder: Path, model: Model) -> Path:
    path = folder / f"{model.id}.html"
    path.write_text(f"<html>{model.sha256}</html>")
    store.verdicts.add(
        Verdict(
            id=new_id(),
            champion="base:tiny",
            challenger=model.id,
            kind=VerdictKind.BETTER,
            evidence={},
            created_at=now(),
            report_path=str(path),
            report_sha256=text_hash(path.read_text()),
        )
    )
    return path


def test_a_report_opened_after_the_database_was_reset_says_that_nobody_can_decide_by_it(
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path}/home/store.db"
    with Store.open(url) as store:
        report = reported(store, tmp_path, store.models.add(made(tmp_path, "one")))
    monkeypatch.setenv("BROWSER", "true")
    assert "does not know" not in run("report", "open", str(report)).stderr
    for file in (tmp_path / "home").glob("store.db*"):
        file.unlink()
    for _ in range(2):
        done = run("report", "open", str(report))
        assert done.returncode == 0
        assert "The database does not know this report" in done.stderr
        assert "Nobody can decide by it; build a new one with: qc-lora report build" in done.stderr
        run("store", "upgrade")
    refused = run("model", "promote", "one", "--report", str(report), "--by", "Ada")
    assert "No model named 'one'" in refused.stderr


def test_ctrl_c_is_exit_code_130_even_while_a_module_is_made(tmp_path: Path) -> None:
    # A dataclass is made by `exec` of text; an interrupt in there marks the whole interpreter.
    (tmp_path / "stopped.py").write_text(
        "import sys\n"
        "from qc_builder_lora.cli import main, root\n"
        "def interrupted(**_: object) -> None:\n"
        "    exec('raise KeyboardInterrupt')\n"
        "root.main = interrupted\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "stopped"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stderr == "qc-lora: stopped\n"
    assert done.returncode == 130
