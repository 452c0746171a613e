"""Organization > project > agent, and who belongs to an organization."""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MinLengthValidator
from django.db import models, transaction
from django.utils.translation import gettext_lazy as _

from costtrack.domain.periods import ZoneHistory


def validate_timezone(name: str) -> None:
    """Accept an IANA zone name such as `Europe/Berlin`."""
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ValidationError(
            _("%(name)s is no IANA time zone name; expected one like Europe/Berlin."), params={"name": name}
        ) from None


class Organization(models.Model):
    """A tenant. Usage never creates one: people and commands do."""

    slug = models.SlugField(max_length=100, unique=True)
    name = models.CharField(max_length=200, blank=True, default="")
    timezone = models.CharField(
        max_length=64,
        default="UTC",
        help_text=_("IANA name. Its days and periods follow this zone; a change takes effect at its next midnight."),
    )
    is_active = models.BooleanField(
        default=True,
        help_text=_("Deactivate instead of deleting: usage keeps its owner, and what still comes in is still booked."),
    )
    is_demo = models.BooleanField(default=False, editable=False)
    budget_epoch = models.BigIntegerField(
        default=0,
        db_default=0,
        editable=False,
        help_text=_("Counts the changes of its budgets, so that a process knows when its list is old. 0: none yet."),
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """Ordered by slug."""

        ordering: ClassVar = ["slug"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=~models.Q(slug=""), name="costtrack_organization_slug_not_empty"),
        ]

    def __str__(self) -> str:
        """The name, else the slug."""
        return self.name or self.slug

    def save(self, *, update_fields: Iterable[str] | None = None, **how: Any) -> None:
        """Save it, but for its epoch: that moves on with its budgets, also while somebody edits this row."""
        if update_fields is None and not self._state.adding and not how.get("force_insert"):
            update_fields = [
                field.name for field in self._meta.concrete_fields if field.name not in ("id", "budget_epoch")
            ]
        super().save(update_fields=update_fields, **how)

    def clean(self) -> None:
        """Refuse a time zone that does not exist."""
        super().clean()
        validate_timezone(self.timezone)

    def zone_history(self) -> ZoneHistory:
        """The zones that this organization has had, oldest first (one query)."""
        return ZoneHistory.of(self.timezone, self.zones.values_list("timezone", "effective_from"))

    def change_timezone(self, timezone: str, *, now: datetime) -> None:
        """Let the days follow `timezone` from the next local midnight after `now` on; past days stay as they are.

        Raises ValidationError for a name that is no zone.
        """
        validate_timezone(timezone)
        with transaction.atomic(using=self._state.db):
            locked = Organization.objects.select_for_update().get(pk=self.pk)
            history = locked.zone_history()
            effective_from = history.next_midnight(now)
            if not locked.zones.exists():
                locked.zones.create(timezone=locked.timezone, effective_from=None)
            locked.zones.filter(effective_from__gte=effective_from).delete()
            locked.zones.create(timezone=timezone, effective_from=effective_from)
            Organization.objects.filter(pk=self.pk).update(timezone=timezone, budget_epoch=models.F("budget_epoch") + 1)
        self.timezone = timezone


class OrganizationZone(models.Model):
    """One stretch of an organization's zone history. An organization that never changed zone has none."""

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="zones")
    timezone = models.CharField(max_length=64)
    effective_from = models.DateTimeField(null=True, blank=True, help_text=_("Empty: from ever."))

    class Meta:
        """In order of time; the row from ever comes first."""

        ordering: ClassVar = [models.F("effective_from").asc(nulls_first=True)]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["organization", "effective_from"], name="costtrack_organizationzone_unique"
            ),
        ]

    def __str__(self) -> str:
        """The zone and its beginning."""
        return f"{self.timezone} from {self.effective_from or 'ever'}"


class Project(models.Model):
    """A project of an organization; appears on first use."""

    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="projects")
    slug = models.CharField(max_length=100, validators=[MinLengthValidator(1)])
    name = models.CharField(max_length=200, blank=True, default="")
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """Ordered by organization and slug."""

        ordering: ClassVar = ["organization_id", "slug"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "slug"], name="costtrack_project_unique"),
            models.CheckConstraint(condition=~models.Q(slug=""), name="costtrack_project_slug_not_empty"),
        ]

    def __str__(self) -> str:
        """The name, else the slug."""
        return self.name or self.slug


class Agent(models.Model):
    """An agent of a project; appears on first use."""

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="agents")
    slug = models.CharField(max_length=100, validators=[MinLengthValidator(1)])
    name = models.CharField(max_length=200, blank=True, default="")
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """Ordered by project and slug."""

        ordering: ClassVar = ["project_id", "slug"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["project", "slug"], name="costtrack_agent_unique"),
            models.CheckConstraint(condition=~models.Q(slug=""), name="costtrack_agent_slug_not_empty"),
        ]

    def __str__(self) -> str:
        """The name, else the slug."""
        return self.name or self.slug


class Membership(models.Model):
    """A person's role in an organization."""

    class Role(models.TextChoices):
        """What the person may do there."""

        VIEWER = "viewer", _("viewer: reads")
        MANAGER = "manager", _("manager: also budgets")
        ADMIN = "admin", _("admin: also rates and keys")

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="costtrack_memberships")
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=Role.choices, default=Role.VIEWER)

    class Meta:
        """One role per person and organization."""

        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "organization"], name="costtrack_membership_unique"),
            models.CheckConstraint(
                condition=models.Q(role__in=["viewer", "manager", "admin"]), name="costtrack_membership_role_known"
            ),
        ]

    def __str__(self) -> str:
        """Who is what where."""
        return f"{self.user} is {self.role} of {self.organization}"
