"""Which model ids are one model: an id, and the same with a date or a version behind it."""

from __future__ import annotations

import re

_MONTH_DAY = r"(?:0[1-9]|1[0-2])-?(?:0[1-9]|[12]\d|3[01])"
_DATE = rf"(?:20\d\d-?{_MONTH_DAY}|{_MONTH_DAY}|(?:0[1-9]|1[0-2])-20\d\d)"
VERSION_PATTERN = (
    rf"(?:[-@](?:{_DATE}|latest|default)"  # claude-3-5-sonnet-20241022, gpt-4-0613, ...@20250929
    r"|[-@]0\d\d"  # gemini-2.0-flash-001
    r"|-v\d+(?=[:@])|-v1$"  # ...-v1:0, ...-v2@20241022
    r"|:\d{1,2}(?::\d+k)?$"  # Bedrock's revision and context window
    r")+"
)
"""What a longer id may have behind a known name, as a regular expression that PostgreSQL reads likewise. A year and
month alone (`mistral-large-2402`) is not a date here: Mistral numbers models of different prices so."""
VERSION = re.compile(VERSION_PATTERN)


def is_model(text: str, name: str) -> bool:
    """Whether the id `text` is the model `name`, maybe one version of it."""
    return text == name or (text.startswith(name) and bool(VERSION.fullmatch(text, len(name))))


def models_of_version(text: str) -> list[str]:
    """All names of which the id `text` is one version, the longest last; not itself."""
    return [text[:end] for end in range(1, len(text)) if text[end] in "-@:" and VERSION.fullmatch(text, end)]


def model_pattern(name: str) -> str:
    """The same as a regular expression for the whole id."""
    return f"^{re.escape(name)}(?:{VERSION_PATTERN})?$"
