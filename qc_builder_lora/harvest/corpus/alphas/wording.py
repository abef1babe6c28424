"""A formula in words."""

from __future__ import annotations

from qc_builder_lora.harvest.corpus.alphas.language import ADV
from qc_builder_lora.harvest.corpus.alphas.tree import (
    Binary,
    Call,
    Choice,
    Compare,
    Either,
    Expr,
    Field,
    Group,
    Negate,
    Number,
    number_text,
    walk,
)

_FIELDS = {
    "open": "the open", "high": "the high", "low": "the low", "close": "the close",
    "volume": "volume", "vwap": "VWAP", "returns": "the daily return",
    "cap": "market capitalisation",
}  # fmt: skip
_ONE = {
    "abs": "the absolute value of {x}", "log": "the logarithm of {x}", "sign": "the sign of {x}",
    "rank": "the cross-sectional rank of {x}",
    "scale": "{x} scaled to a gross sum of one",
}  # fmt: skip
_OVER = {
    "delay": "{x} {days} ago", "delta": "the {d}-day change in {x}",
    "sum": "the {d}-day sum of {x}", "product": "the {d}-day product of {x}",
    "stddev": "the {d}-day standard deviation of {x}",
    "ts_min": "the {d}-day minimum of {x}", "ts_max": "the {d}-day maximum of {x}",
    "ts_argmin": "the days since the {d}-day minimum of {x}",
    "ts_argmax": "the days since the {d}-day maximum of {x}",
    "ts_rank": "the rank of {x} within its own last {days}",
    "decay_linear": "the linearly decaying {d}-day average of {x}",
    "correlation": "the {d}-day correlation of {x} with {y}",
    "covariance": "the {d}-day covariance of {x} with {y}",
}  # fmt: skip
_SIGNS = {"+": "plus", "-": "minus", "*": "times", "/": "divided by", "^": "to the power of"}
_COMPARED = {
    "<": "is below", ">": "is above", "<=": "is at most", ">=": "is at least", "==": "equals",
}  # fmt: skip


def in_words(node: Expr) -> str:
    """`minus the 10-day correlation of the open with volume`."""
    return _said(node)


def _said(node: Expr) -> str:
    if isinstance(node, Number):
        return number_text(node.value).replace("-", "minus ")
    if isinstance(node, Field):
        if node.name == ADV:
            return f"the {node.days}-day average dollar volume"
        return _FIELDS[node.name]
    if isinstance(node, Group):
        return node.level
    if isinstance(node, Call):
        return _function(node)
    if isinstance(node, Negate):
        return f"minus {_part(node.operand)}"
    if isinstance(node, Binary):
        return _arithmetic(node)
    if isinstance(node, Compare):
        return f"{_part(node.left)} {_COMPARED[node.operator]} {_part(node.right)}"
    if isinstance(node, Either):
        return f"{_said(node.left)} or {_said(node.right)}"
    assert isinstance(node, Choice)
    return f"{_part(node.yes)} if {_said(node.condition)}, otherwise {_part(node.no)}"


def _part(node: Expr) -> str:
    """In brackets where the words would run into one another."""
    text = _said(node)
    return f"({text})" if isinstance(node, Binary | Choice | Compare | Either) else text


def _arithmetic(node: Binary) -> str:
    if node.operator == "*" and node.left == Number(-1.0):
        return f"minus {_part(node.right)}"
    mean = _mean(node)
    if mean is not None:
        return mean
    return f"{_part(node.left)} {_SIGNS[node.operator]} {_part(node.right)}"


def _mean(node: Binary) -> str | None:
    """`sum(x, 5) / 5` is an average, and so is 0.2 times the sum."""
    total, share = (
        (node.left, node.right) if node.operator == "/" else (node.right, node.left)
    )  # fmt: skip
    if not (isinstance(total, Call) and total.name == "sum" and isinstance(share, Number)):
        return None
    wanted = {"/": total.days, "*": 1 / (total.days or 1)}.get(node.operator)
    if wanted is None or abs(share.value - wanted) > 1e-9:
        return None
    return f"the {total.days}-day average of {_part(total.args[0])}"


def _function(node: Call) -> str:
    parts = [_part(arg) for arg in node.args]
    if node.name == "indneutralize":
        return f"the excess of {parts[0]} over its {parts[1]} average"
    if node.name in ("min", "max"):
        return f"the {'smaller' if node.name == 'min' else 'larger'} of {parts[0]} and {parts[1]}"
    if node.name == "signedpower":
        return f"the sign-preserving power {parts[1]} of {parts[0]}"
    if node.days is None:
        return _ONE[node.name].format(x=parts[0])
    days = "one day" if node.days == 1 else f"{node.days} days"
    named = {"d": node.days, "days": days, "x": parts[0], "y": parts[-1]}
    return _OVER[node.name].format(**named)


_LOOKS_BACK = frozenset({"sum", "product", "stddev", "decay_linear"})


THEMES = (
    "industry", "conditional", "price_volume", "correlation", "days_since", "volatility",
    "volume_price", "volume", "range", "open", "return", "smoothed", "price_change",
)  # fmt: skip


def theme(node: Expr) -> str:
    """What the alpha is about, one of THEMES: the end of its family's name."""
    calls = {one.name for one in walk(node) if isinstance(one, Call)}
    fields = {one.name for one in walk(node) if isinstance(one, Field)}
    kinds = {type(one) for one in walk(node)}
    traded = bool(fields & {"volume", ADV, "cap"})
    asked = (
        ("industry", "indneutralize" in calls),
        ("conditional", bool(kinds & {Choice, Compare})),
        ("price_volume", bool(calls & {"correlation", "covariance"}) and traded),
        ("correlation", bool(calls & {"correlation", "covariance"})),
        ("days_since", bool(calls & {"ts_argmin", "ts_argmax"})),
        ("volatility", "stddev" in calls),
        ("volume_price", traded and len(fields) > 1),
        ("volume", traded),
        ("range", {"high", "low"} <= fields),
        ("open", "open" in fields),
        ("return", fields == {"returns"}),
        ("smoothed", bool(calls & _LOOKS_BACK)),
    )
    return next((name for name, found in asked if found), "price_change")
