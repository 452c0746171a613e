"""The attribution fields: their names, limits and cleaning, and values that are known only when usage is metered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, TypedDict

from costtrack.domain.events import Attribution
from costtrack.exceptions import InvalidUsage
from costtrack.metering.cleaning import clean_tags, clean_text

MAX_LENGTHS = {name: 200 for name in (field.name for field in fields(Attribution)) if name != "tags"}
MAX_LENGTHS |= {"project": 100, "agent": 100}
"""As the columns. A slug of an organization has at most 100 characters and is kept longer here: cut down, a mistyped
one could become a real one."""

KNOWN_NAMES = (*MAX_LENGTHS, "entity", "tags")


class CallerFields(TypedDict, total=False):
    """The keyword arguments that say who caused a call, all but the endpoint. None and "": not given, so inherited.

    Values become text: a number or UUID as it is written, a model instance by its `slug` or else its primary key.
    """

    organization: object
    project: object
    agent: object
    sprint: object
    workflow: object
    stage: object
    thread_id: object
    request_id: object
    entity: object
    """A pair (type, id), or a model instance: short for the next two."""
    entity_type: object
    entity_id: object
    customer: object
    user: object
    run: object
    tags: Mapping[str, object] | None


class AttributionFields(CallerFields, total=False):
    """All keyword arguments of `attribute`."""

    endpoint: object
    """The feature's name."""


class Lazy:
    """A value that is worked out when usage is metered, and not at all if none is."""

    __slots__ = ("value",)

    def __init__(self, value: Callable[[], object]) -> None:
        """`value()` gives it; None or "" for none."""
        self.value = value


@dataclass(frozen=True, slots=True)
class GivenAttribution:
    """Fields that were given, cleaned; names that were not given are absent."""

    texts: Mapping[str, str | Lazy]
    tags: Mapping[str, str]

    def over(self, outer: GivenAttribution | None) -> GivenAttribution:
        """This one laid over an outer one: fields win, tags are merged key by key."""
        if outer is None:
            return self
        if not self.texts and not self.tags:
            return outer
        return GivenAttribution({**outer.texts, **self.texts}, {**outer.tags, **self.tags} if outer.tags else self.tags)

    def resolve(self, on_problem: Callable[[str, Exception], None] | None = None) -> Attribution:
        """The value for an event. A lazy field that fails raises, or is left out and told to `on_problem`."""
        texts: dict[str, Any] = {}
        for name, text in self.texts.items():
            if isinstance(text, Lazy):
                try:
                    text = clean_text(name, text.value(), MAX_LENGTHS[name])
                except Exception as error:  # the host's own code: after a call it must not lose us the event
                    if on_problem is None:
                        raise
                    on_problem(name, error)
                    continue
            texts[name] = text
        return Attribution(**texts, tags=self.tags) if texts or self.tags else _NOBODY


_NOBODY = Attribution()
NOT_GIVEN = GivenAttribution({}, {})


def given_attribution(given: Mapping[str, object], *, caller: str) -> GivenAttribution:
    """The keyword arguments of `caller`, cleaned.

    Raises TypeError for a name that is no attribution field, InvalidUsage for a value that has no text.
    """
    if not given:
        return NOT_GIVEN
    texts: dict[str, str] = {}
    tags: dict[str, str] = {}
    for name, value in given.items():
        if value is None or value == "":
            continue
        if name == "entity":
            kind, key = _entity_pair(value)
            texts["entity_type"] = clean_text("entity_type", kind, MAX_LENGTHS["entity_type"])
            texts["entity_id"] = clean_text("entity_id", key, MAX_LENGTHS["entity_id"])
        elif name == "tags":
            tags = clean_tags(value)
        elif name in MAX_LENGTHS:
            text = clean_text(name, value, MAX_LENGTHS[name])
            if text:
                texts[name] = text
        else:
            known = ", ".join(KNOWN_NAMES)
            raise TypeError(f"{caller} got an unexpected argument {name!r}. Attribution fields are: {known}.")
    return GivenAttribution(texts, tags)


def _entity_pair(value: object) -> tuple[object, object]:
    if isinstance(value, (tuple, list)) and len(value) == 2:
        return value[0], value[1]
    label = getattr(getattr(value, "_meta", None), "label_lower", None)
    if label and getattr(value, "pk", None) is not None:
        return label, value.pk  # type: ignore[attr-defined]
    raise InvalidUsage("entity", value, 'a pair such as ("hypothesis", "h-1"), or a saved model instance')
