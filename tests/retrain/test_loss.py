import pytest
import torch
from torch import Tensor

from qc_builder_lora.retrain.loss import CompletionLoss
from qc_builder_lora.retrain.screen import bytes_are_faster


def case(
    seed: int, rows: int = 300, words: int = 9000, width: int = 64, peaked: float = 3.0
) -> tuple[Tensor, Tensor, Tensor]:
    """Hidden states, weight, targets; the larger `peaked`, the surer the model."""
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(words, width, generator=generator)
    targets = torch.randint(0, words, (rows,), generator=generator)
    noise = torch.randn(rows, width, generator=generator)
    return noise + peaked / width**0.5 * weight[targets], weight, targets


def stock(hidden: Tensor, weight: Tensor, targets: Tensor) -> tuple[float, Tensor]:
    own = hidden.clone().requires_grad_()
    loss = torch.nn.functional.cross_entropy(own @ weight.T, targets, reduction="sum")
    loss.backward()
    assert own.grad is not None
    return loss.item(), own.grad


@pytest.mark.parametrize("screen", [False, True])
@pytest.mark.parametrize("peaked", [0.0, 1.0, 3.0, 8.0])
def test_loss_and_gradient_agree_with_torch_to_1e_4(screen: bool, peaked: float) -> None:
    hidden, weight, targets = case(1, peaked=peaked)
    expected_loss, expected = stock(hidden, weight, targets)
    loss, gradient = CompletionLoss(weight, screen=screen).value_and_gradient(hidden, targets)
    assert loss == pytest.approx(expected_loss, rel=1e-4, abs=1e-3)
    assert ((gradient - expected).norm() / expected.norm()).item() < 1e-4


@pytest.mark.parametrize("screen", [False, True])
def test_the_error_stays_small_on_the_second_batch_whose_columns_were_learned_on_the_first(
    screen: bool,
) -> None:
    hidden, weight, targets = case(2)
    loss = CompletionLoss(weight, screen=screen)
    loss.value_and_gradient(hidden, targets)
    other, _, other_targets = case(3)
    other = other.detach()
    _, expected = stock(other, weight, other_targets)
    _, gradient = loss.value_and_gradient(other, other_targets)
    assert ((gradient - expected).norm() / expected.norm()).item() < 1e-4


def test_a_hidden_state_with_outliers_like_gemmas_keeps_the_error_under_1e_4() -> None:
    hidden, weight, targets = case(4)
    scale = torch.ones(hidden.shape[1])
    scale[:4] = 12.0
    hidden, weight = hidden * scale, weight / scale
    _, expected = stock(hidden, weight, targets)
    _, gradient = CompletionLoss(weight, screen=True).value_and_gradient(hidden, targets)
    assert ((gradient - expected).norm() / expected.norm()).item() < 1e-4


def test_the_screen_leaves_most_words_to_bytes_once_the_model_is_sure() -> None:
    hidden, weight, targets = case(5, peaked=12.0)
    loss = CompletionLoss(weight, screen=True)
    loss.value_and_gradient(hidden, targets)
    assert loss.screen is not None
    assert len(loss.screen.words) < weight.shape[0] / 4


def test_logits_that_overflow_the_search_are_computed_exactly_instead() -> None:
    hidden, weight, targets = case(6)
    hidden, weight = hidden * 40, weight.clone()
    loss = CompletionLoss(weight, screen=True)
    # A word nobody has seen, so far above all others that its exponential has no number.
    weight[7000] = hidden[0] / hidden[0].norm() * 60
    expected_loss, _ = stock(hidden, weight, targets)
    value, _ = loss.value_and_gradient(hidden, targets)
    assert value == pytest.approx(expected_loss, rel=1e-4)


def test_words_that_rise_from_nothing_between_chunks_are_made_exact_there() -> None:
    hidden, weight, targets = case(9, peaked=12.0)
    loss = CompletionLoss(weight, screen=True)
    loss.value_and_gradient(hidden, targets)
    assert loss.screen is not None
    other, other_weight, other_targets = case(10, peaked=12.0)
    unknown = set(other_targets.tolist()) - set(loss.screen.words.tolist())
    assert unknown, "the second chunk must bring words that the first one did not"
    other = other - other_weight[other_targets] * 12 / 8 + weight[other_targets] * 12 / 8
    expected_loss, expected = stock(other, weight, other_targets)
    value, gradient = loss.value_and_gradient(other, other_targets)
    assert value == pytest.approx(expected_loss, rel=1e-4, abs=1e-3)
    assert ((gradient - expected).norm() / expected.norm()).item() < 1e-4


def test_backward_scales_with_what_comes_after_the_loss() -> None:
    hidden, weight, targets = case(7, rows=40)
    loss = CompletionLoss(weight, screen=False)
    one, other = hidden.clone().requires_grad_(), hidden.clone().requires_grad_()
    loss(one, targets).backward()
    (loss(other, targets) / 40).backward()
    assert one.grad is not None
    assert other.grad is not None
    assert torch.allclose(one.grad / 40, other.grad)


def test_one_row_and_one_more_than_a_chunk_are_no_special_cases() -> None:
    for rows in (1, 384, 385):
        hidden, weight, targets = case(8, rows=rows)
        expected_loss, expected = stock(hidden, weight, targets)
        loss, gradient = CompletionLoss(weight, screen=True).value_and_gradient(hidden, targets)
        assert loss == pytest.approx(expected_loss, rel=1e-4)
        assert ((gradient - expected).norm() / expected.norm()).item() < 1e-4


def test_a_base_in_bf16_gives_an_fp32_loss_and_the_gradient_that_bf16_can_hold() -> None:
    hidden, weight, targets = case(6, words=20_000)
    expected_loss, expected = stock(hidden, weight, targets)
    own = hidden.bfloat16().requires_grad_()
    total = CompletionLoss(weight.bfloat16())(own, targets)
    total.backward()
    assert total.dtype == torch.float32
    # In bf16 the sum itself would be off by up to 0.4 %.
    assert total.item() == pytest.approx(expected_loss, rel=2e-3)
    assert own.grad is not None
    assert own.grad.dtype == torch.bfloat16
    assert ((own.grad.float() - expected).norm() / expected.norm()).item() < 2e-2


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
@pytest.mark.parametrize(
    ("kind", "loss_error", "error"), [("float32", 1e-4, 1e-4), ("bfloat16", 2e-3, 2e-2)]
)
def test_a_gpu_agrees_with_the_cpu_over_several_chunks(
    kind: str, loss_error: float, error: float
) -> None:
    hidden, weight, targets = case(7, rows=5000)
    expected_loss, expected = stock(hidden, weight, targets)
    dtype = getattr(torch, kind)
    loss = CompletionLoss(weight.to("cuda", dtype))
    own = hidden.to("cuda", dtype).requires_grad_()
    total = loss(own, targets.cuda())
    total.backward()
    assert own.grad is not None
    assert total.item() == pytest.approx(expected_loss, rel=loss_error)
    assert ((own.grad.float().cpu() - expected).norm() / expected.norm()).item() < error


@pytest.mark.parametrize(
    ("words", "able", "expected"),
    [(262_144, "avx512_vnni", True), (262_144, "avx2", False), (500, "avx512_vnni", False)],
)
def test_the_cpu_and_the_vocabulary_alone_decide_about_bytes_so_that_two_runs_are_equal(
    monkeypatch: pytest.MonkeyPatch, words: int, able: str, expected: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {able: True})
    assert bytes_are_faster(torch.empty(words, 1)) is expected
