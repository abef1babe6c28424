import json
from pathlib import Path

from qc_builder_lora.store import Store
from tests.loop.conftest import run_in


def facts(folder: Path) -> tuple[str, Path]:
    """The model's id, and the report about it."""
    with Store.open(f"sqlite:///{folder}/.qc-lora/store.db") as store:
        (verdict,) = store.verdicts.find()
        return verdict.challenger, Path(str(verdict.report_path))


def test_a_person_promotes_with_the_report_and_takes_it_back(project: Path) -> None:
    model, report = facts(project)
    done = run_in(project, "model", "promote", model, "--report", str(report), "--by", "Ada")
    assert done.returncode == 0, done.stderr
    assert f"{model} is in production (before: none)" in done.stdout
    (row,) = json.loads(run_in(project, "model", "history", "--json").stdout)
    assert (row["action"], row["model"], row["by"]) == ("promote", model, "Ada")
    assert json.loads(run_in(project, "status", "--json").stdout)["production"] == model
    back = run_in(project, "model", "rollback", "--by", "Ada")
    assert back.returncode == 1
    assert "There is no earlier model to go back to" in back.stderr


def test_a_report_that_was_changed_after_it_was_made_promotes_nothing(
    project: Path, tmp_path: Path
) -> None:
    model, report = facts(project)
    changed = tmp_path / "report.html"
    changed.write_text(report.read_text() + "<!-- better than it was -->")
    done = run_in(project, "model", "promote", model, "--report", str(changed), "--by", "Ada")
    assert done.returncode == 1
    assert "does not belong to model" in done.stderr
    assert json.loads(run_in(project, "model", "history", "--json").stdout) == []


def test_a_report_about_another_artefact_promotes_nothing(project: Path, tmp_path: Path) -> None:
    model, _ = facts(project)
    other = tmp_path / "other.html"
    other.write_text("<html>about something else</html>")
    done = run_in(project, "model", "promote", model, "--report", str(other), "--by", "Ada")
    assert done.returncode == 1
    assert "it is about another model" in done.stderr.replace("\n", " ")


def test_an_artefact_that_was_changed_after_its_release_is_not_promoted(project: Path) -> None:
    model, report = facts(project)
    with Store.open(f"sqlite:///{project}/.qc-lora/store.db") as store:
        path = Path(store.models.get(model).path)
    original = path.read_bytes()
    try:
        path.write_bytes(original[:-1] + bytes([original[-1] ^ 1]))
        done = run_in(project, "model", "promote", model, "--report", str(report), "--by", "Ada")
    finally:
        path.write_bytes(original)
    assert done.returncode == 2
    assert "was changed after its release" in done.stderr


def test_a_promotion_needs_a_name(project: Path) -> None:
    model, report = facts(project)
    done = run_in(project, "model", "promote", model, "--report", str(report), "--by", " ")
    assert done.returncode == 1
    assert "A decision needs the name of who made it" in done.stderr


def test_an_unknown_model_says_how_to_see_them(project: Path) -> None:
    done = run_in(project, "model", "promote", "gpt-9", "--report", "x", "--by", "Ada")
    assert done.returncode == 2
    assert "No model named 'gpt-9'. See them with: qc-lora model list" in done.stderr


def test_the_report_is_one_file_that_asks_nobody_for_anything(turned: Path) -> None:
    model, report = facts(turned)
    text = report.read_text()
    assert model in text
    for word in ('src="http', 'href="http', "<script", "@import", "<link", "<iframe"):
        assert word not in text
    # A picture refers to its own clipping paths, and to nothing outside the page.
    assert text.count("url(") == text.count("url(#p")
    assert text.index("Undecided") < text.index("How often")
    assert text.count("<svg") >= 3


def test_a_report_is_never_written_over(project: Path) -> None:
    first = json.loads(run_in(project, "report", "build", "--json").stdout)
    second = json.loads(run_in(project, "report", "build", "--json").stdout)
    assert first["path"] != second["path"]
    assert Path(first["path"]).exists()
    assert len(json.loads(run_in(project, "report", "list", "--json").stdout)) == 3
