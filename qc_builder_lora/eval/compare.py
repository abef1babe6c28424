"""Two models on the same prompts: what the pairs say, and the verdict a person will read.

The machine only proposes. `eval/promotion.toml` holds the rule: the metric that decides, how sure
one has to be, and how many pairs there must be at least.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from qc_builder_lora.errors import InputError, SettingsError, UnknownKey
from qc_builder_lora.eval.score import RATES, Judged, Scores
from qc_builder_lora.eval.statistics import discordant, mcnemar_exact, pair_e_value
from qc_builder_lora.files import find_default
from qc_builder_lora.records import VerdictKind


@dataclass(frozen=True, kw_only=True)
class Rule:
    """`eval/promotion.toml`."""

    metric: str = "trades"
    """The rate that decides."""
    alpha: float = 0.05
    """Largest chance of calling two equal models different."""
    minimum_pairs: int = 20
    """Fewer judged pairs than this decide nothing."""

    def __post_init__(self) -> None:
        if self.metric not in RATES:
            raise SettingsError(f"metric must be one of {', '.join(RATES)}, got {self.metric!r}.")
        if not 0 < self.alpha < 1:
            raise SettingsError(f"alpha must be in (0, 1), got {self.alpha}.")


def load_rule() -> Rule:
    """The user's promotion rule, or the built-in one."""
    path = find_default("eval/promotion.toml")
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: not valid TOML: {error}") from error
    known = {item.name for item in fields(Rule)}
    for key in table:
        if key not in known:
            raise UnknownKey(path, key, known)
    return Rule(**table)


@dataclass(frozen=True, kw_only=True)
class Pair:
    """The same prompt, answered by both, judged by the same means."""

    prompt_id: str
    family: str
    instruction: str
    champion: Judged
    challenger: Judged


@dataclass(frozen=True, kw_only=True)
class Contest:
    """All pairs of two models, and what follows from them."""

    champion: str
    challenger: str
    pairs: tuple[Pair, ...]
    rule: Rule

    def outcome(self, rate: str) -> dict[str, Any]:
        """Wins and losses of the challenger by one rate, with both tests."""
        pairs = [(getattr(p.champion, rate), getattr(p.challenger, rate)) for p in self.pairs]
        wins, losses, unknown = discordant(pairs)
        return {
            "pairs": len(pairs) - unknown,
            "unknown": unknown,
            "wins": wins,
            "losses": losses,
            "mcnemar_p": mcnemar_exact(wins, losses),
            "e_value": pair_e_value(wins, losses),
        }

    @property
    def kind(self) -> VerdictKind:
        """Better or worse only with enough pairs and evidence of at least 1 / alpha."""
        found = self.outcome(self.rule.metric)
        if found["pairs"] < self.rule.minimum_pairs or found["e_value"] < 1 / self.rule.alpha:
            return VerdictKind.UNDECIDED
        return VerdictKind.BETTER if found["wins"] > found["losses"] else VerdictKind.WORSE

    @property
    def sentence(self) -> str:
        """The verdict in one sentence, with the numbers it rests on."""
        found = self.outcome(self.rule.metric)
        numbers = (
            f"{found['wins']} prompts won, {found['losses']} lost by {self.rule.metric!r} of "
            f"{found['pairs']} judged pairs, e-value {_short(found['e_value'])}"
        )
        if self.kind is VerdictKind.UNDECIDED:
            return (
                f"Undecided: the evidence does not tell {self.challenger} from {self.champion} "
                f"({numbers}; {_short(1 / self.rule.alpha)} needed, and at least "
                f"{self.rule.minimum_pairs} pairs)."
            )
        return f"{self.challenger} is {self.kind.value} than {self.champion}: {numbers}."

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
            "rates": {rate: self.outcome(rate) for rate in RATES},
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


def _short(value: float) -> str:
    return f"{value:.3g}" if value < 1e6 else f"{value:.1e}"
