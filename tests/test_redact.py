"""Planted secrets are removed and counted; code that holds none stays as it is."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

from qc_builder_lora.redact import KINDS, Redactor, found_in
from tests.planted import Planted, left_of, planted

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
    '_password_env = "Kestrel-Jj4#7"': "Kestrel-Jj4#7",
    "ib_password_plain: Kestrel-Jj4#7": "Kestrel-Jj4#7",
    # With wrong check digits, but said to be one.
    "IBAN CH9300000526473107329": "CH9300000526473107329",
    "QC_API_TOKEN=a1b2c3d4e5f6g7h8i9": "a1b2c3d4e5f6g7h8i9",
    "client_secret: 'abcd1234'": "abcd1234",
    'organization_id = "5cad178b20a1d52567b534553413b691"': "5cad178b20a1d52567b534553413b691",
    "Authorization: Bearer abcdef.ghijkl-mnop": "abcdef.ghijkl-mnop",
    "Authorization: Basic dXNlcjpwYXNzd29yZA==": "dXNlcjpwYXNzd29yZA==",
    "postgresql://quant:s3cret@db.host/lean": "quant:s3cret",
    "/home/jane/lean/main.py": "jane",
    "/Users/jane/lean/main.py": "jane",
    "C:\\Users\\jane\\lean\\main.py": "jane",
    '"C:\\\\Users\\\\jane\\\\main.py"': "jane",
}
CASES = planted()
# Of another language, though the text happens to parse.
_NOT_PYTHON = ("yaml", "aws secret", "e-mail quoted", ".env", "ini")


def _shape(code: str) -> list[str]:
    return [type(node).__name__ for node in ast.walk(ast.parse(code))]


def _is_python(case: Planted) -> bool:
    try:
        ast.parse(case.text)
    except SyntaxError:
        return False
    return not case.name.endswith(_NOT_PYTHON)


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


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_nothing_of_a_secret_is_left_wherever_it_stands(case: Planted) -> None:
    redactor = Redactor()
    clean = redactor.text(case.text)
    assert left_of(case, clean) == []
    assert redactor.counts.total() >= 1
    assert Redactor().text(clean) == clean
    assert set(redactor.counts) <= set(KINDS)


@pytest.mark.parametrize(
    "case", [case for case in CASES if _is_python(case)], ids=lambda case: case.name
)
def test_code_parses_to_a_tree_of_the_same_shape(case: Planted) -> None:
    assert _shape(Redactor().text(case.text)) == _shape(case.text)


def test_at_least_sixty_kinds_of_secrets_are_planted() -> None:
    assert len({case.name.partition(",")[0] for case in CASES}) >= 150


def test_redacting_twice_finds_nothing_more() -> None:
    first = Redactor()
    text = "\n".join([*PLANTED.values(), *NAMED])
    clean = first.text(text)
    second = Redactor()
    assert second.text(clean) == clean
    assert second.counts.total() == 0
    assert set(PLANTED) <= set(first.counts)


def test_the_same_secret_becomes_the_same_word_also_where_its_name_is_missing() -> None:
    code = f'KEY_ID = "x"\nAPI_SECRET = "{LONG}"\nconnect("{LONG}")\n# {LONG}\n'
    assert Redactor().text(code) == code.replace(LONG, "REDACTED_NAMED_SECRET")


def test_a_number_becomes_a_number() -> None:
    assert Redactor().text("self.user_id = 123456\n") == "self.user_id = 0\n"
    assert json.loads(Redactor().text('{"account_id": 98765432, "a": 1}')) == {
        "account_id": 0,
        "a": 1,
    }


@pytest.mark.parametrize(
    "code",
    [
        "weights@returns.values\nweights@cov.dot(weights)\nx@y.T\nw@df.at[0]\nx@y.loc[0]\n",
        "self.api_key = os.environ.get('QC_API_KEY')\n",
        "self.api_key = os.environ['QC_API_KEY']\n",
        "self.password = self.get_parameter('password')\n",
        "api_key = config.api_key\nclient = Client(api_key=api_key, secret=secret_2)\n"
        "secret_2 = read()\n",
        "token = tokens[0]\nself.log(f'{token}')\n",
        "token: str = 'spy_daily'\nkey = 'momentum_20_50'\nself.key = 'close'\n",
        "tokens = text.split()\nfor token in tokens:\n    if token == 'buy':\n        pass\n",
        "max_tokens: 4096\nmax_tokens = 8192\nn_tokens=100000\neos_token = '<eos>'\n",
        "self.add_equity('SPY')\nself.set_start_date(2005, 1, 1)\nself.set_cash(10000000)\n",
        "# see https://www.quantconnect.com/docs/v2/writing-algorithms\n",
        "# https://www.quantconnect.com/home/index and ./data/home/x\n",
        "skew = sk_learn_like_name_that_is_long\nrisk-adjusted-return-over-time\n",
        "task-oriented-strategy-for-momentum-trading\n",
        "account_id: str\nuser_ids = [1, 2]\naccount = self.portfolio\n",
        "api_key: str = ''\npassword: Optional[str] = None\nsecret = 'YOUR_SECRET'\n",
        "api_key = '<your key>'\ntoken = '${TOKEN}'\nAPI_KEY=xxxx\nsecret = '{{ s }}'\n",
        'client = Client(os.getenv("POLYGON_API_KEY", ""))\n',
        "# the password is asked for, no secret is kept; a token of a tokenizer\n",
        "commit 9fceb02d0ae598e95dc970b74767f19372d61af8\n",
        f"# sha256: {'0a' * 32}\n# strategy {'1b' * 32}\nSHA256 = '{'2c' * 32}'\n",
        "backtest 3b137fed57f2326cc68e746f4eb99639, 0f1e2d3c-0000-4000-8000-000000000001\n",
        "compile_id = '5d1f2cba3a0ec7407c566614300502b5-173e0419674daf4144ce7c9931155ca8'\n",
        "deploy 'L-6e9d8a78f5af89d401f630585be90e43'\n",
        "isin US0378331005, PA1434361058; sedol B0YBKJ7; cusip 037833100; figi BBG000B9XRY4\n",
        "symbol 'SPY R735QTJ8XC9X', 'GOOG T1AZ164W5VTX', option 'SPX 31KC0UJFONTBI|SPX 31'\n",
        "class MovingAverageCrossoverWithVolatilityTarget20Algorithm(QCAlgorithm):\n    pass\n",
        "name = 'MovingAverageCrossoverWithVolatility20And50Days'\n",
        "alpha = 'rank(ts_argmax(signedpower(((returns<0)?stddev(returns,20):close),2.),5))-0.5'\n",
        "model = 'Qwen/Qwen2.5-Coder-7B-Instruct'\n",
        "host = '127.0.0.1:7497'\nport = 4002\n",
        "low_pass = 'butter'\nband_pass: 20\nby_pass = 'x1234567'\n",
        "primary_key = 'id2'\ncache_key = f'{symbol}-2024'\nsort_key = 'rank1'\n",
        "headers = {'Authorization': f'Bearer {self._key}'}\n",
        "git@github.com:QuantConnect/Lean.git\n",
        "from .api_keys import APIKeys\nimport secrets\nimport tokenize\n",
        "a basic implementation-of the bearer authentication\n",
        "class Secret:\n    '''What is secret.'''\n",
        "def token():\n    '''Reads one2three.'''\n",
    ],
)
def test_code_without_secrets_is_left_alone(code: str) -> None:
    assert [code[find.start : find.end] for find in found_in(code)] == []


def test_our_own_examples_hold_nothing_that_looks_like_a_secret() -> None:
    redactor = Redactor()
    for path in Path(__file__).parents[1].glob("eval/suites/*.jsonl"):
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


def test_the_name_of_a_value_gives_it_away() -> None:
    redactor = Redactor()
    value = {"password": "hunter" + "2", "user_id": 123456, "fast": 20, PLANTED["email"]: True}
    assert redactor.value(value) == {
        "password": "REDACTED_NAMED_SECRET",
        "user_id": 0,
        "fast": 20,
        "REDACTED_EMAIL": True,
    }
    assert redactor.counts == {"named_secret": 1, "account_id": 1, "email": 1}


PIECES = [
    "-----BEGIN A PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----\n", "eyJ", "eyJaaaaaaaa.", "@",
    "a@b.", "sk-", "sk-a-", "://a:", "password = '", "password=", "KEY=", "api_key=\"", "token, ",
    "\"api_key\", ", "\\\"", "'\"", "( ", "a, b, ", "x=\"a\"\n+", "\"a\" + ", "/home/",
    "C:\\Users\\", "%40", "f\"{", "[at] ", "a [dot] ", "machine x login y ", "mnemonic abandon ",
    "0", "a", "aA1",
    "1:", "\n", " ", "DE89 ", "organizations/", "Bearer a/", "Basic a", "-u a:", "key: |\n  ",
    "auth=(\"", "sha256:", "\"\"\"", "&#64;", "é@", "a:5432:b:", "\"+1", "api key ", "--api-key ",
    "os.getenv(\"API_KEY\", ", "SecretStr(", "c2st", "user_id = 12345\n", "x.y_key=z.", "your ",
]  # fmt: skip


@pytest.mark.parametrize("piece", PIECES)
def test_hostile_text_takes_no_quadratic_time(piece: str) -> None:
    # Each of these makes a careless pattern try every split; with one this never ends.
    text = piece * (50_000 // len(piece))
    clean = Redactor().text(text)
    assert clean == text or "REDACTED_" in clean or "= 0" in clean
