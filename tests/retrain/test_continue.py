"""Training that starts from an earlier adapter: found, checked, told, and resumable."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file, save_file

from qc_builder_lora.adapter_folder import WEIGHTS
from qc_builder_lora.cli import root
from qc_builder_lora.errors import CorruptFile, InputError, NotFound, QcLoraError, SettingsError
from qc_builder_lora.ids import file_hash, now
from qc_builder_lora.lineage import lineage, lineage_limits
from qc_builder_lora.records import (
    Adapter,
    Model,
    Run,
    RunStatus,
    Snapshot,
    Split,
    Stage,
    Verdict,
    VerdictKind,
)
from qc_builder_lora.retrain.parent import find_parent
from qc_builder_lora.retrain.recipe import Lora, Recipe, load_base, load_recipe, parse_recipe
from qc_builder_lora.retrain.run import adapter_record, train
from qc_builder_lora.retrain.train import Trained, Training
from qc_builder_lora.store import Store
from tests.retrain.conftest import make_examples

BASE_SHA = "b" * 64
RECIPE = Recipe(
    name="tiny", base="tiny", lora=Lora(rank=4, alpha=8.0), learning_rate=5e-3, epochs=1.0, batch=4
)
EXAMPLES = make_examples(22)


@pytest.fixture
def folder(tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder in which the recipe's base is the tiny one."""
    bases = tmp_path / "retrain/bases"
    bases.mkdir(parents=True)
    (bases / "tiny.yaml").write_text(
        f"name: tiny\nsource: folder:{tiny_base}\nsha256: {BASE_SHA}\nlicence: Apache-2.0\n"
        "architecture: {hidden: 64, layers: 2, heads: 2, kv_heads: 1, head_dim: 32,\n"
        "  feed_forward: 128, vocabulary: 500, tied: true}\n"
    )
    (tmp_path / "retrain/recipes").mkdir()
    (tmp_path / "retrain/recipes/tiny.yaml").write_text(RECIPE.text)
    (tmp_path / "qc-lora.toml").write_text('recipe = "tiny"\nhome = "home"\ncache = "cache"\n')
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def first(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """An adapter trained from the base, once for all tests."""
    target = tmp_path_factory.mktemp("first")
    return Training(RECIPE, tiny_base, EXAMPLES[:18], EXAMPLES[18:], target).run()


@pytest.fixture
def store(folder: Path, first: Trained) -> Iterator[Store]:
    """A store with a Snapshot, and a Run on it that left the first adapter."""
    with Store.open(f"sqlite:///{folder}/home/store.db") as opened:
        for example in EXAMPLES:
            opened.examples.add(example)
        add_snapshot(opened, "a" * 64, train=EXAMPLES[:18], validation=EXAMPLES[18:])
        add_run(opened, folder / "home/runs/first", first)
        yield opened


def add_snapshot(store: Store, key: str, **splits: Any) -> str:
    members = {one.id: Split(split) for split, found in splits.items() for one in found}
    return store.snapshots.add(Snapshot(id=key, created_at=now(), members=members)).id


def add_run(store: Store, folder: Path, made: Trained) -> None:
    shutil.copytree(made.adapter, folder / "adapter")
    run = Run(
        id="first", recipe="tiny", recipe_sha256=RECIPE.sha256, recipe_text=RECIPE.text,
        snapshot_id="a" * 64, status=RunStatus.FINISHED, started_at=now(), path=str(folder),
        metrics=made.metrics,
    )  # fmt: skip
    base = load_base("tiny")
    store.runs.add(run)
    store.adapters.add(adapter_record(run, RECIPE, base, Path("cache"), folder / "adapter"))


def known(store: Store) -> tuple[Run, Adapter]:
    """The Run that every test finds done, and its Adapter."""
    return store.runs.get("first"), store.adapters.find(run_id="first")[0]


def trained(store: Store, snapshot: str = "a" * 64, **changes: Any) -> tuple[Run, Adapter]:
    recipe = dataclasses.replace(RECIPE, **changes)
    return train(store, Path("home"), Path("cache"), recipe, snapshot)


def add_model(store: Store, adapter: Adapter, name: str = "tiny-1", **changes: Any) -> Model:
    given = {
        "id": name, "adapter_id": adapter.id, "path": "x.gguf", "sha256": "c" * 64,
        "quantization": "Q8_0", "manifest": {}, "stage": Stage.CANDIDATE, "created_at": now(),
    }  # fmt: skip
    return store.models.add(Model(**{**given, **changes}))


def promoted(store: Store, model: Model) -> None:
    """A person has read a report about the model and let it answer."""
    store.verdicts.add(
        Verdict(
            id="v", champion="base:tiny", challenger=model.id, kind=VerdictKind.BETTER,
            evidence={}, created_at=now(), report_path="r.html", report_sha256="d" * 64,
        )
    )  # fmt: skip
    store.promotions.promote(model.id, model.sha256, "d" * 64, "Ada", "better", replaces=None)


def stranger(adapter: Adapter, target: Path, **settings: Any) -> Path:
    """The adapter's folder with weights that no store has, and other settings."""
    shutil.copytree(adapter.path, target)
    tensors = load_file(target / WEIGHTS)
    save_file({name: value * 1.01 for name, value in tensors.items()}, target / WEIGHTS)
    path = target / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **settings}))
    return target


