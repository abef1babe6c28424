"""Two models on the same prompts: what the pairs say, and the verdict a person will read.

The machine only proposes. `eval/promotion.toml` holds the rule: the metric that decides, how sure
one has to be, and how many pairs there must be at least.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from qc_builder_lora.errors import InputError, SettingsError
from qc_builder_lora.eval.earnings import sharpe_outcome
from qc_builder_lora.eval.score import Judged, Scores
from qc_builder_lora.eval.sequential import (
    Counts,
    better_e_value,
    difference_interval,
    not_worse_e_value,
    pairs_needed,
)
from qc_builder_lora.eval.statistics import counted, discordant, mcnemar_exact
from qc_builder_lora.files import read_rule
from qc_builder_lora.kinds import RATES, SHOWN, VerdictKind

GOOD = (VerdictKind.BETTER, VerdictKind.NOT_WORSE)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """`eval/promotion.toml`."""

    metric: str = "trades"
    """The rate that decides."""
    alpha: float = 0.05
    """Largest chance of calling two equal models different."""
    minimum_pairs: int = 20
    """Fewer judged pairs than this decide nothing."""
    margin: float = 0.1
    """How much lower the rate may be, as a fraction, for a challenger to be called not worse."""
    guard: str = "faithful"
    """A second rate by which a challenger must be shown to be not worse, where enough pairs have an
    answer to it; empty for none."""

    def __post_init__(self) -> None:
        if self.metric not in SHOWN:
            raise SettingsError(f"metric must be one of {', '.join(SHOWN)}, got {self.metric!r}.")
        if self.guard and self.guard not in SHOWN:
            raise SettingsError(
                f"guard must be one of {', '.join(SHOWN)} or empty, got {self.guard!r}."
            )
        if not 0 < self.alpha < 1:
            raise SettingsError(f"alpha must be in (0, 1), got {self.alpha}.")
        if not 0 < self.margin < 1:
            raise SettingsError(f"margin must be in (0, 1), got {self.margin}.")


def load_rule() -> Rule:
    """The user's promotion rule, or the built-in one."""
    return read_rule(Rule, "eval/promotion.toml")


