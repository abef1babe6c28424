import threading
from decimal import Decimal

import pytest

from qc_builder_lora.errors import BudgetExhausted, SettingsError, UnknownKey, UnknownPrice
from qc_builder_lora.models.budget import Budget, MemoryLedger, most_tokens
from qc_builder_lora.models.prices import load_prices
from qc_builder_lora.models.writer import Draft, new_request

REQUEST = new_request("Buy SPY")
MODEL = "claude-sonnet-4-6"


@pytest.fixture
def prices(tmp_path):
    return load_prices(tmp_path)


def draft(prompt=1000, completion=500):
    return Draft(
        text="x",
        code="x",
        provider="anthropic",
        model=MODEL,
        prompt_tokens=prompt,
        completion_tokens=completion,
    )


def reserve(budget, max_tokens=1000, provider="anthropic", model=MODEL, build="b"):
    return budget.reserve(build, provider, model, REQUEST, max_tokens)


def test_default_models_have_a_price(prices):
    from qc_builder_lora.config import Settings

    settings = Settings()
    for provider in ("anthropic", "openai", "gemini"):
        assert prices.price_of(provider, getattr(settings, f"{provider}_model")).output > 0


def test_cost_is_exact_to_the_last_digit(prices):
    price = prices.price_of("anthropic", MODEL)
    assert price.cost(1000, 500) == Decimal("0.0105")
    assert price.cost(1, 0) == Decimal("0.000003")


def test_dated_name_has_the_price_of_the_undated_one(prices):
    plain = prices.price_of("openai", "gpt-4.1")
    assert prices.price_of("openai", "gpt-4.1-2025-04-14") == plain
    assert prices.price_of("anthropic", f"{MODEL}-20260217").input == Decimal(3)


def test_unknown_model_is_refused_and_says_where_to_write_its_price(tmp_path, prices):
    with pytest.raises(
        UnknownPrice, match=r"no price is known for 'gpt-99'.*prices\.toml"
    ) as caught:
        prices.price_of("openai", "gpt-99")
    assert str(tmp_path / "prices.toml") in str(caught.value)


def test_prompt_longer_than_the_price_holds_for_is_refused(prices):
    assert prices.price_of("openai", "gpt-6.1-terra", 272_000).output == 5
    with pytest.raises(UnknownPrice):
        prices.price_of("openai", "gpt-6.1-terra", 272_001)
    assert prices.price_of("anthropic", MODEL, 10**6).output == 15


def test_users_table_wins_and_adds(tmp_path):
    table = (
        '[openai]\n"gpt-4.1" = { input = "1", output = "1" }\nours = { input = 0, output = 0 }\n'
    )
    (tmp_path / "prices.toml").write_text(table)
    prices = load_prices(tmp_path)
    assert prices.price_of("openai", "gpt-4.1").input == 1
    assert prices.price_of("openai", "ours").cost(10**9, 10**9) == 0
    assert prices.price_of("openai", "gpt-4o").input == Decimal("2.50")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[openai]\nm = 3\n", r"openai\.m must be"),
        ('[openai]\nm = { input = "x", output = "1" }\n', "input must be US dollars, got 'x'"),
        ('[openai]\nm = { input = "-1", output = "1" }\n', "must not be negative, got -1"),
        ('[openai]\nm = { input = "NaN", output = "1" }\n', "must not be negative, got NaN"),
        ('[openai]\nm = { input = "1" }\n', "output must be US dollars, got None"),
        (
            '[openai]\nm = { input = 1, output = 1, up_to = "x" }\n',
            "up_to must be a number of tokens",
        ),
        ("[openai\n", "not valid TOML"),
    ],
)
def test_bad_price_is_refused_with_its_place(tmp_path, text, said):
    (tmp_path / "prices.toml").write_text(text)
    with pytest.raises(SettingsError, match=said):
        load_prices(tmp_path)


def test_unknown_key_in_the_table_is_refused(tmp_path):
    (tmp_path / "prices.toml").write_text("[opneai]\n")
    with pytest.raises(UnknownKey, match=r"unknown key 'opneai'. Did you mean 'openai'"):
        load_prices(tmp_path)


def test_estimate_of_the_prompt_is_never_too_low():
    text = "ö" * 100
    assert most_tokens(new_request(text)) >= 200


def test_settling_charges_what_was_used_and_frees_the_rest(prices):
    budget = Budget(prices, Decimal(5))
    reservation = reserve(budget)
    assert budget.spent("b") == reservation.amount > Decimal("0.015")
    assert reservation.settle(draft()) == Decimal("0.0105")
    assert budget.spent("b") == Decimal("0.0105")


def test_unknown_usage_costs_the_most_and_the_drafts_cost_is_unknown(prices):
    budget = Budget(prices, Decimal(5))
    reservation = reserve(budget)
    assert reservation.settle(draft(completion=None)) is None
    assert budget.spent("b") == reservation.amount


def test_release_charges_nothing_and_settling_twice_changes_nothing(prices):
    budget = Budget(prices, Decimal(5))
    reservation = reserve(budget)
    reservation.release()
    reservation.keep()
    assert budget.spent("b") == 0


def test_call_that_might_pass_the_limit_is_refused_with_the_figures(prices):
    budget = Budget(prices, Decimal("0.02"))
    first = reserve(budget)
    with pytest.raises(
        BudgetExhausted, match=r"may cost \$0\.01\d\d, and \$0\.01\d\d of the \$0\.02"
    ):
        reserve(budget)
    first.release()
    reserve(budget)


def test_local_model_is_free_and_allowed_when_all_is_spent(prices):
    budget = Budget(prices, Decimal(0))
    reservation = reserve(budget, provider="local", model="anything", max_tokens=10**9)
    assert reservation.settle(draft(None, None)) == 0


def test_each_build_has_a_budget_of_its_own(prices):
    budget = Budget(prices, Decimal("0.02"))
    reserve(budget, build="one")
    reserve(budget, build="two")


def test_fifty_calls_at_once_never_pass_the_limit(prices):
    ledger = MemoryLedger()
    limit = Decimal("0.10")
    budget = Budget(prices, limit, ledger)
    start, granted, most = threading.Barrier(50), [], []

    def call():
        start.wait()
        try:
            reservation = reserve(budget)
        except BudgetExhausted:
            return
        granted.append(reservation)
        most.append(ledger.spent("b"))

    threads = [threading.Thread(target=call) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(granted) == limit // granted[0].amount
    assert max(most) <= limit


def test_a_model_no_table_has_is_looked_up_in_the_library(prices):
    pytest.importorskip("genai_prices", reason="the extra `prices` is not installed")
    found = prices.price_of("openai", "o3-mini", 2000)
    assert found.cost(2000, 1000) > 0
    # No longer prompt than was asked about: prices climb with the length.
    assert found.up_to == 2000
    # The table of ours, where it has the model, is never overruled.
    assert prices.price_of("anthropic", "claude-sonnet-4-5").input == Decimal("3.00")


def test_a_model_nobody_knows_stays_without_a_price(prices):
    with pytest.raises(UnknownPrice):
        prices.price_of("openai", "model-of-nobody", 10)
