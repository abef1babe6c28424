from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qc_builder_lora.retrain.base import load_tokenizer
from qc_builder_lora.retrain.batches import (
    Item,
    batch_order,
    collate,
    context_of,
    fitting,
    steps_an_epoch,
    tokenise,
)
from qc_builder_lora.template import GEMMA
from tests.retrain.conftest import make_examples


@given(
    st.lists(st.integers(1, 500), min_size=1, max_size=120),
    st.integers(1, 9),
    st.integers(0, 99),
    st.integers(0, 5),
)
def test_an_epoch_holds_every_example_once_and_is_the_same_every_time(
    lengths: list[int], size: int, seed: int, epoch: int
) -> None:
    order = batch_order(lengths, size, seed, epoch)
    assert sorted(index for batch in order for index in batch) == list(range(len(lengths)))
    assert order == batch_order(lengths, size, seed, epoch)
    assert all(1 <= len(batch) <= size for batch in order)


def test_what_is_too_long_is_left_out_whole_and_counted() -> None:
    items = [Item(str(n), tuple(range(n)), (1, 2)) for n in range(1, 9)]
    short, left_out = fitting(items, 6)
    assert [len(item) for item in short] == [3, 4, 5, 6]
    assert left_out == 4
    few, left_out = fitting(items, 6, 2)
    assert ([item.id for item in few], left_out) == (["1", "2"], 4)
    assert fitting(items, 2) == ([], 8)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"max_position_embeddings": "512"}'])
def test_a_base_that_does_not_say_what_it_was_made_for_sets_no_limit(
    tmp_path: Path, text: str
) -> None:
    assert context_of(tmp_path) is None
    (tmp_path / "config.json").write_text(text)
    assert context_of(tmp_path) is None
    (tmp_path / "config.json").write_text('{"max_position_embeddings": 512}')
    assert context_of(tmp_path) == 512


def test_epochs_come_in_different_orders() -> None:
    lengths = list(range(50))
    assert batch_order(lengths, 4, 0, 0) != batch_order(lengths, 4, 0, 1)


def test_batches_of_like_length_waste_less_than_a_twentieth_on_padding() -> None:
    lengths = [100 + (index * 37) % 300 for index in range(256)]
    order = batch_order(lengths, 4, 0, 0)
    padded = sum(max(lengths[i] for i in batch) * len(batch) for batch in order)
    assert sum(lengths) / padded > 0.95


def test_targets_are_the_completion_and_positions_stand_one_before_them() -> None:
    items = [Item("a", (2, 10, 11), (20, 21, 22)), Item("b", (2, 12), (30,))]
    batch = collate(items, pad=0)
    assert batch.ids.tolist() == [[2, 10, 11, 20, 21, 22], [2, 12, 30, 0, 0, 0]]
    assert batch.mask.tolist() == [[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0]]
    assert batch.positions.nonzero().tolist() == [[0, 2], [0, 3], [0, 4], [1, 1]]
    assert batch.targets.tolist() == [20, 21, 22, 30]


def test_an_example_is_cut_where_serving_will_cut_it_and_ends_with_the_end_of_turn(
    tiny_base: Path,
) -> None:
    tokenizer = load_tokenizer(tiny_base)
    example = make_examples(1)[0]
    item = tokenise(example, GEMMA, tokenizer)
    assert item.prompt[0] == tokenizer.bos_token_id
    assert list(item.prompt).count(tokenizer.bos_token_id) == 1
    assert tokenizer.decode(item.prompt[1:]) == GEMMA.render(example.instruction)
    assert tokenizer.decode(item.completion) == example.code.strip() + "<end_of_turn>"
    assert item.completion[-1] == tokenizer.convert_tokens_to_ids("<end_of_turn>")


@pytest.mark.parametrize(
    ("count", "size", "accumulate", "steps"),
    [(8, 4, 1, 2), (9, 4, 1, 3), (9, 4, 2, 2), (1, 4, 8, 1)],
)
def test_steps_an_epoch_counts_the_last_short_one(
    count: int, size: int, accumulate: int, steps: int
) -> None:
    assert steps_an_epoch(count, size, accumulate) == steps
