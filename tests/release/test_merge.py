from pathlib import Path

import gguf
import numpy as np
import pytest
from safetensors.numpy import load_file

from qc_builder_lora.errors import CorruptFile, InputError
from qc_builder_lora.release.adapter import permute_rotary, read_adapter
from qc_builder_lora.release.merge import open_base, write_lora, write_merged
from qc_builder_lora.template import GEMMA
from tests.release.conftest import HEAD_DIM, HEADS, HIDDEN, MODULES, write_adapter, write_gguf


def tensors(path: Path) -> dict[str, np.ndarray]:
    return {
        tensor.name: gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        for tensor in gguf.GGUFReader(path).tensors
    }


def test_every_touched_tensor_gains_alpha_over_rank_times_b_a(
    tiny_gguf: Path, tmp_path: Path
) -> None:
    folder = write_adapter(tmp_path / "adapter")
    reader = open_base(tiny_gguf)
    write_merged(reader, read_adapter(folder, reader), tmp_path / "merged.gguf", GEMMA)
    factors = load_file(folder / "adapter_model.safetensors")
    before, after = tensors(tiny_gguf), tensors(tmp_path / "merged.gguf")
    assert before.keys() == after.keys()
    for layer in range(2):
        for module, (name, *_) in MODULES.items():
            key = f"base_model.model.model.layers.{layer}.{module}"
            a, b = factors[f"{key}.lora_A.weight"], factors[f"{key}.lora_B.weight"]
            full = f"blk.{layer}.{name}.weight"
            expected = before[full] + 8 / 4 * b @ a
            assert np.allclose(after[full], expected, rtol=2e-3, atol=2e-2)
            assert not np.allclose(after[full], before[full], atol=0.5)


def test_untouched_tensors_and_every_key_stay_what_they_were(
    tiny_gguf: Path, tmp_path: Path
) -> None:
    reader = open_base(tiny_gguf)
    weights = read_adapter(write_adapter(tmp_path / "adapter"), reader)
    write_merged(reader, weights, tmp_path / "merged.gguf", GEMMA)
    merged = gguf.GGUFReader(tmp_path / "merged.gguf")
    for name, field in reader.fields.items():
        if not name.startswith("GGUF.") and name != "general.file_type":
            assert merged.get_field(name).contents() == field.contents(), name
    assert merged.get_field("general.file_type").contents() == 1
    assert merged.get_field("tokenizer.chat_template").contents() == GEMMA.jinja
    before, after = tensors(tiny_gguf), tensors(tmp_path / "merged.gguf")
    assert np.array_equal(before["blk.0.attn_norm.weight"], after["blk.0.attn_norm.weight"])
    assert np.array_equal(before["token_embd.weight"], after["token_embd.weight"])


def test_the_lora_file_holds_the_same_factors_and_alpha(tiny_gguf: Path, tmp_path: Path) -> None:
    reader = open_base(tiny_gguf)
    folder = write_adapter(tmp_path / "adapter")
    write_lora(reader, read_adapter(folder, reader), tmp_path / "lora.gguf")
    written = gguf.GGUFReader(tmp_path / "lora.gguf")
    assert written.get_field("general.type").contents() == "adapter"
    assert written.get_field("adapter.type").contents() == "lora"
    assert written.get_field("adapter.lora.alpha").contents() == 8.0
    found = tensors(tmp_path / "lora.gguf")
    factors = load_file(folder / "adapter_model.safetensors")
    key = "base_model.model.model.layers.1.mlp.down_proj"
    assert np.array_equal(found["blk.1.ffn_down.weight.lora_a"], factors[f"{key}.lora_A.weight"])
    assert np.array_equal(found["blk.1.ffn_down.weight.lora_b"], factors[f"{key}.lora_B.weight"])


