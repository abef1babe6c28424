"""Which names say that a secret follows: `api_key`, `clientSecret`, `ib-account`, `TIINGO_TOKEN`.

STRONG: whatever follows is secret, `hunter2` too. PHRASE: the same, blanks and all. WEAK: only what
looks drawn at random (`token`, `key`). ACCOUNT: numbers of accounts and users. LOGIN: user names.
"""

from __future__ import annotations

import re
from enum import Enum
from functools import lru_cache


class Sort(Enum):
    """What may be expected after a name."""

    STRONG = "strong"
    PHRASE = "phrase"
    WEAK = "weak"
    ACCOUNT = "account"
    LOGIN = "login"


# Where a name may end, so that only these places are looked at.
WORD = (
    r"(?:pass(?:word|wd|phrase|code|wort)?s?|pwd|secrets?|tokens?|keys?(?:[_-]?id)?|creds?|"
    r"credentials?|auth(?:orization|[_-]?code)?|mnemonic|(?:seed|recovery)[_ -]?(?:phrase|words)|"
    r"signature|sig|(?:set-)?cookie|webhooks?(?:[_-]?ur[li])?|connection[_-]?string|sign|"
    r"conn(?:ection)?[_-]?str|dsn|(?:account|acct)s?(?:[_-]?(?:id|numbers?|no|num|nr|name))?|"
    r"user(?:[_-]?(?:id|name))?|login(?:[_-]?id)?|"
    r"(?:organi[sz]ation|org|client|customer|chat|tenant|subscription|member|application)[_-]?ids?|"
    r"pat|otp|apikey|kennwort|"
    r"(?:api|secret|access|private|auth|client|bearer|session|refresh|bot|account|user|encryption|"
    r"signing|organi[sz]ation) (?:keys?|tokens?|secret|password|id|number))"
)
ROOTS = (
    "pass", "pwd", "secret", "token", "key", "cred", "auth", "mnemonic", "seed", "recovery", "sig",
    "cookie", "webhook", "conn", "dsn", "acc", "user", "login", "org", "client", "customer",
    "chat", "tenant", "subscription", "member", "application", "pat", "otp", "api", "kennwort",
    "private", "bearer", "session", "refresh", "bot", "encryption", "set-cookie",
)  # fmt: skip
"""With what each such word begins."""
SUFFIX = (
    r"(?:[_-]?(?:value|val|prod|production|live|paper|dev|test|main|old|new|default|b64|base64|raw|"
    r"primary|secondary|backup|string|str|env|plain|plaintext|text|txt|local|staging|demo|"
    r"\d{1,2}))?"
)

