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
    kind: Any = type(source)
    if kind is dict:
        return source.get(name)  # type: ignore[attr-defined]
    if source is None:
        return None
    try:
        own = _way_of(kind)
        if callable(own):
            return own(source, name)
        value = source.__dict__.get(name)
        if value is None:  # a miss through pydantic's own getattr takes 2 µs, and detection misses often
            extra = source.__pydantic_extra__  # type: ignore[attr-defined]
            if extra:
                value = extra.get(name)
            if value is None and (name in own or name[0] == "_"):
                value = getattr(source, name, None)
        return value
    except Exception:  # a property of somebody else's object may raise anything, and metering must go on
        return None


def read_all(source: Any, names: frozenset[str]) -> dict[str, Any]:
    """Those of these fields that are there, and not None."""
    if source is None:
        return {}
    kind: Any = type(source)
    told: Mapping[str, Any] = source if kind is dict else _all_of_model(source, names)
    return {name: told[name] for name in names.intersection(told) if told[name] is not None}


def _all_of_model(source: Any, names: frozenset[str]) -> Mapping[str, Any]:
    kind: Any = type(source)
    own = _way_of(kind)
    try:
        if not callable(own) and names.isdisjoint(own):
            extra = source.__pydantic_extra__
            return {**extra, **source.__dict__} if extra else source.__dict__
    except Exception:  # as in `read`
        pass
    return {name: read(source, name) for name in names}


def may_have(source: Any, names: frozenset[str]) -> bool:
    """False if it certainly has none of these fields: to ask for all of them costs no more than to read one."""
    kind: Any = type(source)
    if kind is dict:
        return not names.isdisjoint(source)
    if source is None:
        return False
    own = _way_of(kind)
    if callable(own) or not names.isdisjoint(own):
        return True
    try:
        extra = source.__pydantic_extra__
        return not names.isdisjoint(source.__dict__) or (bool(extra) and not names.isdisjoint(extra))
    except Exception:  # as in `read`
        return True


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
        value = read(source, name)
        text = value if value is None or type(value) is str else as_text(value)
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


@lru_cache(maxsize=1024)
def _way_of(kind: type) -> Callable[[Any, str], Any] | frozenset[str]:
    """How a field of such an object is read; of a pydantic model, the names that its class has, such as properties."""
    if issubclass(kind, Mapping):
        return _read_mapping
    if any("__pydantic_extra__" in base.__dict__ for base in kind.__mro__):
        return frozenset(name for base in kind.__mro__ for name in base.__dict__)
    return _read_object
