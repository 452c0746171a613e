"""The contract: docs/openapi.yaml as data, and real answers held against it."""

from __future__ import annotations

import json
import re
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

import yaml
from django.http.response import HttpResponseBase
from django.urls import resolve
from jsonschema import Draft202012Validator, FormatChecker

PATH = Path(__file__).parent.parent.parent / "docs" / "openapi.yaml"
COMMAND = "manage.py spectacular --validate --fail-on-warn --file docs/openapi.yaml"
METHODS = ("get", "post", "put", "patch", "delete")

FORMATS = FormatChecker(())


@FORMATS.checks("date-time", raises=ValueError)
def _is_instant(text: object) -> bool:
    # RFC 3339, as OpenAPI says: with its offset.
    return not isinstance(text, str) or (len(text) > 19 and datetime.fromisoformat(text).tzinfo is not None)


@FORMATS.checks("date", raises=ValueError)
def _is_day(text: object) -> bool:
    return not isinstance(text, str) or date.fromisoformat(text).isoformat() == text


@FORMATS.checks("uuid", raises=ValueError)
def _is_uuid(text: object) -> bool:
    return not isinstance(text, str) or str(UUID(text)) == text


@cache
def contract() -> dict[str, Any]:
    """The file."""
    data: dict[str, Any] = yaml.load(PATH.read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return data


def resolved(part: dict[str, Any]) -> dict[str, Any]:
    """The part, or the component that it refers to."""
    found: dict[str, Any] = part
    while "$ref" in found:
        section, name = found["$ref"].removeprefix("#/components/").split("/")
        found = contract()["components"][section][name]
    return found


def operation_at(path: str, method: str) -> dict[str, Any]:
    """The operation that a path is one of. Raises Resolver404 if it is of no route."""
    template = "/" + documented(resolve(path).route)
    operations = contract()["paths"].get(template, {})
    missing = f"{method} {template} is not in {PATH.name}. Describe it in costtrack/api/openapi, then: {COMMAND}"
    assert method.lower() in operations, missing
    found: dict[str, Any] = operations[method.lower()]
    return found


def documented(route: object) -> str:
    """A route as the contract writes it: {conversation_id} for <path:conversation_id>."""
    return re.sub(r"<\w+:(\w+)>", r"{\1}", str(route))


def check_answer(path: str, method: str, answer: HttpResponseBase) -> None:
    """Raises AssertionError, or jsonschema's ValidationError, for what the contract does not say."""
    operation = operation_at(path, method)
    said = f"{method} {path}: {answer.status_code}"
    assert str(answer.status_code) in operation["responses"], f"{said} is not described"
    described = resolved(operation["responses"][str(answer.status_code)])
    for name, header in described.get("headers", {}).items():
        assert name in answer.headers or not resolved(header).get("required"), f"{said} without {name}"
    content = described.get("content", {})
    media_type = answer.headers.get("Content-Type", "").partition(";")[0] if content else None
    assert content or not getattr(answer, "content", b""), f"{said} has a body"
    assert not content or media_type in content, f"{said} is {media_type}"
    if media_type and media_type.endswith("json"):
        validator_of(json.dumps(content[media_type]["schema"])).validate(json.loads(answer.getvalue()))


@cache
def validator_of(schema: str) -> Draft202012Validator:
    """Of a schema of the contract, as text."""
    return Draft202012Validator({**json.loads(schema), "components": contract()["components"]}, format_checker=FORMATS)
