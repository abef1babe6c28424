"""Secrets that are known by their own form: tokens with a prefix, key blocks, webhooks, headers.

Each pattern names the texts without which it cannot match, so that most are never tried. Every
repetition is bounded or over one class of characters: none can be made to try a split twice.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator

from qc_builder_lora.redact.find import Find, around, is_edge, places
from qc_builder_lora.redact.looks import looks_random

_ID = r"[A-Za-z0-9_-]"

_HOOKS_TABLE = (
    (
        "slack_webhook",
        "hooks.slack",
        r"https?:\\?/\\?/hooks\.slack(?:-gov)?\.com\\?/(?:services|workflows|triggers)[\w/\\-]{10,300}",
    ),
    (
        "discord_webhook",
        "webhooks",
        r"https?:\\?/\\?/(?:\w{1,20}\.)?discord(?:app)?\.com\\?/api\\?/webhooks\\?/\d{5,30}\\?/[\w-]{20,200}",
    ),
    (
        "webhook",
        "http",
        r"https?://(?:[\w-]{1,63}\.webhook\.office\.com/webhookb2|hooks\.zapier\.com/hooks/catch|"
        r"maker\.ifttt\.com/trigger/\w{1,64}/(?:json/)?with/key|[\w.-]{1,99}\.logic\.azure\.com|"
        r"chat\.googleapis\.com/v1/spaces)[/:][^\s\"'<>]{8,600}",
    ),
)
_HOOKS = tuple((kind, mark, re.compile(pattern)) for kind, mark, pattern in _HOOKS_TABLE)

# Kind, with what it begins, pattern. What has a sure mark stands first.
_TABLE: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("anthropic_key", ("sk-ant-",), rf"sk-ant-{_ID}{{12,}}"),
    ("openrouter_key", ("sk-or-",), rf"sk-or-{_ID}{{16,}}"),
    (
        "openai_key",
        ("sk-",),
        rf"sk-(?:(?:proj|svcacct|admin|None|service|lf)-(?={_ID}{{0,200}}\d){_ID}{{16,}}"
        rf"|(?={_ID}{{0,200}}\d)(?!{_ID}{{0,200}}(?:-[a-z]{{2,12}}){{3}}){_ID}{{20,}})",
    ),
    ("google_key", ("AIza",), rf"AIza{_ID}{{30,}}"),
    ("google_oauth", ("ya29.",), r"ya29\.[\w-]{20,}"),
    ("google_oauth", ("GOCSPX-",), rf"GOCSPX-{_ID}{{20,}}"),
    ("google_oauth", ("1//0",), rf"(?<![\w/])1//0{_ID}{{30,}}"),
    (
        "github_token",
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
        r"(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,})",
    ),
    (
        "gitlab_token",
        ("glpat-", "gldt-", "glrt-", "glptt-", "glsoat-", "glcbt-"),
        rf"(?:glpat|gldt|glrt|glptt|glsoat|glcbt)-{_ID}{{16,}}",
    ),
    ("slack_token", ("xox", "xapp-"), rf"(?:xox[abceprs]|xapp)[-.]{_ID}{{10,}}"),
    (
        "aws_key",
        ("AKIA", "ASIA", "ABIA", "ACCA", "AROA", "AIDA"),
        r"(?:AKIA|ASIA|ABIA|ACCA|AROA|AIDA)[A-Z0-9]{16}(?![A-Za-z0-9])",
    ),
    ("huggingface_token", ("hf_", "api_org_"), r"(?:hf|api_org)_[A-Za-z0-9]{20,}"),
    ("groq_key", ("gsk_",), r"gsk_[A-Za-z0-9]{20,}"),
    ("perplexity_key", ("pplx-",), r"pplx-[A-Za-z0-9]{20,}"),
    ("xai_key", ("xai-",), r"xai-[A-Za-z0-9]{20,}"),
    ("replicate_token", ("r8_",), r"r8_[A-Za-z0-9]{20,}"),
    (
        "stripe_key",
        ("sk_live_", "rk_live_", "pk_live_", "sk_test_", "rk_test_", "pk_test_", "whsec_"),
        r"(?:(?:sk|rk|pk)_(?:live|test)_|whsec_)[A-Za-z0-9+/]{10,}",
    ),
    ("sendgrid_key", ("SG.",), r"SG\.[\w-]{16,}\.[\w-]{16,}"),
    ("pypi_token", ("pypi-",), rf"pypi-{_ID}{{30,}}"),
    ("npm_token", ("npm_",), r"npm_[A-Za-z0-9]{30,}"),
    ("docker_token", ("dckr_",), rf"dckr_(?:pat|oat)_{_ID}{{20,}}"),
    ("twilio_key", ("AC", "SK"), r"(?:AC|SK)[0-9a-f]{32}(?![A-Za-z0-9])"),
    ("mailgun_key", ("key-",), r"key-[0-9a-f]{32}(?![A-Za-z0-9])"),
    ("iex_key", ("sk_", "pk_", "Tsk_", "Tpk_"), r"T?[sp]k_[0-9a-f]{32}(?![A-Za-z0-9])"),
    (
        "alpaca_key",
        ("PK", "AK", "CK"),
        r"(?:PK|AK|CK)(?=[A-Z]{0,24}\d)(?:[A-Z0-9]{24}|[A-Z0-9]{18})(?![A-Za-z0-9])",
    ),
    ("databento_key", ("db-",), r"db-(?=[A-Za-z]{0,28}\d)[A-Za-z0-9]{29}(?![\w-])"),
    (
        "coinbase_key",
        ("organizations/",),
        r"organizations/[0-9a-f-]{36}/apiKeys/[0-9a-f-]{36}",
    ),
    (
        "service_token",
        (
            "dop_v1_",
            "dapi",
            "shpat_",
            "sq0atp-",
            "sq0csp-",
            "sq0idp-",
            "lin_api_",
            "ntn_",
            "secret_",
            "nfp_",
            "pcsk_",
            "csk-",
            "lsv2_",
            "tvly-",
            "nvapi-",
            "sbp_",
            "pscale_",
            "PMAK-",
            "dp.pt.",
            "dp.st.",
            "dp.ct.",
            "hvs.",
            "glsa_",
            "glc_",
            "ATATT3",
            "ATBB",
            "HRKU-",
            "figd_",
            "NRAK-",
            "AGE-SECRET",
            "access-",
            "fw_",
            "xprv",
            "zprv",
            "yprv",
            "rnd_",
            "sgp_",
            "pul-",
            "EAAC",
        ),
        rf"(?:dop_v1_[0-9a-f]{{40,}}|dapi[0-9a-f]{{32}}|shpat_[0-9a-f]{{32}}|"
        rf"sq0(?:atp|csp|idp)-{_ID}{{20,}}|lin_api_\w{{30,}}|ntn_\w{{30,}}|secret_[A-Za-z0-9]{{40,}}|"
        rf"nfp_\w{{30,}}|pcsk_\w{{30,}}|csk-[a-z0-9]{{30,}}|lsv2_(?:pt|sk)_\w{{30,}}|"
        rf"tvly-{_ID}{{20,}}|nvapi-{_ID}{{30,}}|sbp_[0-9a-f]{{40}}|pscale_\w{{2,6}}_[\w.-]{{30,}}|"
        rf"PMAK-[0-9a-f-]{{50,}}|dp\.(?:pt|st|ct)\.[\w.]{{30,}}|hvs\.{_ID}{{20,}}|"
        rf"gl(?:sa|c)_\w{{20,}}|ATATT3{_ID}{{20,}}|ATBB\w{{20,}}|HRKU-{_ID}{{30,}}|"
        rf"figd_{_ID}{{20,}}|NRAK-[A-Z0-9]{{20,}}|AGE-SECRET-KEY-1[A-Z0-9]{{50,}}|"
        rf"access-(?:sandbox|development|production)-[0-9a-f-]{{36}}|fw_[A-Za-z0-9]{{20,}}|"
        rf"[xyz]prv[A-Za-z0-9]{{90,}}|rnd_[A-Za-z0-9]{{28,}}|sgp_[0-9a-f]{{40}}|pul-[0-9a-f]{{40}}|"
        rf"EAAC[A-Za-z0-9]{{40,}})",
    ),
    ("jwt", ("eyJ",), r"eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}"),
    ("jwt", ("eyJ",), r"eyJ[\w-]{8,}\.[\w-]{0,400}\.[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}"),
)
_MORE_EDGE = {"jwt": "_-."}
_TELEGRAM = re.compile(r"(?::|%3A)[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])")
_DIGITS = re.compile(r"\d+\Z", re.ASCII)
_DISCORD_MIDDLE = re.compile(r"\.[\w-]{6}\.[\w-]{27}")
_DISCORD = re.compile(r"[MNO][A-Za-z\d_-]{23,27}\.[\w-]{6}\.[\w-]{27,40}(?![\w.-])")
_COMPILED = tuple((kind, marks, re.compile(pattern)) for kind, marks, pattern in _TABLE)
_ANY_MARK = re.compile("|".join(re.escape(mark) for _, marks, _ in _TABLE for mark in marks))
_SHORT = 200
"""Characters up to which one look for any mark is quicker than one for each."""

_BLOCK = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}(?:PRIVATE KEY|CERTIFICATE)(?: BLOCK)?-----")
_BLOCK_END = re.compile(r"-----END [A-Z0-9 ]{0,40}(?:PRIVATE KEY|CERTIFICATE)(?: BLOCK)?-----")
_LONGEST_BLOCK = 20_000
_BODY = re.compile(r"[A-Za-z0-9_+/=:,.()\s\\\"'#>|*-]*")
_RUN = re.compile(r"(?:(?<=\\[nrt])|(?<![\w+/=\\]))[A-Za-z0-9+/=_]{8,}")
_PUTTY = re.compile(r"Private-(?:Lines|MAC): ?[^\n]{0,80}(?:\n[A-Za-z0-9+/=]{16,80})*")

_WORDS = re.compile(r"(?:[A-Z]?[a-z]{3,})+")
_BEARER = re.compile(
    r"(?i)\b(?:bearer|authorization:?[ \t]+token)(?:[ \t]+|%20)([\w.~+/-]{10,2000}=*)"
)
_BASIC = re.compile(r"(?i)\bbasic(?:[ \t]+|%20)([A-Za-z0-9+/_-]{8,2000}={0,2})(?![\w+/=])")
_USER_INFO = re.compile(
    r"(?<=://)([^\s/:@'\"<>{}$]{0,100}):([^\s/@'\"<>]{1,200}|\{[^}\s]{1,100}\})(?=@[\w\[{$])"
)
_TOKEN_INFO = re.compile(r"(?<=://)[A-Za-z0-9_-]{16,100}(?=@[\w\[])")
_HEX = re.compile(r"[0-9a-fA-F]{64,}")
_DIGEST_BEFORE = re.compile(
    r"(?i)(?:sha-?(?:256|2|3|512)?|hash(?:es)?|digest|checksum|fingerprint|commit|etag|integrity|"
    r"strategy|snapshot|example|request|basis|base|ids?|version|blob|tree|layer|image|sum|merkle|tx|txid|txn)"
    r"[a-z_ -]{0,20}[\"'`]?(?:\s{0,3}[=:@,(\[]|\s|\s(?:is|of)\s){0,3}[\s\"'`]{0,3}$"
)
_ENCODED = re.compile(
    r"(?<![A-Za-z0-9+/])(?:"
    + "|".join(
        re.escape(b64encode(mark[: len(mark) // 3 * 3].encode()).decode())
        for mark in (
            "sk-ant-", "sk-pro", "sk-", "ghp_ab", "github_pat", "AKIAAA"[:3], "xoxb-1", "xoxp-1",
            "hf_", "gsk_ab"[:3], "glpat-", "-----BEGIN RSA", "-----BEGIN PRI", "-----BEGIN OPE",
            "-----BEGIN EC ", '{"type":"service_account"', '{"type": "service_account"', "AIz",
            "xai-ab"[:3], "pypi-A",
        )
    )
    + r")[A-Za-z0-9+/_-]{16,}={0,2}"
)  # fmt: skip
_ENCODED_MARKS = ("c2s", "Z2hw", "Z2l0aHVi", "QUtJ", "eG94", "aGZf", "Z3Nr", "Z2xwYXQ", "LS0tLS1C",
                  "eyJ0eXBl", "QUl6", "eGFp", "cHlwaS")  # fmt: skip

KINDS = (
    "private_key", *(kind for kind, _, _ in (*_HOOKS, *_TABLE)), "telegram_token",
    "discord_token", "bearer_token", "basic_credentials",
    "url_password", "hex_token", "encoded_secret",
)  # fmt: skip


def formed_in(text: str) -> Iterator[Find]:
    """Every secret of a text that is known by its form."""
    yield from _blocks(text)
    yield from formed_tokens(text)
    yield from _headers(text)
    if "://" in text and "@" in text:
        yield from _in_addresses(text)
    yield from _hex_tokens(text)
    if any(mark in text for mark in _ENCODED_MARKS):
        for match in _ENCODED.finditer(text):
            yield Find(match.start(), match.end(), "encoded_secret")


def formed_tokens(text: str) -> Iterator[Find]:
    """Those that are one word."""
    for kind, marks, pattern in _COMPILED if _may_have_one(text) else ():
        done = 0
        for at in sorted(places(text, marks)):
            # The edge first: a run of marks would else be read from each of them to its end.
            if at < done or not is_edge(text, at, _MORE_EDGE.get(kind, "")):
                continue
            if match := pattern.match(text, at):
                done = match.end()
                yield Find(at, done, kind)
    for kind, mark, pattern in _HOOKS:
        if mark in text:
            for match in pattern.finditer(text):
                yield Find(match.start(), match.end(), kind)
    yield from _bots(text)


def _may_have_one(text: str) -> bool:
    return len(text) > _SHORT or _ANY_MARK.search(text) is not None


def _bots(text: str) -> Iterator[Find]:
    """Tokens without a prefix: they are looked for from the mark in their middle."""
    for match in _TELEGRAM.finditer(text):
        number = _DIGITS.search(text, max(0, match.start() - 11), match.start())
        if number and 8 <= number.end() - number.start() <= 10:
            yield Find(number.start(), match.end(), "telegram_token")
    middles = [match.start() for match in _DISCORD_MIDDLE.finditer(text)]
    for match in around(text, _DISCORD, middles, 30, 60):
        if is_edge(text, match.start()):
            yield Find(match.start(), match.end(), "discord_token")


def _blocks(text: str) -> Iterator[Find]:
    """Key blocks; where they are strung together from literals, the literals stay apart."""
    if "Private-Lines" in text:
        for match in _PUTTY.finditer(text):
            yield Find(match.start(), match.end(), "private_key")
    if "-----BEGIN" not in text:
        return
    done = 0
    for match in _BLOCK.finditer(text):
        if match.start() < done:
            continue
        closing = _BLOCK_END.search(text, match.end(), match.end() + _LONGEST_BLOCK)
        another = text.find("-----BEGIN", match.end(), match.end() + _LONGEST_BLOCK)
        if closing is None or -1 < another < closing.start():
            body = _BODY.match(text, match.end(), match.end() + _LONGEST_BLOCK)
            end = body.end() if body else match.end()
            end = min(end, another) if another > -1 else end
            body_end = end
        else:
            end, body_end = closing.end(), closing.start()
        done = end
        body_text = text[match.end() : body_end]
        if closing is not None and '"' not in body_text and "'" not in body_text:
            yield Find(match.start(), end, "private_key")
            continue
        for run in _RUN.finditer(text, match.end(), body_end):
            yield Find(run.start(), run.end(), "private_key")


def _headers(text: str) -> Iterator[Find]:
    if "earer" in text or "EARER" in text or "uthorization" in text:
        for match in _BEARER.finditer(text):
            told = "uthorization" in text[max(0, match.start() - 20) : match.start()]
            if (told and not match[1].isalpha()) or not _is_words(match[1].strip(".-")):
                yield Find(*match.span(1), "bearer_token")
    if "asic" in text or "ASIC" in text:
        for match in _BASIC.finditer(text):
            # But no words: "a basic implementation", "the basic TemplateAlgorithm".
            if not _WORDS.fullmatch(match[1]) and not _is_words(match[1]):
                yield Find(*match.span(1), "basic_credentials")


def _is_words(text: str) -> bool:
    """`moving-average`, `long/short`, `RSI_14_strategy`, `implementation2`."""
    parts = re.split(r"[_/+-]", text)
    return not text.endswith("=") and all(
        part.isdigit()
        or (
            re.fullmatch(r"[A-Z]{0,5}|[A-Za-z]?[a-z]*\d{0,2}|(?:[A-Z]+[a-z]*)+\d{0,2}", part)
            and not looks_random(part)
        )
        for part in parts
    )


def _in_addresses(text: str) -> Iterator[Find]:
    for match in _USER_INFO.finditer(text):
        secret = match[2]
        # A place to fill in, or what was covered before.
        if secret.strip("*") and not secret.startswith(("{", "$", "<", "%(", "REDACTED_")):
            yield Find(*match.span(), "url_password")
    for match in _TOKEN_INFO.finditer(text):
        if any(letter.isdigit() for letter in match[0]):
            yield Find(*match.span(), "url_password")


def _hex_tokens(text: str) -> Iterator[Find]:
    """64 hexadecimal digits are how QuantConnect's tokens look; said to be a hash, they are one."""
    for match in _HEX.finditer(text):
        start = match.start()
        start -= 2 if text[max(0, start - 2) : start] == "0x" else 0
        whole = len(match[0]) == 64 and (match[0].islower() or match[0].isupper())
        if not whole or not is_edge(text, start) or text[match.end() : match.end() + 1].isalnum():
            continue
        if not _DIGEST_BEFORE.search(text[max(0, start - 60) : start]):
            yield Find(start, match.end(), "hex_token")
