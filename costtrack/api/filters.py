"""The filters of lists: django-filter's, of which a wrong value is a 400 and an owner is named by its slug."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import django_filters
from django.db.models import QuerySet

from costtrack.reporting.parameters import MAX_TEXT, InvalidParameter


class TextFilter(django_filters.CharFilter):
    """Rows whose column is exactly this text, without blanks cut off."""

    def __init__(self, *args: Any, max_length: int = MAX_TEXT, **kwargs: Any) -> None:
        super().__init__(*args, max_length=max_length, strip=False, **kwargs)


class FlagFilter(django_filters.TypedChoiceFilter):
    """Rows whose column is `true` or `false`; django-filter's own takes any other text for no filter at all."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        is_true = {"true": True, "false": False}.get
        super().__init__(*args, choices=choices_of(("true", "false")), coerce=is_true, empty_value=None, **kwargs)


class CostFilterSet(django_filters.FilterSet):
    """A base for the filters of one list.

    Give the list's rows as they are scoped. Filters by a project or agent take its slug (`project__slug`), never a key:
    so one that is not the caller's matches nothing, as one that does not exist.
    """

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """The query parameters."""
        return tuple(cls.base_filters)

    def matching(self) -> QuerySet[Any]:
        """The rows that match; raises InvalidParameter for the first value that can not be understood."""
        for name in self.base_filters:
            if self.data.get(name) == "":
                raise InvalidParameter(name, "", "a value, or no such parameter")
        if not self.is_valid():
            for name, problems in self.form.errors.items():
                raise InvalidParameter(name, self.data.get(name), " ".join(_text(one) for one in problems))
        matching: QuerySet[Any] = self.qs
        return matching


def _text(problem: Any) -> str:
    return str(problem).rstrip(".")


def choices_of(values: Sequence[str]) -> list[tuple[str, str]]:
    """Texts as the choices of a filter."""
    return [(value, value) for value in values]
