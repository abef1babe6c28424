from pathlib import Path

import click
import pytest

from qc_builder_lora.cli.retrain import plan as plan_command
from qc_builder_lora.errors import InputError, NotFound, SettingsError, UnknownKey
from qc_builder_lora.retrain.plan import DEVICES, adapter_parameters, base_parameters, plan
from qc_builder_lora.retrain.recipe import load_base, load_recipe, parse_recipe, recipe_names

SEED_TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj")


def test_an_unknown_key_is_refused_with_the_one_that_was_meant(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("name: mine\nbase: gemma-3-270m\nlearning_rat: 0.1\n")
    with pytest.raises(UnknownKey, match=r"mine.yaml: unknown key 'learning_rat'. Did you mean"):
        load_recipe(str(path))


def test_an_unknown_key_of_the_adapter_is_refused_as_well() -> None:
    with pytest.raises(UnknownKey, match="unknown key 'rnk'"):
        parse_recipe("name: a\nbase: b\nlora: {rnk: 4}\n")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("learning_rate: -1", "learning_rate must be above zero, got -1"),
        ("batch: many", "batch must be int, got 'many'"),
        ("batch: true", "batch must be int, got True"),
        ("epochs: 0", "epochs must be above zero"),
        ("cpu_precision: fp16", "cpu_precision must be fp32 or bf16, got 'fp16'"),
        ("lora: {rank: 0}", "rank must be at least 1, got 0"),
        ("lora: {targets: q_proj}", "targets must be a list"),
        ("time_budget_min: -5", "time_budget_min must be above 0"),
    ],
)
def test_a_value_that_cannot_be_used_is_named(line: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        parse_recipe(f"name: a\nbase: b\n{line}\n")


def test_a_missing_key_is_named() -> None:
    with pytest.raises(SettingsError, match="missing key 'base'"):
        parse_recipe("name: a\n")


def test_a_rate_written_as_2e_4_is_a_number_although_yaml_reads_text() -> None:
    assert parse_recipe("name: a\nbase: b\nlearning_rate: 2e-4\n").learning_rate == 2e-4


def test_an_unknown_recipe_lists_those_there_are() -> None:
    with pytest.raises(NotFound, match=r"'gemma-4'\. Did you mean .* Known: .*gemma-3-270m"):
        load_recipe("gemma-4")


def test_a_recipe_survives_being_written_and_read() -> None:
    for name in recipe_names():
        recipe = load_recipe(name)
        assert parse_recipe(recipe.text) == recipe


@pytest.mark.parametrize("name", ["codellama-7b", "mistral-7b", "gemma-2b"])
def test_the_seed_configuration_is_what_the_original_plan_says(name: str) -> None:
    recipe = load_recipe(name)
    assert (recipe.lora.rank, recipe.lora.alpha, recipe.lora.dropout) == (16, 32, 0.05)
    assert recipe.lora.targets == SEED_TARGETS
    assert (recipe.learning_rate, recipe.epochs) == (2e-4, 3)
    assert (recipe.batch, recipe.accumulate, recipe.template) == (4, 8, "inst")


@pytest.mark.parametrize("name", ["codellama-7b", "mistral-7b", "gemma-2b"])
def test_the_corrected_variant_adapts_all_linear_layers_in_smaller_batches(name: str) -> None:
    recipe = load_recipe(f"{name}-corrected")
    assert len(recipe.lora.targets) == 7
    assert recipe.lora.dropout == 0
    assert recipe.batch * recipe.accumulate == 8


# Published totals: CodeLlama 6.738 B, Mistral 7.242 B, Gemma 2.506 B, Gemma 3 268 M parameters.
@pytest.mark.parametrize(
    ("name", "total", "adapter"),
    [
        ("codellama-7b", 6_738_546_688, 16_777_216),
        ("mistral-7b", 7_241_732_096, 13_631_488),
        ("gemma-2b", 2_506_172_416, 3_686_400),
        ("gemma-3-270m", 268_098_176, 3_796_992),
    ],
)
def test_the_plan_counts_parameters_as_published(name: str, total: int, adapter: int) -> None:
    recipe = load_recipe(name)
    shape = load_base(recipe.base).architecture
    assert base_parameters(shape) == pytest.approx(total, rel=1e-3)
    assert adapter_parameters(recipe, shape) == adapter


def test_a_7b_plan_needs_about_two_bytes_a_weight_and_fits_a_4090() -> None:
    recipe = load_recipe("mistral-7b")
    made = plan(recipe, load_base(recipe.base), device="rtx-4090")
    assert 15e9 < made.total_bytes < 24e9
    assert made.fits


def test_the_plan_of_the_embedded_model_says_how_much_is_the_output_layer() -> None:
    recipe = load_recipe("gemma-3-270m")
    base = load_base(recipe.base)
    all_learned = plan(recipe, base, prompt_share=0.0, flops_per_s=1e11)
    # Research: the classifier is 63 % of all arithmetic.
    head = 4 * base.architecture.vocabulary * base.architecture.hidden
    assert head / all_learned.flops_per_token == pytest.approx(0.63, abs=0.01)


def test_the_commands_devices_are_those_that_a_plan_knows() -> None:
    (option,) = (one for one in plan_command.params if one.name == "device")
    assert isinstance(option.type, click.Choice)
    assert list(option.type.choices) == list(DEVICES)


def test_a_recipe_that_is_not_utf_8_is_refused_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes("name: café\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"mine\.yaml: not UTF-8 text: .* Save it as UTF-8\."):
        load_recipe(str(path))
