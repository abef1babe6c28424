"""A base model with everything a real one has, small enough for a whole turn of the loop in a test.

A GGUF of the Gemma 3 architecture with two layers, random weights and a vocabulary of single
characters; our own conversion makes the Hugging Face folder from it, as for the real base.
"""

from __future__ import annotations

import string
from pathlib import Path

import gguf
import numpy as np

from qc_builder_lora.ids import file_hash

# transformers scales attention by 1 / sqrt(256) whatever the head is, llama.cpp by its size.
HIDDEN, FEED_FORWARD, HEADS, HEAD_DIM, LAYERS = 256, 512, 2, 256, 2
_CONTROL, _NORMAL, _BYTE = 3, 1, 6


def _vocabulary() -> tuple[list[str], list[float], list[int]]:
    special = ["<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>"]
    tokens = list(special)
    kinds = [_CONTROL] * len(special)
    kinds[3] = 2
    tokens += [f"<0x{byte:02X}>" for byte in range(256)]
    kinds += [_BYTE] * 256
    characters = ["\u2581", "\n", *string.ascii_letters, *string.digits, *string.punctuation]
    tokens += characters
    kinds += [_NORMAL] * len(characters)
    scores = [0.0] * len(special) + [-1000.0] * 256
    scores += [-float(rank) for rank in range(len(characters))]
    return tokens, scores, kinds


def write_base(path: Path, seed: int = 11) -> Path:
    """Write the GGUF; returns its path."""
    tokens, scores, kinds = _vocabulary()
    writer = gguf.GGUFWriter(path, "gemma3")
    writer.add_name("tiny base")
    writer.add_context_length(4096)
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(1)
    writer.add_key_length(HEAD_DIM)
    writer.add_value_length(HEAD_DIM)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(1_000_000.0)
    writer.add_sliding_window(512)
    writer.add_file_type(1)
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_scores(scores)
    writer.add_token_types(kinds)
    writer.add_bos_token_id(2)
    writer.add_eos_token_id(1)
    writer.add_unk_token_id(3)
    writer.add_pad_token_id(0)
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(False)
    writer.add_add_space_prefix(False)
    source = np.random.default_rng(seed)

    def matrix(name: str, rows: int, columns: int) -> None:
        values = source.normal(0, columns**-0.5, (rows, columns))
        writer.add_tensor(name, values.astype(np.float16))

    def ones(name: str, width: int) -> None:
        writer.add_tensor(name, np.ones(width, np.float32))

    matrix("token_embd.weight", len(tokens), HIDDEN)
    for layer in range(LAYERS):
        block = f"blk.{layer}"
        ones(f"{block}.attn_norm.weight", HIDDEN)
        ones(f"{block}.post_attention_norm.weight", HIDDEN)
        ones(f"{block}.ffn_norm.weight", HIDDEN)
        ones(f"{block}.post_ffw_norm.weight", HIDDEN)
        ones(f"{block}.attn_q_norm.weight", HEAD_DIM)
        ones(f"{block}.attn_k_norm.weight", HEAD_DIM)
        matrix(f"{block}.attn_q.weight", HEADS * HEAD_DIM, HIDDEN)
        matrix(f"{block}.attn_k.weight", HEAD_DIM, HIDDEN)
        matrix(f"{block}.attn_v.weight", HEAD_DIM, HIDDEN)
        matrix(f"{block}.attn_output.weight", HIDDEN, HEADS * HEAD_DIM)
        matrix(f"{block}.ffn_gate.weight", FEED_FORWARD, HIDDEN)
        matrix(f"{block}.ffn_up.weight", FEED_FORWARD, HIDDEN)
        matrix(f"{block}.ffn_down.weight", HIDDEN, FEED_FORWARD)
    ones("output_norm.weight", HIDDEN)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def write_project(folder: Path) -> Path:
    """A working folder whose own files make every stage small: base, recipe, corpus, suite."""
    gguf_folder = folder / "weights"
    gguf_folder.mkdir(parents=True)
    path = write_base(gguf_folder / "tiny.gguf")
    files = {
        "retrain/bases/tiny.yaml": (
            f"name: tiny\nsource: folder:{gguf_folder}\nsha256: {file_hash(path)}\n"
            "licence: Apache-2.0\narchitecture:\n"
            f"  {{hidden: {HIDDEN}, layers: {LAYERS}, heads: {HEADS}, kv_heads: 1,\n"
            f"   head_dim: {HEAD_DIM}, feed_forward: {FEED_FORWARD}, vocabulary: 357,\n"
            "   tied: true}\n"
        ),
        "harvest/corpus/starter.yaml": (
            "name: starter\nlicence: Apache-2.0\nseed: 1\nexamples_per_family: 5\n"
            "families: [buy_and_hold, turn_of_month]\ntickers: [AAPL, IBM]\n"
            "synthetic_tickers: [SPY]\nsynthetic_share: 0.2\nfirst_year: 2009\nlast_year: 2012\n"
            "cash: [10000]\ndefault_cash: 100000\n"
        ),
        "eval/suites/few.jsonl": (
            '{"id": "a", "instruction": "Buy and hold IBM."}\n'
            '{"id": "b", "instruction": "Hold AAPL over month ends."}\n'
        ),
        "qc-lora.toml": 'recipe = "tiny"\nsuite = "few"\neval_max_tokens = 24\nlease_s = 3\n'
        'allow_open_sandbox = true\ncache = ".qc-lora/cache"\n',
    }
    for name, text in files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    set_steps(folder, 30)
    return folder


def set_steps(folder: Path, steps: int) -> None:
    """Let the project's recipe take about so many steps, with a checkpoint after each."""
    path = folder / "retrain" / "recipes" / "tiny.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "name: tiny\nbase: tiny\ntemplate: gemma\nlora: {rank: 8, alpha: 32}\n"
        f"learning_rate: 1.0e-2\nbatch: 2\nepochs: {steps / 4}\ncheckpoint_s: 1.0e-9\n"
    )
