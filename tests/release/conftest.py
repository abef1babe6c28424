"""A GGUF small enough to look into, with the tensors and keys of a real one."""

from __future__ import annotations

import json
from pathlib import Path

import gguf
import numpy as np
import pytest
from safetensors.numpy import save_file

HIDDEN, HEADS, HEAD_DIM, FEED_FORWARD, LAYERS = 256, 2, 64, 512, 2
MODULES = {
    "self_attn.q_proj": ("attn_q", HEADS * HEAD_DIM, HIDDEN),
    "self_attn.k_proj": ("attn_k", HEAD_DIM, HIDDEN),
    "mlp.down_proj": ("ffn_down", HIDDEN, FEED_FORWARD),
}


def write_gguf(path: Path, architecture: str = "gemma3") -> Path:
    """Random weights: Q4_0 for q, F32 for norms, F16 for the rest."""
    source = np.random.default_rng(3)
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_block_count(LAYERS)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(1)
    writer.add_file_type(2)
    writer.add_string("general.name", "tiny")
    writer.add_array("tokenizer.ggml.tokens", ["<pad>", "a", "ü", "日本"])
    writer.add_array("tokenizer.ggml.scores", [0.0, -1.5, -2.5, -3.5])
    writer.add_bool("tokenizer.ggml.add_bos_token", True)
    writer.add_tensor("token_embd.weight", source.normal(size=(4, HIDDEN)).astype(np.float16))
    for layer in range(LAYERS):
        for name, rows, columns in MODULES.values():
            values = source.normal(size=(rows, columns)).astype(np.float32)
            if name == "attn_q":
                kind = gguf.GGMLQuantizationType.Q4_0
                writer.add_tensor(
                    f"blk.{layer}.{name}.weight",
                    gguf.quants.quantize(values, kind),
                    raw_dtype=kind,
                )
            else:
                writer.add_tensor(f"blk.{layer}.{name}.weight", values.astype(np.float16))
        norm = source.normal(size=HIDDEN).astype(np.float32)
        writer.add_tensor(f"blk.{layer}.attn_norm.weight", norm)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def write_adapter(folder: Path, *, rank: int = 4, zero: bool = False, **config: object) -> Path:
    """An adapter in peft's format for the GGUF above."""
    source = np.random.default_rng(4)
    tensors = {}
    for layer in range(LAYERS):
        for module, (_, rows, columns) in MODULES.items():
            key = f"base_model.model.model.layers.{layer}.{module}"
            tensors[f"{key}.lora_A.weight"] = source.normal(size=(rank, columns)).astype(np.float32)
            b = np.zeros((rows, rank)) if zero else source.normal(size=(rows, rank))
            tensors[f"{key}.lora_B.weight"] = b.astype(np.float32)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / "adapter_model.safetensors")
    settings = {"r": rank, "lora_alpha": 8, "use_rslora": False, **config}
    (folder / "adapter_config.json").write_text(json.dumps(settings))
    return folder


@pytest.fixture(scope="session")
def tiny_gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf")
