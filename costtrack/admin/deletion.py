"""What usage belongs to is deactivated, not deleted: the screens of organizations, projects and agents."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.db.models import Model, ProtectedError, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from costtrack.admin.bases import AnyModel, ModelAdmin


class KeptWhileUsedAdmin(ModelAdmin[AnyModel]):
    """A screen whose rows can be deleted only while no usage belongs to them, and be deactivated at any time.

    The database refuses such a deletion too (PROTECT), but Django would first load every row that stands in the
    way: millions of the ledger.
    """

    actions = ("deactivate", "activate")

    class Media:
        css = {"all": ["costtrack/admin.css"]}

    def has_usage(self, obj: Any) -> bool:
        """Whether usage was recorded for `obj`; asked of the summaries."""
        raise NotImplementedError

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Django's without the deletion of many."""
        return {name: action for name, action in super().get_actions(request).items() if name != "delete_selected"}

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Not of one that has usage."""
        allowed = super().has_delete_permission(request, obj)
        return allowed and (obj is None or not self.has_usage(obj))

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Django's; for one with usage a message that says what to do instead."""
        obj = self.get_object(request, unquote(object_id))
        if obj is not None and super().has_delete_permission(request, obj) and self.has_usage(obj):
            return self._refuse_deletion(request, obj)
        try:
            return super().delete_view(request, object_id, extra_context)
        except ProtectedError:  # usage arrived in between
            return self._refuse_deletion(request, obj)

    def _refuse_deletion(self, request: HttpRequest, obj: Model | None) -> HttpResponse:
        text = _("“%(name)s” has usage, which keeps its owner, so it cannot be deleted. Deactivate it instead.")
        self.message_user(request, text % {"name": obj}, messages.ERROR)
        page = f"{self.admin_site.name}:{self.opts.app_label}_{self.opts.model_name}_change"
        return redirect(reverse(page, args=[obj.pk if obj else None]))

    @admin.action(description=gettext_lazy("Deactivate"), permissions=["change"])
    def deactivate(self, request: HttpRequest, queryset: QuerySet[AnyModel]) -> None:
        """Set `is_active` to false."""
        self._set_active(request, queryset, is_active=False)

    @admin.action(description=gettext_lazy("Activate"), permissions=["change"])
    def activate(self, request: HttpRequest, queryset: QuerySet[AnyModel]) -> None:
        """Set `is_active` to true."""
        self._set_active(request, queryset, is_active=True)

    def _set_active(self, request: HttpRequest, queryset: QuerySet[AnyModel], *, is_active: bool) -> None:
        changed = list(queryset.filter(is_active=not is_active))
        self.model._default_manager.filter(pk__in=[obj.pk for obj in changed]).update(is_active=is_active)
        for obj in changed:
            self.log_change(request, obj, [{"changed": {"fields": ["Is active"]}}])
        text = _("%(number)s activated.") if is_active else _("%(number)s deactivated.")
        self.message_user(request, text % {"number": len(changed)}, messages.SUCCESS)
