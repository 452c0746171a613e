"""Keys of programs: to look at, and to revoke. They are made by `manage.py costtrack_key`, which shows the secret."""

from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy, ngettext

from costtrack.access.keys import revoke_key
from costtrack.access.principals import Right
from costtrack.admin.bases import ReadOnlyAdmin
from costtrack.admin.scoping import person_of
from costtrack.models import AgentKey


@admin.register(AgentKey)
class AgentKeyAdmin(ReadOnlyAdmin[AgentKey]):
    """Who holds keys, what they are good for, and when they were used last."""

    list_display = (
        "name",
        "prefix",
        "state",
        "organization",
        "project",
        "agent",
        "scopes_shown",
        "created_at",
        "expires_at",
        "last_used_at",
    )
    list_filter = ("organization", "can_ingest", "can_read")
    list_select_related = ("organization", "project", "agent")
    search_fields = ("name", "prefix")
    fields = (*list_display, "created_by", "revoked_at")
    actions = ("revoke",)

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        """Who may change keys, of some organization."""
        may = person_of(request).has(Right.MANAGE_ORGANIZATION)
        return may and request.user.has_perm("costtrack.change_agentkey")

    @admin.action(description=gettext_lazy("Revoke the selected keys, for ever"), permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[AgentKey]) -> None:
        """Revoke those that are not revoked yet."""
        now = timezone.now()
        count = sum(revoke_key(key, now=now) for key in queryset)
        text = ngettext("%d key was revoked.", "%d keys were revoked.", count) % count
        self.message_user(request, text, messages.SUCCESS if count else messages.INFO)

    @admin.display(description=gettext_lazy("state"))
    def state(self, obj: AgentKey) -> str:
        """Whether it is good for anything."""
        return obj.state_at(timezone.now())

    @admin.display(description=gettext_lazy("scopes"))
    def scopes_shown(self, obj: AgentKey) -> str:
        """What it lets its holder do."""
        return ", ".join(obj.scopes)
