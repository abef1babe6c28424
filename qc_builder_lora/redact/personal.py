"""Traces of a person: e-mail addresses, the user's home, numbers of accounts and telephones."""

from __future__ import annotations

import re
from collections.abc import Iterator

from qc_builder_lora.redact.find import Find, around, is_edge, lowered, places

_WELL_KNOWN = (
    "com|org|net|edu|gov|mil|int|info|biz|name|pro|aero|coop|museum|jobs|mobi|travel|tel|cat|asia|"
    "app|dev|cloud|tech|online|site|store|shop|blog|page|email|systems|solutions|services|company|"
    "agency|studio|digital|network|software|engineering|consulting|capital|fund|finance|financial|"
    "trading|trade|markets|exchange|invest|investments|ventures|partners|holdings|group|global|world|"
    "one|xyz|top|club|live|life|work|works|team|academy|institute|university|education|ventures|"
    "money|cash|bank|credit|crypto|limited|ltd|llc|inc|gmbh|berlin|london|nyc|paris|tokyo|amsterdam|"
    "swiss|eu|uk|test|example|invalid|local|localhost|internal|corp|lan|home"
)
# Every country's, but for those that are methods of arrays: those ask for quotes around.
_COUNTRIES = (
    "a[cdefgilmoqrstuwxz]|b[abdefghijmnorstvwyz]|c[acdfghiklmnoruvwxyz]|d[ejkmoz]|e[cegrst]|f[ijkmor]|"
    "g[abdefghilmnpqrstuwy]|h[kmnrtu]|i[delmnoqrst]|j[emop]|k[eghimnprwyz]|l[abcikrstuvy]|"
    "m[acdeghklmnopqrstuvwxyz]|n[acefgilopruz]|om|p[aefghklmnrstwy]|qa|r[eosuw]|"
    "s[abcdeghiklmnorstuvxyz]|t[cdfghjklmnortvwz]|u[agksyz]|v[aceginu]|w[fs]|y[et]|z[amw]"
)
_LOCAL = r"[^\W_](?:[\w.!#$&+^~=*-]|%(?!40|3C|22)){0,63}"
_EMAIL = re.compile(
    rf"(?i)(?<![\w.+-])(?:{_LOCAL}|(?<=%3C)\w[\w.+-]{{0,63}})(?P<at>@|%40|\\u0040|&#64;|&#x40;|＠)"
    rf"(?:[^\W_](?:[\w-]{{0,62}})\.){{1,5}}(?P<top>xn--[a-z0-9-]{{2,40}}|{_WELL_KNOWN}|{_COUNTRIES})\b"
    r"(?!-?\w|[(\[=]|\.[a-z_]+[(\[])"
)
_QUOTED_LOCAL = re.compile(
    r"\\?\"[^\"@\s\\][^\"@\n\\]{0,62}\\?\"@(?:[\w-]{1,63}\.){1,5}[A-Za-z]{2,24}\b(?!\()"
)
_ANY_TOP = re.compile(r"(?<=[\"'<:`\s])[\w.+-]{1,64}@(?:[\w-]{1,63}\.){1,5}[a-z]{3,24}(?=[\"'>`])")
_SPELLED = re.compile(
    r"(?i)(?<![\w.+-])[\w.+-]{2,64}\s{0,2}[\[({]\s?at\s?[\])}]\s{0,2}[\w-]{2,63}"
    r"(?:\s{0,2}(?:[\[({]\s?dot\s?[\])}]|\.)\s{0,2}[\w-]{2,24}){1,4}"
)
_SPELLED_AT = re.compile(r"[\[({]\s?at\s?[\])}]")
_AT_SIGNS = ("@", "%40", "\\u0040", "&#64;", "&#x40;", "＠")
_NO_PERSON = re.compile(r"(?i)git(?:@|%40)")

_USER = r"[^\W_](?:[\w.@+~-]|%20){0,63}"
_WINDOWS_USER = r"[^\\/:*?\"<>|\r\n'{}$%`,;()\[\]]{1,64}"
_SLASH = r"(?:\\{0,7}/|%2F)"
_BACKSLASH = r"(?:\\{1,16}|/)"
_HOMES = (
    (("home", "users"), re.compile(
        rf"(?i)(?:(?<![\w.%:/}}-])|(?<=file:)|(?<=file://)|(?<=localhost)|(?<=%3A)|(?<=[:=]))"
        rf"(?:{_SLASH}(?:var|export|data|mnt|usr|nfs|net|private))?{_SLASH}(?:home|Users){_SLASH}"
        rf"(?P<user>{_USER})"
    )),
    (("users", "documents and settings"), re.compile(
        rf"(?i)(?:(?<![a-z])[a-z]:|{_SLASH}mnt{_SLASH}[a-z]|{_SLASH}cygdrive{_SLASH}[a-z]|"
        rf"(?<![\w.]){_SLASH}[a-z]|%SystemDrive%|(?<![a-z])[a-z]%3A)(?:{_BACKSLASH}|%5C|%2F)"
        rf"(?:Users|Documents and Settings)(?:{_BACKSLASH}|%5C|%2F)"
        rf"(?P<user>{_WINDOWS_USER}(?=\\|/)|[^\W_][\w.@+~-]{{0,63}})"
    )),
    (("wsl",), re.compile(
        rf"(?i){_BACKSLASH}{{1,2}}wsl(?:\$|\.localhost){_BACKSLASH}[\w.-]{{1,40}}{_BACKSLASH}home"
        rf"{_BACKSLASH}(?P<user>{_USER})"
    )),
    (("~",), re.compile(
        r"(?:(?<=[\"'`])|(?<=cd )|(?<=file:))~(?P<user>[a-z][\w.-]{1,31})(?=[/\\])"
    )),
)  # fmt: skip
_A_FILE = re.compile(r"(?i)\.(?:db|html?|json|py|csv|txt|md|ya?ml|log|zip|toml|cfg)$")
_NOBODY = frozenset(
    {"public", "shared", "default", "all users", "user", "username", "you", "index"}
)