def test_training_starts_where_the_parent_ended_with_a_schedule_of_its_own(store: Store) -> None:
    first, adapter = known(store)
    second, made = trained(store, continue_from=adapter.id[:10])
    assert second.metrics["val_loss_first"] == first.metrics["val_loss_last"]
    assert second.metrics["val_loss_last"] < first.metrics["val_loss_last"]
    assert second.metrics["steps"] == first.metrics["steps"]
    assert made.id != adapter.id


def test_the_run_keeps_who_the_parent_was_and_the_total_that_was_seen(store: Store) -> None:
    first, adapter = known(store)
    model = add_model(store, adapter)
    second, made = trained(store, continue_from="tiny-1")
    parent = store.runs.get(second.id).metrics["parent"]
    assert (parent["model"], parent["adapter"]) == (model.id, adapter.id)
    assert (parent["run"], parent["snapshot"], parent["base"]) == (first.id, "a" * 64, BASE_SHA)
    assert parent["held_out_taught"] == {"validation": 0, "golden": 0}
    third, _ = trained(store, continue_from=made.id)
    runs = (first, second, third)
    assert third.metrics["seen"] == {
        "runs": 3,
        "steps": sum(run.metrics["steps"] for run in runs),
        "tokens": sum(run.metrics["tokens"] for run in runs),
    }
    facts = dict(lineage(third.metrics))
    assert facts["seen in all"].startswith(f"3 runs, {3 * first.metrics['steps']} steps")
    assert lineage_limits(third.metrics) == []


def test_held_out_examples_that_an_ancestor_was_taught_are_counted_and_told(store: Store) -> None:
    _, adapter = known(store)
    other = add_snapshot(store, "d" * 64, train=EXAMPLES[3:18], validation=EXAMPLES[18:])
    _, second = trained(store, other, continue_from=adapter.id)
    # Two that the grandparent learned, and one that nobody did.
    mixed = add_snapshot(
        store, "e" * 64, train=EXAMPLES[5:18], validation=[EXAMPLES[0], EXAMPLES[19]],
        golden=[EXAMPLES[1]],
    )  # fmt: skip
    third, _ = trained(store, mixed, continue_from=second.id)
    assert third.metrics["parent"]["snapshots"] == ["d" * 64, "a" * 64]
    assert third.metrics["parent"]["held_out_taught"] == {"validation": 1, "golden": 1}
    assert "2 held-out examples of the snapshot were taught" in lineage_limits(third.metrics)[0]


