"""Addresses of pages, with the filters that stand in the present one kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict
from django.urls import reverse

from costtrack.reporting.parameters import InvalidParameter

APP = "costtrack_dashboard"


def address(name: str, /, *args: object, **query: str | None) -> str:
    """The address of a page of ours; a value of None or "" is left out."""
    given = {key: value for key, value in query.items() if value}
    path = reverse(f"{APP}:{name}", args=args)
    return f"{path}?{urlencode(given)}" if given else path


def given_parameters(query: QueryDict) -> dict[str, str]:
    """The parameters of a page, but for empty ones, which forms send. Raises InvalidParameter for one given twice."""
    found = {}
    for name, values in query.lists():
        if len(values) > 1:
            raise InvalidParameter(name, values, "one value")
        if "\x00" in values[0]:
            raise InvalidParameter(name, values[0], "a text without NUL")
        if values[0]:
            found[name] = values[0]
    return found


@dataclass(frozen=True, slots=True)
class Here:
    """The present address: its path, and the parameters that were given."""

    path: str
    given: Mapping[str, str]

    def changed(self, **changes: str | None) -> str:
        """The same with other parameters; None takes one away. A new question begins at the first page."""
        query = {name: value for name, value in self.given.items() if name != "cursor"}
        for name, value in changes.items():
            if value is None:
                query.pop(name, None)
            else:
                query[name] = value
        return f"{self.path}?{urlencode(query)}" if query else self.path

    def kept(self, *without: str) -> list[tuple[str, str]]:
        """The parameters that a form sends along, but for those that are its own fields."""
        return [(name, value) for name, value in self.given.items() if name not in (*without, "cursor")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One of several links: a period, a dimension, a state."""

    label: str
    href: str
    is_current: bool


def choices(here: Here, name: str, labels: Mapping[str, str], *, current: str, **without: Any) -> list[Choice]:
    """A link for each value of a parameter."""
    return [
        Choice(label=label, href=here.changed(**{name: value or None}, **without), is_current=value == current)
        for value, label in labels.items()
    ]
