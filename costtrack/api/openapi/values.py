"""The kinds of values that requests and answers have, as schemas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from costtrack.api.openapi.described import Component, Schema
from costtrack.domain.money import MAX_COST_USD
from costtrack.domain.tokens import MAX_TOKENS
from costtrack.reporting.parameters import FIRST_DAY, LAST_DAY, MAX_TEXT

TEXT: Schema = {"type": "string"}
FLAG: Schema = {"type": "boolean"}
INTEGER: Schema = {"type": "integer"}
COUNT: Schema = {"type": "integer", "minimum": 0}
NUMBER: Schema = {"type": "number"}
INSTANT: Schema = {"type": "string", "format": "date-time"}
DAY: Schema = {"type": "string", "format": "date"}
ID: Schema = {"type": "string", "format": "uuid"}
DECIMAL: Schema = {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]*[1-9])?$", "examples": ["0.0045"]}
"""An exact number as text, without an exponent and without zeros at its end."""
USD: Schema = {**DECIMAL, "description": "US dollars, exact."}
COST: Schema = {
    "type": ["string", "null"],
    "pattern": DECIMAL["pattern"],
    "description": "US dollars, exact; null where no price is known.",
    "examples": ["0.0045"],
}

INT64 = {"minimum": -(2**63), "maximum": 2**64 - 1}
"""What a body's whole numbers are at most; beyond that they are read as doubles."""
ANY_TEXT: Schema = {"type": ["string", "integer", "null"], "pattern": r"^[^\u0000]*$", **INT64}
"""Of a request: a text without NUL, or a whole number that is taken as its digits. null: not given."""
ANY_FLAG: Schema = {"type": ["boolean", "null"]}
TOKENS: Schema = {"type": ["integer", "null"], "minimum": 0, "maximum": MAX_TOKENS}
WRITTEN_NUMBER = r"^[0-9]{1,12}(\.[0-9]{1,12})?$"
AMOUNT: Schema = {
    "anyOf": [
        {"type": "number", "minimum": 0, "exclusiveMaximum": int(MAX_COST_USD)},
        {"type": "string", "pattern": WRITTEN_NUMBER},
        {"type": "null"},
    ]
}
"""A number from 0 to below 1e12. Best written as text: a JSON number is read as a double."""
A_NAME: Schema = {"type": "string", "minLength": 1, "maxLength": MAX_TEXT, "pattern": r"^[^\u0000]*$"}
"""Of a path or a query: a text of 1 to 200 characters without NUL."""
A_DAY: Schema = {
    "type": "string",
    "format": "date",
    "pattern": "^(19[7-9][0-9]|[2-8][0-9]{3}|9000)-[0-9]{2}-[0-9]{2}$",
}
"""Of a query: from the first day that can be asked for to the last."""
AN_INSTANT: Schema = {**INSTANT, "pattern": "^(197[1-9]|19[89][0-9]|[2-8][0-9]{3})-"}
"""Of a query: some hours after the first day, and before the last one."""
assert (FIRST_DAY.isoformat(), LAST_DAY.isoformat()) == ("1970-01-01", "9000-12-31"), "A_DAY says so"


def about(schema: Schema, text: str) -> Schema:
    """The schema with a description."""
    return {**schema, "description": text}


def nullable(schema: Any) -> Schema:
    """The schema, or null."""
    if isinstance(schema, Component) or "type" not in schema or "const" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    kinds = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    return {**schema, "type": [*kinds, "null"]}


def list_of(items: Any, **limits: Any) -> Schema:
    """A list."""
    return {"type": "array", "items": items, **limits}


def record(fields: Mapping[str, Any], *, optional: Sequence[str] = (), **more: Any) -> Schema:
    """An object of exactly these fields, of which the `optional` ones may be absent."""
    required = [name for name in fields if name not in optional]
    schema = {"type": "object", "properties": dict(fields), "additionalProperties": False, **more}
    return {**schema, "required": required} if required else schema


def by_name(values: Any, text: str = "") -> Schema:
    """An object whose names are data, with values of one kind."""
    schema = {"type": "object", "additionalProperties": values}
    return about(schema, text) if text else schema


def choice(name: str, values: Sequence[str], text: str = "") -> Component:
    """One of a few texts, as a component: an enumeration in a property would be renamed by drf-spectacular."""
    schema: dict[str, Any] = {"type": "string", "enum": list(values)}
    return Component(name, about(schema, text) if text else schema)
