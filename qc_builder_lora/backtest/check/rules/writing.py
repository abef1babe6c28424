"""What stands in the text and does no harm to the machine: signs, prints."""

from __future__ import annotations

import ast
import unicodedata
from collections.abc import Iterator

from qc_builder_lora.backtest.check.finding import Edit, Found, Rule, Severity
from qc_builder_lora.backtest.check.tree import Code

# Signs that models like, and what a keyboard has for them.
_PLAIN = {
    "\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2013": "-", "\u2014": "-",
    "\u2212": "-", "\u2026": "...", "\u2192": "->", "\u2190": "<-", "\u2264": "<=", "\u2265": ">=",
    "\u2260": "!=", "\u00d7": "x", "\u00a0": " ", "\u2022": "*", "\u00b1": "+/-", "\u2248": "~",
    "\u202f": " ", "\u2011": "-", "\u03c3": "sigma", "\u03bc": "mu", "\u03b1": "alpha",
    "\u03b2": "beta", "\u00df": "ss", "\u00e6": "ae", "\u00f8": "o", "\u0142": "l",
    "\u2044": "/",
}  # fmt: skip
# Emoji with what joins and colours them, and marks that nobody sees.
_DECORATION = frozenset({"So", "Sk", "Mn", "Cf", "Zs"})


def _not_ascii(code: Code) -> Iterator[Found]:
    if code.text.isascii():
        return
    commented = dict(code.comments)
    for number, line in enumerate(code.lines, 1):
        strange = sorted({sign for sign in line if not sign.isascii()})
        if not strange:
            continue
        shown = " ".join(f"{sign} (U+{ord(sign):04X})" for sign in strange[:3])
        yield Found(
            node=code.whole_line(number),
            message=f"signs outside ASCII: {shown}",
            cure="Write plain letters and signs, and escapes in text",
            edits=_in_comment(code, number, line, commented.get(number, "")),
        )


def _in_comment(code: Code, number: int, line: str, comment: str) -> tuple[Edit, ...]:
    """Only comments are repaired: in a text the sign may be meant."""
    start = line.rfind(comment) if comment else -1
    if start < 0 or not line[:start].isascii():
        return ()
    plain = _plain(comment)
    if plain is None:
        return ()
    begin = code.offset(number, 0) + start
    return (Edit(begin, begin + len(comment), plain.rstrip()),)


def _plain(comment: str) -> str | None:
    """The comment on a plain keyboard; None where a letter of it has no place there: what somebody
    wrote is not thrown away for its script."""
    written = ""
    for sign in comment:
        letters = _PLAIN.get(sign, sign)
        if not letters.isascii():
            letters = "".join(_PLAIN.get(part, part) for part in
                              unicodedata.normalize("NFKD", letters)
                              if not unicodedata.combining(part))  # fmt: skip
        if not letters.isascii():
            if unicodedata.category(sign) not in _DECORATION:
                return None
            letters = ""
        written += letters
    return written


NOT_ASCII = Rule(
    id="QC045",
    name="not-ascii",
    severity=Severity.STYLE,
    summary="Emoji, curly quotes, arrows and other signs outside ASCII.",
    why="QuantConnect's API has refused files with them. In comments the repair writes what a "
    "keyboard has.",
    bad="self.set_cash(1000)  # start \u2192 end",
    good="self.set_cash(1000)  # start -> end",
    find=_not_ascii,
    repairs=True,
)


def _printed(code: Code) -> Iterator[Found]:
    for call in code.all(ast.Call):
        if not isinstance(call.func, ast.Name) or call.func.id != "print":
            continue
        method = code.method_of(call)
        if method is None or code.parent(method) not in code.algorithms or not method.args.args:
            continue
        me = method.args.args[0].arg
        one = len(call.args) == 1 and not call.keywords and _is_text(call.args[0])
        yield Found(
            node=call,
            message="print does not reach the backtest's log",
            cure=f"Write {me}.debug(...)",
            edits=(code.instead(call.func, f"{me}.debug"),) if one else (),
        )


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


PRINTED = Rule(
    id="QC057",
    name="print",
    severity=Severity.STYLE,
    summary="print instead of LEAN's log.",
    why="self.debug, self.log and self.error carry the time of the backtest and are kept with its "
    "result; print goes to the machine's console.",
    bad='def on_data(self, data):\n    print("a bar")\n',
    good='def on_data(self, data):\n    self.debug("a bar")\n',
    find=_printed,
    repairs=True,
)

RULES = (NOT_ASCII, PRINTED)
