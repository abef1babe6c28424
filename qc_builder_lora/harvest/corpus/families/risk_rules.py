"""How a risk rule combines with an entry: any rule with any of these signals is one strategy.

A rule says how much to hold and when to leave early; the signal says when to be in. Requests are
made of the words of both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from string import Template
from typing import Any

from qc_builder_lora.harvest.corpus.families.shapes import ONE_ASSET, PRICE
from qc_builder_lora.harvest.corpus.family import Family, Parameters, parameters_as_text


@dataclass(frozen=True)
class Signal:
    """When to be long one ticker: indicators, conditions in code, and the same in words."""

    lines: tuple[str, ...]
    warm_up: int
    buy: str
    sell: str
    said_in: str
    said_out: str
    label: str
    label_out: str = ""
    """The same of an exit that has numbers of its own."""

    @property
    def brief(self) -> str:
        """Entry and exit in few words; the entry alone where the exit is its opposite."""
        return f"{self.label}, exit {self.label_out}" if self.label_out else self.label


def _average(days: int) -> Signal:
    return Signal(
        (f"self._trend = self.sma(self._symbol, {days})",), days,
        "price > self._trend.current.value", "price < self._trend.current.value",
        f"it trades above its {days}-day simple moving average", "it trades below it",
        f"close above sma({days})",
    )  # fmt: skip


def _cross(fast: int, slow: int) -> Signal:
    return Signal(
        (
            f"self._fast = self.ema(self._symbol, {fast})",
            f"self._slow = self.ema(self._symbol, {slow})",
        ),
        slow,
        "self._fast.current.value > self._slow.current.value",
        "self._fast.current.value < self._slow.current.value",
        f"its {fast}-day EMA is above its {slow}-day EMA", "the EMAs cross back",
        f"ema({fast}) above ema({slow})",
    )  # fmt: skip


def _oversold(days: int, low: int, high: int) -> Signal:
    return Signal(
        (f"self._rsi = self.rsi(self._symbol, {days})",), days * 5,
        f"self._rsi.current.value < {low}", f"self._rsi.current.value > {high}",
        f"its RSI({days}) is below {low}", f"the RSI is above {high}",
        f"rsi({days}) below {low}", f"above {high}",
    )  # fmt: skip


def _channel(entry: int, leave: int) -> Signal:
    return Signal(
        (
            f"self._high = self.max(self._symbol, {entry})",
            f"self._low = self.min(self._symbol, {leave})",
        ),
        entry + 1,
        "price > self._high.previous.value", "price < self._low.previous.value",
        f"it closes above its previous {entry}-day high",
        f"it closes below its previous {leave}-day low",
        f"new {entry}-day high", f"at a {leave}-day low",
    )  # fmt: skip


def _momentum(days: int) -> Signal:
    return Signal(
        (f"self._momentum = self.momp(self._symbol, {days})",), days + 1,
        "self._momentum.current.value > 0", "self._momentum.current.value < 0",
        f"its {days}-day return is positive", "the return turns negative",
        f"{days}-day momentum above zero",
    )  # fmt: skip


SIGNALS: Mapping[str, Signal] = {
    **{f"sma {days}": _average(days) for days in (20, 30, 50, 80, 100)},
    **{f"ema {f} {s}": _cross(f, s) for f, s in ((5, 20), (8, 21), (10, 30), (12, 26), (20, 60))},
    **{
        f"rsi {d} {low} {high}": _oversold(d, low, high)
        for d, low, high in ((2, 20, 70), (3, 25, 65), (5, 30, 60), (7, 35, 60), (14, 40, 60))
    },
    **{f"channel {e} {x}": _channel(e, x) for e, x in ((20, 10), (30, 15), (40, 20), (55, 20))},
    **{f"momentum {days}": _momentum(days) for days in (20, 40, 60, 120)},
}
"""By a name that stands among an example's parameters."""