def test_for_llama_the_rows_of_q_and_k_are_put_into_llama_cpps_order(tmp_path: Path) -> None:
    reader = open_base(write_gguf(tmp_path / "llama.gguf", "llama"))
    folder = write_adapter(tmp_path / "adapter")
    found = read_adapter(folder, reader).factors
    factors = load_file(folder / "adapter_model.safetensors")
    key = "base_model.model.model.layers.0"
    q = factors[f"{key}.self_attn.q_proj.lora_B.weight"]
    k = factors[f"{key}.self_attn.k_proj.lora_B.weight"]
    assert np.array_equal(found["blk.0.attn_q.weight"].b, permute_rotary(q, HEADS))
    assert np.array_equal(found["blk.0.attn_k.weight"].b, permute_rotary(k, 1))
    down = factors[f"{key}.mlp.down_proj.lora_B.weight"]
    assert np.array_equal(found["blk.0.ffn_down.weight"].b, down)


def test_permuting_rows_turns_halves_of_a_head_into_neighbours() -> None:
    rows = np.arange(8, dtype=np.float32)[:, None]
    # One head of 8: hugging face rotates (0, 4), (1, 5), ...; llama.cpp rotates (0, 1), (2, 3), ...
    assert permute_rotary(rows, 1).ravel().tolist() == [0, 4, 1, 5, 2, 6, 3, 7]
    assert permute_rotary(rows, 2).ravel().tolist() == [0, 2, 1, 3, 4, 6, 5, 7]


def test_rotating_permuted_rows_gives_the_same_attention_scores() -> None:
    source = np.random.default_rng(5)
    q_rows, k_rows = (source.normal(size=(HEAD_DIM, HIDDEN)).astype(np.float32) for _ in "qk")
    hidden = source.normal(size=(3, HIDDEN)).astype(np.float32)

    def rotated(values: np.ndarray, pairs: list[tuple[int, int]]) -> np.ndarray:
        out = values.copy()
        for position in range(3):
            for index, (left, right) in enumerate(pairs):
                angle = position * 10000 ** (-2 * index / HEAD_DIM)
                a, b = values[position, left], values[position, right]
                out[position, left] = a * np.cos(angle) - b * np.sin(angle)
                out[position, right] = a * np.sin(angle) + b * np.cos(angle)
        return out

    halves = [(i, i + HEAD_DIM // 2) for i in range(HEAD_DIM // 2)]
    neighbours = [(2 * i, 2 * i + 1) for i in range(HEAD_DIM // 2)]
    before = rotated(hidden @ q_rows.T, halves) @ rotated(hidden @ k_rows.T, halves).T
    q, k = permute_rotary(q_rows, 1), permute_rotary(k_rows, 1)
    after = rotated(hidden @ q.T, neighbours) @ rotated(hidden @ k.T, neighbours).T
    assert np.allclose(before, after, rtol=1e-4, atol=1e-2)


def test_an_adapter_that_was_never_trained_is_refused(tiny_gguf: Path, tmp_path: Path) -> None:
    folder = write_adapter(tmp_path / "adapter", zero=True)
    with pytest.raises(InputError, match="every lora_B is zero; this adapter was never trained"):
        read_adapter(folder, open_base(tiny_gguf))


@pytest.mark.parametrize("key", ["use_rslora", "use_dora", "alpha_pattern", "modules_to_save"])
def test_what_a_gguf_cannot_express_is_refused_by_name(
    tiny_gguf: Path, tmp_path: Path, key: str
) -> None:
    folder = write_adapter(tmp_path / "adapter", **{key: ["x"]})
    with pytest.raises(InputError, match=f"{key} is set, which a GGUF cannot express"):
        read_adapter(folder, open_base(tiny_gguf))


def test_a_cut_adapter_file_is_named(tiny_gguf: Path, tmp_path: Path) -> None:
    folder = write_adapter(tmp_path / "adapter")
    path = folder / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(CorruptFile, match=r"adapter_model.safetensors: cannot be read: .*Train"):
        read_adapter(folder, open_base(tiny_gguf))


def test_an_adapter_for_another_model_is_refused(tiny_gguf: Path, tmp_path: Path) -> None:
    folder = write_adapter(tmp_path / "adapter")
    factors = load_file(folder / "adapter_model.safetensors")
    from safetensors.numpy import save_file

    renamed = {key.replace("mlp.down_proj", "mlp.w9"): value for key, value in factors.items()}
    save_file(renamed, folder / "adapter_model.safetensors")
    with pytest.raises(InputError, match=r"has no tensor for model.layers.0.mlp.w9"):
        read_adapter(folder, open_base(tiny_gguf))
