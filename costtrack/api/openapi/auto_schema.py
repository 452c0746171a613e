"""What drf-spectacular asks of a view: its operation, made of the declarations and of what the view itself says."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from typing import Any

from drf_spectacular.drainage import warn
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ComponentRegistry, ResolvedComponent, is_jsonschema_compliant
from rest_framework.settings import api_settings

from costtrack.api.base import CostView
from costtrack.api.conditional import ConditionalView
from costtrack.api.openapi.described import Answer, Body, Component, Link, Operation
from costtrack.api.openapi.filters import filter_parameter
from costtrack.api.openapi.older import as_openapi_3_0
from costtrack.api.openapi.operations import OPERATIONS
from costtrack.api.openapi.parameters import SHARED, parameter
from costtrack.api.openapi.problems import ETAG, EVERY_ANSWER, EVERYWHERE, WITH_BODY, WITH_ETAG
from costtrack.api.renderers import TableRenderer

TABLE = {"type": "string", "format": "binary", "description": "All rows, with the fields as columns."}
NAMED = re.compile(r"\s*Parameters?: [^.]*\.")
"""What a docstring says of parameters: they are described one by one."""


class CostSchema(AutoSchema):
    """Of a CostView. Only whom it authenticates, and how, is asked of drf-spectacular itself."""

    def get_operation(
        self, path: str, path_regex: str, path_prefix: str, method: str, registry: ComponentRegistry
    ) -> dict[str, Any] | None:
        """The operation; a warning, and none, for one that is not declared."""
        self.path, self.path_regex, self.path_prefix = path, path_regex, path_prefix
        self.method, self.registry = method.upper(), registry
        view = self.view
        assert isinstance(view, CostView)
        declared = next((OPERATIONS[one, method] for one in type(view).__mro__ if (one, method) in OPERATIONS), None)
        if declared is None:
            warn(f"{method} {path} is not described. Add it to costtrack.api.openapi.")
            return None
        text = described_by(declared)
        operation: dict[str, Any] = {
            "operationId": operation_id(declared.id),
            "summary": text.partition("\n")[0].partition(". ")[0].rstrip("."),
            "description": text,
            "tags": [declared.tag],
            "parameters": [self._built(one) for one in self._parameters(view, declared)],
            "security": self.get_auth(),
        }
        if declared.body is not None:
            operation["requestBody"] = self._built(_body(declared.body))
        operation["responses"] = {
            str(status): self._built(answer) for status, answer in sorted(self._answers(view, declared).items())
        }
        return operation if is_jsonschema_compliant() else as_openapi_3_0(operation)

    def _answers(self, view: CostView, declared: Operation) -> dict[int, Any]:
        """By status the declared answers, and those that every operation of its kind has."""
        has_etag = isinstance(view, ConditionalView)
        headers = {**EVERY_ANSWER, **({"ETag": ETAG} if has_etag else {})}
        answers = EVERYWHERE | (WITH_BODY if declared.body else {})
        answers |= {**(WITH_ETAG if has_etag else {}), **declared.answers}
        tables = [one.media_type for one in view.get_renderers() if isinstance(one, TableRenderer)]
        return {
            status: _answer(answer, headers if status == 200 else EVERY_ANSWER, tables if status == 200 else [])
            for status, answer in answers.items()
        }

    def _parameters(self, view: CostView, declared: Operation) -> list[Any]:
        found = list(declared.path.values())
        filters = getattr(view, "filters", None)
        for name in view.known_parameters:
            if name in declared.query:
                found.append(declared.query[name])
            elif filters is not None and name in filters.names():
                found.append(filter_parameter(filters, name))
            elif name in SHARED:
                found.append(SHARED[name])
            elif name == api_settings.URL_FORMAT_OVERRIDE:
                formats = {"type": "string", "enum": self.map_renderers("format")}
                found.append(parameter(name, formats, "The format of the answer, in place of `Accept`."))
            else:
                warn(f"The parameter {name} of {declared.id} is not described. Add it to costtrack.api.openapi.")
        return found

    def _built(self, part: Any) -> Any:
        """The part as plain data, with a reference for each component, which is registered."""
        if isinstance(part, Component):
            built = ResolvedComponent(part.full_name, part.section, object=part)
            if built not in self.registry:
                self.registry.register(built)
                schema = self._built(part.part)
                built.schema = schema if is_jsonschema_compliant() else as_openapi_3_0(schema)
            return dict(built.ref)
        if isinstance(part, Mapping):
            return {name: self._built(one) for name, one in part.items()}
        return [self._built(one) for one in part] if isinstance(part, (list, tuple)) else part


def described_by(declared: Operation) -> str:
    """The words for an operation: the view's docstring, or the method's where the view has several methods."""
    methods = [name for name in ("get", "post", "put", "patch", "delete") if hasattr(declared.view, name)]
    is_of_view = len(methods) == 1 and not declared.is_told_by_method
    source = declared.view if is_of_view else getattr(declared.view, declared.method.lower())
    return NAMED.sub("", inspect.cleandoc(source.__doc__ or ""))


def operation_id(own: str) -> str:
    """The operation's id among those of the host's API."""
    return f"costtrack_{own}"


def _answer(answer: Answer | Component, headers: Mapping[str, Component], tables: Sequence[str]) -> Any:
    if isinstance(answer, Component):
        return answer
    part: dict[str, Any] = {"description": answer.about, "headers": {**headers, **answer.headers}}
    if answer.content:
        part["content"] = {kind: {"schema": schema} for kind, schema in answer.content.items()}
        part["content"] |= {kind: {"schema": TABLE} for kind in tables}
    if answer.example is not None:
        next(iter(part["content"].values()))["example"] = answer.example
    if answer.links:
        part["links"] = {name: _link(link) for name, link in answer.links.items()}
    return part


def _link(link: Link) -> dict[str, Any]:
    return {"operationId": operation_id(link.id), "parameters": dict(link.parameters), "description": link.about}


def _body(body: Body) -> dict[str, Any]:
    content: dict[str, Any] = {kind: {"schema": schema} for kind, schema in body.content.items()}
    if body.examples:
        named = {name: {"value": value} for name, value in body.examples.items()}
        next(iter(content.values()))["examples"] = named
    return {"required": body.is_required, "content": content}
