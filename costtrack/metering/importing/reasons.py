"""Why a row is rejected, in the words of a file: an empty cell is empty, a time is an ISO time."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import orjson

from costtrack.exceptions import InvalidUsage

LONGEST_SHOWN = 80


def reason_of(error: InvalidUsage) -> str:
    """The error without Python's way to write values: JSON's for objects, lists and booleans."""
    seen = error.seen
    if seen is None or seen == "":
        return f"{error.field} is empty, expected {error.expected}."
    if isinstance(seen, datetime):
        shown = seen.isoformat()
    elif isinstance(seen, Decimal):
        shown = str(seen)
    elif isinstance(seen, (bool, dict, list)):
        shown = orjson.dumps(seen, default=str).decode()
    else:
        return str(error)
    if len(shown) > LONGEST_SHOWN:
        shown = shown[: LONGEST_SHOWN - 3] + "..."
    return f"{error.field}: got {shown}, expected {error.expected}."
