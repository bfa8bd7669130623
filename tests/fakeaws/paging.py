"""Pages by position, for the services whose lists do not change under a reader."""

from __future__ import annotations

import base64
import binascii
from typing import TypeVar

from . import errors

Item = TypeVar("Item")


def page(items: list[Item], size: int, token: str | None) -> tuple[list[Item], str]:
    """The page that the token asks for, and the token of the next one; empty if there is none."""
    try:
        start = int(base64.b64decode(token, validate=True)) if token else 0
    except (binascii.Error, ValueError) as error:
        raise errors.AwsError("InvalidNextToken", "The token is invalid.") from error
    rest = start + size
    return items[start:rest], base64.b64encode(str(rest).encode()).decode() if rest < len(items) else ""
