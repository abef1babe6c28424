"""Secrets as they occur in a builder's code, prompts, settings and messages; each with its text.

Every secret is put together from parts, so that no scanner of this repository takes one for leaked.
None of them ever opened anything.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import NamedTuple
from urllib.parse import quote


class Planted(NamedTuple):
    """A text, and what must not be left of it."""

    name: str
    text: str
    secrets: tuple[str, ...]


def drawn(letters: str, length: int, seed: str) -> str:
    """Letters that look drawn at random; the same for the same seed."""
    stream = b"".join(
        hashlib.sha256(f"{seed}{n}".encode()).digest() for n in range(length // 16 + 1)
    )
    return "".join(letters[byte % len(letters)] for byte in stream[:length])


LOWER, UPPER, DIGITS = "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"
HEX, ALL = "0123456789abcdef", LOWER + UPPER + DIGITS


def _all(length: int, seed: str) -> str:
    # Begins with one of each class, as nearly all of that length have.
    return "a7K" + drawn(ALL, length - 3, seed)


def _hex(length: int, seed: str) -> str:
    return "c4" + drawn(HEX, length - 2, seed)


QC_TOKEN = _hex(64, "qc")
ANTHROPIC = "sk-" + "ant-api03-" + _all(60, "anthropic") + "-AA"
OPENAI = "sk-" + "proj-" + _all(48, "openai")
OLD_OPENAI = "sk" + "-" + _all(48, "old")
AWS_ID = "AK" + "IA" + "Q7" + drawn(UPPER + DIGITS, 14, "aws")
AWS_SECRET = _all(18, "aws") + "/" + _all(10, "a") + "+" + _all(10, "b")
ALPACA_ID = "PK" + "7" + drawn(UPPER + DIGITS, 17, "alpaca")
ALPACA_SECRET = _all(40, "alpaca")
WORD = "hunter" + "2"
PHRASE = "abandon ability able about above absent absorb abstract absurd abuse access accident"
BODY = "\n".join(_all(64, f"pem{n}") for n in range(4))
TELEGRAM = "6123456789" + ":" + "AA" + drawn(ALL, 33, "telegram")
JWT = "ey" + "JhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxMjM0In0." + _all(43, "jwt")
SLACK_HOOK = "https://hooks." + "slack.com/services/T0" + "1AB2CD/B0" + "9XY8ZW/" + _all(24, "hook")
GITHUB = "gh" + "p_" + _all(36, "github")


def _pem(kind: str) -> str:
    return f"-----BEGIN {kind}-----\n{BODY}\n-----END {kind}-----"


_TOKENS: dict[str, str] = {
    "anthropic": ANTHROPIC,
    "openai project": OPENAI,
    "openai old": OLD_OPENAI,
    "openai service account": "sk-" + "svcacct-" + _all(50, "svc"),
    "openai admin": "sk-" + "admin-" + _all(50, "adm"),
    "openrouter": "sk-" + "or-v1-" + _hex(64, "or"),
    "google": "AI" + "zaSy" + _all(33, "google"),
    "google oauth": "ya" + "29." + _all(60, "oauth"),
    "google client secret": "GOC" + "SPX-" + _all(28, "gocspx"),
    "xai": "xa" + "i-" + _all(80, "xai"),
    "groq": "gs" + "k_" + _all(52, "groq"),
    "perplexity": "pp" + "lx-" + _all(48, "pplx"),
    "hugging face": "hf" + "_" + _all(34, "hf"),
    "replicate": "r8" + "_" + _all(37, "r8"),
    "nvidia": "nv" + "api-" + _all(64, "nv"),
    "github classic": GITHUB,
    "github fine-grained": "github" + "_pat_" + _all(22, "p1") + "_" + _all(59, "p2"),
    "github app": "gh" + "s_" + _all(36, "ghs"),
    "gitlab": "gl" + "pat-" + _all(20, "gl"),
    "slack bot": "xo" + "xb-123456789012-1234567890123-" + _all(24, "slack"),
    "slack app": "xa" + "pp-1-A0123456789-1234567890123-" + _hex(64, "xapp"),
    "slack webhook": SLACK_HOOK,
    "discord webhook": "https://discord.com/" + "api/webhooks/1234567890/" + _all(68, "dw"),
    "discord bot": "MT" + drawn(ALL, 24, "d1") + "." + drawn(ALL, 6, "d2") + "." + _all(38, "d3"),
    "telegram": TELEGRAM,
    "twilio account": "A" + "C" + _hex(32, "tw"),
    "twilio key": "S" + "K" + _hex(32, "tk"),
    "sendgrid": "SG" + "." + _all(22, "sg") + "." + _all(43, "sg2"),
    "mailgun": "key" + "-" + _hex(32, "mg"),
    "stripe": "sk" + "_live_" + _all(24, "stripe"),
    "stripe webhook": "wh" + "sec_" + _all(32, "whsec"),
    "aws id": AWS_ID,
    "aws temporary id": "AS" + "IA" + "Q7" + drawn(UPPER + DIGITS, 14, "asia"),
    "jwt": JWT,
    "npm": "np" + "m_" + _all(36, "npm"),
    "pypi": "py" + "pi-AgEIcHlwaS5vcmc" + _all(60, "pypi"),
    "docker": "dckr" + "_pat_" + _all(27, "docker"),
    "digitalocean": "dop" + "_v1_" + _hex(64, "do"),
    "databricks": "da" + "pi" + _hex(32, "db"),
    "vault": "hv" + "s." + _all(24, "vault"),
    "pinecone": "pc" + "sk_" + _all(60, "pine"),
    "langsmith": "lsv2" + "_pt_" + _hex(32, "ls") + "_" + _hex(10, "l2"),
    "alpaca id": ALPACA_ID,
    "databento": "db" + "-" + _all(29, "databento"),
    "iex": "s" + "k_" + _hex(32, "iex"),
    "coinbase cdp": "organizations/0f1e2d3c-0000-4000-8000-000000000001/apiKeys/"
    "0f1e2d3c-0000-4000-8000-000000000002",
    "quantconnect token": QC_TOKEN,
    "ethereum key": "0x" + _hex(64, "eth"),
    "private key": _pem("RSA " + "PRIVATE KEY"),
    "openssh key": _pem("OPENSSH " + "PRIVATE KEY"),
    "pgp key": _pem("PGP " + "PRIVATE KEY BLOCK"),
    "interactive brokers account": "U" + "1234567",
    "interactive brokers paper account": "DU" + "7654321",
    "alpaca account": "PA" + "3X7QK2M9ZT",
    "iban": "DE89 3704 " + "0044 0532 0130 00",
    "e-mail": "jane.doe@" + "alpha-capital.com",
    "e-mail of a fund": "jane@" + "alpha.capital",
    "e-mail in another script": "jürgen@" + "exämple.de",
}

_Q = '"'
_WRITTEN: dict[str, tuple[str, tuple[str, ...]]] = {
    "quantconnect pair": (f'USER_ID = 123456\nAPI_TOKEN = "{QC_TOKEN}"', ("123456", QC_TOKEN)),
    "quantconnect id as text": ('QC_USER_ID = "234567"', ("234567",)),
    "quantconnect pair at once": (f'USER_ID, API_TOKEN = "345678", "{WORD}"', ("345678", WORD)),
    "basic auth of requests": (f'requests.get(url, auth=("456789", "{WORD}"))', ("456789", WORD)),
    "basic auth object": (f'HTTPBasicAuth("567890", "{WORD}")', ("567890", WORD)),
    "basic header": (
        "Authorization: Basic " + base64.b64encode(f"123456:{QC_TOKEN}".encode()).decode(),
        (base64.b64encode(f"123456:{QC_TOKEN}".encode()).decode(),),
    ),
    "bearer header in code": (
        f'headers = {{"Authorization": f"Bearer {_all(40, "b")}"}}', (_all(40, "b"),),
    ),
    "lower-case bearer": (f"authorization: bearer {_all(30, 'lb')}", (_all(30, "lb"),)),
    "curl": (f"curl -u jane:{WORD} https://api.host.com", (WORD,)),
    "low entropy": (f'API_KEY = "{WORD}"', (WORD,)),
    "lower-case name": (f"api_key = '{WORD}'", (WORD,)),
    "camel case": (f'const apiKey = "{WORD}";', (WORD,)),
    "attribute": (f'self._api_secret = "{WORD}"', (WORD,)),
    "annotated": (f'api_key: str = "{WORD}"', (WORD,)),
    "optional": (f'password: Optional[str] = "{WORD}"', (WORD,)),
    "dataclass field": (f'token: SecretStr = SecretStr("{_all(20, "f")}")', (_all(20, "f"),)),
    "default of a parameter": (f'def connect(host, password="{WORD}"): pass', (WORD,)),
    "keyword argument": (f'tradeapi.REST(key_id="{ALPACA_ID}", secret_key="{ALPACA_SECRET}")',
                         (ALPACA_ID, ALPACA_SECRET)),
    "dict literal": (f'cfg = {{"user": "jane", "password": "{WORD}"}}', (WORD,)),
    "dict of headers": (f'h = {{"APCA-API-SECRET-KEY": "{ALPACA_SECRET}"}}', (ALPACA_SECRET,)),
    "subscript": (f'os.environ["FRED_API_KEY"] = "{WORD}"', (WORD,)),
    "default of environ": (f'k = os.environ.get("TIINGO_TOKEN", "{WORD}")', (WORD,)),
    "default of getenv": (f"os.getenv('DB_PASSWORD', '{WORD}')", (WORD,)),
    "setdefault": (f'os.environ.setdefault("API_SECRET", "{WORD}")', (WORD,)),
    "parameter of lean": (f'self.get_parameter("api_key", "{WORD}")', (WORD,)),
    "argparse": (f'p.add_argument("--api-key", type=str, default="{WORD}", help="x")', (WORD,)),
    "click option": (f'@click.option("--password", default="{WORD}")', (WORD,)),
    "comparison": (f'if password == "{WORD}":\n    pass', (WORD,)),
    "comment": (f"x = 1  # password: {WORD}", (WORD,)),
    "docstring": (f'"""Connects.\n\n    api_key: {WORD}\n    """', (WORD,)),
    "prose": (f"Use my account, the password is {WORD}, and trade SPY.", (WORD,)),
    "prose of a key": (f"My API key is {_all(24, 'pr')} for Polygon.", (_all(24, "pr"),)),
    "markdown": (f"**API key:** `{WORD}`", (WORD,)),
    "implicit concatenation": ('API_KEY = ("hunt" "er2x"\n  "yz9")', ("hunt", "er2x", "yz9")),
    "concatenation": ('API_SECRET = "hunt" + "er2x"', ("hunt", "er2x")),
    "line continuation": ('PASSWORD = "hunt" \\\n    "er2x"', ("hunt", "er2x")),
    "joined list": ('API_KEY = "".join(["hunt", "er2x"])', ("hunt", "er2x")),
    "token in pieces": (
        f'k = "{ANTHROPIC[:12]}" + "{ANTHROPIC[12:40]}" + "{ANTHROPIC[40:]}"',
        (ANTHROPIC[12:40], ANTHROPIC[40:]),
    ),
    "token over lines": (f'c = Client(\n "{OPENAI[:20]}"\n "{OPENAI[20:]}"\n)', (OPENAI[20:],)),
    "f-string": (f'password = f"{{prefix}}-{WORD}"', (WORD,)),
    "f-string address": (f'f"https://{{host}}/v1?apikey={WORD}&symbol={{s}}"', (WORD,)),
    "bytes": (f'API_SECRET = b"{WORD}"', (WORD,)),
    "triple quotes": (f'API_SECRET = """{WORD}"""', (WORD,)),
    "base64 of a token": (f'decode("{base64.b64encode(ANTHROPIC.encode()).decode()}")',
                          (base64.b64encode(ANTHROPIC.encode()).decode(),)),
    "base64 of a word": ('password = base64.b64decode("aHVudGVyMg==")', ("aHVudGVyMg==",)),
    "set_auth_code of lean": (f'Tiingo.set_auth_code("{_hex(40, "ti")}")', (_hex(40, "ti"),)),
    "SetAuthCode": (f'Quandl.SetAuthCode("{WORD}")', (WORD,)),
    "unnamed client": (f'client = RESTClient("{_all(32, "poly")}")', (_all(32, "poly"),)),
    "polygon": (f'POLYGON_KEY = "{_all(32, "pg")}"', (_all(32, "pg"),)),
    "alpha vantage": ('AV_KEY = "Q7XK' + 'M2P9ZT4LWN8B"', ("Q7XK" + "M2P9ZT4LWN8B",)),
    "alpha vantage address": ("https://www.alphavantage.co/query?function=X&apikey=Q7XK" + "M2P9",
                              ("Q7XK" + "M2P9",)),
    "quandl": (f'quandl.ApiConfig.api_key = "{_all(20, "qd")}"', (_all(20, "qd"),)),
    "fred": (f'fred = Fred(api_key="{_hex(32, "fr")}")', (_hex(32, "fr"),)),
    "finnhub": (f"https://finnhub.io/api/v1/quote?symbol=A&token={_all(20, 'fh').lower()}",
                (_all(20, "fh").lower(),)),
    "mistral": (f"MISTRAL_API_KEY={_all(32, 'mi')}", (_all(32, "mi"),)),
    "binance": (f'client = Client("{_all(64, "b1")}", "{_all(64, "b2")}")',
                (_all(64, "b1"), _all(64, "b2"))),
    "kraken": (f"API-Sign: {_all(86, 'kr')}==", (_all(86, "kr"),)),
    "coinbase passphrase": ('"CB-ACCESS-PASSPHRASE": "horse battery"', ("horse battery",)),
    "lean.json": (
        '{"ib-account": "DU' + '1234567", "ib-user-name": "janedoe1", "ib-password": "' + WORD
        + '", "job-user-id": "123987", "api-access-token": "' + QC_TOKEN + '"}',
        ("DU" + "1234567", "janedoe1", WORD, "123987", QC_TOKEN),
    ),
    "oanda": (f'"oanda-access-token": "{_hex(32, "o1")}-{_hex(32, "o2")}"',
              (_hex(32, "o1"), _hex(32, "o2"))),
    "organization": (f'organization_id = "{_hex(32, "org")}"', (_hex(32, "org"),)),
    "aws secret": (f"aws_secret_access_key = {AWS_SECRET}", (AWS_SECRET,)),
    "aws session": (f'aws_session_token="{_all(120, "sess")}"', (_all(120, "sess"),)),
    "azure": (f"DefaultEndpointsProtocol=https;AccountName=x;AccountKey={_all(86, 'az')}==;"
              "EndpointSuffix=core", (_all(86, "az"),)),
    "odbc": (f"Driver=x;Server=db;UID=sa;Pwd={WORD};", (WORD,)),
    "dsn": (f"host=db user=jane password={WORD} dbname=lean", (WORD,)),
    "postgresql address": (f"postgresql://quant:{WORD}@db.host:5432/lean", (WORD,)),
    "redis address": (f"redis://:{WORD}@cache:6379/0", (WORD,)),
    "mongodb address": ("mongodb+srv://u:p%40ss" + "w0rd@c0.mongodb.net/x", ("p%40ss" + "w0rd",)),
    "address with a token alone": (f"https://{GITHUB}@github.com/a/b.git", (GITHUB,)),
    "service account": (
        json.dumps({"type": "service_account", "private_key_id": _hex(40, "gcp"),
                    "private_key": _pem("PRIVATE " + "KEY") + "\n",
                    "client_email": "bot@p.iam.gserviceaccount.com"}),
        (_hex(40, "gcp"), BODY[:60], BODY[-60:], "bot@p"),
    ),
    "key block of literals": (
        "KEY = (" + "\n".join(f'"{line}\\n"' for line in _pem("EC " + "PRIVATE KEY").split("\n"))
        + ")", tuple(BODY.split("\n")),
    ),
    "key block cut off": (f"{_pem('RSA ' + 'PRIVATE KEY')[:200]}", (BODY[:100],)),
    ".env": (f"DEBUG=1\nSECRET_KEY=hunter\nTOKEN={_all(20, 'env')}\n", ("hunter", _all(20, "env"))),
    "export": (f"export DB_PASSWORD={WORD}", (WORD,)),
    "ini": (f"[api]\napi_key = {WORD}\n", (WORD,)),
    "yaml": (f"broker:\n  api_key: {WORD}\n  secret: s3cr3t-x\n", (WORD, "s3cr3t-x")),
    "yaml quoted": (f"api_key: '{WORD}'  # live", (WORD,)),
    "yaml block": (f"api_key: |\n  {WORD}\nuniverse: SPY\n", (WORD,)),
    "yaml folded": (f"creds:\n  password: >-\n    {WORD}\n    more{WORD}\n  x: 1\n", (WORD,)),
    "toml": (f'password = "{WORD}"', (WORD,)),
    "dockerfile": (f"ENV API_KEY={WORD}", (WORD,)),
    "command line": (f"lean login --user-id 123654 --api-token {WORD}", ("123654", WORD)),
    "command line with =": (f"run --password={WORD}", (WORD,)),
    "json": (f'{{"api_key": "{WORD}"}}', (WORD,)),
    "json in json": (json.dumps(json.dumps({"password": WORD})), (WORD,)),
    "json three deep": (json.dumps(json.dumps(json.dumps({"api_key": WORD}))), (WORD,)),
    "json over lines": (json.dumps({"password": WORD}, indent=2), (WORD,)),
    "percent-encoded": (quote(f"api_key={WORD}&x=1"), (WORD,)),
    "percent-encoded json": (quote(json.dumps({"password": WORD})), (WORD,)),
    "xml": (f"<password>{WORD}</password>", (WORD,)),
    ".netrc": (f"machine api.host.com login jane password {WORD}", (WORD, "login jane")),
    ".npmrc": ("//registry.npmjs.org/:_authToken=0f1e2d3c-aaaa-4000", ("0f1e2d3c-aaaa-4000",)),
    ".pgpass": (f"db.host:5432:lean:jane:{WORD}", (WORD,)),
    "docker config": ('{"auths": {"x": {"auth": "' + _all(30, "dk") + '=="}}}', (_all(30, "dk"),)),
    "seed phrase": (f'mnemonic = "{PHRASE}"', (PHRASE,)),
    "seed phrase in prose": (f"The seed phrase: {PHRASE}.", (PHRASE,)),
    "traceback": (
        'Traceback (most recent call last):\n  File "/home/jane/lean/main.py", line 3, in x\n'
        f'    client.login(password="{WORD}")\nAuthError: 401', ("jane", WORD),
    ),
    "provider's error": (f"Incorrect API key provided: {_all(20, 'err')}.", (_all(20, "err"),)),
    "said again without its name": (f'PASSWORD = "{WORD}"\nlog("using {WORD}")', (WORD,)),
    "mcp arguments": (
        json.dumps({"arguments": {"model": {"content": f'TOKEN = "{_all(30, "mcp")}"\n'}}}),
        (_all(30, "mcp"),),
    ),
    "telegram address": (f"https://api.telegram.org/bot{TELEGRAM}/sendMessage", (TELEGRAM,)),
    "telegram of lean": ('self.notify.telegram("-1001234567890", "hi")', ("1001234567890",)),
    "sms of lean": ('self.notify.sms("+14155550123", "hi")', ("14155550123",)),
    "cookie": (f"Cookie: session={_all(40, 'ck')}", (_all(40, "ck"),)),
    "e-mail in mailto": ("mailto:jane@" + "example.com?subject=x", ("jane@",)),
    "e-mail percent-encoded": ("user=jane%40" + "example.com", ("jane%40",)),
    "e-mail escaped": ("jane\\u0040" + "example.com", ("jane",)),
    "e-mail quoted": ('"jane doe"@' + "example.com", ("jane doe",)),
    "e-mail with a name": ("Jane Doe <jane.doe@" + "fund.lu>", ("jane.doe",)),
    "e-mail spelled": ("jane [at] alpha [dot] com", ("jane",)),
    "home": ("/home/jane/lean", ("jane",)),
    "home of a mac": ("/Users/jane.doe/lean", ("jane.doe",)),
    "home of windows": ("C:\\Users\\jane\\lean", ("jane",)),
    "home of windows with a blank": ("C:\\Users\\Jane Doe\\lean", ("Jane", "Doe")),
    "home of windows escaped": (json.dumps("C:\\Users\\jane\\lean"), ("jane",)),
    "home of windows escaped twice": (json.dumps(json.dumps("C:\\Users\\jane\\l")), ("jane",)),
    "home of windows, slashes": ("c:/users/jane/lean", ("jane",)),
    "home in wsl": ("/mnt/c/Users/jane/lean", ("jane",)),
    "home of wsl": ("\\\\wsl$\\Ubuntu\\home\\jane\\lean", ("jane",)),
    "home in git bash": ("/c/Users/jane/lean", ("jane",)),
    "home as an address": ("file:///home/jane/lean", ("jane",)),
    "home by tilde": ('open("~jane/lean/x.csv")', ("jane",)),
    "home with escaped slashes": ("\\/home\\/jane\\/lean", ("jane",)),
    "home at the end": ("cwd=/home/jane", ("jane",)),
    "home in a list": ("PATH=/usr/bin:/home/jane/bin", ("jane",)),
}  # fmt: skip

PLACES = {
    "code": "class A(QCAlgorithm):\n    K = {quoted}\n",
    "log": "2024-01-02 10:00:00 ERROR refused {secret} for the request\n",
    "yaml": "title: Momentum\nnote: {secret}\n",
}


def planted() -> list[Planted]:
    """All of them: the tokens in code, in a log and in YAML, and the others as they are."""
    found = []
    for name, secret in _TOKENS.items():
        lines = tuple(line for line in secret.split("\n") if not line.startswith("-----"))
        for place, text in PLACES.items():
            quoted = f'"""{secret}"""' if "\n" in secret else f'"{secret}"'
            full = text.format(quoted=quoted, secret=secret)
            found.append(Planted(f"{name}, {place}", full, lines))
    return found + [Planted(name, text, secrets) for name, (text, secrets) in _WRITTEN.items()]


def left_of(case: Planted, clean: str) -> list[str]:
    """Which of its secrets are still to be read."""
    return [secret for secret in case.secrets if secret in clean]
