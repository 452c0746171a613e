"""Staff see the rows of the organizations that they belong to, and change what their role lets them.

Django's own permissions hold besides: who lacks one of the two may not. Superusers see and change everything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.options import BaseModelAdmin
from django.contrib.admin.utils import get_fields_from_path
from django.contrib.admin.widgets import AutocompleteSelect
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from costtrack.access.principals import Person, Right
from costtrack.access.rows import may_change, may_see, right_to_change, rows_granted, visible_rows
from costtrack.admin.key_choices import keys_only
from costtrack.models import Organization

if TYPE_CHECKING:
    ScreenBase = BaseModelAdmin[Any]
else:
    ScreenBase = BaseModelAdmin


def person_of(request: HttpRequest) -> Person:
    """Who looks at the screen; one and the same for a whole request, whose memberships are read once."""
    kept = vars(request)
    if "_costtrack_person" not in kept:
        kept["_costtrack_person"] = Person(request.user)
    person: Person = kept["_costtrack_person"]
    return person


def is_ours(model: type[Model]) -> bool:
    """Whether it is one of this app's tables, whose rows belong to organizations."""
    return model._meta.app_label == Organization._meta.app_label


class VisibleOnlyFilter(admin.RelatedFieldListFilter):
    """Django's filter by a relation; offered are rows that the person may see."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> Any:
        """As Django's, of those."""
        person = person_of(request)
        if person.is_superuser:
            return super().field_choices(field, request, model_admin)
        visible = visible_rows(field.remote_field.model._default_manager.all(), person)
        order = self.field_admin_ordering(field, request, model_admin)
        mine = {"pk__in": visible.values("pk")}
        return field.get_choices(include_blank=False, limit_choices_to=mine, ordering=order)


class ScopedScreen(ScreenBase):
    """A base of screens and of inlines: rows, choices and permissions are those of the person's organizations.

    `obj` of an inline's permissions is, as Django has it, the row that it belongs to.
    """

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Django's, without the rows of organizations that are none of the person's."""
        return visible_rows(super().get_queryset(request), person_of(request))

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Django's, of a row of the person's organizations; without any membership there is nothing to see."""
        person = person_of(request)
        is_theirs = (person.is_superuser or person.has(Right.READ)) if obj is None else may_see(person, obj)
        return is_theirs and super().has_view_permission(request, obj)

    def has_add_permission(self, request: HttpRequest, *parent: Any) -> bool:
        """Django's, with the role that it takes somewhere, of an inline in the parent's organization."""
        return self._may_change(request, *parent) and super().has_add_permission(request, *parent)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Django's, with the role that it takes in the row's organization."""
        return self._may_change(request, obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Django's, with the role that it takes in the row's organization."""
        return self._may_change(request, obj) and super().has_delete_permission(request, obj)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Django's; to choose from are rows of organizations that the person may make this screen's rows in.

        What else is sent is answered as what does not exist. A row without organization is a superuser's to make.
        """
        if (choices := self._choices(db_field, request, kwargs)) is not None:
            kwargs["queryset"] = choices
            if db_field.remote_field.model is Organization:
                kwargs["required"] = True
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if field is not None and isinstance(field.widget, AutocompleteSelect):
            field.widget.__class__ = keys_only(type(field.widget))
        return field

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """The same."""
        if (choices := self._choices(db_field, request, kwargs)) is not None:
            kwargs["queryset"] = choices
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def _choices(self, db_field: Any, request: HttpRequest, options: dict[str, Any]) -> QuerySet[Any] | None:
        person, related = person_of(request), db_field.remote_field.model
        if person.is_superuser or not is_ours(related):
            return None
        rows = options.get("queryset")
        if rows is None:
            rows = self.get_field_queryset(options.get("using"), db_field, request)
        if rows is None:
            rows = related._default_manager.using(options.get("using"))
        return rows_granted(rows, person, right_to_change(self.model))

    def _may_change(self, request: HttpRequest, obj: Any = None) -> bool:
        person = person_of(request)
        if person.is_superuser:
            return True
        if obj is not None:
            return may_change(person, obj)
        right = right_to_change(self.model)
        return right is not None and person.has(right)


def scoped_filter(model: type[Model], one: Any) -> Any:
    """An entry of `list_filter`; one that only names a relation to our tables offers what the person may see."""
    if not isinstance(one, str):
        return one
    field = get_fields_from_path(model, one)[-1]
    related = field.related_model
    return (one, VisibleOnlyFilter) if isinstance(related, type) and is_ours(related) else one
