"""A base small enough to train in a second: real architecture, real tokenizer, few weights."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from qc_builder_lora.records import Example

TEXTS = (
    "from AlgorithmImports import *",
    "class SmaCross(QCAlgorithm):",
    "def initialize(self): self.set_cash(100000)",
    "Buy AAPL when the average of 20 days is above the one of 50 days.",
)


def make_examples(count: int, prefix: str = "t") -> list[Example]:
    """Different examples of different lengths."""
    return [
        Example(
            id=f"{prefix}{number:03d}",
            instruction=f"Buy AAPL when the average of {number} days is above {number * 2}.",
            code=f"class A{number}(QCAlgorithm):\n"
            + "".join(f"    x{line} = {number * line}\n" for line in range(1 + number % 5)),
            family=f"family{number % 3}",
            source="test",
            licence="Apache-2.0",
            created_at=datetime(2026, 1, 1, tzinfo=UTC),
            parameters={"number": number},
        )
        for number in range(count)
    ]


def write_tiny_base(folder: Path) -> Path:
    """A random Gemma 3 of 2 layers and 500 words in the format of a converted base."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import Gemma3ForCausalLM, Gemma3TextConfig, PreTrainedTokenizerFast

    special = ["<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>"]
    raw = Tokenizer(models.BPE(unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=500,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    raw.train_from_iterator(TEXTS * 3, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw, pad_token="<pad>", eos_token="<eos>", bos_token="<bos>"
    )
    tokenizer.save_pretrained(folder)
    torch.manual_seed(1)
    config = Gemma3TextConfig(
        vocab_size=raw.get_vocab_size(),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=32,
        max_position_embeddings=512,
        sliding_window=64,
    )
    Gemma3ForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_base(tmp_path_factory.mktemp("tiny-base"))
