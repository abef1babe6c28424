"""Secrets that are known by the name before them, in code, YAML, JSON, .env, URLs and prose.

Names are found in one linear pass; what stands after each is then read once, within bounds. In
code only texts within quotes and numbers are taken, so that it parses to a tree of the same shape.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from qc_builder_lora.redact.find import Find, lowered, places
from qc_builder_lora.redact.looks import is_file, is_stand_in, looks_hex, looks_random
from qc_builder_lora.redact.names import ROOTS, SUFFIX, WORD, Sort, sort_of
from qc_builder_lora.redact.written import Written, bare_at, block_at, chain_at, nearby

KIND = "named_secret"
_KINDS = {Sort.ACCOUNT: "account_id", Sort.LOGIN: "account_id"}
_ANCHOR = re.compile(rf"{WORD}{SUFFIX}(?=[\s\"'\\=:,\])>(%*`|])", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9_.\-]*\Z")
_LONGEST_NAME = 60

_AFTER = re.compile(
    r"(?P<closing>\\{0,15}[\"'`]|%22|\*\*)?"
    r"(?:\s?\])?"
    r"(?P<gap>\s{0,8})"
    r"(?:(?P<annotated>:\s{0,4}[A-Za-z][\w.]{0,40}(?:\[[\w., |\"']{0,60}\])?"
    r"(?:\s?\|\s?\w{1,20}){0,3}\s{0,3}=(?!=)\s{0,4})"
    r"|(?P<op>:=|=>|[=!]=|=|::?|%3D|%3A|,|\(|>)(?:\*\*|(?:%20|\+)?%2[27])?(?P<space>\s{0,40})"
    r"|(?P<prose>(?:(?:is|was|are|provided|given|used|rejected|reads|ist|:)"
    r"[ \t]{0,2}:?[ \t]{1,2}){1,2}|(?<=[ \t])))"
)  # fmt: skip
_DEFAULT = re.compile(
    r",(?:\s{0,40}\w{1,20}\s?=\s?[^,()=\n]{0,60},|\s{0,40}[\"'][\w-]{0,40}[\"'],){0,6}"
    r"\s{0,40}(?:default|const|value|fallback|help_default)\s?=\s?"
)
_WRAPPED = re.compile(
    r"(?:(?:\w{1,20}\.){0,3}(?:(?:urlsafe_)?b64decode|b32decode|unhexlify|fromhex|SecretStr|SecretBytes|"
    r"Secret|Field|field|Header|bytes|str)\(\s{0,20}(?:default\s?=\s?)?){1,3}"
)
_SAFE_LINE = re.compile(
    r"[ \t]*(?:-[ \t]+)?(?:export[ \t]+|set[ \t]+|ENV[ \t]+|ARG[ \t]+)?[\"'A-Za-z0-9_.\-]*\Z"
)
_END_OF_LINE = re.compile(r"[ \t]*(?:#[^\n]*)?(?:\r?\n|\Z)")
_IDENTIFIER = re.compile(r"[A-Za-z_]\w*")
_WORDS = re.compile(r"\w+")
_MOST_FROM = 3
_DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")
_NO_VALUES = """
none true false null nil str int float bool bytes object any list dict tuple set callable self cls
optional union string number integer boolean secretstr required os config settings args env not is
in or and if else return lambda await async yes no on off the a an to for with from field
"""
_TYPES = frozenset(_NO_VALUES.split())
_DATE = re.compile(r"\d{2,4}[-/]\d{1,2}[-/]\d{1,4}(?:[T ][\d:.Z+-]*)?|\d{1,2}:\d{2}(?::\d{2})?")
_SETTER = re.compile(r"(?i)(?:set|with|use|add|update|configure|login)[_a-z-]*\Z|authcode\Z")
_NAME_LIKE = re.compile(r"(?i)[A-Za-z_.][A-Za-z_.\- ]*")
_DOES = re.compile(
    r"(?i)(?:^|_)(?:get|fetch|load|read|find|validate|check|verify|parse|require|is|has)[_a-z]"
)
_NO_NOUNS = frozenset({"pass", "passes", "passed", "user", "login", "account", "accounts", "conn"})
_SCHEMES = frozenset({"bearer", "basic", "digest", "token", "apikey", "negotiate"})
_NO_PART = re.compile(r"[\s=,;:]")
_CALL = re.compile(
    r"(?i)(?:get|getenv|environ|default|parameter|attr|pop|header|option|argument|set|env|secret|config)"
    r"\(\s{0,20}(?:[\w.]{1,40},\s{0,4})?[rbu]?[\"']-{0,2}\Z"
)
_NOBODY = frozenset(
    {"user", "username", "admin", "root", "guest", "test", "name", "me", "anonymous"}
)
_QUERY = re.compile(r"[?&;]\Z")


def named_in(text: str) -> Iterator[Find]:
    """Every secret of a text that a name gives away."""
    bare: list[tuple[Find, str]] = []
    ends: Counter[int] = Counter()
    done = 0
    low = lowered(text)
    for at in sorted(places(low, ROOTS)):
        match = _ANCHOR.match(low, at) if at >= done else None
        if match is None:
            continue
        done = match.end()
        before = _NAME.search(text, max(0, match.start() - _LONGEST_NAME), match.start())
        start = before.start() if before else match.start()
        name = text[start : match.end()]
        sort = sort_of(name.strip(".-"))
        if sort is None and not _QUERY.search(text[max(0, start - 1) : start]):
            continue
        place = _Place(text, start, match.end(), name, sort or Sort.WEAK)
        for written in place.values():
            # `key=key=key=…` is one word, however many names are in it.
            ends[written.end] += 1
            if ends[written.end] > _MOST_FROM:
                continue
            find = place.judged(written)
            if find is None:
                continue
            if written.quoted or find.word is not None:
                yield find
            else:
                bare.append((find, text[find.start : find.end]))
    yield from _no_variables(text, bare)


def _no_variables(text: str, bare: list[tuple[Find, str]]) -> Iterator[Find]:
    """Of the words without quotes those that are no names of variables: a variable is elsewhere."""
    mine = Counter(word for _, word in bare)
    everywhere = Counter(_WORDS.findall(text)) if mine else Counter()
    for find, word in bare:
        if not _IDENTIFIER.fullmatch(word) or everywhere[word] <= mine[word]:
            yield find


class _Place:
    """One name in a text, and what is written after it."""

    def __init__(self, text: str, start: int, end: int, name: str, sort: Sort) -> None:
        self._text, self._start, self._end = text, start, end
        self._name, self._sort = name, sort
        self._op = ""
        self._spaced = False
        self._option = name.startswith("--") or text[max(0, start - 2) : start] == "--"
        self._quoted = start > 0 and text[start - 1] in "\"'`"
        self._called = _CALL.search(text[max(0, start - 80) : start]) is not None
        self._query = _QUERY.search(text[max(0, start - 1) : start]) is not None

    def values(self) -> list[Written]:
        """What might be the value; nothing where no operator follows."""
        text = self._text
        after = _AFTER.match(text, self._end)
        if after is None:
            return []
        if after["annotated"] is not None:
            self._op = "="
            return self._right(after.end())
        if after["op"] is None:
            return self._prose(after)
        self._op = after["op"]
        self._spaced = bool(after["gap"] or after["space"])
        if self._op == ",":
            return self._listed(after)
        if self._op == "(":
            setter = _SETTER.search(self._name) is not None
            looking = _DOES.search(self._name) is not None
            return chain_at(text, after.end()) if setter and not looking else []
        if self._op == ">" and text[max(0, self._start - 1) : self._start] not in ("<", ":"):
            return []
        if self._op == ":" and "\n" in after["space"] and not self._quoted:
            # `class Secret:` and its docstring; but a block of YAML begins on the next line.
            return []
        return self._right(after.end())

    def _right(self, at: int) -> list[Written]:
        text = self._text
        if self._op in (":", "::") and (block := block_at(text, at, self._start)):
            return block
        wrapped = _WRAPPED.match(text, at)
        if wrapped:
            return chain_at(text, wrapped.end())
        found = chain_at(text, at)
        if found or text[at : at + 1] in "([{":
            return found
        word = bare_at(text, at)
        return [word] if word else []

    def _listed(self, after: re.Match[str]) -> list[Written]:
        """`"--api-key", default="x"` and `getenv("API_KEY", "x")`."""
        if after["closing"] is None:
            return []
        default = _DEFAULT.match(self._text, after.start("op"))
        if default:
            self._op = "="
            return chain_at(self._text, default.end())
        return (
            chain_at(self._text, after.end())[:1]
            if self._text[after.end() : after.end() + 1] != "("
            else []
        )

    def _prose(self, after: re.Match[str]) -> list[Written]:
        """`my password is x`, `--api-key x`, `API key x was refused`."""
        at = after.end()
        said = bool(after["prose"])
        mentioned = self._name.isupper() and "_" in self._name
        if (
            mentioned
            or self._name.lower() in _NO_NOUNS
            or "\n" in after["gap"]
            or not (said or after["gap"])
            or after["closing"] in ("'", '"')
        ):
            return []
        self._op = "said" if said else " "
        found = chain_at(self._text, at)
        if found:
            return found if said or self._option else []
        word = bare_at(self._text, at)
        return [word] if word else []

    def judged(self, written: Written) -> Find | None:
        """The find, unless it is no secret."""
        value = self._text[written.start : written.end]
        scheme = value.strip().lower() in _SCHEMES
        if value.startswith("REDACTED_") or scheme or is_stand_in(value):
            return None
        ours = self._quoted_secret if written.quoted else self._bare_secret
        if not ours(value, written):
            return None
        kind = _KINDS.get(self._sort, KIND)
        number = not written.quoted and re.fullmatch(r"\d+", value)
        word = "0" if number and self._op not in ("said", " ") and not self._query else None
        return Find(written.start, written.end, kind, word)

    def _quoted_secret(self, value: str, written: Written) -> bool:
        sort, plain = self._sort, value.strip()
        if len(plain) < 3 or self._names_itself(plain) or is_file(plain):
            return False
        digits = sum(letter.isdigit() for letter in plain)
        if written.part and (not digits or len(plain) < 5 or _NO_PART.search(plain)):
            return False
        if self._op == "," and not self._called:
            return looks_random(plain)
        if self._op in ("==", "!=") and not digits and sort is not Sort.PHRASE:
            return False
        if sort is Sort.PHRASE:
            return self._op != "," or " " not in plain
        if sort is Sort.STRONG:
            return " " not in plain or looks_random(plain.split()[-1])
        if sort is Sort.ACCOUNT:
            return " " not in plain and digits >= (1 if self._quoted_id() else 4)
        if sort is Sort.LOGIN:
            return " " not in plain and self._op != "," and plain.lower() not in _NOBODY
        return _weak(plain, self._name)

    def _quoted_id(self) -> bool:
        """`account_id`, but not `account`."""
        return re.search(r"(?i)(?:id|no|num|nr|numbers?)\W*$", self._name) is not None

    def _names_itself(self, value: str) -> bool:
        """`api_key = "ALPACA_API_KEY"`: the name of a variable or a field."""
        found = _NAME_LIKE.fullmatch(value)
        return found is not None and " " not in value and sort_of(value) is not None

    def _bare_secret(self, value: str, written: Written) -> bool:
        text, end = self._text, written.end
        lowered = value.lower()
        if (
            lowered in _TYPES
            or _DATE.fullmatch(value)
            or is_file(value)
            or self._names_itself(value)
        ):
            return False
        follows = text[end : end + 1]
        if (follows and follows in "([{") or value.startswith(("{", "$", "<", "%(")):
            return False
        if self._query or self._op in ("%3D", "%3A"):
            return self._in_address(value)
        if self._sort is Sort.WEAK:
            return _weak(value, self._name) and not value.startswith("/")
        if value.isdigit():
            password = self._sort is not Sort.STRONG or re.search(r"(?i)pass|pwd", self._name)
            return (
                len(value) >= (4 if password else 6)
                and self._sort is not Sort.LOGIN
                and (self._option or self._op not in (" ", ","))
            )
        if self._sort in (Sort.ACCOUNT, Sort.LOGIN):
            return self._account_word(value, end)
        if _DOTTED.fullmatch(value) and not looks_random(value):
            return False
        return self._strong_word(value, end)

    def _account_word(self, value: str, end: int) -> bool:
        digits = sum(letter.isdigit() for letter in value)
        return digits >= 4 and len(value) <= 64 and (self._alone(end) or self._op != ":")

    def _in_address(self, value: str) -> bool:
        """In a query `key=`, `token=` and `sig=` are secrets as well."""
        if self._sort is Sort.WEAK:
            return len(value) >= 8 and any(letter.isdigit() for letter in value)
        if self._sort in (Sort.ACCOUNT, Sort.LOGIN):
            return any(letter.isdigit() for letter in value) and len(value) >= 4
        return len(value) >= 3

    def _strong_word(self, value: str, end: int) -> bool:
        digit = any(letter.isdigit() for letter in value)
        odd = not value.isalpha() and not _IDENTIFIER.fullmatch(value)
        if self._op == "said":
            return (digit and len(value) >= 5) or looks_random(value)
        if self._op == " ":
            mixed = digit and any(letter.isalpha() for letter in value)
            least = 4 if self._option else 8
            return (
                mixed and len(value) >= least and not re.fullmatch(r"[A-Za-z]+-?\d{1,4}", value)
            ) or (self._option and mixed)
        if self._op in ("==", "!=", ","):
            return digit and odd
        if self._alone(end):
            capital = self._name.isupper() and not self._spaced
            yaml = (
                self._op == ":"
                and value.islower()
                and nearby(text=self._text, at=end, word="def ") is False
            )
            return digit or (odd and len(value) >= 4) or capital or yaml
        return (digit and len(value) >= 5) or (odd and len(value) >= 8)

    def _alone(self, end: int) -> bool:
        """Whether name and value are all of their line, as in YAML and .env files."""
        line = self._text.rfind("\n", max(0, self._start - 200), self._start) + 1
        if line == 0 and self._start > 200:
            return False
        opening = _SAFE_LINE.match(self._text, line, self._start)
        closing = _END_OF_LINE.match(self._text, end)
        return opening is not None and closing is not None


def _weak(value: str, name: str) -> bool:
    if " " in value or "://" in value:
        return False
    if looks_random(value) or looks_hex(value):
        return True
    token = "token" in name.lower()
    return looks_random(value, least=10 if token else 20, upper=False)
