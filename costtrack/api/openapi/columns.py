"""The rows of lists, from the columns that are declared for JSON, CSV and Parquet alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from costtrack.api.openapi.described import Answer, Component, Schema, json_answer
from costtrack.api.openapi.values import (
    DAY,
    DECIMAL,
    FLAG,
    INSTANT,
    INTEGER,
    TEXT,
    about,
    choice,
    list_of,
    nullable,
    record,
)
from costtrack.reporting.columns import Column, Kind

KINDS: Mapping[Kind, Schema] = {
    Kind.TEXT: TEXT,
    Kind.INTEGER: INTEGER,
    Kind.DECIMAL: DECIMAL,
    Kind.BOOLEAN: FLAG,
    Kind.INSTANT: INSTANT,
    Kind.DAY: DAY,
}


def row(name: str, columns: Sequence[Column], *, data: Mapping[str, Any] | None = None, text: str = "") -> Component:
    """A row as a component. `data` has the schemas of the columns whose kind, lists and objects, says too little."""
    fields = {column.name: _field(name, column, (data or {}).get(column.name)) for column in columns}
    return Component(name, record(fields, **({"description": text} if text else {})))


def page(name: str, rows: Component, text: str) -> Answer:
    """One page of a list of such rows."""
    following = about(nullable({"type": "string", "format": "uri"}), "The next page's address; null: this is the last.")
    return json_answer(text, Component(name, record({"results": list_of(rows), "next": following})))


def value_of(column: Column, schema: Any = None) -> Any:
    """What a column's values are, where they are not a few texts. `schema` says it for lists and objects."""
    found = KINDS[column.kind] if schema is None else schema
    found = nullable(found) if column.is_nullable else found
    return about(found, column.about) if column.about and not isinstance(found, Component) else found


def _field(name: str, column: Column, schema: Any) -> Any:
    if not column.choices:
        return value_of(column, schema)
    words = "".join(word.capitalize() for word in column.name.split("_"))
    texts = choice(name + words, column.choices, column.about)
    return nullable(texts) if column.is_nullable else texts
