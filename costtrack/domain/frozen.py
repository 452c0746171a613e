"""Frozen dataclasses made at once: their own `__init__` costs one `object.__setattr__` call per field."""

from __future__ import annotations

from typing import Any, TypeVar

T = TypeVar("T")


class _Blank:
    """An instance before it has its class: still without that one's `__setattr__`, which refuses everything."""


def frozen_from(cls: type[T], values: dict[str, Any]) -> T:
    """An instance of a frozen dataclass without slots that takes over `values` as its own.

    They have been checked: neither `__init__` nor `__post_init__` runs. A field that is not among them has its default,
    which is found in the class; so those without a default, or with a `default_factory`, must be.
    """
    # A third cheaper than object.__new__ and object.__setattr__; every metered call makes two.
    instance: Any = _Blank()
    instance.__dict__ = values
    instance.__class__ = cls
    return instance  # type: ignore[no-any-return]