_IB = re.compile(r"(?:U|DU|DF|DI|F|I)\d{7,8}(?![A-Za-z0-9_])", re.ASCII)
_ALPACA = re.compile(r"PA[0-9A-Z]{10}(?![A-Za-z0-9_])")
_IBAN = re.compile(
    r"[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![A-Za-z0-9])", re.ASCII
)
_SAID_IBAN = re.compile(r"(?i)iban\W{0,5}\Z")
_PHONE = re.compile(r"\+[1-9]\d{9,14}(?=[\"'`\\,\s])", re.ASCII)
_BEFORE_PHONE = ('"', "'", ":", "=")
_TEL = re.compile(r"(?i)(?:tel|sms|whatsapp):(?P<number>\+?[\d() -]{7,20}\d)", re.ASCII)
_CHAT = re.compile(r"(?i)(?:telegram\(\s{0,20}|chat_id\s?=\s?)[\"'](?P<user>-?\d{6,20})[\"']")


def personal_in(text: str) -> Iterator[Find]:
    """Every trace of a person in a text."""
    low = lowered(text)
    yield from _emails(text, low)
    for match in around(text, _SPELLED, (at.start() for at in _SPELLED_AT.finditer(low)), 70, 300):
        yield Find(match.start(), match.end(), "email")
    yield from _homes(text, low)
    yield from _accounts(text, low)


def _emails(text: str, low: str) -> Iterator[Find]:
    marks = sorted(places(low, _AT_SIGNS))
    for match in around(text, _EMAIL, marks, 80, 400):
        if _NO_PERSON.match(match[0]) or _in_address(text, match.start()):
            continue
        yield Find(match.start(), match.end(), "email")
    for pattern in (_QUOTED_LOCAL, _ANY_TOP):
        for match in around(text, pattern, marks, 80, 400):
            if not _NO_PERSON.match(match[0]):
                yield Find(match.start(), match.end(), "email")


def _in_address(text: str, at: int) -> bool:
    """`password@host` of an address, which is another kind's."""
    return text[at - 1 : at] == ":" and "://" in text[max(0, at - 110) : at]


def _homes(text: str, low: str) -> Iterator[Find]:
    for marks, pattern in _HOMES:
        for match in around(text, pattern, places(low, marks), 60, 160):
            user = match["user"]
            last = text[match.end("user") : match.end("user") + 1] not in ("/", "\\")
            if (
                user.lower() in _NOBODY
                or user.startswith("REDACTED_")
                or (last and _A_FILE.search(user))
            ):
                continue
            end = match.end("user") - (len(user) - len(user.rstrip(".")))
            yield Find(match.start("user"), end, "home_folder")


def _accounts(text: str, low: str) -> Iterator[Find]:
    for match in _IB.finditer(text):
        if is_edge(text, match.start(), "_\\"):
            yield Find(match.start(), match.end(), "account_id")
    for match in _ALPACA.finditer(text):
        numbered = any(letter.isdigit() for letter in match[0])
        if numbered and is_edge(text, match.start(), "_") and not _is_isin(match[0]):
            yield Find(match.start(), match.end(), "account_id")
    for match in _IBAN.finditer(text):
        said = _SAID_IBAN.search(text, max(0, match.start() - 12), match.start())
        if is_edge(text, match.start()) and (said or _is_iban(match[0].replace(" ", ""))):
            yield Find(match.start(), match.end(), "account_id")
    for match in around(text, _CHAT, places(low, ("telegram(", "chat_id")), 0, 80):
        yield Find(*match.span("user"), "account_id")
    for match in _PHONE.finditer(text):
        if text[match.start() - 1 : match.start()] in _BEFORE_PHONE:
            yield Find(match.start(), match.end(), "phone")
    for match in around(text, _TEL, places(low, ("tel:", "sms:", "whatsapp:")), 0, 60):
        yield Find(*match.span("number"), "phone")


def _is_isin(text: str) -> bool:
    """PA is Panama as well: an ISIN has a check digit of its own (ISO 6166)."""
    digits = "".join(str(int(letter, 36)) for letter in text)
    return text[-1].isdigit() and _luhn(digits)


def _luhn(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _is_iban(text: str) -> bool:
    """ISO 13616: the remainder by 97 is 1."""
    if not 15 <= len(text) <= 34:
        return False
    return int("".join(str(int(letter, 36)) for letter in text[4:] + text[:4])) % 97 == 1