PHRASINGS = (
    "Buy $ticker when $said_in and sell when $said_out. $Rule",
    "$ticker long only, signal $brief, $terse.",
    "Write a QuantConnect algorithm for $ticker that goes long when $said_in, gets out when $said_out, and manages risk like this: $terse.",
    "strategy: $title\nsymbol: $ticker\nentry: $brief\n$yaml",
    "Risk first: $terse. The asset is $ticker, entered when $said_in and left when $said_out.",
    "Code a LEAN strategy on $ticker with $title. Entry: $label. Exit: $said_out. $Rule",
    "- asset: $ticker\n- entry: $label\n- exit: when $said_out\n- risk rule: $terse",
)
FURTHER = (
    "I hold $ticker only when $said_in; once $said_out I am out. $Rule Please write that for LEAN.",
    "How would you code this in QuantConnect? $Rule The position is in $ticker, opened when $said_in and closed when $said_out.",
    "main.py should trade $ticker and nothing else. Entry: $said_in. Exit: $said_out. Risk: $terse. Otherwise it stays in cash.",
    "Can you put a $title on a plain $ticker strategy ($brief)? In detail: $terse.",
    "Trading idea for $ticker\n\nGet in: $said_in\nGet out: $said_out\nProtect the account: $terse",
    "$Rule Signal: $brief. Symbol: $ticker, daily bars.",
)


def risk_family(
    *,
    name: str,
    class_name: str,
    title: str,
    parameters: Mapping[str, Sequence[Any]],
    rule: str,
    terse: str,
    yaml: str,
    lines: Sequence[str] = (),
    warm_up: str = "0",
    always: Sequence[str] = (),
    before: Sequence[str] = (),
    enter: Sequence[str] = ("self.set_holdings(self._symbol, 1.0)",),
    on_entry: Sequence[str] = (),
    allowed: str = "",
    out: str = "",
    held: Sequence[str] = (),
) -> Family:
    """A family of one risk rule with every signal.

    Code: `always` runs each bar, `before` each after the warm-up, `held` each while invested;
    `enter` and `on_entry` run on a signal, if `allowed`; `out` leaves early. Words: `rule` is a sentence, `terse` a clause, `yaml`
    lines of a specification.
    """

    priced = any("price" in line for line in (*before, *held, *enter, *on_entry, out))

    def names(drawn: Parameters) -> Mapping[str, Any]:
        signal = SIGNALS[drawn["signal"]]
        values = parameters_as_text(drawn)
        words = {"Rule": rule, "terse": terse, "yaml": yaml, "rule_warm_up": warm_up}
        filled = {key: Template(text).substitute(values) for key, text in words.items()}
        return {
            **asdict(signal),
            **filled,
            "title": title,
            "signal_lines": "\n".join(signal.lines),
            "warm_up": max(signal.warm_up, _counted(filled.pop("rule_warm_up"))),
            "price": f"    {PRICE}\n" if "price" in signal.buy or priced else "",
            "brief": signal.brief,
        }

    return Family(
        name=name,
        theme="risk management",
        class_name=class_name,
        parameters={"signal": tuple(SIGNALS), **parameters},
        names=names,
        initialize=ONE_ASSET
        + "$signal_lines\n"
        + "".join(f"{line}\n" for line in lines)
        + "self.set_warm_up($warm_up)\n",
        rest=_on_data(always, before, held, allowed, [*enter, *on_entry], out),
        phrasings=PHRASINGS,
        further=FURTHER,
    )


def _counted(text: str) -> int:
    """`20 + 2` is 22: a sum of whole numbers."""
    return sum(int(part) for part in text.split("+"))


def _on_data(
    always: Sequence[str],
    before: Sequence[str],
    held: Sequence[str],
    allowed: str,
    enter: Sequence[str],
    out: str,
) -> str:
    while_held = (
        "    if self.portfolio.invested:\n" + "".join(f"        {line}\n" for line in held)
        if held
        else ""
    )
    return (
        "def on_data(self, data):\n"
        + "".join(f"    {line}\n" for line in always)
        + "    if self.is_warming_up:\n"
        "        return\n"
        "$price"
        + "".join(f"    {line}\n" for line in before)
        + while_held
        + f"    enter = $buy{f' and {allowed}' if allowed else ''}\n"
        f"    leave = $sell{f' or {out}' if out else ''}\n"
        "    if enter and not self.portfolio.invested:\n"
        + "".join(f"        {line}\n" for line in enter)
        + "    elif leave and self.portfolio.invested:\n"
        "        self.liquidate()\n"
    )
