"""Which known name a model id means: the same one, else its longest prefix that leaves only a date or a version."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TypeVar

from costtrack.domain.model_versions import VERSION

Value = TypeVar("Value")

_COMPACT = re.compile(r"(?<=[-@])(20\d\d)(\d\d)(\d\d)(?!\d)")
_DASHED = re.compile(r"(?<=[-@])(20\d\d)-(\d\d)-(\d\d)(?!\d)")


def spellings(text: str) -> Iterator[str]:
    """`text`, and the same with its date spelled the other way, `-20240513` or `-2024-05-13`, after - instead of @."""
    yield text
    for respelled in (_COMPACT.sub(r"\1-\2-\3", text), _DASHED.sub(r"\1\2\3", text), text.replace("@", "-")):
        if respelled != text:
            yield respelled


def match_name(text: str, names: Mapping[str, Value]) -> Value | None:
    """The value of the name that `text` means, or None: exact before the longest prefix."""
    for spelling in spellings(text):
        if (found := names.get(spelling)) is not None:
            return found
    for cut in range(len(text) - 1, 0, -1):
        if text[cut] in "-@:" and (found := names.get(text[:cut])) is not None and VERSION.fullmatch(text, cut):
            return found
    return None


_YEAR_MONTH = re.compile(r".*-2\d(?:0[1-9]|1[0-2])")


def is_of_one_version(text: str) -> bool:
    """Whether `text` ends in a date or version, Mistral's year and month included."""
    return bool(version_of(text) or _YEAR_MONTH.fullmatch(text))


def version_of(text: str) -> str:
    """The dates and versions that end `text`: `-20250929-v1:0` of a Bedrock id; "" where none do."""
    for cut in range(1, len(text)):
        if text[cut] in "-@:" and VERSION.fullmatch(text, cut):
            return text[cut:]
    return ""
