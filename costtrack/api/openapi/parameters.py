"""The query parameters that several views take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from costtrack.api.lists import MAX_PAGE_SIZE, PAGE_SIZE
from costtrack.api.openapi.described import Component
from costtrack.api.openapi.values import A_DAY, A_NAME
from costtrack.reporting.pages import LONGEST_CURSOR


def parameter(name: str, schema: Any, text: str, *, place: str = "query") -> dict[str, Any]:
    """One parameter; those of a path are required."""
    required = {"required": True} if place == "path" else {}
    return {"name": name, "in": place, **required, "description": text, "schema": schema}


def several(name: str, values: Sequence[str], text: str, *, most: int) -> dict[str, Any]:
    """Different ones of a few names, with commas between them."""
    items = {"type": "string", "enum": list(values)}
    schema = {"type": "array", "items": items, "minItems": 1, "maxItems": most, "uniqueItems": True}
    return {**parameter(name, schema, text), "style": "form", "explode": False}


def shared(component: str, name: str, schema: Any, text: str) -> Component:
    """One of a query, as a component."""
    return Component(component, parameter(name, schema, text), "parameters")


def count(low: int, high: int, default: int) -> dict[str, Any]:
    """A whole number."""
    return {"type": "integer", "minimum": low, "maximum": high, "default": default}


ORGANIZATION = shared(
    "Organization",
    "organization",
    {**A_NAME, "examples": ["acme"]},
    "The slug of the organization that is asked about; by default all that the caller may read, or send to.",
)
TARGET_DATE = shared(
    "TargetDate", "target_date", A_DAY, "A day of the period; by default today, in the zone of the organization."
)
CURSOR = shared(
    "Cursor",
    "cursor",
    {"type": "string", "minLength": 1, "maxLength": LONGEST_CURSOR, "pattern": "^[A-Za-z0-9_-]+$"},
    "Where the page begins, as the `next` of the page before says.",
)
SIZE = shared("PageSize", "page_size", count(1, MAX_PAGE_SIZE, PAGE_SIZE), "How many rows a page has at most.")

SHARED = {"organization": ORGANIZATION, "target_date": TARGET_DATE, "cursor": CURSOR, "page_size": SIZE}
