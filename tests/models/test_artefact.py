import json
import struct

import gguf
import numpy
import pytest

from qc_builder_lora.errors import CorruptFile, NotFound
from qc_builder_lora.models import artefact
from qc_builder_lora.models.artefact import check_gguf, describe


@pytest.fixture
def small_gguf(tmp_path):
    path = tmp_path / "small.gguf"
    writer = gguf.GGUFWriter(path, "gemma3")
    writer.add_string("general.name", "Zwölf Bären")
    writer.add_array("tokenizer.ggml.tokens", ["a", "b", "ö"])
    writer.add_array("tokenizer.ggml.scores", [0.0, 1.0, 2.0])
    writer.add_bool("tokenizer.ggml.add_bos_token", True)
    writer.add_tensor("one", numpy.ones((4, 32), numpy.float32))
    quantised = gguf.quants.quantize(
        numpy.ones((8, 64), numpy.float32), gguf.GGMLQuantizationType.Q8_0
    )
    writer.add_tensor("two", quantised, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_whole_file_passes(small_gguf):
    check_gguf(small_gguf)


@pytest.mark.weights
def test_real_model_passes(base_gguf):
    check_gguf(base_gguf)


def test_every_cut_of_the_file_is_refused(small_gguf, tmp_path):
    whole = small_gguf.read_bytes()
    # The last tensor ends where its weights end; what follows is padding nobody reads.
    needed = len(whole.rstrip(b"\0"))
    cut = tmp_path / "cut.gguf"
    for length in range(0, needed - 32, 7):
        cut.write_bytes(whole[:length])
        with pytest.raises(CorruptFile, match=r"cut\.gguf: .*(short|damaged)"):
            check_gguf(cut)


def test_cut_file_is_named_with_both_lengths(small_gguf):
    whole = small_gguf.read_bytes()
    small_gguf.write_bytes(whole[:-200])
    with pytest.raises(CorruptFile, match=r"small\.gguf: cut short: [\d,]+ bytes of [\d,]+\."):
        check_gguf(small_gguf)


def test_file_of_another_kind_is_refused_with_what_it_starts_with(tmp_path):
    path = tmp_path / "model.gguf"
    path.write_bytes(b"PK\x03\x04" + b"\0" * 100)
    with pytest.raises(CorruptFile, match=r"starts with b'PK\\x03\\x04', not with b'GGUF'"):
        check_gguf(path)


def test_unknown_version_is_refused(small_gguf):
    data = bytearray(small_gguf.read_bytes())
    data[4:8] = struct.pack("<I", 9)
    small_gguf.write_bytes(data)
    with pytest.raises(CorruptFile, match="GGUF version 9, known are 2 and 3"):
        check_gguf(small_gguf)


def test_garbage_after_the_magic_is_refused_and_does_not_hang(tmp_path):
    path = tmp_path / "model.gguf"
    random = numpy.random.default_rng(0)
    for _ in range(50):
        path.write_bytes(b"GGUF" + struct.pack("<I", 3) + random.bytes(400))
        with pytest.raises(CorruptFile, match=r"damaged|cut short"):
            check_gguf(path)


def test_missing_file_says_where_to_look(tmp_path):
    with pytest.raises(NotFound, match=r"No model file named .*nothing\.gguf.*qc-lora model list"):
        check_gguf(tmp_path / "nothing.gguf")


def test_block_sizes_are_those_of_the_official_package():
    official = {kind.value: size for kind, size in gguf.GGML_QUANT_SIZES.items()}
    ours = artefact._BLOCKS
    assert {kind: official[kind] for kind in ours} == ours
    assert {
        gguf.GGMLQuantizationType[n].value for n in ("Q4_K", "Q5_K", "Q6_K", "Q8_0", "F16")
    } <= set(ours)


def test_manifest_wins_over_the_option_and_the_option_over_gemma(tmp_path):
    path = tmp_path / "model.gguf"
    assert describe(path).template == "gemma"
    assert describe(path, template="inst").template == "inst"
    manifest = {"template": "inst", "system": "Be brief", "id": "m-1"}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    found = describe(path, template="gemma")
    assert (found.template, found.system, found.id) == ("inst", "Be brief", "m-1")
    assert describe(path, "given").id == "given"


def test_unknown_template_in_the_manifest_is_refused(tmp_path):
    (tmp_path / "manifest.json").write_text('{"template": "chatml"}')
    with pytest.raises(NotFound, match="No template named 'chatml'"):
        describe(tmp_path / "model.gguf")


@pytest.mark.parametrize("text", ["{", "[]", "\x00"])
def test_broken_manifest_is_named(tmp_path, text):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(CorruptFile, match=r"manifest\.json: "):
        describe(tmp_path / "model.gguf")
