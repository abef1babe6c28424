import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[1] / "deploy" / "bootstrap.py"
WHEEL = "llama_cpp_python-{version}-cp311-cp311-linux_x86_64.whl"


@pytest.fixture
def bootstrap() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bootstrap", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def set_up(
    folder: Path, python: str = sys.executable, **environment: str
) -> subprocess.CompletedProcess[str]:
    """The script with an empty cache and nothing on PATH."""
    return subprocess.run(
        [python, str(SCRIPT), "--venv", str(folder / "venv"), "--cache", str(folder / "cache")],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": str(folder / "empty"), "HOME": str(folder), **environment},
        timeout=120,
    )


def test_without_a_compiler_it_says_what_is_missing_and_how_to_get_it(tmp_path: Path) -> None:
    done = set_up(tmp_path)
    assert done.returncode == 1
    assert "set-up: no C++ compiler (looked for c++, g++, clang++)." in done.stderr
    assert "apt-get install g++" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("cache/wheels/**/*.whl"))
    assert not (tmp_path / "venv" / ".qc-lora-set-up").exists()


def older_python() -> str | None:
    """A Python before 3.11 that this machine happens to have."""
    roots = (Path.home() / ".pyenv" / "versions", Path("/usr"), Path("/usr/local"))
    names = ("3.10*/bin/python3.10", "3.9*/bin/python3.9", "bin/python3.10", "bin/python3.9")
    found = [path for root in roots for name in names for path in root.glob(name)]
    return str(found[0]) if found else None


def test_a_python_that_is_too_old_is_told_with_its_version(tmp_path: Path) -> None:
    python = older_python()
    if python is None:
        pytest.skip("no Python before 3.11 on this machine")
    done = set_up(tmp_path, python)
    assert done.returncode == 1
    assert "set-up: Python 3." in done.stderr
    assert "is too old; 3.11 or later is needed" in done.stderr
    assert "make PYTHON=python3.12" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "venv").exists()


def test_a_wheel_in_the_cache_is_not_compiled_again(
    bootstrap: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")  # there is no compiler to compile with
    folder = tmp_path / "wheels" / f"{bootstrap.platform.machine()}-{bootstrap.cpu_features()}"
    folder.mkdir(parents=True)
    wheel = folder / WHEEL.format(version=bootstrap.pinned("llama-cpp-python"))
    wheel.touch()
    assert bootstrap.compiled_wheel(Path(sys.executable), tmp_path) == wheel


@pytest.mark.parametrize("changed", ["version", "processor"])
def test_a_wheel_of_another_version_or_processor_is_not_used(
    bootstrap: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    monkeypatch.setenv("PATH", "")
    machine = bootstrap.platform.machine()
    features = "another" if changed == "processor" else bootstrap.cpu_features()
    version = "0.0.1" if changed == "version" else bootstrap.pinned("llama-cpp-python")
    folder = tmp_path / "wheels" / f"{machine}-{features}"
    folder.mkdir(parents=True)
    (folder / WHEEL.format(version=version)).touch()
    with pytest.raises(bootstrap.SetupError, match="no C"):
        bootstrap.compiled_wheel(Path(sys.executable), tmp_path)


def test_a_compilation_that_fails_says_how_it_ended_and_leaves_no_wheel(
    bootstrap: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pip = tmp_path / "python"
    pip.write_text("#!/bin/sh\necho '[1/193] Building'\necho 'fatal error: out of paper'\nexit 3\n")
    pip.chmod(0o755)
    monkeypatch.setattr(bootstrap, "check_compiler", lambda: None)
    with pytest.raises(bootstrap.SetupError) as caught:
        bootstrap.compiled_wheel(pip, tmp_path / "cache")
    assert "failed with code 3; the end of it:" in str(caught.value)
    assert "fatal error: out of paper" in str(caught.value)
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []
    assert not list((tmp_path / "cache").rglob(".build-*"))


def test_a_wheel_appears_in_the_cache_only_when_it_is_whole(
    bootstrap: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = WHEEL.format(version=bootstrap.pinned("llama-cpp-python"))
    pip = tmp_path / "python"
    # pip's arguments end with: --wheel-dir FOLDER REQUIREMENT
    pip.write_text(f'#!/bin/sh\nmkdir -p "$7"\necho made > "$7/{name}"\n')
    pip.chmod(0o755)
    monkeypatch.setattr(bootstrap, "check_compiler", lambda: None)
    made = bootstrap.compiled_wheel(pip, tmp_path / "cache")
    assert made.name == name
    assert made.read_text() == "made\n"
    assert bootstrap.compiled_wheel(Path("/no/python"), tmp_path / "cache") == made


def test_the_name_of_a_processor_depends_on_what_it_can_do(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    def named(text: str) -> str:
        monkeypatch.setattr(Path, "read_text", lambda self: text)
        return str(bootstrap.cpu_features())

    plain = named("processor : 0\nflags : fpu avx2\n")
    assert plain == named("processor : 1\nflags : fpu avx2\nbugs : none\n")
    assert plain != named("processor : 0\nflags : fpu avx2 avx512f\n")
    assert len(plain) == 12
    assert plain.isalnum()


def test_what_is_set_up_already_is_left_alone(
    bootstrap: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("it began to set up")

    monkeypatch.setattr(bootstrap, "make_venv", never)
    stamp = tmp_path / ".qc-lora-set-up"
    stamp.write_text(bootstrap.fingerprint("dev"))
    bootstrap.set_up(tmp_path, "dev", tmp_path / "cache")
    stamp.write_text(bootstrap.fingerprint("dev,other"))
    with pytest.raises(AssertionError, match="it began to set up"):
        bootstrap.set_up(tmp_path, "dev", tmp_path / "cache")


def test_the_cache_is_where_the_environment_says(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QC_LORA_CACHE", "/a")
    monkeypatch.setenv("XDG_CACHE_HOME", "/b")
    assert bootstrap.default_cache() == Path("/a")
    monkeypatch.delenv("QC_LORA_CACHE")
    assert bootstrap.default_cache() == Path("/b/qc-lora")


def test_every_pinned_package_of_the_set_up_is_pinned(bootstrap: ModuleType) -> None:
    assert bootstrap.pinned("llama-cpp-python")
    with pytest.raises(bootstrap.SetupError, match=r"constraints\.txt does not pin no-such"):
        bootstrap.pinned("no-such")


def test_the_script_needs_nothing_installed() -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(SCRIPT), "--help"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ},
    )
    assert "--extras" in done.stdout
