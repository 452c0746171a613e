"""The base classes of the screens: Django's own, or django-unfold's where a site has it; and a read-only one."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from django.apps import apps
from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.core import paginator
from django.core.exceptions import PermissionDenied
from django.db.models import DateTimeField, Model, QuerySet
from django.forms import BaseInlineFormSet, ModelChoiceField, ModelForm
from django.http import HttpRequest

from costtrack.access.rows import may_change, right_to_change, rows_granted
from costtrack.admin.scoping import ScopedScreen, person_of, scoped_filter

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin as DjangoModelAdmin
    from django.contrib.admin import TabularInline as DjangoTabularInline
    from django.contrib.admin.helpers import ActionForm as ActionForm
    from django.core.paginator import Paginator as Paginator

    InlineFormSet = BaseInlineFormSet[Any, Any, Any]
else:
    InlineFormSet = BaseInlineFormSet
    # Unfold's templates draw no borders round Django's widgets, and run no action of Django's form.
    screens = import_module("unfold.admin") if apps.is_installed("unfold") else admin
    ActionForm = screens.ModelAdmin.action_form

    class DjangoModelAdmin(screens.ModelAdmin):
        """Django's, subscriptable by its model, which only the type checker looks at."""

        def __class_getitem__(cls, model: object) -> type:
            return cls

    class DjangoTabularInline(screens.TabularInline):
        """Django's, subscriptable by its models, which only the type checker looks at."""

        def __class_getitem__(cls, models: object) -> type:
            return cls

    class Paginator(paginator.Paginator):
        """Django's, subscriptable by what it pages through, which only the type checker looks at."""

        def __class_getitem__(cls, item: object) -> type:
            return cls


AnyModel = TypeVar("AnyModel", bound=Model)
AnyParent = TypeVar("AnyParent", bound=Model)


class ParentsRows(InlineFormSet):
    """Django's; a key that is none of the parent's rows' is wrong, whether or not there is such a row elsewhere."""

    def add_fields(self, form: Any, index: int | None) -> None:
        """Django's, with the parent's rows to choose the key from."""
        super().add_fields(form, index)
        assert self.model is not None
        key = form.fields.get(self.model._meta.pk.name)
        if isinstance(key, ModelChoiceField):
            key.queryset = self.get_queryset()


class TabularInline(ScopedScreen, DjangoTabularInline[AnyModel, AnyParent]):
    """The base of every inline."""

    formset = ParentsRows


class CheckedChangeList(ChangeList):
    """Django's list; a NUL in a filter, which PostgreSQL takes in no text, is a wrong parameter."""

    def get_filters(self, request: HttpRequest) -> Any:
        """Django's, unless a value has a NUL."""
        if any("\x00" in text for name, values in self.filter_params.items() for text in (name, *values)):
            raise IncorrectLookupParameters
        return super().get_filters(request)


class ModelAdmin(ScopedScreen, DjangoModelAdmin[AnyModel]):
    """The base of every screen: staff see their organizations' rows, and no query string is a server error."""

    reading_actions: tuple[str, ...] = ()
    """Actions that change nothing; all others reach only rows that the person may change."""

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """The list that checks its filters."""
        return CheckedChangeList

    def get_list_filter(self, request: HttpRequest) -> Any:
        """Django's, of which those by relations offer what the person may see."""
        return [scoped_filter(self.model, one) for one in super().get_list_filter(request)]

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Django's, without instants, whose widget takes no text from a query string."""
        given = super().get_changeform_initial_data(request)
        instants = {field.name for field in self.opts.get_fields() if isinstance(field, DateTimeField)}
        return {name: value for name, value in given.items() if name not in instants}

    def response_action(self, request: HttpRequest, queryset: QuerySet[AnyModel], *location: Any) -> Any:
        """Django's; rows that the person may see, but not change, are as if they were not chosen."""
        if not set(request.POST.getlist("action")) <= set(self.reading_actions):
            queryset = rows_granted(queryset, person_of(request), right_to_change(self.model))
        return super().response_action(request, queryset, *location)

    def save_form(self, request: HttpRequest, form: ModelForm[AnyModel], change: bool) -> Any:
        """Django's; whatever let the form pass, nothing is saved into an organization that is none of the person's."""
        obj = super().save_form(request, form, change)
        if not may_change(person_of(request), obj):
            raise PermissionDenied
        return obj

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[AnyModel], search_term: str
    ) -> tuple[QuerySet[AnyModel], bool]:
        """Django's; the autocompletion asks it with any text, and no row has a NUL."""
        if "\x00" in search_term:
            return queryset.none(), False
        return super().get_search_results(request, queryset, search_term)


class ReadOnlyAdmin(ModelAdmin[AnyModel]):
    """A screen of rows that are only ever written elsewhere: nothing can be added, changed or deleted here."""

    actions: tuple[str, ...] | None = None

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
