"""What `/metrics` says: counters of the gateway, and the state of what stands behind it.

Labels are few and known. What is not there (a shadow, a budget) has no samples; what is there and
did nothing has zeros, so that a part that silently never works can be alarmed on.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal

from qc_builder_lora.errors import ProviderError
from qc_builder_lora.gateway.exposition import Family, Labels
from qc_builder_lora.models.breaker import State
from qc_builder_lora.models.call import Outcome
from qc_builder_lora.models.faults import Kind
from qc_builder_lora.models.provider import StrategyProvider
from qc_builder_lora.models.shadow import REASONS, Shadow
from qc_builder_lora.models.side import Side
from qc_builder_lora.models.writer import Draft

_HELP = {
    "requests_total": "Requests by the status they were answered with.",
    "answers_total": "Answers by the provider that gave them.",
    "failures_total": "Failed attempts by provider and kind.",
    "tokens_total": "Tokens by provider and direction; answers without usage are not in it.",
    "cost_usd_total": "US dollars by provider; answers of unknown cost are not in it.",
    "unknown_usage_total": "Answers that did not say what they used.",
    "canary_requests_total": "Requests that a local model was to answer, by arm and outcome.",
    "budget_refusals_total": "Calls not made because a build's money was spent, by provider.",
}
_BREAKER = {State.CLOSED: 0, State.HALF_OPEN: 1, State.OPEN: 2}
_NOT_DROPPED = ("offered", "sampled", "asked", "answered")


class Metrics:
    """Counts what the gateway did since it was started."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, Counter[Labels]] = {name: Counter() for name in _HELP}
        self._costs: dict[Labels, Decimal] = {}
        self._seconds: Counter[str] = Counter()

    def request(self, status: int) -> None:
        """A request was answered with this status."""
        self._add("requests_total", status=str(status))

    def failure(self, error: ProviderError) -> None:
        """One attempt at one provider failed."""
        self._add("failures_total", provider=error.provider, kind=str(error.kind))
        if error.kind == Kind.BUDGET:
            self._add("budget_refusals_total", provider=error.provider)

    def outcome(self, outcome: Outcome) -> None:
        """A provider was asked, and answered or did not."""
        if outcome.provider == "local":
            arm = "canary" if outcome.canary else "champion"
            became = "answered" if outcome.kind is None else "failed"
            self._add("canary_requests_total", arm=arm, outcome=became)

    def answer(self, draft: Draft) -> None:
        """A provider answered."""
        provider = draft.provider
        self._add("answers_total", provider=provider)
        with self._lock:
            self._seconds[provider] += draft.latency_s or 0.0  # type: ignore[assignment]
        if draft.prompt_tokens is None or draft.completion_tokens is None:
            self._add("unknown_usage_total", provider=provider)
        else:
            tokens = {"prompt": draft.prompt_tokens, "completion": draft.completion_tokens}
            for direction, count in tokens.items():
                self._add("tokens_total", count, provider=provider, direction=direction)
        if draft.cost_usd is not None:
            key = (("provider", provider),)
            with self._lock:
                self._costs[key] = self._costs.get(key, Decimal(0)) + draft.cost_usd

    def families(self) -> list[Family]:
        """Everything counted here."""
        with self._lock:
            counts = {name: dict(found) for name, found in self._counts.items()}
            costs, seconds = dict(self._costs), dict(self._seconds)
        found = []
        for name, text in _HELP.items():
            values = costs if name == "cost_usd_total" else counts[name]
            samples = [("", labels, value) for labels, value in sorted(values.items())]
            found.append(Family(name, "counter", text, list(samples)))
        answered = counts["answers_total"]
        summary = Family("answer_seconds", "summary", "Seconds that answers took, by provider.")
        for provider, total in sorted(seconds.items()):
            summary.add(total, "_sum", provider=provider)
            summary.add(answered[("provider", provider),], "_count", provider=provider)
        return [*found, summary]

    def _add(self, name: str, amount: int = 1, **labels: str) -> None:
        with self._lock:
            self._counts[name][tuple(labels.items())] += amount


def chain_families(provider: StrategyProvider, queued: int) -> list[Family]:
    """The circuits, the money and the queues; `queued` are requests that wait for a thread."""
    chain, trial = provider.chain, provider.chain.trial
    states = {name: _BREAKER[one.state] for name, one in chain.breakers.items()}
    if trial is not None:
        beside = "holdback" if provider.holdback else "canary"
        states[beside] = _BREAKER[trial.breaker.state]
    share = provider.trial.share if provider.trial else 0
    return [
        Family("breaker", "gauge", "Circuit by provider, and of the canary or holdback: 0 closed, "
               "1 half open, 2 open.").each("provider", states),
        Family("canary_share", "gauge",
               "Part of the builds that the canary answers for; 0 without one.").add(share),
        Family("holdback", "gauge", "1 while the model before a promotion in doubt answers for a "
               "part of the builds again.").add(int(provider.holdback is not None)),
        Family("requests_in_flight", "gauge",
               "Requests that have begun and not ended.").add(chain.under_way),
        Family("budget_limit_usd", "gauge",
               "US dollars that one build may spend.").add(provider.settings.budget_usd),
        Family("budget_unsaved_rows", "gauge", "Spendings that the store has not taken yet."
               ).add(provider.unsaved_spendings),
        Family("queue_depth", "gauge", "What waits, by queue: requests for a thread of the gateway,"
               " and those begun with our own llama.cpp children."
               ).each("queue", {"gateway": queued, "local": provider.local_waiting}),
    ]  # fmt: skip


def side_families(side: Side) -> Iterable[Family]:
    """The recorder, the shadow, rollbacks and notices."""
    if side.recorder is not None:
        counts = side.recorder.counts
        for name, text in (
            ("kept", "Served answers that are in the store."),
            ("spooled", "Served answers written to disk while the store was away."),
            ("dropped", "Served answers that were not kept."),
            ("redacted", "Secrets taken out of what was kept."),
        ):
            yield Family(f"recorder_{name}_total", "counter", text).add(counts[name])
        yield Family("recorder_queue_depth", "gauge", "Served answers that the store has not taken "
                     "yet.").add(side.recorder.waiting)  # fmt: skip
    if side.shadow is not None:
        yield from _shadow(side.shadow)
    yield Family("automatic_rollbacks_total", "counter",
                 "Models taken back here by themselves.").add(side.watch.rollbacks)  # fmt: skip
    told = {name: side.webhook.counts[name] for name in ("delivered", "failed", "dropped")}
    yield Family("notifications_total", "counter",
                 "Events told to the webhook, by result.").each("result", told)  # fmt: skip


def _shadow(shadow: Shadow) -> Iterable[Family]:
    counts = shadow.counts
    for name, text in (
        ("offered", "Served requests that the shadow was offered."),
        ("sampled", "Requests of its share and window: it is to be asked."),
        ("asked", "Requests that it was asked."),
        ("answered", "Requests that it answered and that were kept."),
    ):
        yield Family(f"shadow_{name}_total", "counter", text).add(counts[name])
    dropped = {name: counts[name] for name in REASONS if name not in _NOT_DROPPED}
    yield Family("shadow_dropped_total", "counter",
                 "Requests that the shadow did not answer, by reason."
                 ).each("reason", dropped)  # fmt: skip
    yield Family("shadow_off", "gauge", "1 when the shadow has switched itself off after failures."
                 ).add(int(shadow.paused is not None))  # fmt: skip
    yield Family("shadow_queue_depth", "gauge", "Requests that wait for the shadow."
                 ).add(shadow.waiting)  # fmt: skip
