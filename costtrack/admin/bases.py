"""The base classes of the screens: Django's own, typed by their model, and a read-only one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.core import paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin as DjangoModelAdmin
    from django.contrib.admin import TabularInline as TabularInline
    from django.core.paginator import Paginator as Paginator
else:

    class DjangoModelAdmin(admin.ModelAdmin):
        """Django's, subscriptable by its model, which only the type checker looks at."""

        def __class_getitem__(cls, model: object) -> type:
            return cls

    class TabularInline(admin.TabularInline):
        """Django's, subscriptable by its models, which only the type checker looks at."""

        def __class_getitem__(cls, models: object) -> type:
            return cls

    class Paginator(paginator.Paginator):
        """Django's, subscriptable by what it pages through, which only the type checker looks at."""

        def __class_getitem__(cls, item: object) -> type:
            return cls


AnyModel = TypeVar("AnyModel", bound=Model)


class CheckedChangeList(ChangeList):
    """Django's list; a NUL in a filter, which PostgreSQL takes in no text, is a wrong parameter."""

    def get_filters(self, request: HttpRequest) -> Any:
        """Django's, unless a value has a NUL."""
        if any("\x00" in text for name, values in self.filter_params.items() for text in (name, *values)):
            raise IncorrectLookupParameters
        return super().get_filters(request)


class ModelAdmin(DjangoModelAdmin[AnyModel]):
    """The base of every screen: no query string is a server error."""

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """The list that checks its filters."""
        return CheckedChangeList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[AnyModel], search_term: str
    ) -> tuple[QuerySet[AnyModel], bool]:
        """Django's; the autocompletion asks it with any text, and no row has a NUL."""
        if "\x00" in search_term:
            return queryset.none(), False
        return super().get_search_results(request, queryset, search_term)


class ReadOnlyAdmin(ModelAdmin[AnyModel]):
    """A screen of rows that are only ever written elsewhere: nothing can be added, changed or deleted here."""

    actions = None

    class Media:
        css = {"all": ["costtrack/admin.css"]}

    def has_add_permission(self, request: HttpRequest) -> bool:
        """No one."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """No one."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """No one."""
        return False
