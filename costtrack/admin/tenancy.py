"""Organizations, projects, agents and memberships."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.db.models import Q
from django.forms import ModelForm
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from costtrack.admin.bases import ModelAdmin, TabularInline
from costtrack.admin.deletion import KeptWhileUsedAdmin
from costtrack.admin.scoping import person_of
from costtrack.models import Agent, DailyCostSummary, Membership, Organization, OrganizationZone, Project, ResourceUsage
from costtrack.models.summaries import AGENT, PENDING, PROJECT
from costtrack.models.tenancy import validate_timezone


class ZoneInline(TabularInline[OrganizationZone, Organization]):
    """The zones that an organization has had, read-only: change its timezone field instead."""

    model = OrganizationZone
    verbose_name_plural = gettext_lazy("zone history (none while the zone never changed)")
    can_delete = False
    extra = 0

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """No one."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """No one."""
        return False


class PersonField:
    """`user` by autocomplete where the site's user screen supports it, else by its raw id."""

    admin_site: admin.AdminSite

    def get_autocomplete_fields(self, request: HttpRequest) -> tuple[str, ...]:
        """`user`, if its screen can be searched."""
        user = get_user_model()
        searchable = self.admin_site.is_registered(user) and self.admin_site.get_model_admin(user).search_fields
        return ("user",) if searchable else ()


class MembershipInline(PersonField, TabularInline[Membership, Organization]):
    """Who belongs to the organization."""

    model = Membership
    raw_id_fields = ("user",)
    extra = 0


