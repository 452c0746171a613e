"""What the description of the API is made of: operations, with their answers, bodies and shared components."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from costtrack.api.base import CostView

Schema = Mapping[str, Any]
"""JSON Schema 2020-12, as OpenAPI 3.1 has it; in place of a schema there may be a Component."""

JSON = "application/json"
PREFIX = "CostTrack"
"""Of the components' names: a host has its own."""


@dataclass(frozen=True)
class Component:
    """A part of the description that stands in it once, by its name, and is referred to wherever it is used."""

    name: str
    part: Mapping[str, Any]
    section: str = "schemas"

    @property
    def full_name(self) -> str:
        """The name that it has in a host's description."""
        return PREFIX + self.name


@dataclass(frozen=True, kw_only=True)
class Link:
    """Another operation that an answer leads to."""

    id: str
    parameters: Mapping[str, str]
    """By its parameters, where in the answer their values are."""
    about: str


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a response of one status is."""

    about: str
    content: Mapping[str, Any] = field(default_factory=dict)
    """By media type the schema; none: no body."""
    headers: Mapping[str, Component] = field(default_factory=dict)
    example: Any = None
    """A body in JSON."""
    links: Mapping[str, Link] = field(default_factory=dict)
    """What can be done next, by a name of its own."""


@dataclass(frozen=True, kw_only=True)
class Body:
    """What a request sends. `examples` are bodies of the first media type, by their names."""

    content: Mapping[str, Any]
    examples: Mapping[str, Any] = field(default_factory=dict)
    is_required: bool = True


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One method of one view. Its words are those of the docstrings, the rest is here."""

    view: type[CostView]
    method: str = "GET"
    id: str
    """As a client's function would be called."""
    tag: str
    answers: Mapping[int, Answer | Component]
    """Those of this operation alone; the errors that every one has are added."""
    body: Body | None = None
    path: Mapping[str, Any] = field(default_factory=dict)
    """The parameters in the path."""
    query: Mapping[str, Any] = field(default_factory=dict)
    """Those of the query that are not filters, and not shared."""
    is_told_by_method: bool = False
    """The method's docstring says what it does, not the view's, though the view has no other method."""


def json_answer(about: str, schema: Any, *, example: Any = None, links: Mapping[str, Link] | None = None) -> Answer:
    """An answer in JSON."""
    return Answer(about=about, content={JSON: schema}, example=example, links=links or {})
