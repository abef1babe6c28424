"""The parity gate on a base whose weights lie on the Q4_K_M grid, as the embedded base's do."""

from __future__ import annotations

from pathlib import Path

import pytest

from qc_builder_lora.errors import ParityError
from qc_builder_lora.ids import file_hash, now
from qc_builder_lora.records import Adapter
from qc_builder_lora.release import llama
from qc_builder_lora.release.publish import Release, Source
from qc_builder_lora.retrain.base import base_folder
from qc_builder_lora.retrain.recipe import Architecture, Base, Lora, Recipe
from qc_builder_lora.retrain.train import Training
from qc_builder_lora.template import get_template
from tests.retrain.conftest import make_examples
from tests.tiny_base import FEED_FORWARD, HEAD_DIM, HEADS, HIDDEN, LAYERS, write_base


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """An adapter trained on a base that was dequantised from Q4_K_M."""
    folder = tmp_path_factory.mktemp("parity")
    fine = write_base(folder / "fine.gguf")
    (folder / "weights").mkdir()
    coarse = folder / "weights" / "coarse.gguf"
    llama.quantise(fine, coarse, "Q4_K_M", 2)
    base = Base(
        name="coarse",
        source=f"folder:{folder / 'weights'}",
        licence="Apache-2.0",
        architecture=Architecture(
            hidden=HIDDEN,
            layers=LAYERS,
            heads=HEADS,
            kv_heads=1,
            head_dim=HEAD_DIM,
            feed_forward=FEED_FORWARD,
            vocabulary=357,
            tied=True,
        ),
        sha256=file_hash(coarse),
    )
    converted = base_folder(base, folder / "cache")
    recipe = Recipe(
        name="coarse", base="coarse", lora=Lora(rank=8, alpha=16), learning_rate=1e-3, epochs=6
    )
    examples = make_examples(24)
    made = Training(recipe, converted, examples[:18], examples[18:], folder / "run").run()
    adapter = Adapter(
        id=file_hash(made.adapter / "adapter_model.safetensors"),
        run_id="run",
        path=str(made.adapter),
        base="coarse",
        base_sha256=file_hash(coarse),
        rank=8,
        alpha=16,
        created_at=now(),
    )
    return Source(
        adapter=adapter,
        base_gguf=coarse,
        base_folder=converted,
        template=get_template("gemma"),
        held_out=examples[18:],
        snapshot_id="snapshot",
        recipe_sha256=recipe.sha256,
        recipe_text=recipe.text,
    )


def test_q4_k_m_of_an_adapter_trained_on_a_q4_base_is_refused_and_nothing_published(
    trained: Source, tmp_path: Path
) -> None:
    with pytest.raises(
        ParityError, match=r"Q4_K_M: .*(of the way back|above the trained)"
    ) as caught:
        Release(trained, tmp_path, 2).publish(("Q4_K_M",))
    assert "nothing is published" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_the_ladder_goes_on_to_what_passes_and_keeps_the_figures_of_what_did_not(
    trained: Source, tmp_path: Path
) -> None:
    model = Release(trained, tmp_path, 2).publish(("Q4_K_M", "F16"))
    parity = model.manifest["parity"]
    refused, chosen = parity["attempts"]
    assert (refused["quantization"], refused["passes"]) == ("Q4_K_M", False)
    assert model.quantization == "F16"
    assert chosen["passes"]
    assert abs(parity["nll_gguf"] - parity["nll_hf"]) <= parity["nll_allowed_off"]
    assert parity["nll_gguf"] < refused["nll"] < parity["nll_base"]
    assert file_hash(Path(model.path)) == model.sha256 == model.manifest["sha256"]