def test_a_folder_that_the_store_does_not_know_works_and_is_unknown_for_good(
    store: Store, folder: Path
) -> None:
    _, adapter = known(store)
    outside = stranger(adapter, folder / "outside", base_model_name_or_path="google/gemma")
    second, made = trained(store, continue_from=str(outside))
    parent = second.metrics["parent"]
    assert (parent["model"], parent["run"], parent["snapshot"]) == (None, None, None)
    assert (parent["base"], parent["held_out_taught"]) == ("UNKNOWN", None)
    assert second.metrics["seen"] is None
    assert "was taught is UNKNOWN" in lineage_limits(second.metrics)[0]
    third, _ = trained(store, continue_from=made.id)
    assert third.metrics["seen"] is third.metrics["parent"]["snapshots"] is None
    facts = dict(lineage(third.metrics))
    assert facts["parent's snapshot"] == f"{'a' * 64}, after an adapter of UNKNOWN origin"
    assert facts["seen in all"] == facts["held-out that the parent was taught"] == "UNKNOWN"
    assert lineage_limits(third.metrics)


def test_a_copy_of_a_known_adapter_is_known_by_its_weights(store: Store, folder: Path) -> None:
    first, adapter = known(store)
    shutil.copytree(adapter.path, folder / "copy")
    found = find_parent(store, "copy")
    assert found is not None
    assert (found.run, found.path) == (first.id, folder / "copy")


def test_the_base_is_told_by_the_path_that_peft_wrote(store: Store, folder: Path) -> None:
    _, adapter = known(store)
    ours = stranger(adapter, folder / "ours")
    run, _ = trained(store, continue_from=str(ours))
    assert run.metrics["parent"]["base"] == BASE_SHA
    name = f"/elsewhere/cache/bases/tiny-{'b' * 12}"
    converted = stranger(adapter, folder / "converted", base_model_name_or_path=name)
    run, _ = trained(store, continue_from=str(converted))
    assert run.metrics["parent"]["base"] == BASE_SHA
    foreign = stranger(
        adapter, folder / "foreign", base_model_name_or_path=f"/x/bases/tiny-{'c' * 12}"
    )
    with pytest.raises(InputError, match=r"its base is c{12}, that of recipe tiny is tiny \(b{12}"):
        trained(store, continue_from=str(foreign))


@pytest.mark.parametrize(
    ("lora", "fact"),
    [
        (Lora(rank=8, alpha=8), r"its rank is 4, lora.rank of recipe tiny is 8. Set lora.rank: 4"),
        (Lora(rank=4, alpha=16), r"its alpha is 8, lora.alpha of recipe tiny is 16"),
        (
            Lora(rank=4, alpha=8, targets=("q_proj", "v_proj")),
            r"its targets is \[down_proj, .*lora.targets of recipe tiny is \[q_proj, v_proj\]",
        ),
    ],
)
def test_another_shape_is_refused_with_both_values_before_any_run_begins(
    store: Store, lora: Lora, fact: str
) -> None:
    _, adapter = known(store)
    with pytest.raises(InputError, match=fact):
        trained(store, lora=lora, continue_from=adapter.id)
    assert len(store.runs.find()) == 1


def test_an_adapter_of_another_base_in_the_store_is_refused(store: Store) -> None:
    run, adapter = known(store)
    path = Path(adapter.path).parent / "other"
    other = stranger(adapter, path)
    foreign = dataclasses.replace(
        adapter, id=file_hash(other / WEIGHTS), path=str(other), base_sha256="f" * 64
    )
    store.adapters.add(foreign)
    with pytest.raises(InputError, match=r"its base is f{12}.* means nothing on another base"):
        trained(store, continue_from=foreign.id)
    assert run.status is RunStatus.FINISHED


