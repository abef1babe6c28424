"""Ways to ask for a change: what the backtest said, what is to be different, and the whole file.

The figures are the backtest's own, of the code before the change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from string import Template

from qc_builder_lora.harvest.corpus.changes.change import Edit, number_of

WORDINGS: Mapping[str, str] = {
    "iteration": (
        "$Why\n\nNext iteration of main.py: $ask. Nothing else changes. Return the whole file."
        "\n\nmain.py:\n\n```python\n$code\n```"
    ),
    "terse": "$Ask.\n\n```python\n$code\n```",
    "code first": (
        "```python\n$code\n```\n\n$Why\n$Ask. Everything else stays; give me the complete file."
    ),
    "reason first": "$Why\n$Ask.\n\nThe strategy:\n\n```python\n$code\n```\n\nWhole file, please.",
    "ticket": (
        "title: change request\nchange:\n$list\nkeep: everything else\nfile: main.py\n\n"
        "```python\n$code\n```"
    ),
    "what it does": (
        "The algorithm below works. $Ask; do not touch the rest.\n$Then\n\n```python\n$code\n```"
    ),
    "question": (
        "Can you make this change to my LEAN algorithm and print it again in full? $Ask.\n\n"
        "```python\n$code\n```"
    ),
    "figures": (
        "$figures\n\n```python\n$code\n```\n\nFeedback: $ask. Write the next version of the file, "
        "with this difference alone."
    ),
    "edit": "Edit main.py: $ask.\n$Then\n\n```python\n$code\n```\n\nAnswer with the edited file.",
    "list": "Please update this strategy:\n$list\n\n```python\n$code\n```\n\nNothing else.",
    "message": (
        "main.py\n```python\n$code\n```\n\n$Ask. Keep the names and the order of the code. "
        "Reply with the entire file."
    ),
    "afterwards": ("$Why\n$Ask, and leave the other parts alone.\n$Then\n\n```python\n$code\n```"),
}
"""By name. A line that has nothing to say (no reason, no description) is left out."""
_FEW_ORDERS, _MANY_ORDERS = 30, 400


def asked(edit: Edit, why: str, statistics: Mapping[str, str], *key: object) -> tuple[str, str]:
    """The wording that the key decides, and the whole instruction."""
    name = list(WORDINGS)[number_of("wording", *key) % len(WORDINGS)]
    parts = [
        each[number_of("ask", number, *key) % len(each)] for number, each in enumerate(edit.asks)
    ]
    ask = _joined(parts, number_of("joined", *key))
    then = edit.afterwards if edit.afterwards and number_of("then", *key) % 3 else ""
    opening = ("It should then do this: ", "Afterwards: ", "The request is now: ")
    text = Template(WORDINGS[name]).substitute(
        ask=ask,
        Ask=_capital(ask),
        list="\n".join(f"- {part}" for part in parts),
        Why=reason(why, statistics, number_of("why", *key)),
        Then=opening[number_of("opening", *key) % 3] + then if then else "",
        figures=_figures(statistics),
        code=edit.before.strip("\n"),
    )
    return name, _without_gaps(text)


def reason(why: str, statistics: Mapping[str, str], number: int) -> str:
    """Why a change is wanted, in the figures of the backtest; empty where they are not there or
    say nothing of it."""
    sharpe, drawdown = statistics.get("Sharpe Ratio", ""), statistics.get("Drawdown", "")
    orders = statistics.get("Total Orders", "")
    if not (why and sharpe and drawdown and orders):
        return ""
    drawdown = f"{float(drawdown.rstrip('%')):g} %"
    said = _of_risk(sharpe, drawdown) if why == "risk" else _of_results(sharpe, drawdown, orders)
    return said[number % len(said)]


def _of_risk(sharpe: str, drawdown: str) -> Sequence[str]:
    return (
        f"The drawdown is {drawdown}, which is more than I want.",
        f"Sharpe {sharpe} with a drawdown of {drawdown}: too much risk for it.",
        f"Backtest result: drawdown {drawdown}. That has to come down.",
        f"A drawdown of {drawdown} is hard to sit through.",
    )


def _of_results(sharpe: str, drawdown: str, orders: str) -> Sequence[str]:
    said = [
        f"Sharpe is {sharpe}, drawdown {drawdown}; let us try something else.",
        f"The backtest gives a Sharpe ratio of {sharpe} with {orders} orders.",
        f"Last run: Sharpe {sharpe}, drawdown {drawdown}, {orders} orders.",
    ]
    if int(orders) < _FEW_ORDERS:
        said.append(f"Sharpe is {sharpe} and {orders} orders are too few to judge it.")
    if int(orders) > _MANY_ORDERS:
        said.append(f"Sharpe is {sharpe}, and with {orders} orders it trades too often.")
    return said


def _figures(statistics: Mapping[str, str]) -> str:
    """As the host keeps the result of an iteration."""
    names = {"Sharpe Ratio": "sharpe_ratio", "Drawdown": "max_drawdown",
             "Total Orders": "total_trades"}  # fmt: skip
    found = {
        name: float(statistics[key].rstrip("%")) / (100 if statistics[key].endswith("%") else 1)
        for key, name in names.items()
        if key in statistics
    }
    told = ", ".join(f'"{name}": {value:g}' for name, value in found.items())
    return f"Backtest: {{{told}}}" if told else ""


def _joined(parts: Sequence[str], number: int) -> str:
    if len(parts) == 1:
        return parts[0]
    if number % 2:
        return "; ".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def _capital(text: str) -> str:
    """With a capital, unless it begins with the name of a parameter that is written small."""
    return text if "_" in text.split(maxsplit=1)[0] else text[0].upper() + text[1:]


def _without_gaps(text: str) -> str:
    """Without the empty lines that nothing was put into; the code's own stay."""
    lines, kept, inside = text.split("\n"), list[str](), False
    for line in lines:
        if line.startswith("```"):
            inside = not inside
        blank = not line.strip()
        if blank and not inside and (not kept or not kept[-1].strip()):
            continue
        kept.append(line)
    return "\n".join(kept).strip()
