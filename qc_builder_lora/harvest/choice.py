"""What goes into a snapshot: the options of `snapshot build` and the table of gates.toml."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from qc_builder_lora.errors import SettingsError, UnknownKey
from qc_builder_lora.harvest.accept import LICENCE as OWN_WORK
from qc_builder_lora.harvest.rules import SNAPSHOT, read_table

_FEW = 50
_REFERENCE = re.compile(r"LicenseRef-[A-Za-z0-9.-]+")


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What goes into a snapshot; part of what its name is a hash of."""

    validation_share: float = 0.08
    family_quota: int = 200
    """Most Examples of one family, error-fix and change pairs apart."""
    family_share: float = 0.3
    """Largest share of one family where there are others enough; see `most_of_one`."""
    fix_quota: int = 20
    """Most error-fix pairs of one family; 0 leaves them out."""
    mistake_quota: int = 60
    """Most error-fix pairs of one mistake."""
    change_quota: int = 20
    """Most change pairs of one family; 0 leaves them out."""
    fixes_of_builders: bool = False
    """Whether a turn makes pairs of what its builders mended before it builds a snapshot."""
    sources: tuple[str, ...] = ()
    """Only these sources; all where empty."""
    licences: tuple[str, ...] = ()
    """Reserved licences that are asked for; see `is_reserved`."""
    include_sources: tuple[str, ...] = ()
    """Sources whose Examples are asked for whatever their licence reserves."""

    def __post_init__(self) -> None:
        if not 0 < self.validation_share < 0.5:
            raise SettingsError(f"validation_share must be in (0, 0.5): {self.validation_share}.")
        if self.family_quota < 1:
            raise SettingsError(f"family_quota must be at least 1, got {self.family_quota}.")
        if not 0 < self.family_share <= 1:
            raise SettingsError(f"family_share must be in (0, 1]: {self.family_share}.")
        for name in ("fix_quota", "mistake_quota", "change_quota"):
            if getattr(self, name) < 0:
                raise SettingsError(f"{name} must not be negative, got {getattr(self, name)}.")

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        found: dict[str, Any] = {
            "validation_share": self.validation_share,
            "family_quota": self.family_quota,
            "sources": list(self.sources),
        }
        if self.licences:
            found["licences"] = sorted(self.licences)
        if self.include_sources:
            found["include_sources"] = sorted(self.include_sources)
        for name in ("fix_quota", "mistake_quota", "change_quota", "family_share"):
            # Left out where nothing was decided: a snapshot without pairs keeps its name.
            if getattr(self, name) != getattr(Choice, name):
                found[name] = getattr(self, name)
        return found

    def most_of_one(self, families: Mapping[str, int]) -> int:
        """How many of one family are taken, of families with so many each: at most the quota, and
        so few that no family is more than its share of all; a family of `_FEW` is never cut."""
        if len(families) < 2:
            return self.family_quota
        share = max(self.family_share, 1 / len(families))

        def fits(most: int) -> bool:
            return most <= share * sum(min(count, most) for count in families.values())

        if self.family_quota <= _FEW or fits(self.family_quota):
            return self.family_quota
        # What is too many stays so for every larger number: the sum grows ever more slowly.
        low, high = _FEW, self.family_quota
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if fits(middle) else (low, middle)
        return low

    def withholds(self, licence: str, source: str) -> bool:
        """Whether an Example of that licence and source was not asked for."""
        return source not in self.include_sources and is_withheld(licence, self.licences)


def load_choice(**changed: Any) -> Choice:
    """The table `[snapshot]` of harvest/gates.toml, with what is given (and not None) instead."""
    path, table = read_table()
    chosen = table.get(SNAPSHOT, {})
    known = {item.name for item in fields(Choice)}
    for key in chosen:
        if key not in known:
            raise UnknownKey(f"{path}, [{SNAPSHOT}]", key, known)
    values: dict[str, Any] = {
        key: tuple(v) if isinstance(v, list) else v for key, v in chosen.items()
    }
    given = {key: value for key, value in changed.items() if value is not None}
    return replace(Choice(**values), **given)


def reserved_parts(licence: str) -> list[str]:
    """The parts of an SPDX expression by which somebody else may hold the rights: licences of no
    standard, but the owner's. None where one of several (`OR`) may be chosen without them."""
    found = []
    for choice in licence.split(" OR ") if "(" not in licence else [licence]:
        parts = [one for one in _REFERENCE.findall(choice) if one != OWN_WORK]
        if not parts:
            return []
        found += parts
    return found


def is_reserved(licence: str) -> bool:
    """Whether somebody else may hold the rights."""
    return bool(reserved_parts(licence))


def is_withheld(licence: str, asked: Iterable[str]) -> bool:
    """Whether it is reserved, and neither it nor each of its reserved parts was asked for."""
    named = set(asked)
    parts = reserved_parts(licence)
    return bool(parts) and licence not in named and not named.issuperset(parts)
