"""Cleaning of single values on their way into an event: texts, ids, tags, whole numbers."""

from __future__ import annotations

import hashlib
import math
import operator
import re
from collections.abc import Mapping
from enum import Enum
from functools import lru_cache
from uuid import UUID

from costtrack.exceptions import InvalidUsage
from costtrack.metering.metadata_names import Told, told_by
from costtrack.metering.redaction import redact_text, text_under

MAX_TAGS = 50
MAX_TAG_KEY = 100
MAX_TAG_VALUE = 200
MAX_KEY_LENGTH = 255
MAX_LATENCY_MS = 10**12

_BREAKS = re.compile(r"[\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]+")
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, those that reorder text (a file of logs would lie), and halves of surrogate pairs."""


def clean_text(field: str, value: object, max_length: int) -> str:
    """One line of at most `max_length` characters: line breaks become spaces, control characters go.

    None is "". Numbers, UUIDs and enum members become their text, a model instance its `slug` or primary key.
    Raises InvalidUsage for a value that has no text.
    """
    text = value if type(value) is str else text_of(field, value)
    if not text.isprintable():
        # Only the head can survive; a text of 10 MB is not worth two passes.
        text = _UNSAFE.sub("", _BREAKS.sub(" ", text[: 4 * max_length + 1000]))
    return text.strip()[:max_length].rstrip()


def redacted_text(field: str, value: object, max_length: int) -> str:
    """As `clean_text`, with notes in place of secrets, e-mail addresses and card numbers."""
    # Cut after it is redacted, lest half a secret stays that is not known as one any more.
    return redact_text(clean_text(field, value, 4 * max_length))[:max_length].rstrip()


def text_of(field: str, value: object) -> str:
    """`value` as text, not cleaned; raises InvalidUsage where that is not possible."""
    if value is None or type(value) is str:
        return value or ""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, Enum):
        return text_of(field, value.value)
    if isinstance(value, (bytes, bytearray)):
        return value.decode("utf-8", "replace")
    try:
        for name in ("slug", "pk"):
            own = getattr(value, name, None)
            if isinstance(own, (str, int, UUID)):
                return str(own)
        return str(value)
    except Exception:  # a property or __str__ of somebody else's class, or an int of more than 4,300 digits
        raise InvalidUsage(field, f"<{type(value).__name__}>", "a text") from None


def clean_key(value: object) -> str:
    """An idempotency key as it was given; "" for none.

    Raises InvalidUsage where it does not fit the column: a cut or cleaned key could equal another one.
    """
    if type(value) is str and len(value) <= MAX_KEY_LENGTH and value.isprintable():
        return value if value.strip() else ""
    key = text_of("idempotency_key", value)
    if not key.strip():
        return ""
    if len(key) > MAX_KEY_LENGTH:
        raise InvalidUsage("idempotency_key", key, f"at most {MAX_KEY_LENGTH} characters (these are {len(key):,})")
    if _UNSAFE.search(key):
        raise InvalidUsage("idempotency_key", key, "a text without control characters")
    return key


def hashed_key(value: object) -> str:
    """A key that always stands for the same unusable `value`: its hash."""
    key = text_of("idempotency_key", value).encode("utf-8", "surrogatepass")
    return f"sha256:{hashlib.sha256(key).hexdigest()}"


def clean_tags(value: object) -> dict[str, str]:
    """Tags as texts without secrets: at most 50, keys of at most 100 characters, values of at most 200.

    Under a name such as `prompt` a single word stays, as the label that it is. Raises InvalidUsage if `value` is no
    mapping.
    """
    if not value:
        return {}
    if not isinstance(value, Mapping):
        raise InvalidUsage("tags", type(value).__name__, "a mapping of names to texts")
    tags: dict[str, str] = {}
    for key, text in value.items():
        name, told = _tag_name(key) if type(key) is str and len(key) <= MAX_TAG_KEY else _tag_name.__wrapped__(key)
        if name and (len(tags) < MAX_TAGS or name in tags):
            if told is Told.NOTHING:
                tags[name] = redacted_text(f"tags[{name}]", text, MAX_TAG_VALUE)
            else:
                tags[name] = text_under(told, clean_text(f"tags[{name}]", text, MAX_TAG_VALUE))
    return tags


@lru_cache(maxsize=1024)
def _tag_name(key: object) -> tuple[str, Told]:
    """A tag's key as it is stored, and what it tells of the tag's value."""
    name = redacted_text("tags", key, MAX_TAG_KEY)
    told = told_by(name)
    return name, Told.PERHAPS_CONTENT if told is Told.CONTENT else told


def whole_number(field: str, value: object) -> int:
    """An int from whatever counts as one (an int, a numpy integer, 12.0); raises InvalidUsage else."""
    if type(value) is int:
        return value
    if not isinstance(value, bool):
        try:
            return operator.index(value)  # type: ignore[arg-type]
        except TypeError:
            if isinstance(value, float) and value.is_integer():
                return int(value)
    raise InvalidUsage(field, value, "a whole number")


def clean_flag(field: str, value: object) -> bool:
    """True or False themselves; raises InvalidUsage for what only counts as one of them: the text "false" is true."""
    if isinstance(value, bool):
        return value
    raise InvalidUsage(field, value, "True or False")


def clean_latency(value: object) -> int | None:
    """Milliseconds, rounded; None for None. Raises InvalidUsage for what is negative or not finite."""
    if value is None or (type(value) is int and 0 <= value <= MAX_LATENCY_MS):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise InvalidUsage("latency_ms", value, "a finite number of milliseconds")
        value = round(value)
    milliseconds = whole_number("latency_ms", value)
    if not 0 <= milliseconds <= MAX_LATENCY_MS:
        raise InvalidUsage("latency_ms", short(milliseconds), f"milliseconds from 0 to {MAX_LATENCY_MS:,}")
    return milliseconds


def short(number: int) -> int | str:
    """The number, unless Python refuses to print it: an int of thousands of digits."""
    return number if abs(number) < 10**60 else "an integer of over 60 digits"
