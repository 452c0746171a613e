"""OpenAPI 3.0 out of 3.1, for hosts that name no OAS_VERSION: drf-spectacular's own default is the older one."""

from __future__ import annotations

from typing import Any

NULL = {"type": "null"}
BOUNDS = {"exclusiveMinimum": "minimum", "exclusiveMaximum": "maximum"}


def as_openapi_3_0(part: Any) -> Any:
    """The part in the older dialect: `nullable` for the type null, one type at most, no const.

    What that can not say at all (`propertyNames`) is left out.
    """
    if isinstance(part, list):
        return [as_openapi_3_0(one) for one in part]
    if not isinstance(part, dict):
        return part
    older: dict[str, Any] = {}
    for name, value in part.items():
        if name == "const" and not isinstance(value, dict):
            # Not beside the type: an enumeration of a property would be renamed by drf-spectacular.
            older["allOf"] = [{"enum": [value]}]
        elif name == "examples" and isinstance(value, list):
            older["example"] = value[0]
        elif name in BOUNDS and not isinstance(value, dict):
            older |= {BOUNDS[name]: value, name: True}
        elif name == "type" and isinstance(value, list):
            older |= _kinds(value)
        elif name == "anyOf" and isinstance(value, list) and NULL in value:
            older |= _or_null([as_openapi_3_0(one) for one in value if one != NULL])
        elif name != "propertyNames":
            older[name] = as_openapi_3_0(value)
    return older


def _kinds(types: list[str]) -> dict[str, Any]:
    nullable = {"nullable": True} if "null" in types else {}
    found = [{"type": one, **nullable} for one in types if one != "null"]
    return found[0] if len(found) == 1 else {"anyOf": found}


def _or_null(schemas: list[Any]) -> dict[str, Any]:
    return {"nullable": True, **({"allOf": schemas} if len(schemas) == 1 else {"anyOf": schemas})}
