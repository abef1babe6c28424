"""Aider, unchanged, edits a strategy's file through the gateway."""

from decimal import Decimal
from pathlib import Path

import pytest

from tests.gateway import aider_client
from tests.gateway.test_gateway import call, hosted
from tests.models.upstream import Upstream

pytestmark = pytest.mark.aider

BEFORE = """from AlgorithmImports import *


class Hold(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2010, 1, 4)
        self.set_cash(100000)
        self.spy = self.add_equity("SPY", Resolution.DAILY).symbol
"""
AFTER = BEFORE.replace("set_cash(100000)", "set_cash(50000)")
ASKED = "Start with 50,000 dollars of cash."
EDITS = {
    "diff": """Half of the cash:

main.py
```python
<<<<<<< SEARCH
        self.set_cash(100000)
=======
        self.set_cash(50000)
>>>>>>> REPLACE
```
""",
    "whole": f"""Half of the cash:

main.py
```python
{AFTER}```
""",
}


@pytest.fixture
def edit(tmp_path):
    """Let Aider edit main.py of a folder of its own; what it printed, and the file after it."""
    why = aider_client.missing(aider_client.folder())
    if why is not None:
        pytest.skip(why)
    home = tmp_path / "project"
    home.mkdir()
    (home / "main.py").write_text(BEFORE)

    def run(running, *options):
        said, _ = aider_client.edit(running.url, running.key, home, ASKED, *options)
        return said, (home / "main.py").read_text()

    return run


@pytest.fixture
def upstream():
    opened = []

    def start(*arguments, **options):
        opened.append(Upstream(*arguments, **options))
        return opened[-1]

    yield start
    for item in opened:
        item.__exit__()


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("kind", EDITS)
def test_the_file_is_edited_as_the_model_says(gateway, upstream, edit, kind, stream):
    first = upstream("openai", text=EDITS[kind])
    running = gateway(**hosted(first))
    said, after = edit(running, "--edit-format", kind, "--stream" if stream else "--no-stream")
    assert after == AFTER, said
    assert "Applied edit to main.py" in said
    (asked,) = first.requests
    # It names no max_tokens; a paid model is never asked without.
    assert asked["body"]["max_completion_tokens"] == running.provider.settings.max_tokens
    assert ASKED in str(asked["body"]["messages"][-1])
    assert bool(asked["body"].get("stream")) is stream


def test_the_provider_that_fails_is_not_seen_by_it(gateway, upstream, edit):
    first, second = upstream("anthropic", "401"), upstream("openai", text=EDITS["diff"])
    said, after = edit(gateway(**hosted(first, second)), "--edit-format", "diff")
    assert after == AFTER, said
    assert (len(first.requests), len(second.requests)) == (1, 1)


def test_spent_budget_is_told_and_it_does_not_try_again(gateway, upstream, edit):
    first = upstream("anthropic")
    running = gateway(**hosted(first, budget_usd=Decimal("0.0001")))
    said, after = edit(running)
    assert after == BEFORE
    assert "of the $0.0001 of this build" in " ".join(said.split())
    assert first.requests == []
    metrics = call(running, "/metrics")[2].splitlines()
    assert 'qc_lora_requests_total{status="402"} 1' in metrics


@pytest.mark.weights
def test_the_local_model_answers_it(gateway, base_gguf, edit):
    # The untuned base writes no edit; that it is asked, streams and ends is what is shown.
    running = gateway(local_model=str(base_gguf), local_context=4096, max_tokens=24)
    running.provider.local_server.ensure()
    said, after = edit(running, "--edit-format", "whole")
    metrics = call(running, "/metrics")[2].splitlines()
    assert any(line.startswith('qc_lora_answers_total{provider="local"}') for line in metrics), said
    assert isinstance(after, str)


def test_a_missing_environment_is_named_with_the_command_that_makes_it(tmp_path: Path) -> None:
    assert "aider_client.py --make" in str(aider_client.missing(tmp_path / "none"))
