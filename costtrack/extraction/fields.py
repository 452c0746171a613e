"""Reading a field of a response of any make: dict, pydantic model, dataclass or plain object."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from functools import lru_cache
from typing import Any


def read(source: object, name: str) -> Any:
    """The field `name` of a mapping or an object, None where it has none. Never raises.

    Only the named field is touched, so a big response costs no more than a small one.
    """
    if type(source) is dict:
        return source.get(name)
    if source is None:
        return None
    kind: Any = type(source)
    try:
        return _reader_of(kind)(source, name)
    except Exception:  # a property of somebody else's object may raise anything, and metering must go on
        return None


def read_first(source: object, *names: str) -> Any:
    """The first of these fields that is not None."""
    for name in names:
        value = read(source, name)
        if value is not None:
            return value
    return None


def read_text(source: object, *names: str) -> str:
    """The first of these fields that is a non-empty text or an enum member, else ""."""
    for name in names:
        text = as_text(read(source, name))
        if text:
            return text
    return ""


def as_text(value: object) -> str:
    """A text, or the text (else the name) of an enum member; "" for anything else."""
    if isinstance(value, Enum):
        return value.value if isinstance(value.value, str) else value.name
    return value if isinstance(value, str) else ""


def items(value: object) -> Iterator[Any]:
    """The members of a list or tuple; of anything else none, so that a text or a generator is never walked."""
    return iter(value) if isinstance(value, (list, tuple)) else iter(())


def _read_mapping(source: Any, name: str) -> Any:
    return source.get(name)


def _read_object(source: Any, name: str) -> Any:
    return getattr(source, name, None)


def _read_pydantic(source: Any, name: str) -> Any:
    """A miss through pydantic's own getattr takes 2 µs, and detection misses often: look where the values are."""
    value = source.__dict__.get(name)
    if value is not None:
        return value
    extra = source.__pydantic_extra__
    if extra and name in extra:
        return extra[name]
    kind: Any = type(source)
    return getattr(source, name, None) if _may_define(kind, name) else None


@lru_cache(maxsize=1024)
def _reader_of(kind: type) -> Callable[[Any, str], Any]:
    if issubclass(kind, Mapping):
        return _read_mapping
    is_pydantic = any("__pydantic_extra__" in base.__dict__ for base in kind.__mro__)
    return _read_pydantic if is_pydantic else _read_object


@lru_cache(maxsize=4096)
def _may_define(kind: type, name: str) -> bool:
    """Whether the class itself has that name (a property), or may keep it as a private attribute."""
    return name.startswith("_") or any(name in base.__dict__ for base in kind.__mro__)
