"""One frozen Settings, from `qc-lora.toml` and QC_LORA_* variables. Nobody else reads either.

Order, the later wins: the defaults here, `qc-lora.toml` in the working folder (or the file that
QC_LORA_CONFIG names), then the environment. The keys of hosted models keep their usual names
(ANTHROPIC_API_KEY, OPENAI_API_KEY, GEMINI_API_KEY), QuantConnect's account its own (QC_USER_ID and
QC_API_TOKEN, or QUANTCONNECT_USER_ID and QUANTCONNECT_API_TOKEN); none is ever written anywhere.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from qc_builder_lora.errors import SettingsError, UnknownKey

PROVIDERS = ("local", "anthropic", "openai", "gemini")
ENGINES = ("simulator", "quantconnect", "lean")
BATCH_ENGINES = ("auto", "xllamacpp", "llama-cpp-python")
_ON, _OFF = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that can be set, checked when built."""

    home: Path = Path(".qc-lora")
    """Where everything the product writes is kept."""
    cache: Path | None = None
    """Converted base weights and figures of base models; default `qc-lora` in the user's cache
    folder, where `make` keeps the compiled llama.cpp: a second home does not make them again."""
    database: str | None = None
    """SQLAlchemy URL; default SQLite at `home/store.db`."""
    data: Path | None = None
    """A LEAN data folder; default the converted bokeh sample data under `home/data`."""
    providers: tuple[str, ...] = PROVIDERS
    """The fallback chain, in order."""
    local_model: str = "production"
    """`production`, a Model id, or a path to a GGUF file."""
    local_url: str | None = None
    """An OpenAI-compatible server to use in place of our own llama.cpp child."""
    local_base: Path | None = None
    """The GGUF that our models are adapters of: then one child serves it, and a model is its LoRA
    adapter, swapped while the child runs, in place of a child with the merged file."""
    local_threads: int = 0
    """Threads of llama.cpp; 0 takes what the CPU affinity and cgroup allow."""
    local_context: int = 4096
    """Context window of the local model, in tokens."""
    local_memory_mb: int = 8192
    """Address-space limit of the llama.cpp child, in MB; 0 for none."""
    local_standby_s: float = 600.0
    """After a promotion, how long the model before it stays loaded, so that a rollback takes no
    loading; 0 to end it at once. Seconds."""
    batch_engine: str = "auto"
    """What asks many prompts: `xllamacpp`, several at once, or `llama-cpp-python`, which serves.
    `auto` replays requests with xllamacpp where it is installed, and asks a suite with the one
    that serves, because the answers to a suite must repeat."""
    batch_slots: int = 8
    """How many at once; fewer where their windows would take over a quarter of free memory."""
    max_tokens: int = 1024
    """Longest answer asked of any model, in tokens."""
    eval_max_tokens: int = 512
    """Longest answer to a prompt of an evaluation suite, in tokens."""
    deadline_s: float = 300.0
    """Time for one request through the whole chain, in seconds."""
    budget_usd: Decimal = Decimal(5)
    """Hosted spending allowed per Build: the host's own rule."""
    anthropic_model: str = "claude-sonnet-5-5"
    openai_model: str = "gpt-6.1-terra"
    gemini_model: str = "gemini-3.5-flash-lite"
    anthropic_url: str | None = None
    openai_url: str | None = None
    gemini_url: str | None = None
    anthropic_key_file: Path | None = None
    openai_key_file: Path | None = None
    gemini_key_file: Path | None = None
    """Files that hold the keys; read again when they change, while `qc-lora serve` runs."""
    keep_requests: bool = True
    """Whether `qc-lora serve` keeps what it is asked and answers, secrets taken out."""
    shadow_share: float = 0.0
    """The part of the served requests that a second model is asked too, a fraction."""
    shadow_model: str = "candidate"
    """Who that is: `candidate` (the newest), a Model id, a GGUF file, or a hosted provider."""
    shadow_window: str | None = None
    """When it may work, UTC, like 22:00-06:00; always by default."""
    shadow_daily_usd: Decimal = Decimal(0)
    """What a hosted shadow may spend a day; the local one is free."""
    shadow_queue: int = 32
    """Requests that may wait for it; more are dropped and counted."""
    notify_webhook: str | None = field(default=None, repr=False)
    """A web address that is told when a model was taken back by itself. Often a secret."""
    recipe: str = "gemma-3-270m"
    suite: str = "smoke"
    jobs: int = 0
    """Backtests at a time; 0 takes the number of usable CPUs."""
    allow_open_sandbox: bool = False
    """Run strategies even where the kernel refuses a wall around them; their results say so."""
    engine: str = "simulator"
    """What runs the backtests of gates and evaluation: one of ENGINES."""
    backtest_deadline_s: float = 3600.0
    """How long QuantConnect or the LEAN CLI may take for one backtest, queueing included."""
    quantconnect_url: str | None = None
    """Another address of the REST API."""
    quantconnect_project: str = "qc-lora"
    """The cloud project whose main.py our backtests use; made if it is missing."""
    quantconnect_organization: str | None = None
    """The organisation a new project is made in; default the account's own."""
    quantconnect_clean: bool = False
    """Delete each backtest from the account when it has been read."""
    lean_command: str = "lean"
    """The LEAN CLI."""
    lean_workspace: Path | None = None
    """The folder `lean init` made; default the nearest one with a lean.json."""
    retrain_min_new: int = 50
    """New accepted strategies that start a turn of the loop."""
    retrain_cron: str | None = None
    """A cron expression that starts a turn, in UTC."""
    poll_s: float = 30.0
    """How often the daemon looks whether a turn is due, in seconds."""
    lease_s: float = 60.0
    """How long the lease of the loop outlives a dead holder, in seconds."""
    log_format: str = "console"
    """`console` or `json`."""
    anthropic_key: str | None = field(default=None, repr=False)
    openai_key: str | None = field(default=None, repr=False)
    gemini_key: str | None = field(default=None, repr=False)
    local_key: str | None = field(default=None, repr=False)
    """Key of the server at `local_url`."""
    notify_secret: str | None = field(default=None, repr=False)
    """Signs what is sent to `notify_webhook`."""
    quantconnect_user: str | None = field(default=None, repr=False)
    quantconnect_token: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for name in self.providers:
            if name not in PROVIDERS:
                raise SettingsError(f"providers names {name!r}; known are {', '.join(PROVIDERS)}.")
        if self.engine not in ENGINES:
            raise SettingsError(f"engine must be one of {', '.join(ENGINES)}, got {self.engine!r}.")
        if self.batch_engine not in BATCH_ENGINES:
            known = ", ".join(BATCH_ENGINES)
            raise SettingsError(f"batch_engine must be one of {known}, got {self.batch_engine!r}.")
        self._check_positive("batch_slots")
        if not self.quantconnect_project.strip():
            raise SettingsError("quantconnect_project is empty; name a project, such as qc-lora.")
        if self.log_format not in ("console", "json"):
            raise SettingsError(f"log_format must be console or json, got {self.log_format!r}.")
        self._check_positive("max_tokens", "deadline_s", "local_context", "poll_s", "lease_s")
        self._check_positive("backtest_deadline_s")
        self._check_positive("retrain_min_new", "eval_max_tokens")
        if self.local_standby_s < 0:
            raise SettingsError(
                f"local_standby_s must not be negative, got {self.local_standby_s}."
            )
        if not 0 <= self.shadow_share <= 1:
            raise SettingsError(f"shadow_share must be in [0, 1], got {self.shadow_share}.")
        if self.shadow_daily_usd < 0:
            raise SettingsError(
                f"shadow_daily_usd must not be negative, got {self.shadow_daily_usd}."
            )
        self._check_positive("shadow_queue")
        if self.budget_usd < 0:
            raise SettingsError(f"budget_usd must not be negative, got {self.budget_usd}.")

    def _check_positive(self, *names: str) -> None:
        for name in names:
            if getattr(self, name) <= 0:
                raise SettingsError(f"{name} must be above zero, got {getattr(self, name)}.")

    @property
    def database_url(self) -> str:
        """The SQLAlchemy URL in force."""
        return self.database or f"sqlite:///{(self.home / 'store.db').absolute()}"

    @property
    def cache_folder(self) -> Path:
        """Where things that can be made again are kept."""
        return self.cache or _user_cache()

    @property
    def data_folder(self) -> Path:
        """The LEAN data folder in force."""
        return self.data or self.home / "data"

    @property
    def usable_jobs(self) -> int:
        """How many backtests run at a time."""
        return self.jobs or len(os.sched_getaffinity(0))

    def public(self) -> dict[str, Any]:
        """All settings but the keys, as plain JSON values; saved with what they produced."""
        return {
            item.name: _plain(getattr(self, item.name))
            for item in fields(self)
            if item.name not in (*_KEY_VARIABLES, "notify_webhook")
        }


