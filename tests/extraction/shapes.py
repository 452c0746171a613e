"""The same body as a dict and as the objects that SDKs make of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import make_dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict


class _SdkModel(BaseModel):
    """As the openai, anthropic and mistral SDKs declare theirs: unknown fields are kept as extras."""

    model_config = ConfigDict(extra="allow", protected_namespaces=())
    model: Any = None
    usage: Any = None


def _rebuild(body: Any, make: Callable[[dict[str, Any]], Any]) -> Any:
    if isinstance(body, dict):
        return make({name: _rebuild(value, make) for name, value in body.items()})
    if isinstance(body, list):
        return [_rebuild(value, make) for value in body]
    return body


def as_dict(body: Any) -> Any:
    return body


def as_pydantic(body: Any) -> Any:
    return _rebuild(body, lambda fields: _SdkModel(**fields))


def as_namespace(body: Any) -> Any:
    return _rebuild(body, lambda fields: SimpleNamespace(**fields))


def as_dataclass(body: Any) -> Any:
    return _rebuild(body, lambda fields: make_dataclass("Body", list(fields), slots=True)(**fields))


every_shape = pytest.mark.parametrize("shape", [as_dict, as_pydantic, as_namespace, as_dataclass])
