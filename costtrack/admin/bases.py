"""The base classes of the screens: Django's own, typed by their model, and a read-only one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from django.contrib import admin
from django.core import paginator
from django.db.models import Model
from django.http import HttpRequest

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin as ModelAdmin
    from django.contrib.admin import TabularInline as TabularInline
    from django.core.paginator import Paginator as Paginator
else:

    class ModelAdmin(admin.ModelAdmin):
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
