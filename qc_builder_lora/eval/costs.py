"""The report's money: what both sides took, what was saved, and the traffic that it was seen on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from qc_builder_lora.eval.score import Scores


@dataclass(frozen=True, kw_only=True)
class HostedPrice:
    """What a hosted model would take for the same tokens, in US dollars a million."""

    name: str
    input_usd: Decimal
    output_usd: Decimal


def cost_rows(
    champion: Scores,
    challenger: Scores,
    prices: Sequence[HostedPrice],
    others: Sequence[Scores] = (),
) -> list[dict[str, str]]:
    """What every arm took, and what hosted models would have taken for the same tokens."""
    rows = [_local_row(scores) for scores in (champion, challenger, *others)]
    answers = [one.answer for one in challenger.judged]
    read = [answer.prompt_tokens for answer in answers]
    written = [answer.completion_tokens for answer in answers]
    if None in read or None in written:
        return rows
    for price in prices:
        total = (
            price.input_usd * sum(filter(None, read))
            + price.output_usd * sum(filter(None, written))
        ) / 1_000_000
        rows.append(
            {
                "name": f"{price.name}, same tokens",
                "total": f"{total:.4f}",
                "each": "unknown",
                "latency": "unknown",
                "speed": "unknown",
            }
        )
    return rows


def _local_row(scores: Scores) -> dict[str, str]:
    plain = scores.plain()
    total = _total(scores)
    crowd = f", {plain['at_once']} at once" if plain["at_once"] > 1 else ""
    trading = scores.count("trades")
    each = (
        "none trades" if not trading else "unknown" if total is None else f"{total / trading:.6g}"
    )
    return {
        "name": scores.model if scores.suite == "live" else f"{scores.model}, local{crowd}",
        "total": "unknown" if total is None else f"{total:.6g}",
        "each": each if trading else "none trades",
        "latency": or_unknown(plain["latency_p50_s"]),
        "speed": or_unknown(plain["tokens_per_s"]),
    }


def _total(scores: Scores) -> Decimal | None:
    """US dollars of all answers; those of a suite are local and free, others may be unknown."""
    costs = [one.answer.cost_usd for one in scores.judged]
    if all(cost is None for cost in costs) and scores.suite != "live":
        return Decimal(0)
    if None in costs:
        return None
    return sum((Decimal(cost) for cost in costs if cost is not None), Decimal(0))


def or_unknown(value: object) -> str:
    """A word where nothing is known, never a zero."""
    return "unknown" if value is None else str(value)


def cost_note(prices: Sequence[HostedPrice], *, hosted_asked: bool = False) -> str:
    """What the figures of `cost_rows` leave out."""
    note = "Local answers cost electricity, which is not counted."
    if not prices:
        return note
    asked = "" if hosted_asked else ", and no hosted model was asked"
    return (
        f"{note} The rows named same tokens price the challenger's own token counts by the price "
        f"table; a hosted tokenizer counts somewhat differently{asked}."
    )


def traffic(live: Mapping[str, Any]) -> dict[str, Any]:
    """What the page says of the traffic that the pairs come from."""
    saving, ceiling = live["saving"], live["ceiling"]
    rows = [
        ("requests the champion served in that time", live["served"]),
        ("pairs judged", live["pairs"]),
        *((f"not paired: {reason}", count) for reason, count in live["dropped"].items()),
        ("days observed", saving["days_observed"]),
        ("champion, US dollars an answer", or_unknown(saving["usd_an_answer"])),
        ("saved a month at this traffic, US dollars", or_unknown(saving["usd_a_month"])),
    ]
    for rate, found in (ceiling or {}).items():
        share = "unknown" if found["agree"] is None else f"{100 * found['agree']:.0f} %"
        rows.append((f"champion agrees with itself: {rate}", f"{share} of {found['pairs']}"))
    if ceiling is None:
        rows.append(("champion agrees with itself", "unknown: it was not asked twice"))
    return {"rows": rows}
