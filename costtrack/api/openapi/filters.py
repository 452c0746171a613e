"""The parameters of lists, from the filters that read them."""

from __future__ import annotations

from typing import Any

import django_filters

from costtrack.api.filters import CostFilterSet
from costtrack.api.openapi.described import Schema
from costtrack.api.openapi.parameters import parameter
from costtrack.api.openapi.values import A_NAME


def filter_parameter(filters: type[CostFilterSet], name: str) -> dict[str, Any]:
    """What the filter of that name takes. Its `help_text` says more than its name."""
    one = filters.base_filters[name]
    text = str(one.extra.get("help_text") or f"Only those with this {name.replace('_', ' ')}.")
    return parameter(name, _schema(one), text)


def _schema(one: Any) -> Schema:
    if choices := one.extra.get("choices"):
        return {"type": "string", "enum": [value for value, _ in choices]}
    if isinstance(one, django_filters.CharFilter):
        return {**A_NAME, "maxLength": one.extra["max_length"]}
    raise NotImplementedError(f"How is a {type(one).__name__} described? Say it in costtrack.api.openapi.filters.")