@dataclass(frozen=True, kw_only=True)
class Pair:
    """The same prompt, answered by both, judged by the same means."""

    prompt_id: str
    family: str
    instruction: str
    champion: Judged
    challenger: Judged

    @property
    def judged(self) -> dict[str, list[bool | None]]:
        """Each rate of both, as a Comparison keeps it: champion first."""
        return {rate: [getattr(self.champion, rate), getattr(self.challenger, rate)]
                for rate in SHOWN}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Contest:
    """All pairs of two models, and what follows from them."""

    champion: str
    challenger: str
    pairs: tuple[Pair, ...]
    rule: Rule

    def outcome(self, rate: str) -> dict[str, Any]:
        """Wins and losses of the challenger by one rate, with what follows from them."""
        counts, unknown = self.counts(rate)
        wins, losses = int(counts.wins), int(counts.losses)
        low, high = difference_interval(counts, self.rule.alpha)
        return {
            "pairs": int(counts.pairs),
            "unknown": unknown,
            "wins": wins,
            "losses": losses,
            "difference": (wins - losses) / counts.pairs if counts.pairs else None,
            "interval": [low, high],
            "mcnemar_p": mcnemar_exact(wins, losses),
            "e_value": better_e_value(counts),
            "not_worse_e_value": not_worse_e_value(counts, self.rule.margin),
        }

    def counts(self, rate: str) -> tuple[Counts, int]:
        """Judged pairs by their outcome, and how many were left out as unknown."""
        pairs = [(getattr(p.champion, rate), getattr(p.challenger, rate)) for p in self.pairs]
        return count_pairs(pairs)

    def sharpe(self) -> dict[str, Any]:
        """Who earned the higher Sharpe ratio: see `earnings.sharpe_outcome`."""
        return sharpe_outcome([(pair.champion, pair.challenger) for pair in self.pairs])

    def path(self) -> list[tuple[int, float, float, float]]:
        """Judged pairs, difference and interval by the metric that decides, as the pairs came."""
        metric, found, counted = self.rule.metric, [], Counts(0, 0, 0)
        for pair in self.pairs:
            both = (getattr(pair.champion, metric), getattr(pair.challenger, metric))
            counts, unknown = count_pairs([both])
            if not unknown:
                counted = counted.plus(counts)
                low, high = difference_interval(counted, self.rule.alpha)
                centre = (counted.wins - counted.losses) / counted.pairs
                found.append((int(counted.pairs), centre, low, high))
        return found

    @property
    def kind(self) -> VerdictKind:
        """What the pairs show by the rate that decides, and by the one that guards."""
        return guarded(decide(self._deciding, self.rule), self._guarding, self.rule)

    @property
    def more_pairs(self) -> int | None:
        """Judged pairs that would decide, at the rates seen; 0 when decided, None when never."""
        if self.kind is not VerdictKind.UNDECIDED:
            return 0
        if decide(self._deciding, self.rule) is VerdictKind.UNDECIDED or self._guarding is None:
            return more_pairs(self._deciding, self.rule)
        return more_pairs(self._guarding, self.rule)

    @property
    def sentence(self) -> str:
        """The verdict in one sentence or two, with the numbers that it rests on."""
        names, guard = (self.champion, self.challenger), self._guarding
        first = sentence(*names, self._deciding, self.rule)
        kind = decide(self._deciding, self.rule)
        if kind not in GOOD or self.rule.guard in ("", self.rule.metric):
            return first
        if guard is None:
            counts, _ = self.counts(self.rule.guard)
            told = f"{counted(counts.pairs, 'pair')} only" if counts.pairs else "no pair"
            return f"{first} By {self.rule.guard!r} nothing was decided: it can be told of {told}."
        return guard_sentence(first, self.challenger, kind, guard, self.rule)

    @property
    def _deciding(self) -> Counts:
        return self.counts(self.rule.metric)[0]

    @property
    def _guarding(self) -> Counts | None:
        """None where no rate guards, or too few pairs have an answer to it."""
        if self.rule.guard in ("", self.rule.metric):
            return None
        found, _ = self.counts(self.rule.guard)
        return found if found.pairs >= self.rule.minimum_pairs else None

    def plain(self) -> dict[str, Any]:
        """As JSON values, for the store and the report."""
        return {
            "champion": self.champion,
            "challenger": self.challenger,
            "kind": self.kind.value,
            "sentence": self.sentence,
            "metric": self.rule.metric,
            "alpha": self.rule.alpha,
            "minimum_pairs": self.rule.minimum_pairs,
            "margin": self.rule.margin,
            "guard": self.rule.guard,
            "guard_kind": None
            if self._guarding is None
            else decide(self._guarding, self.rule).value,
            "more_pairs": self.more_pairs,
            "rates": {rate: self.outcome(rate) for rate in SHOWN},
            "sharpe": self.sharpe(),
        }


def pair_up(
    champion: Scores, challenger: Scores, instructions: dict[str, str], rule: Rule
) -> Contest:
    """Both models' answers, prompt by prompt. Raises InputError when the prompts differ."""
    first = {one.answer.prompt_id: one for one in champion.judged}
    second = {one.answer.prompt_id: one for one in challenger.judged}
    if first.keys() != second.keys():
        odd = sorted(first.keys() ^ second.keys())
        raise InputError(f"The two models did not answer the same prompts: {', '.join(odd[:5])}.")
    pairs = tuple(
        Pair(
            prompt_id=key,
            family=second[key].family,
            instruction=instructions[key],
            champion=first[key],
            challenger=second[key],
        )
        for key in second
    )
    return Contest(champion=champion.model, challenger=challenger.model, pairs=pairs, rule=rule)


def regressions(contest: Contest) -> Sequence[Pair]:
    """Pairs the champion gets further with than the challenger, the worst first."""
    gaps = [(_gap(pair), pair) for pair in contest.pairs]
    worse = [(gap, pair) for gap, pair in gaps if gap > 0]
    return [pair for _, pair in sorted(worse, key=lambda item: -item[0])]


