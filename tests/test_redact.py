"""Planted secrets are removed and counted; code that holds none stays as it is."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from qc_builder_lora.redact import KINDS, Redactor

LONG = "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3z"
# Put together here, so that no scanner of this repository takes them for leaked ones.
PLANTED = {
    "private_key": "-----BEGIN RSA " + f"PRIVATE KEY-----\n{LONG}\n-----END RSA PRIVATE KEY-----",
    "slack_webhook": "https://hooks.slack.com/" + "services/T000AAAA/B000BBBB/" + LONG[:24],
    "discord_webhook": "https://discord.com/" + f"api/webhooks/123456789/{LONG}",
    "anthropic_key": "sk-" + f"ant-api03-{LONG}",
    "openrouter_key": "sk-" + f"or-v1-{LONG}",
    "openai_key": "sk-" + f"proj-{LONG}",
    "google_key": "AI" + f"zaSy{LONG}",
    "google_oauth": "ya" + f"29.{LONG}",
    "github_token": "gh" + f"p_{LONG}",
    "gitlab_token": "gl" + f"pat-{LONG[:20]}",
    "slack_token": "xo" + f"xb-123456789012-{LONG[:20]}",
    "aws_key": "AK" + "IAIOSFODNN7EXAMPLE",
    "huggingface_token": "hf" + f"_{LONG}",
    "groq_key": "gs" + f"k_{LONG}",
    "perplexity_key": "pp" + f"lx-{LONG}",
    "xai_key": "xa" + f"i-{LONG}",
    "replicate_token": "r8" + f"_{LONG}",
    "stripe_key": "sk" + f"_live_{LONG[:24]}",
    "sendgrid_key": "SG" + f".{LONG[:22]}.{LONG}",
    "pypi_token": "py" + f"pi-AgEIcHlwaS5vcmc{LONG}",
    "npm_token": "np" + f"m_{LONG}A1",
    "telegram_token": "1234567890:" + f"{LONG}A"[:35],
    "jwt": "ey" + f"JhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.{LONG}",
    "hex_token": "0123456789abcdef" * 4,
    "email": "jane.doe+lean@example.co.uk",
}
NAMED = {
    'api_key = "hunter2-but-longer"': "hunter2-but-longer",
    "'password': 'correct horse'": "correct horse",
    "QC_API_TOKEN=a1b2c3d4e5f6g7h8i9": "a1b2c3d4e5f6g7h8i9",
    "client_secret: 'abcd1234'": "abcd1234",
    "self.user_id = 123456": "123456",
    'organization_id = "5cad178b20a1d52567b534553413b691"': "5cad178b20a1d52567b534553413b691",
    "Authorization: Bearer abcdef.ghijkl-mnop": "abcdef.ghijkl-mnop",
    "Authorization: Basic dXNlcjpwYXNzd29yZA==": "dXNlcjpwYXNzd29yZA==",
    "postgresql://quant:s3cret@db.host/lean": "quant:s3cret",
    "/home/jane/lean/main.py": "jane",
    "/Users/jane/lean/main.py": "jane",
    "C:\\Users\\jane\\lean\\main.py": "jane",
    '"C:\\\\Users\\\\jane\\\\main.py"': "jane",
}


@pytest.mark.parametrize(("kind", "secret"), PLANTED.items(), ids=PLANTED.keys())
def test_a_planted_secret_is_found_by_its_kind(kind: str, secret: str) -> None:
    redactor = Redactor()
    code = f'self.log("""before {secret} after""")\n'
    clean = redactor.text(code)
    assert clean == f'self.log("""before REDACTED_{kind.upper()} after""")\n'
    assert redactor.counts == {kind: 1}
    ast.parse(clean)


@pytest.mark.parametrize(("text", "secret"), NAMED.items())
def test_a_secret_is_known_by_what_stands_before_it(text: str, secret: str) -> None:
    redactor = Redactor()
    clean = redactor.text(text)
    assert secret not in clean
    assert redactor.counts.total() == 1
    left = re.sub("REDACTED_[A-Z_]+", secret.replace("\\", r"\\"), clean)
    assert left == text


def test_redacting_twice_finds_nothing_more() -> None:
    first = Redactor()
    text = "\n".join([*PLANTED.values(), *NAMED])
    clean = first.text(text)
    second = Redactor()
    assert second.text(clean) == clean
    assert second.counts.total() == 0
    assert set(first.counts) == set(KINDS)


@pytest.mark.parametrize(
    "code",
    [
        "weights@returns.values\nweights@cov.dot(weights)\nx@y.T\n",
        "self.api_key = os.environ.get('QC_API_KEY')\n",
        "self.password = self.get_parameter('password')\n",
        "token = tokens[0]\nself.log(f'{token}')\n",
        "self.add_equity('SPY')\nself.set_start_date(2005, 1, 1)\n",
        "# see https://www.quantconnect.com/docs/v2/writing-algorithms\n",
        "skew = sk_learn_like_name_that_is_long\nrisk-adjusted-return-over-time\n",
        "task-oriented-strategy-for-momentum-trading\n",
        "account_id: str\nuser_ids = [1, 2]\n",
    ],
)
def test_code_without_secrets_is_left_alone(code: str) -> None:
    redactor = Redactor()
    assert redactor.text(code) == code
    assert redactor.counts.total() == 0


def test_our_own_examples_hold_nothing_that_looks_like_a_secret() -> None:
    redactor = Redactor()
    for path in Path(__file__).parents[2].glob("examples/answers/*.md"):
        text = path.read_text("utf-8")
        assert redactor.text(text) == text


def test_values_are_redacted_all_the_way_down() -> None:
    redactor = Redactor()
    value = {"a": [{"b": PLANTED["email"]}, 3, None], "c": PLANTED["aws_key"]}
    assert redactor.value(value) == {
        "a": [{"b": "REDACTED_EMAIL"}, 3, None],
        "c": "REDACTED_AWS_KEY",
    }
    assert redactor.optional(None) is None


def test_hostile_text_takes_no_quadratic_time() -> None:
    # Each of these makes a careless pattern try every split; with one this never ends.
    for piece in ("-----BEGIN A PRIVATE KEY-----", "eyJ", "a@b.", "sk-", "://a:", "password = '"):
        Redactor().text(piece * 20_000)
