"""What people and programs ask of a report, checked: days, counts, texts. A refusal says what was seen and expected."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime

from costtrack.domain.periods import ZoneHistory
from costtrack.exceptions import CostTrackError

FIRST_DAY = date(1970, 1, 1)
LAST_DAY = date(9000, 12, 31)
"""Days outside of these are typing errors; the calendar's own ends would overflow in some time zone."""

DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
A_DAY = f"a date like 2023-11-16, from {FIRST_DAY} to {LAST_DAY}"
A_DAY_OR_MIDNIGHT = f"{A_DAY}, or a local midnight with its offset, like 2023-11-16T00:00:00+01:00"
AN_INSTANT = "an instant with its offset, like 2023-11-16T09:30:00+01:00, from the year 1971 to 8999"
MAX_TEXT = 200
"""The longest text that usage is attributed to."""
A_TEXT = f"a text of 1 to {MAX_TEXT} characters without NUL"
AN_ORGANIZATION = "an organization's slug"


class InvalidParameter(CostTrackError, ValueError):
    """A parameter of a report is not acceptable. `parameter` names it."""

    def __init__(self, parameter: str, seen: object, expected: str) -> None:
        self.parameter = parameter
        self.seen = shorten(repr(seen))
        self.expected = expected
        super().__init__(f"{parameter}: got {self.seen}, expected {expected}.")


def shorten(text: str, *, length: int = 80) -> str:
    """The text, cut with an ellipsis where it is longer than `length`."""
    return text if len(text) <= length else text[: length - 3] + "..."


def parse_day(parameter: str, text: str) -> date:
    """A day written as YYYY-MM-DD."""
    try:
        day = date.fromisoformat(text) if DAY.fullmatch(text) else None
    except ValueError:
        day = None
    if day is None or not FIRST_DAY <= day <= LAST_DAY:
        raise InvalidParameter(parameter, text, A_DAY)
    return day


def parse_edge(parameter: str, text: str, *, zone: ZoneHistory) -> date:
    """Where a period begins or ends: a day, or the instant of its midnight in `zone`, as reports answer it."""
    if DAY.fullmatch(text):
        return parse_day(parameter, text)
    instant = _instant_in(text)
    if instant is None:
        raise InvalidParameter(parameter, text, A_DAY_OR_MIDNIGHT)
    instant = instant.astimezone(UTC)
    day = zone.day_of(instant)
    # Both in UTC, because an instant that the clock tells twice equals nothing of another zone.
    if zone.start_of(day).astimezone(UTC) != instant:
        raise InvalidParameter(parameter, text, A_DAY_OR_MIDNIGHT)
    return day


def parse_instant(parameter: str, text: str) -> datetime:
    """An instant in ISO 8601 with its offset."""
    instant = _instant_in(text)
    if instant is None:
        raise InvalidParameter(parameter, text, AN_INSTANT)
    return instant


def parse_moment(parameter: str, text: str, *, zone: ZoneHistory) -> datetime:
    """An instant in ISO 8601 with its offset, or a day, which is its first instant in `zone`."""
    if DAY.fullmatch(text):
        return zone.start_of(parse_day(parameter, text))
    instant = _instant_in(text)
    if instant is None:
        raise InvalidParameter(parameter, text, f"{A_DAY}, or {AN_INSTANT}")
    return instant


def _instant_in(text: str) -> datetime | None:
    try:
        # In a query string an unescaped + is a blank.
        instant = datetime.fromisoformat(text.replace(" ", "+")) if len(text) <= MAX_TEXT else None
    except ValueError:
        return None
    if instant is None or instant.tzinfo is None or not FIRST_DAY.year < instant.year < LAST_DAY.year:
        return None
    return instant


def parse_count(parameter: str, text: str, *, low: int, high: int) -> int:
    """A whole number from `low` to `high`, both included."""
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(high)) and low <= int(text) <= high):
        raise InvalidParameter(parameter, text, f"a whole number from {low} to {high}")
    return int(text)


def parse_text(parameter: str, text: str, *, expected: str = A_TEXT, longest: int = MAX_TEXT) -> str:
    """A text that may be the value of a dimension: 1 to 200 characters, none of them NUL."""
    if not 0 < len(text) <= longest or "\x00" in text:
        raise InvalidParameter(parameter, text, expected)
    return text


def check_names(given: Mapping[str, str], *, known: Sequence[str]) -> None:
    """Refuse a parameter that is not known: were a mistyped one ignored, the answer would be to another question."""
    for name, text in given.items():
        if name not in known:
            raise InvalidParameter(shorten(name), text, f"no such parameter; the known ones are {', '.join(known)}")