@admin.register(Organization)
class OrganizationAdmin(KeptWhileUsedAdmin[Organization]):
    """Organizations with their people; a new time zone begins at the next midnight."""

    list_display = ("slug", "name", "timezone", "is_active", "created_at", "usage")
    list_filter = ("is_active",)
    search_fields = ("slug", "name")
    fields = ("slug", "name", "timezone", "is_active", "created_at")

    def formfield_for_dbfield(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        """Django's; a time zone that does not exist is said beside its field."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "timezone" and field is not None:
            field.validators.append(validate_timezone)
        return field

    def get_readonly_fields(self, request: HttpRequest, obj: Organization | None = None) -> tuple[str, ...]:
        """Once it exists, the slug stays: callers name it."""
        return ("slug", "created_at") if obj else ("created_at",)

    def has_add_permission(self, request: HttpRequest, *parent: Any) -> bool:
        """Superusers."""
        return person_of(request).is_superuser and super().has_add_permission(request, *parent)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Superusers, of one without usage."""
        return person_of(request).is_superuser and super().has_delete_permission(request, obj)

    def get_inlines(self, request: HttpRequest, obj: Organization | None) -> list[Any]:
        """The zone history once there is something to have one."""
        return [MembershipInline, ZoneInline] if obj else [MembershipInline]

    def has_usage(self, obj: Organization) -> bool:
        """Asked of the ledger too: its index begins with the organization."""
        rows = (DailyCostSummary.all_grains, ResourceUsage.objects)
        return any(manager.filter(organization_id=obj.pk).exists() for manager in rows)

    def save_model(self, request: HttpRequest, obj: Organization, form: ModelForm[Organization], change: bool) -> None:
        """Django's, but a changed time zone goes through `change_timezone`."""
        wanted = obj.timezone
        if not change or "timezone" not in form.changed_data:
            super().save_model(request, obj, form, change)
            return
        obj.timezone = form.initial["timezone"]
        super().save_model(request, obj, form, change)
        obj.change_timezone(wanted, now=timezone.now())
        begins = obj.zones.order_by("-effective_from").values_list("effective_from", flat=True)
        text = _("The days of “%(name)s” follow %(zone)s from %(begins)s UTC on.")
        newest = max(start for start in begins if start is not None)
        self.message_user(
            request, text % {"name": obj, "zone": wanted, "begins": f"{newest:%Y-%m-%d %H:%M}"}, messages.INFO
        )

    @admin.display(description=gettext_lazy("usage"))
    def usage(self, obj: Organization) -> SafeString:
        """A link to its part of the ledger."""
        return usage_link("organization", obj.pk)


@admin.register(Project)
class ProjectAdmin(KeptWhileUsedAdmin[Project]):
    """Projects; they also appear by themselves on first use."""

    list_display = ("slug", "name", "organization", "is_active", "created_at", "usage")
    list_filter = ("is_active", "organization")
    list_select_related = ("organization",)
    search_fields = ("slug", "name", "organization__slug")
    autocomplete_fields = ("organization",)
    fields = ("organization", "slug", "name", "is_active", "created_at")

    def get_readonly_fields(self, request: HttpRequest, obj: Project | None = None) -> tuple[str, ...]:
        """Once it exists, slug and organization stay: callers name it, and its usage cannot move."""
        return ("organization", "slug", "created_at") if obj else ("created_at",)

    def has_usage(self, obj: Project) -> bool:
        """Asked of the summaries; the ledger has no index that begins with the project."""
        return (
            DailyCostSummary.all_grains.filter(organization_id=obj.organization_id, grain__in=[PENDING, PROJECT])
            .filter(project_id=obj.pk)
            .exists()
        )

    @admin.display(description=gettext_lazy("usage"))
    def usage(self, obj: Project) -> SafeString:
        """A link to its part of the ledger."""
        return usage_link("project", obj.pk)


@admin.register(Agent)
class AgentAdmin(KeptWhileUsedAdmin[Agent]):
    """Agents; they also appear by themselves on first use."""

    list_display = ("slug", "name", "project", "organization", "is_active", "created_at", "usage")
    list_filter = ("is_active", "project__organization")
    list_select_related = ("project__organization",)
    search_fields = ("slug", "name", "project__slug")
    autocomplete_fields = ("project",)
    fields = ("project", "slug", "name", "is_active", "created_at")

    def get_readonly_fields(self, request: HttpRequest, obj: Agent | None = None) -> tuple[str, ...]:
        """Once it exists, slug and project stay: callers name it, and its usage cannot move."""
        return ("project", "slug", "created_at") if obj else ("created_at",)

    def has_usage(self, obj: Agent) -> bool:
        """Asked of the summaries; the ledger has no index that begins with the agent."""
        in_organization = Q(organization_id=obj.project.organization_id, grain__in=[PENDING, AGENT])
        return DailyCostSummary.all_grains.filter(in_organization, agent_id=obj.pk).exists()

    @admin.display(description=gettext_lazy("organization"))
    def organization(self, obj: Agent) -> str:
        """Its project's organization."""
        return str(obj.project.organization)

    @admin.display(description=gettext_lazy("usage"))
    def usage(self, obj: Agent) -> SafeString:
        """A link to its part of the ledger."""
        return usage_link("agent", obj.pk)


@admin.register(Membership)
class MembershipAdmin(PersonField, ModelAdmin[Membership]):
    """Who has which role in which organization."""

    raw_id_fields = ("user",)
    list_display = ("user", "organization", "role")
    list_filter = ("role", "organization")
    list_select_related = ("user", "organization")

    def get_autocomplete_fields(self, request: HttpRequest) -> tuple[str, ...]:
        """The organization, and the person where possible."""
        return ("organization", *super().get_autocomplete_fields(request))

    def get_search_fields(self, request: HttpRequest) -> tuple[str, ...]:
        """The name that people log in with, and the organization's."""
        return (f"user__{get_user_model().USERNAME_FIELD}", "organization__slug", "organization__name")


def usage_link(owner: str, key: int) -> SafeString:
    """A link to the ledger of one organization, project or agent."""
    page = reverse("admin:costtrack_resourceusage_changelist")
    return format_html('<a href="{}?{}={}">{}</a>', page, owner, key, _("ledger"))