def test_weights_of_other_names_or_shapes_or_no_numbers_are_refused_by_name(
    store: Store, tiny_base: Path, folder: Path
) -> None:
    _, adapter = known(store)
    tensors = load_file(Path(adapter.path) / WEIGHTS)
    one = min(tensors)
    broken = {
        "fewer": ({k: v for k, v in tensors.items() if k != one}, InputError, "is not there"),
        "wider": ({**tensors, one: torch.zeros(4, 65)}, InputError, r"\[4, 65\], this recipe"),
        "more": (
            {
                **tensors,
                "base_model.model.model.layers.9.mlp.up_proj.lora_A.weight": tensors[one].clone(),
            },
            InputError,
            "none of that name",
        ),
        "nan": ({**tensors, one: tensors[one] * float("nan")}, CorruptFile, "no numbers"),
    }
    for name, (values, error, fact) in broken.items():
        path = folder / name
        shutil.copytree(adapter.path, path)
        save_file(values, path / WEIGHTS)
        with pytest.raises(error, match=fact):
            Training(RECIPE, tiny_base, EXAMPLES[:8], [], folder / "run", parent=path)


class StopAt:
    """A progress bar that presses Ctrl-C after some steps."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def update(self, done: float, note: str = "") -> None:
        self.left -= note.startswith("loss")
        if self.left == 0:
            raise KeyboardInterrupt


def test_the_same_command_goes_on_where_it_was_and_ends_alike(store: Store) -> None:
    _, adapter = known(store)
    recipe = dataclasses.replace(RECIPE, continue_from=adapter.id)
    arguments = (store, Path("home"), Path("cache"), recipe, "a" * 64)
    with pytest.raises(KeyboardInterrupt):
        train(*arguments, StopAt(2))
    (half,) = store.runs.find(status=RunStatus.RUNNING)
    assert half.metrics["parent"]["adapter"] == adapter.id
    broken, _ = train(*arguments)
    assert broken.id == half.id
    whole, _ = train(*arguments)
    assert whole.id != broken.id
    assert broken.metrics["steps"] == whole.metrics["steps"] == 5
    ends = [load_file(Path(run.path) / "adapter" / WEIGHTS) for run in (broken, whole)]
    for name, value in ends[0].items():
        torch.testing.assert_close(value, ends[1][name])


def test_a_name_that_means_another_adapter_now_is_another_run(store: Store) -> None:
    _, first = known(store)
    _, second = trained(store, continue_from=first.id)
    promoted(store, add_model(store, first))
    recipe = dataclasses.replace(RECIPE, continue_from="production")
    with pytest.raises(KeyboardInterrupt):
        train(store, Path("home"), Path("cache"), recipe, "a" * 64, StopAt(2))
    (half,) = store.runs.find(status=RunStatus.RUNNING)
    other, _ = trained(store, continue_from=second.id)
    assert other.id != half.id


def test_production_is_the_base_while_none_is_promoted_and_then_the_promoted_one(
    store: Store,
) -> None:
    plain, adapter = known(store)
    first, _ = trained(store, continue_from="production")
    assert first.recipe_sha256 == plain.recipe_sha256
    assert first.metrics["val_loss_first"] == plain.metrics["val_loss_first"]
    assert "parent" not in first.metrics
    promoted(store, add_model(store, adapter))
    second, _ = trained(store, continue_from="production")
    assert second.metrics["parent"]["model"] == "tiny-1"


def damaged(store: Store, folder: Path, how: str) -> str:
    """A name that cannot be continued from."""
    _, adapter = known(store)
    path = folder / how
    if how == "file":
        path.write_text("GGUF")
    elif how == "empty":
        path.mkdir()
    elif how == "pickle":
        path.mkdir()
        (path / "adapter_model.bin").write_bytes(b"x")
    elif how == "run":
        return str(Path(adapter.path).parent)
    elif how == "gone":
        shutil.rmtree(adapter.path)
        return adapter.id
    elif how == "changed":
        (Path(adapter.path) / WEIGHTS).write_bytes(b"other")
        return adapter.id
    elif how == "no-adapter":
        add_model(store, adapter, "bare", adapter_id=None)
        return "bare"
    elif how == "typo":
        add_model(store, adapter, "tiny-0123")
        return "tiny-0132"
    elif how == "cut":
        shutil.copytree(adapter.path, path)
        (path / WEIGHTS).write_bytes((path / WEIGHTS).read_bytes()[:100])
    elif how == "no-settings":
        shutil.copytree(adapter.path, path)
        (path / "adapter_config.json").unlink()
        (path / WEIGHTS).write_bytes((path / WEIGHTS).read_bytes())
    else:
        return str(stranger(adapter, path, **json.loads(how)))
    return str(path)


@pytest.mark.parametrize(
    ("how", "error", "fact"),
    [
        ("file", InputError, "is a file; training starts from an adapter's folder"),
        ("empty", NotFound, "A folder as peft writes it has that file"),
        ("pickle", InputError, "a pickle, which could run code and is not read"),
        ("run", InputError, "holds a run; its adapter is .*/adapter"),
        ("gone", NotFound, "No adapter named"),
        ("changed", CorruptFile, "its SHA-256 is .*, the store says"),
        ("no-adapter", InputError, "Model bare was not made from an adapter"),
        (
            "typo",
            NotFound,
            "No model, adapter or folder named 'tiny-0132'. Did you mean 'tiny-0123",
        ),
        ("cut", CorruptFile, "adapter_model.safetensors: cannot be read"),
        ("no-settings", CorruptFile, "adapter_config.json: cannot be read"),
        ('{"use_dora": true}', InputError, "use_dora is set, which a GGUF cannot express"),
        ('{"peft_type": "IA3"}', InputError, "peft_type is 'IA3'"),
        ('{"r": null}', CorruptFile, "adapter_config.json: cannot be read"),
        ('{"lora_alpha": "much"}', CorruptFile, "adapter_config.json: cannot be read"),
    ],
)
def test_what_cannot_be_continued_from_is_refused_with_the_cure(
    store: Store, folder: Path, how: str, error: type[QcLoraError], fact: str
) -> None:
    name = damaged(store, folder, how)
    with pytest.raises(error, match=fact):
        trained(store, continue_from=name)
    assert len(store.runs.find()) == 1


def test_a_recipe_without_the_key_keeps_its_hash_and_an_empty_one_is_refused() -> None:
    assert "continue_from" in RECIPE.text
    assert parse_recipe(RECIPE.text).continue_from is None
    # As it was before the key was there: unfinished runs of it go on.
    assert load_recipe("gemma-3-270m").sha256.startswith("bd0c58128ef4dbcd")
    assert dataclasses.replace(RECIPE, continue_from="production").sha256 != RECIPE.sha256
    with pytest.raises(SettingsError, match="continue_from is empty"):
        dataclasses.replace(RECIPE, continue_from="")


def command(*arguments: str) -> Any:
    return CliRunner().invoke(root, ["retrain", *arguments])


def test_the_command_says_what_it_started_from_and_the_option_wins_over_the_recipe(
    store: Store, folder: Path
) -> None:
    _, adapter = known(store)
    path = folder / "retrain/recipes/tiny.yaml"
    path.write_text(dataclasses.replace(RECIPE, continue_from="production").text)
    done = command()
    assert done.exit_code == 0, done.output
    assert "the base, for no model is in production yet" in done.output
    outside = stranger(adapter, folder / "outside", base_model_name_or_path=None)
    done = command("--continue-from", str(outside))
    assert done.exit_code == 0, done.output
    assert f"in {outside}" in done.output
    assert "UNKNOWN: only the names and shapes of its weights could be compared" in done.output
    assert "UNKNOWN: the adapter is not of this store" in done.output
    done = command("--continue-from", adapter.id, "--json")
    told = json.loads(done.stdout)
    assert told["parent"]["adapter"] == adapter.id
    assert told["seen"]["runs"] == 2


def test_production_asked_for_by_hand_is_refused_while_there_is_none(store: Store) -> None:
    done = command("--continue-from", "production")
    assert isinstance(done.exception, NotFound)
    assert "No model is in production. Promote one" in str(done.exception)
    assert [run.id for run in store.runs.find()] == ["first"]
