"""Reads a posted form, within bounds."""

from __future__ import annotations

from urllib.parse import parse_qs

from starlette.exceptions import HTTPException
from starlette.requests import Request

MAX_FORM = 64 * 2**10
"""The longest form taken, in bytes."""


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a form, the first of each name; HTTPException for what is none of ours."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MAX_FORM:
            raise HTTPException(413, f"The form is over {MAX_FORM // 2**10} KB")
    try:
        fields = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=20, errors="strict")
    except ValueError as error:
        raise HTTPException(400, "The form cannot be read") from error
    return {name: values[0] for name, values in fields.items()}