_KEY_VARIABLES = {
    "anthropic_key": ("ANTHROPIC_API_KEY",),
    "openai_key": ("OPENAI_API_KEY",),
    "gemini_key": ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
    "local_key": ("QC_LORA_LOCAL_KEY",),
    "notify_secret": ("QC_LORA_NOTIFY_SECRET",),
    "quantconnect_user": ("QC_USER_ID", "QUANTCONNECT_USER_ID"),
    "quantconnect_token": ("QC_API_TOKEN", "QUANTCONNECT_API_TOKEN"),
}


_FILE = "_key_file"
_OUR_KEYS = ("QC_LORA_LOCAL_KEY", "QC_LORA_NOTIFY_SECRET")


def load_settings(
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    **overrides: Any,
) -> Settings:
    """Settings from the file, the environment and the overrides given; the last wins.

    Raises UnknownKey for a key nobody reads, SettingsError for a value that cannot be used.
    """
    environment = os.environ if environment is None else environment
    folder = folder or Path.cwd()
    values = _from_file(environment, folder)
    values.update(_from_environment(environment))
    values.update({key: value for key, value in overrides.items() if value is not None})
    _read_key_files(values)
    if environment.get("XDG_CACHE_HOME"):
        values.setdefault("cache", Path(environment["XDG_CACHE_HOME"]) / "qc-lora")
    return Settings(**values)


