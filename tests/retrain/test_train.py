import dataclasses
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from qc_builder_lora.errors import EmptySnapshot, TrainingError
from qc_builder_lora.retrain import checkpoint
from qc_builder_lora.retrain.batches import Item
from qc_builder_lora.retrain.recipe import Lora, Recipe
from qc_builder_lora.retrain.train import Training
from tests.retrain.conftest import make_examples

RECIPE = Recipe(
    name="tiny",
    base="tiny",
    lora=Lora(rank=4, alpha=8, dropout=0.1),
    learning_rate=5e-3,
    batch=4,
    epochs=4,
    checkpoint_s=1e9,
)


def training(base: Path, folder: Path, recipe: Recipe = RECIPE, **changes: Any) -> Training:
    recipe = dataclasses.replace(recipe, **changes)
    return Training(recipe, base, make_examples(18), make_examples(4, "v"), folder)


class StopAt:
    """A progress bar that presses Ctrl-C."""

    def __init__(self, training: Training, step: int) -> None:
        self.training, self.step = training, step

    def update(self, done: float, note: str = "") -> None:
        if self.training.state.step == self.step:
            raise KeyboardInterrupt


def interrupted(base: Path, folder: Path, step: int) -> None:
    first = training(base, folder)
    first._progress = StopAt(first, step)
    with pytest.raises(KeyboardInterrupt):
        first.run()


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "adapter" / "adapter_model.safetensors")


def test_the_loss_falls_and_the_adapter_is_not_zero(tiny_base: Path, tmp_path: Path) -> None:
    made = training(tiny_base, tmp_path, epochs=12.0).run()
    assert made.metrics["val_loss_last"] < 0.9 * made.metrics["val_loss_first"]
    assert any(
        value.abs().sum() > 0 for name, value in weights(tmp_path).items() if "lora_B" in name
    )
    assert made.metrics["steps"] == 60
    assert made.metrics["tokens"] > 0
    assert made.metrics["peak_rss_mb"] > 50


@pytest.mark.parametrize("step", [1, 7, 13])
def test_a_run_that_was_stopped_ends_where_an_unbroken_one_ends_bit_for_bit(
    tiny_base: Path, tmp_path: Path, step: int
) -> None:
    whole = training(tiny_base, tmp_path / "whole").run()
    interrupted(tiny_base, tmp_path / "broken", step)
    resumed = training(tiny_base, tmp_path / "broken")
    assert resumed.state.step == step
    broken = resumed.run()
    first, second = weights(tmp_path / "whole"), weights(tmp_path / "broken")
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert whole.metrics["losses"] == broken.metrics["losses"]
    assert whole.metrics["val_loss_last"] == broken.metrics["val_loss_last"]


