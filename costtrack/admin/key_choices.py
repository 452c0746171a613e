"""Autocompleted choices of a form that is shown again: of what was sent, only what may be a key is looked up."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from django.contrib.admin.widgets import AutocompleteSelect
from django.core.exceptions import ValidationError

if TYPE_CHECKING:
    Choices = AutocompleteSelect
else:
    Choices = object


class KeysOnly(Choices):
    """Goes before a class of AutocompleteSelect, which asks the database for whatever was sent: `abc` is an error."""

    def optgroups(self, name: str, value: Sequence[str], attr: Any = None) -> Any:
        """Those of keys; what is none is told by the field."""
        key = self.choices.queryset.model._meta.pk
        keys = [one for one in value if not one or _may_be(key, one)]
        return super().optgroups(name, keys, attr)


@cache
def keys_only(widget: type[AutocompleteSelect]) -> type[AutocompleteSelect]:
    """The widget's class, which looks up keys only."""
    return type(widget.__name__, (KeysOnly, widget), {})


def _may_be(key: Any, text: str) -> bool:
    try:
        key.clean(text, None)
    except ValidationError:
        return False
    return True