def _user_cache() -> Path:
    # The same place as in deploy/bootstrap.py, which runs before anything of ours can be imported.
    try:
        return Path.home() / ".cache" / "qc-lora"
    except RuntimeError as error:
        raise SettingsError(
            f"User {os.getuid()} has no home folder for the cache. Set QC_LORA_CACHE."
        ) from error


def _from_file(environment: Mapping[str, str], folder: Path) -> dict[str, Any]:
    path = Path(environment.get("QC_LORA_CONFIG") or folder / "qc-lora.toml")
    if not path.exists():
        if "QC_LORA_CONFIG" in environment:
            raise SettingsError(f"QC_LORA_CONFIG names {path}, which does not exist.")
        return {}
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not valid TOML: {error}") from error
    return _convert_all(path, table)


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    found = {
        name.removeprefix("QC_LORA_").lower(): value
        for name, value in environment.items()
        if name.startswith("QC_LORA_") and name not in ("QC_LORA_CONFIG", *_OUR_KEYS) and value
    }
    values = _convert_all("environment variable QC_LORA_…", found)
    for key, variables in _KEY_VARIABLES.items():
        values[key] = next((environment[v] for v in variables if environment.get(v)), None)
        for variable in variables:
            # As containers mount secrets: ANTHROPIC_API_KEY_FILE=/run/secrets/anthropic.
            if f"{key}_file" in hosted_files() and environment.get(f"{variable}_FILE"):
                values.setdefault(f"{key}_file", Path(environment[f"{variable}_FILE"]))
    return values


def hosted_files() -> tuple[str, ...]:
    """The settings that name the file of a key."""
    return tuple(item.name for item in fields(Settings) if item.name.endswith(_FILE))


def _read_key_files(values: dict[str, Any]) -> None:
    for name in hosted_files():
        path, key = values.get(name), name.removesuffix("_file")
        if path is None:
            continue
        if values.get(key):
            raise SettingsError(
                f"{key} is given twice: as a variable and in the file {path}. Unset one of them."
            )
        try:
            values[key] = path.read_text("utf-8").strip() or None
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"{name} names {path}, which cannot be read: {error}.") from error
        if values[key] is None:
            raise SettingsError(f"{name} names {path}, which is empty. Put the key in.")


def _convert_all(where: str | Path, table: Mapping[str, Any]) -> dict[str, Any]:
    hints = {k: v for k, v in get_type_hints(Settings).items() if k not in _KEY_VARIABLES}
    values = {}
    for key, value in table.items():
        if key not in hints:
            raise UnknownKey(where, key, hints)
        values[key] = _convert(f"{where}: {key}", value, hints[key])
    return values


def _convert(where: str, value: Any, hint: Any) -> Any:
    kinds = [kind for kind in get_args(hint) if kind is not type(None)]
    kind = kinds[0] if kinds and get_origin(hint) is not tuple else hint
    if get_origin(kind) is tuple:
        parts = value.split(",") if isinstance(value, str) else value
        return tuple(str(part).strip() for part in parts)
    if kind is bool:
        return _switch(where, value)
    try:
        if kind is Decimal:
            return Decimal(str(value))
        return kind(value)
    except (TypeError, ValueError, InvalidOperation) as error:
        raise SettingsError(f"{where} must be {kind.__name__}, got {value!r}.") from error


def _switch(where: str, value: Any) -> bool:
    # Not bool(value): that of the text "false" is True.
    word = str(value).strip().lower()
    if word not in (*_ON, *_OFF):
        raise SettingsError(f"{where} must be true or false, got {value!r}.")
    return word in _ON


def _plain(value: Any) -> Any:
    if isinstance(value, Path | Decimal):
        return str(value)
    return list(value) if isinstance(value, tuple) else value