_WHOSE = """
alpaca apca polygon tiingo quandl nasdaq datalink fred finnhub iex alphavantage av binance kraken
coinbase openai anthropic claude gemini mistral groq xai grok huggingface hf github gh gitlab
slack discord telegram tg twilio sendgrid stripe aws s3 azure gcp google quantconnect qc lean ib
ibkr oanda tradier schwab pagerduty sentry npm pypi docker eod fmp newsapi benzinga databento
tastytrade bybit okx kucoin bitfinex deribit huobi gateio bitmex mailgun datadog wandb cohere
together fireworks deepseek openrouter replicate zerodha samco tdameritrade robinhood etrade
questrade saxo intrinio marketstack twelvedata simfin sharadar barchart ssh pgp gpg mbx hmac jwt
oauth csrf bearer refresh access session api app auth secret private encryption signing account
consumer subscription license licence master shared storage service client bot admin root db
deploy personal security vault infura alchemy etherscan wallet broker user x
"""
_OWNERS = frozenset(_WHOSE.split())
"""Whose a `key` or a `token` is, so that whatever follows is secret."""
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_INNOCENT = re.compile(
    r"(?:cache|sort|primary|foreign|public|pub|partition|row|dict|group|index|hash|object|symbol|data|"
    r"family|order|lookup|map|json|hot|short|turn|mon|don|whis|tur|tok|next|prev|first|last|unique|"
    r"idempotency|merge|join|routing|market|security|universe|trade|position|sector|config|setting|"
    r"param|parameter|column|field|state|bar|chart|plot|series|registry|store|event|metric)s?keys?$|"
    r"(?:max|min|num|n|total|eos|bos|pad|unk|mask|special|stop|start|end|new|prompt|completion|input|"
    r"output|vocab|cls|sep|image|text|word|sub|next|cur|current|prev|first|last)_?tokens?$|"
    r"(?:low|high|band|first|second|third|all|by|one|two|single|tres|com|over|sur|multi|forward|"
    r"backward|should|did|test|tests|gate)_?pass(?:es|ed)?$"
)
_STRONG = re.compile(
    r"(?:password|passwd|passwort|kennwort|passphrase|passcode|pwd|apikeys?|apitokens?|secrets?|"
    r"secretkeys?|accesskeys?|accesstokens?|authtokens?|privatekeys?|apikeyid|accesskeyid|secretkeyid|"
    r"credentials?|creds?|authcode|refreshtokens?|sessiontokens?|bottokens?|bearertokens?|idtoken|"
    r"webhooks?|webhookur[li]|connectionstring|connectionstr|connstr|dsn|accountkey|encryptionkey|"
    r"signingkey|sharedaccesskey|consumerkey|authorization|setcookie|otp|masterkey|licen[cs]ekey)$"
)
_PHRASE = re.compile(
    r"(?:password|passwords|passwd|passphrase|passphrases|mnemonic|seedphrase|seedwords|recoveryphrase|"
    r"recoverywords|passwort|kennwort|setcookie|cookie|connectionstring|connectionstr|connstr|dsn|"
    r"authorization)$"
)
_ACCOUNT = re.compile(
    r"(?:(?:account|acct)s?(?:id|numbers?|no|num|nr|name)?|userid|(?:organi[sz]ation|org|client|"
    r"customer|chat|tenant|subscription|member|application)ids?|loginid)$"
)
_LOGIN = re.compile(r"(?:username|login|(?:ib|db|ftp|smtp|imap|broker)user|ibusername)$")
_SUFFIX = re.compile(rf"(?i){SUFFIX}$")


@lru_cache(4096)
def sort_of(name: str) -> Sort | None:
    """What a name promises; None where it promises nothing."""
    # `test_password_live` and `password`, but `passtest` is `pass` to nobody.
    name = name.rpartition(".")[2]
    plain = re.sub(r"[_\- ]", "", re.sub(_SUFFIX, "", name)).lower()
    spaced = re.sub(r"[\- ]", "_", name).lower()
    if not plain or _INNOCENT.search(spaced) or _INNOCENT.search(plain):
        return None
    if _PHRASE.search(plain):
        return Sort.PHRASE
    if _STRONG.search(plain):
        return Sort.STRONG
    if _ACCOUNT.search(plain):
        return Sort.ACCOUNT
    if _LOGIN.search(plain):
        return Sort.LOGIN
    return _by_its_owner(name, plain, spaced)


def _by_its_owner(name: str, plain: str, spaced: str) -> Sort | None:
    """`key`, `token`, `pass`, `auth`: strong where the name says whose."""
    ending = re.search(r"(?:keys?|keyid|tokens?|pass|auth|signature|sign|sig|cookie|pat)$", plain)
    if ending is None:
        return None
    owner = plain[: ending.start()]
    if ending[0] == "pass":
        bounded = not owner or spaced.endswith("_pass") or owner in ("db", "user", "smtp", "my")
        return Sort.STRONG if bounded else None
    if ending[0] == "pat":
        return Sort.WEAK if spaced.endswith("_pat") or not owner else None
    if ending[0] in ("key", "keys", "keyid", "token") and _is_owned(name, owner):
        return Sort.STRONG
    if ending[0] in ("signature", "sign", "sig", "auth") and owner.endswith(
        tuple("abcdefghijklmnopqrstuvwxyz")
    ):
        # `design`, `assign`; but `access_sign`.
        return Sort.WEAK if f"_{ending[0]}" in spaced else None
    if ending[0] in ("key", "keys") and owner and f"_{ending[0]}" not in spaced:
        return None
    return Sort.WEAK


def _is_owned(name: str, owner: str) -> bool:
    parts = {part.lower() for part in _PARTS.findall(name)}
    return bool(parts & _OWNERS) or owner in _OWNERS