def _gap(pair: Pair) -> int:
    """Steps the champion is ahead by; a step unknown on either side speaks for nobody."""
    steps = [(getattr(pair.champion, rate), getattr(pair.challenger, rate)) for rate in RATES]
    return sum(left - right for left, right in steps if left is not None and right is not None)


def count_pairs(pairs: Sequence[tuple[bool | None, bool | None]]) -> tuple[Counts, int]:
    """(champion, challenger) outcomes → counts, and how many pairs have an unknown side."""
    wins, losses, unknown = discordant(pairs)
    return Counts(wins, losses, len(pairs) - unknown - wins - losses), unknown


def decide(counts: Counts, rule: Rule) -> VerdictKind:
    """Anything but undecided needs enough pairs, and evidence of at least 1 / alpha."""
    if counts.pairs < rule.minimum_pairs:
        return VerdictKind.UNDECIDED
    if better_e_value(counts) >= 1 / rule.alpha:
        return VerdictKind.BETTER if counts.wins > counts.losses else VerdictKind.WORSE
    if not_worse_e_value(counts, rule.margin) >= 1 / rule.alpha:
        return VerdictKind.NOT_WORSE
    return VerdictKind.UNDECIDED


def guarded(kind: VerdictKind, guard: Counts | None, rule: Rule) -> VerdictKind:
    """The verdict with the second rate heard: a challenger that is better or not worse by the first
    is so only where it is shown to be not worse by the second; `guard` None: that is not known."""
    if kind not in GOOD or guard is None:
        return kind
    second = decide(guard, rule)
    return kind if second in GOOD else second


def more_pairs(counts: Counts, rule: Rule) -> int | None:
    """Judged pairs still to come before the rule decides, at the rates seen; None for never."""
    return pairs_needed(counts, lambda seen: decide(seen, rule) is not VerdictKind.UNDECIDED)


def sentence(champion: str, challenger: str, counts: Counts, rule: Rule) -> str:
    """The verdict in one sentence, with the numbers it rests on."""
    kind = decide(counts, rule)
    numbers = (
        f"{counted(counts.wins, 'prompt')} won, {counts.losses:g} lost by {rule.metric!r} of "
        f"{counted(counts.pairs, 'judged pair')}, e-value {_short(better_e_value(counts))}"
    )
    if kind is VerdictKind.NOT_WORSE:
        low, _ = difference_interval(counts, rule.alpha)
        return (
            f"{challenger} is not worse than {champion} by {100 * rule.margin:g} points or more: "
            f"{numbers}; the difference is at least {100 * low:.1f} points."
        )
    if kind is not VerdictKind.UNDECIDED:
        return f"{challenger} is {kind.value} than {champion}: {numbers}."
    return (
        f"Undecided: the evidence does not tell {challenger} from {champion} "
        f"({numbers}; {_short(1 / rule.alpha)} needed, and at least "
        f"{counted(rule.minimum_pairs, 'pair')}). {_outlook(counts, rule)}"
    )


def guard_sentence(
    first: str, challenger: str, kind: VerdictKind, guard: Counts, rule: Rule
) -> str:
    """The verdict's sentence where a second rate is heard too."""
    second = decide(guard, rule)
    numbers = (
        f"{counted(guard.wins, 'prompt')} won, {guard.losses:g} lost of "
        f"{counted(guard.pairs, 'judged pair')}"
    )
    if second in GOOD:
        return f"{first} By {rule.guard!r} it is {second.value} too: {numbers}."
    if second is VerdictKind.WORSE:
        return (
            f"Worse: by {rule.guard!r} {challenger} loses ({numbers}). By {rule.metric!r}: {first}"
        )
    return (
        f"Undecided: by {rule.metric!r} {challenger} is {kind.value}, but that it is not worse by "
        f"{rule.guard!r} is not shown ({numbers}). {_outlook(guard, rule)}"
    )


def _outlook(counts: Counts, rule: Rule) -> str:
    more = more_pairs(counts, rule)
    if more is None:
        return "More pairs at this rate would not decide it."
    return f"At this rate {counted(more, 'more judged pair')} would decide it."


def _short(value: float) -> str:
    return f"{value:.3g}" if value < 1e6 else f"{value:.1e}"
