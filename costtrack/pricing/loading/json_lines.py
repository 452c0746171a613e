"""A JSON object's entries with the line that each key stands on, numbers as written."""

from __future__ import annotations

import json
import re
from decimal import Decimal

from costtrack.exceptions import RateFileError

_SPACE = re.compile(r"[ \t\n\r]*")


def read_entries(text: str) -> list[tuple[str, object, int]]:
    """(key, value, line of the key) of the top-level object. Raises RateFileError where the text is no such JSON."""
    decoder = json.JSONDecoder(parse_float=Decimal, parse_int=Decimal, parse_constant=Decimal)
    entries: list[tuple[str, object, int]] = []
    line, counted = 1, 0
    position = _skip(text, 0)
    try:
        position = _expect(text, position, "{")
        while text[position : position + 1] != "}":
            line, counted = line + text.count("\n", counted, position), position
            if text[position : position + 1] != '"':
                raise json.JSONDecodeError('expected "', text, position)
            key, end = decoder.raw_decode(text, position)
            value, end = decoder.raw_decode(text, _expect(text, _skip(text, end), ":"))
            entries.append((key, value, line))
            position = _skip(text, end)
            if text[position : position + 1] != "}":
                position = _expect(text, position, ",")
    except json.JSONDecodeError as fault:
        raise RateFileError([(fault.lineno, f"is no JSON object: {fault.msg}")]) from None
    except RecursionError:
        raise RateFileError([(line, "is nested too deep")]) from None
    return entries


def _skip(text: str, position: int) -> int:
    space = _SPACE.match(text, position)
    return space.end() if space else position


def _expect(text: str, position: int, mark: str) -> int:
    if text[position : position + 1] != mark:
        raise json.JSONDecodeError(f"expected {mark}", text, position)
    return _skip(text, position + 1)
