"""Secrets and personal traces taken out of a text before it is stored.

Each find is replaced by a word that leaves code parseable (`REDACTED_…`) and is counted by kind.
The patterns aim at things with a form of their own: a password that looks like a word and stands
alone is not found by any of them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

_DOMAINS = (
    "com|org|net|edu|gov|mil|int|info|biz|io|ai|co|dev|app|me|tech|cloud|uk|de|fr|nl|it|es|pt|ch|at|"
    "be|se|no|dk|fi|pl|cz|ru|ua|in|cn|jp|kr|au|nz|ca|us|br|mx|za|sg|hk|tw|ie|eu"
)
_NAMES = (
    r"api[_-]?keys?|api[_-]?tokens?|api[_-]?secrets?|secret[_-]?keys?|access[_-]?tokens?|"
    r"auth[_-]?tokens?|client[_-]?secrets?|private[_-]?keys?|passwords?|passwd|passphrases?|"
    r"organi[sz]ation[_-]?ids?|account[_-]?(?:ids?|numbers?)|user[_-]?ids?"
)

# In this order: what has a sure mark first, so that a vaguer pattern does not count it as its own.
_PATTERNS: tuple[tuple[str, str], ...] = (
    (
        "private_key",
        r"-----BEGIN [A-Z ]{0,40}(?:PRIVATE KEY|CERTIFICATE)(?: BLOCK)?-----"
        r"(?:(?!-----BEGIN)[\s\S]){0,20000}?"
        r"-----END [A-Z ]{0,40}(?:PRIVATE KEY|CERTIFICATE)(?: BLOCK)?-----",
    ),
    ("slack_webhook", r"https://hooks\.slack(?:-gov)?\.com/(?:services|workflows)/[\w/-]{10,}"),
    (
        "discord_webhook",
        r"https://(?:\w+\.)?discord(?:app)?\.com/api/webhooks/\d{5,}/[\w-]{20,}",
    ),
    ("anthropic_key", r"\bsk-ant-[\w-]{16,}"),
    ("openrouter_key", r"\bsk-or-[\w-]{16,}"),
    ("openai_key", r"\bsk-(?:proj-|svcacct-|admin-)?[A-Za-z0-9_-]{20,}"),
    ("google_key", r"\bAIza[\w-]{30,}"),
    ("google_oauth", r"\bya29\.[\w-]{20,}"),
    ("github_token", r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,})"),
    ("gitlab_token", r"\bglpat-[\w-]{16,}"),
    ("slack_token", r"\bxox[abeprs]-[\w-]{10,}"),
    ("aws_key", r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    ("huggingface_token", r"\bhf_[A-Za-z0-9]{20,}"),
    ("groq_key", r"\bgsk_[A-Za-z0-9]{20,}"),
    ("perplexity_key", r"\bpplx-[A-Za-z0-9]{20,}"),
    ("xai_key", r"\bxai-[A-Za-z0-9]{20,}"),
    ("replicate_token", r"\br8_[A-Za-z0-9]{20,}"),
    ("stripe_key", r"\b(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{10,}"),
    ("sendgrid_key", r"\bSG\.[\w-]{16,}\.[\w-]{16,}"),
    ("pypi_token", r"\bpypi-[\w-]{30,}"),
    ("npm_token", r"\bnpm_[A-Za-z0-9]{30,}"),
    ("telegram_token", r"\b\d{8,10}:[A-Za-z0-9_-]{35}\b"),
    ("jwt", r"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}"),
    ("bearer_token", r"(?<=\b[Bb]earer )[\w.~+/-]{12,}=*"),
    (
        # But no words: "a basic implementation", "the basic TemplateAlgorithm".
        "basic_credentials",
        r"(?<=\b[Bb]asic )(?!(?:[A-Z]?[a-z]{3,})+(?![\w+/=]))[A-Za-z0-9+/]{12,}={0,2}",
    ),
    ("url_password", r"(?<=://)[^\s/:@'\"]{1,100}:[^\s/:@'\"]{1,200}(?=@)"),
    (
        # `api_key = "…"`, `"password": '…'`, QC_API_TOKEN=…: the name and the quotes stay.
        "named_secret",
        rf"(?i)(?:\b|_)(?:{_NAMES})[\"']?\s{{0,3}}[=:]\s{{0,3}}(?:"
        r"[\"'](?P<quoted>[^\"'\n]{4,400})(?=[\"'])"
        r"|(?P<bare>(?=[^\s\d]{0,200}\d)[\w/+-]{16,400}(?![\w(\[.]))"
        r"|(?P<digits>\d{4,20})\b)",
    ),
    ("hex_token", r"\b[0-9a-f]{64}\b"),
    ("email", rf"(?i)\b[\w.%+-]{{1,64}}@(?:[a-z0-9-]{{1,63}}\.){{1,4}}(?:{_DOMAINS})\b(?![(\w])"),
    ("home_folder", r"(?<=/home/)[^/\s'\"\\:]{1,64}|(?<=/Users/)[^/\s'\"\\:]{1,64}"),
    (
        "home_folder",
        r"(?i)(?<=[a-z]:\\Users\\)[^\\\s'\"]{1,64}|(?<=[a-z]:\\\\Users\\\\)[^\\\s'\"]{1,64}",
    ),
)
_COMPILED = tuple((kind, re.compile(pattern)) for kind, pattern in _PATTERNS)
KINDS = tuple(dict.fromkeys(kind for kind, _ in _PATTERNS))


@dataclass
class Redactor:
    """Redacts text after text and counts what it found, by kind."""

    counts: Counter[str] = field(default_factory=Counter)

    def text(self, text: str) -> str:
        """The text without what was found."""
        for kind, pattern in _COMPILED:
            text = pattern.sub(self._replacement(kind), text)
        return text

    def optional(self, text: str | None) -> str | None:
        """The same for a text that may be missing."""
        return None if text is None else self.text(text)

    def value(self, value: Any) -> Any:
        """A JSON value with all its texts redacted."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {key: self.value(part) for key, part in value.items()}
        if isinstance(value, list):
            return [self.value(part) for part in value]
        return value

    def _replacement(self, kind: str) -> Callable[[re.Match[str]], str]:
        word = f"REDACTED_{kind.upper()}"

        def replace(match: re.Match[str]) -> str:
            found = next((part for part in match.groups() if part is not None), match[0])
            if found.startswith("REDACTED_"):
                return match[0]
            self.counts[kind] += 1
            start = match[0].rindex(found)
            return match[0][:start] + word + match[0][start + len(found) :]

        return replace