def test_two_runs_of_one_recipe_and_snapshot_are_equal(tiny_base: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        training(tiny_base, tmp_path / name, epochs=1.0).run()
    first, second = weights(tmp_path / "one"), weights(tmp_path / "two")
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_finished_run_called_again_trains_no_further(tiny_base: Path, tmp_path: Path) -> None:
    training(tiny_base, tmp_path).run()
    before = weights(tmp_path)
    again = training(tiny_base, tmp_path)
    steps = again.state.step
    again.run()
    assert again.state.step == steps
    assert all(torch.equal(before[name], value) for name, value in weights(tmp_path).items())


def test_accumulated_small_batches_make_the_gradient_of_one_big_batch(
    tiny_base: Path, tmp_path: Path
) -> None:
    gradients = []
    for name, batch, accumulate in (("big", 6, 1), ("small", 2, 3)):
        one = training(
            tiny_base,
            tmp_path / name,
            batch=batch,
            accumulate=accumulate,
            lora=Lora(rank=4, alpha=8, dropout=0.0),
        )
        groups = [[0, 1, 2, 3, 4, 5]] if batch == 6 else [[0, 1], [2, 3], [4, 5]]
        count = sum(len(one._train[i].completion) for group in groups for i in group)
        for group in groups:
            (one._loss_of([one._train[i] for i in group]) / count).backward()
        gradients.append([p.grad for p in one.parameters.values() if p.grad is not None])
    for big, small in zip(*gradients, strict=True):
        assert torch.allclose(big, small, rtol=1e-4, atol=1e-6)


def test_no_examples_is_an_empty_snapshot(tiny_base: Path, tmp_path: Path) -> None:
    with pytest.raises(EmptySnapshot, match="no training examples: 0 given"):
        Training(RECIPE, tiny_base, [], [], tmp_path)


def test_examples_that_are_too_long_are_left_out_and_never_cut(
    tiny_base: Path, tmp_path: Path
) -> None:
    lengths = sorted(len(item) for item in training(tiny_base, tmp_path)._train)
    limit = lengths[len(lengths) // 2]
    kept = training(tiny_base, tmp_path, max_tokens=limit)
    assert kept.left_out == sum(length > limit for length in lengths)
    assert max(len(item) for item in kept._train) <= limit
    with pytest.raises(EmptySnapshot, match="18 longer than max_tokens=8"):
        training(tiny_base, tmp_path, max_tokens=8)


def test_a_checkpoint_of_another_recipe_is_not_continued(tiny_base: Path, tmp_path: Path) -> None:
    interrupted(tiny_base, tmp_path, 2)
    with pytest.raises(TrainingError, match="belongs to another recipe or snapshot"):
        training(tiny_base, tmp_path, learning_rate=1e-3)


def test_a_torn_checkpoint_is_passed_over(tiny_base: Path, tmp_path: Path) -> None:
    interrupted(tiny_base, tmp_path, 3)
    torn = tmp_path / "step-000009"
    torn.mkdir()
    (torn / "tensors.safetensors").write_bytes(b"half")
    assert training(tiny_base, tmp_path).state.step == 3


def test_a_loss_that_is_not_a_number_stops_the_run_with_the_cure(
    tiny_base: Path, tmp_path: Path
) -> None:
    broken = training(tiny_base, tmp_path)
    with torch.no_grad():
        next(iter(broken.parameters.values())).fill_(float("nan"))
    with pytest.raises(TrainingError, match=r"step 0 is not a number. Lower learning_rate"):
        broken._step([[0, 1]])


def test_the_time_budget_ends_the_run_early_with_the_learning_rate_at_its_end(
    tiny_base: Path, tmp_path: Path
) -> None:
    one = training(tiny_base, tmp_path, time_budget_min=1e-4, epochs=40.0)
    made = one.run()
    assert made.metrics["steps"] == 8 < one.epoch_steps
    assert one.learning_rate() == pytest.approx(RECIPE.learning_rate * RECIPE.final_learning_rate)


def test_the_learning_rate_follows_the_clock_when_the_machine_turns_slow(
    tiny_base: Path, tmp_path: Path
) -> None:
    one = training(tiny_base, tmp_path, time_budget_min=10.0, epochs=400.0)
    one.state.step, one.state.seconds = 100, 300.0
    halfway = one.learning_rate()
    one.state.seconds = 600.0
    assert one.share == 1
    assert halfway == pytest.approx(RECIPE.learning_rate * (1 + RECIPE.final_learning_rate) / 2)


FULL_DISK = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from tests.retrain.test_train import RECIPE, training
from qc_builder_lora.errors import DiskFull
import dataclasses
run = training(Path(sys.argv[1]), Path(sys.argv[2]) / "run", checkpoint_s=1e-9)
fill = Path(sys.argv[2]) / "fill"
steps = []
class Fill:
    def update(self, done, note=""):
        steps.append(run.state.step)
        if run.state.step == 3:
            try:
                with fill.open("wb") as file:
                    while True:
                        file.write(b"x" * 4096); file.flush()
            except OSError:
                pass
run._progress = Fill()
try:
    run.run()
except DiskFull as error:
    print("FULL", error)
fill.unlink()
again = training(Path(sys.argv[1]), Path(sys.argv[2]) / "run", checkpoint_s=1e9)
print("AT", again.state.step)
again.run()
adapter = Path(sys.argv[2]) / "run/adapter/adapter_model.safetensors"
print("END", again.state.step, adapter.exists())
"""


def can_mount() -> bool:
    command = ["unshare", "-Urm", "mount", "-t", "tmpfs", "none", "/mnt"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not can_mount(), reason="needs a file system of its own: unshare -Urm")
def test_a_full_disk_while_training_keeps_the_last_checkpoint_and_says_so(
    tiny_base: Path, tmp_path: Path
) -> None:
    script = tmp_path / "full.py"
    script.write_text(FULL_DISK)
    disk = tmp_path / "disk"
    disk.mkdir()
    root = Path(__file__).parents[2]
    shell = (
        f"mount -t tmpfs -o size=16m none {disk} && "
        f"exec {sys.executable} {script} {tiny_base} {disk} {root}"
    )
    done = subprocess.run(
        ["unshare", "-Urm", "sh", "-c", shell],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert done.returncode == 0, done.stderr
    assert "no space left on the disk" in done.stdout
    assert "MB free" in done.stdout
    assert "run the same command again" in done.stdout
    assert "AT 2" in done.stdout
    assert "END 20 True" in done.stdout


def test_nothing_of_pickle_is_read_from_a_checkpoint(tiny_base: Path, tmp_path: Path) -> None:
    interrupted(tiny_base, tmp_path, 1)
    found = checkpoint.newest(tmp_path)
    assert found is not None
    assert sorted(path.name for path in found.iterdir()) == ["state.json", "tensors.safetensors"]


def test_padding_longer_than_a_sliding_window_changes_neither_loss_nor_gradient(
    tiny_base: Path, tmp_path: Path
) -> None:
    recipe = Recipe(name="pad", base="tiny", batch=2, max_tokens=512)
    training = Training(recipe, tiny_base, make_examples(6), [], tmp_path)
    short = Item("short", tuple(range(6, 20)), tuple(range(20, 30)))
    long = Item("long", tuple(range(6, 120)), tuple(range(20, 160)))

    def gradients(*batches: list[Item]) -> tuple[float, list[torch.Tensor]]:
        total = 0.0
        for batch in batches:
            loss = training._loss_of(batch)
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.item()
        found = [p.grad.clone() for p in training.parameters.values() if p.grad is not None]
        training._optimiser.zero_grad(set_to_none=True)
        return total, found

    # 216 of the short one's 240 places are padding; the window is 64.
    together, alone = gradients([short, long]), gradients([short], [long])
    assert together[0] == pytest.approx(alone[0], rel=1e-5)
    assert all(torch.isfinite(one).all() for one in together[1])
    for one, other in zip(together[1], alone[1], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)
