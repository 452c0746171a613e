"""The attribution fields: their names, limits and cleaning, and values that are known only when usage is metered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, TypedDict

from costtrack.domain.events import Attribution
from costtrack.domain.frozen import frozen_from
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


class GivenAttribution:
    """Fields that were given, cleaned; names that were not given are absent. Never changed once it is made."""

    __slots__ = ("resolved", "tags", "texts")

    def __init__(self, texts: Mapping[str, str | Lazy], tags: Mapping[str, str]) -> None:
        """`texts` by field name, and the tags."""
        self.texts = texts
        self.tags = tags
        self.resolved: Attribution | None = None
        """What `resolve` gives, once it has been asked; None for ever if a field is lazy."""

    @property
    def has_lazy(self) -> bool:
        """Whether a field is worked out when usage is metered: by the host's code, maybe with the database."""
        return self.resolved is None and Lazy in map(type, self.texts.values())

    def over(self, outer: GivenAttribution | None) -> GivenAttribution:
        """This one laid over an outer one: fields win, tags are merged key by key."""
        if outer is None or outer is NOT_GIVEN:
            return self
        if not self.texts and not self.tags:
            return outer
        return GivenAttribution({**outer.texts, **self.texts}, {**outer.tags, **self.tags} if outer.tags else self.tags)

    def resolve(self, on_problem: Callable[[str, Exception], None] | None = None) -> Attribution:
        """The value for an event. A lazy field that fails raises, or is left out and told to `on_problem`.

        Without lazy fields it is worked out once, for all that is metered in a scope.
        """
        if self.resolved is not None:
            return self.resolved
        values: dict[str, Any] = {"tags": self.tags}
        is_lasting = True
        for name, text in self.texts.items():
            if isinstance(text, Lazy):
                is_lasting = False
                try:
                    text = clean_text(name, text.value(), MAX_LENGTHS[name])
                except Exception as error:  # the host's own code: after a call it must not lose us the event
                    if on_problem is None:
                        raise
                    on_problem(name, error)
                    continue
            values[name] = text
        resolved = frozen_from(Attribution, values)
        if is_lasting:
            self.resolved = resolved
        return resolved

    def with_texts(
        self, texts: Mapping[str, str], on_problem: Callable[[str, Exception], None] | None = None
    ) -> Attribution:
        """The value for an event that says more of itself: clean texts, over these fields."""
        if not texts:
            return self.resolve(on_problem)
        if self.has_lazy:
            return GivenAttribution(texts, NO_TAGS).over(self).resolve(on_problem)
        return frozen_from(Attribution, {**vars(self.resolve()), **texts})


NO_TAGS: Mapping[str, str] = {}
NOT_GIVEN = GivenAttribution({}, NO_TAGS)


def given_attribution(given: Mapping[str, object], *, caller: str) -> GivenAttribution:
    """The keyword arguments of `caller`, cleaned.

    Raises TypeError for a name that is no attribution field, InvalidUsage for a value that has no text.
    """
    if not given:
        return NOT_GIVEN
    texts: dict[str, str] = {}
    tags: dict[str, str] = {}
    for name, value in given.items():
        if type(value) is str and name in MAX_LENGTHS and len(value) <= MAX_LENGTHS[name] and value.isprintable():
            text = value.strip()
            if text:
                texts[name] = text
            continue
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
