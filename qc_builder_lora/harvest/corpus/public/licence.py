"""Licences that a source states, held to SPDX: an example without one teaches nobody."""

from __future__ import annotations

import difflib

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
