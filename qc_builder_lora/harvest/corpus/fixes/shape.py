"""Mistakes that Python's parser sees, or that leave no strategy: broken syntax, C#, cut answers."""

from __future__ import annotations

import random
import re

from qc_builder_lora.harvest.corpus.fixes.mutation import every, lines_of, mapped, mutation, one

_SECOND = (
    "\n\nclass {name}Test(QCAlgorithm):\n"
    "    def initialize(self):\n"
    '        self.add_equity("SPY", Resolution.DAILY)\n',
    "\n\nclass {name}V2(QCAlgorithm):\n    pass\n",
    "\n\nclass Main(QCAlgorithm):\n"
    "    def initialize(self):\n"
    "        self.set_start_date(2010, 1, 1)\n"
    "        self.set_cash(100000)\n",
    "\n\nclass {name}Base(QCAlgorithm):\n    def on_data(self, data):\n        return\n",
)


def _cut(code: str, source: random.Random) -> str | None:
    """Ended in the middle of a line of the second half, as where an answer was too long."""
    lines = lines_of(code)
    late = [n for n in range(len(lines) // 2, len(lines)) if re.search(r"\((?=\S)", lines[n])]
    if not late:
        return None
    number = source.choice(late)
    places = [place.end() for place in re.finditer(r"\((?=\S)", lines[number])]
    return "".join(lines[:number]) + lines[number][: source.choice(places)] + "\n"


def _two(code: str, source: random.Random) -> str | None:
    found = re.search(r"^class (\w+)\(QCAlgorithm\):", code, re.MULTILINE)
    return (
        None if found is None else code.rstrip("\n") + source.choice(_SECOND).format(name=found[1])
    )


def _twice(code: str, source: random.Random) -> str | None:
    """on_data stands there a second time, and the second one counts."""
    if not re.search(r"^    def on_data\(self, data\):", code, re.MULTILINE):
        return None
    return code.rstrip("\n") + "\n\n    def on_data(self, data):\n        return\n"


def _dedented(code: str, source: random.Random) -> str | None:
    """The only line of a block stands as far out as the line that opens it."""
    found = list(re.finditer(r"^( +)(if|elif|for|else)\b.*:\n\1    (?=\S)", code, re.MULTILINE))
    if not found:
        return None
    place = source.choice(found)
    return code[: place.end() - 4] + code[place.end() :]


def _prose(code: str, source: random.Random) -> str | None:
    words = (
        "Here is the strategy you asked for:",
        "Sure! This algorithm does what you want.",
        "Below is the complete main.py.",
        "The corrected strategy:",
        "I have changed the exit as requested.",
        "Certainly, here's the QuantConnect code.",
        "Here you go! Tell me if it needs more.",
    )
    return f"{source.choice(words)}\n\n{code}"


def _fenced(code: str, source: random.Random) -> str | None:
    return f"```{source.choice(('python', ''))}\n{code.rstrip()}\n```\n"


SHAPES = (
    mutation(
        "missing_colon", "a colon is missing at the end of a line", "parse",
        one(r"^( +(?:def|if|elif|for)\b.*):$", r"\1"),
    ),
    mutation("open_bracket", "a bracket is never closed", "parse", one(r"\)$", "")),
    mutation("extra_bracket", "there is one bracket too many", "parse", one(r"\)$", "))")),
    mutation("lost_indent", "the body of a block is not indented", "parse", _dedented),
    mutation(
        "odd_indent", "a line is indented by one space too many", "parse",
        one(r"^(( {8,})self\..*\)\n\2)(?=self\.)", r"\1 "),
    ),
    mutation(
        "csharp_operators", "C#'s operators are used", "parse",
        mapped(r" and | or |\bnot (?=self)", {" and ": " && ", " or ": " || ", "not ": "!"}),
    ),
    mutation("csharp_else_if", "else if is written for elif", "parse", one(r"\belif\b", "else if")),
    mutation(
        "csharp_new", "objects are made with new", "parse",
        one(r"(?<=[ (])(StandardDeviation|RollingWindow|timedelta|SimpleMovingAverage)\(",
            r"new \1("),
        rare=4,
    ),
    mutation(
        "csharp_list", "a list is made as in C#", "parse",
        one(r" = \[\]$", " = new List<decimal>()", " = new List<double>();", " = new ArrayList();",
            " = new List[float]()"),
        rare=6,
    ),
    mutation(
        "csharp_declaration", "a name is declared as in C#", "parse",
        one(r"^( {8,})([a-z]\w* = )", r"\1var \2", r"\1decimal \2"),
    ),
    mutation(
        "csharp_braces", "blocks stand in braces", "parse",
        one(r"^( +)(if .*):\n( +)(.*)$", r"\1\2 {\n\3\4\n\1}"),
    ),
    mutation("csharp_increment", "++ is used", "parse", one(r"(\w+) \+= 1$", r"\1++;"), rare=12),
    mutation(
        "assignment_for_comparison", "= is written for ==", "parse",
        one(r"^( +(?:if|elif) [^=\n]*)==", r"\1="),
        rare=12,
    ),
    mutation(
        "curly_quotes", "the quotes are typographic ones", "parse",
        one(r'"([A-Z]+)"', "\u201c\\1\u201d"),
    ),
    mutation("fence_left", "the Markdown fence was left in", "parse", _fenced),
    mutation("prose_left", "a sentence stands before the code", "parse", _prose),
    mutation("cut_off", "the code ends in the middle", "parse", _cut),
    mutation(
        "print_statement", "print is used as in Python 2", "parse",
        one(r"^( +)(self\.(?:liquidate|set_holdings|market_order)\(.*\))$",
            r'\1\2\n\1print "position closed"', r'\1\2\n\1print "order sent", self.time',
            r'\1print "trading at %s" % self.time\n\1\2', r'\1\2\n\1print self.portfolio.cash'),
    ),
    mutation("defined_twice", "a method is defined twice", "rules trades", _twice),
    mutation("two_classes", "there are two algorithms in the file", "parse", _two),
    mutation(
        "no_base_class", "the class does not derive from QCAlgorithm", "parse",
        every(r"\(QCAlgorithm\):", ":", "(Algorithm):", "(Strategy):", "(object):"),
    ),
)  # fmt: skip
