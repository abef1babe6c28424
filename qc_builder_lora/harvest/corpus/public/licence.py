"""Licences that a source states, held to SPDX: an example without one teaches nobody.

What a file says of itself is held against what its folder was said to be under. Texts of licences
are known by a sentence of theirs: which version or variant of them it is, is not looked at.
"""

from __future__ import annotations

import difflib
import re
from pathlib import Path

from qc_builder_lora.errors import InputError

# For a did-you-mean alone; what is valid is SPDX's own list, which `packaging` carries.
_FREQUENT = (
    "0BSD", "AGPL-3.0-only", "AGPL-3.0-or-later", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause",
    "BSL-1.0", "CC-BY-4.0", "CC-BY-SA-4.0", "CC0-1.0", "EPL-2.0", "GPL-2.0-only",
    "GPL-2.0-or-later", "GPL-3.0-only", "GPL-3.0-or-later", "ISC", "LGPL-2.1-only",
    "LGPL-3.0-only", "MIT", "MPL-2.0", "Python-2.0", "Unlicense", "Zlib",
)  # fmt: skip
_OWN = (
    "If it has no licence of that list, name it yourself: LicenseRef-own-work for your own code, "
    "LicenseRef-anything-else for what stays out of snapshots unless asked for."
)


def checked_licence(expression: object, what: str) -> str:
    """The SPDX expression as SPDX writes it; InputError for none, or for what SPDX does not know.

    `what` is the source, for the sentence.
    """
    from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

    if not isinstance(expression, str) or not expression.strip():
        raise InputError(f"{what}: no licence given. Name it as SPDX does: MIT, Apache-2.0. {_OWN}")
    try:
        return str(canonicalize_license_expression(expression))
    except InvalidLicenseExpression as error:
        close = difflib.get_close_matches(
            expression.lower().replace(" ", "-"),
            [one.lower() for one in _FREQUENT],
            n=1,
            cutoff=0.4,
        )
        known = {one.lower(): one for one in _FREQUENT}
        hint = f" Did you mean {known[close[0]]!r}?" if close else ""
        raise InputError(
            f"{what}: {expression!r} is no SPDX licence expression.{hint} The identifiers are at "
            f"https://spdx.org/licenses. {_OWN}"
        ) from error


# Sentence → how the identifiers of the licences begin that have it.
_SENTENCES = (
    (r"GNU Affero General Public License", "AGPL-"),
    (r"GNU Lesser General Public License|GNU Library General Public", "LGPL-"),
    (r"GNU General Public License", "GPL-"),
    (r"Mozilla Public License", "MPL-"),
    (r"(?:the )?Apache License", "Apache-"),
    (r"Permission is hereby granted, free of charge|\bMIT License", "MIT"),
    (r"Redistribution and use in source and binary forms", "BSD-"),
    (r"\bproprietary (?:and|software|code)|\b(?:strictly )?confidential\b|not (?:to be )?"
     r"(?:distributed|redistributed|copied) without", "proprietary"),
)  # fmt: skip
_TAG = re.compile(r"SPDX-License-Identifier:[ \t]*([\w.+() -]*[\w.+)])")
_FILE = re.compile(r"(?:LICEN[SC]E|COPYING)(?:\.txt|\.md|\.rst)?$", re.IGNORECASE)
_HEADER_LINES = 60
_LONGEST_FILE = 200_000


def stated_licence(text: str) -> str | None:
    """What a file's first lines say it is under: an SPDX expression, or the beginning of one."""
    tag = _TAG.search(text)
    if tag is not None:
        return tag[1].strip()
    head: list[str] = []
    for line in text.splitlines()[:_HEADER_LINES]:
        # The header ends where the code begins: what a string says there is no licence.
        if re.match(r"(?:from|import|class|def)\s", line):
            break
        head.append(line.strip(" \t#*/\"'"))
    told = " ".join(" ".join(head).split())
    return next((name for rule, name in _SENTENCES if re.search(rule, told, re.IGNORECASE)), None)


def licence_file(folder: Path, top: Path) -> tuple[Path, str] | None:
    """The nearest file that says what a folder is under, up to `top`, and what that is."""
    for place in (folder, *folder.parents):
        beside = sorted(place.iterdir()) if place.is_dir() else []
        for path in (one for one in beside if _FILE.match(one.name)):
            found = _stated_by(path)
            if found is not None:
                return path, found
        if place == top:
            break
    return None


def _stated_by(path: Path) -> str | None:
    if not path.is_file() or path.is_symlink() or path.stat().st_size > _LONGEST_FILE:
        return None
    text = " ".join(path.read_text("utf-8", errors="replace").split())[:_LONGEST_FILE]
    first = [(at.start(), name) for rule, name in _SENTENCES if (at := re.search(rule, text, re.I))]
    return min(first)[1] if first else None


def contradicts(stated: str | None, named: str) -> bool:
    """Whether what is stated is none of the licences that the named expression has."""
    if stated is None:
        return False
    parts = re.split(r"\s+(?:OR|AND|WITH)\s+|[()]", named)
    ours = {part.lower() for part in parts if part.strip()}
    if stated.endswith("-"):
        return not any(part.startswith(stated.lower()) for part in ours)
    try:
        whole = checked_licence(stated, "").lower()
    except InputError:
        whole = stated.lower()
    theirs = {part for part in re.split(r"\s+(?:or|and|with)\s+|[()]", whole) if part.strip()}
    if " and " in whole:
        return not theirs <= ours
    return not theirs & ours
