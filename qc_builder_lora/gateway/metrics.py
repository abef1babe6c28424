"""Counters of the gateway in Prometheus' text format. Their labels are few and known."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal

from qc_builder_lora.errors import ProviderError
from qc_builder_lora.models.breaker import Breaker, State
from qc_builder_lora.models.writer import Draft

_HELP = {
    "requests_total": "Requests by the status they were answered with.",
    "answers_total": "Answers by the provider that gave them.",
    "failures_total": "Failed attempts by provider and kind.",
    "tokens_total": "Tokens by provider and direction; answers without usage are not in it.",
    "cost_usd_total": "US dollars by provider; answers of unknown cost are not in it.",
    "unknown_usage_total": "Answers that did not say what they used.",
    "answer_seconds_sum": "Seconds that answers took, by provider.",
}
_BREAKER = {State.CLOSED: 0, State.HALF_OPEN: 1, State.OPEN: 2}


class Metrics:
    """Counts what the gateway did since it was started."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str]] = Counter()
        self._costs: dict[str, Decimal] = {}

    def request(self, status: int) -> None:
        """A request was answered with this status."""
        self._add("requests_total", f'status="{status}"')

    def failure(self, error: ProviderError) -> None:
        """One attempt at one provider failed."""
        self._add("failures_total", f'provider="{error.provider}",kind="{error.kind}"')

    def answer(self, draft: Draft) -> None:
        """A provider answered."""
        provider = f'provider="{draft.provider}"'
        self._add("answers_total", provider)
        self._add("answer_seconds_sum", provider, draft.latency_s or 0.0)
        if draft.prompt_tokens is None or draft.completion_tokens is None:
            self._add("unknown_usage_total", provider)
        else:
            self._add("tokens_total", f'{provider},direction="prompt"', draft.prompt_tokens)
            self._add("tokens_total", f'{provider},direction="completion"', draft.completion_tokens)
        if draft.cost_usd is not None:
            with self._lock:
                before = self._costs.get(provider, Decimal(0))
                self._costs[provider] = before + draft.cost_usd

    def text(self, breakers: Mapping[str, Breaker]) -> str:
        """Everything, as Prometheus reads it."""
        with self._lock:
            rows = [(*key, str(value)) for key, value in self._counts.items()]
            rows += [("cost_usd_total", labels, str(cost)) for labels, cost in self._costs.items()]
        lines = []
        for name, text in _HELP.items():
            lines += [f"# HELP qc_lora_{name} {text}", f"# TYPE qc_lora_{name} counter"]
            lines += [
                f"qc_lora_{name}{{{labels}}} {value}"
                for kind, labels, value in sorted(rows)
                if kind == name
            ]
        lines += [
            "# HELP qc_lora_breaker 0 closed, 1 half open, 2 open.",
            "# TYPE qc_lora_breaker gauge",
        ]
        for provider, breaker in breakers.items():
            lines.append(f'qc_lora_breaker{{provider="{provider}"}} {_BREAKER[breaker.state]}')
        return "\n".join(lines) + "\n"

    def _add(self, name: str, labels: str, amount: float = 1) -> None:
        with self._lock:
            self._counts[name, labels] += amount  # type: ignore[assignment]
