"""Keys of programs. Written by `costtrack.access.keys` alone."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from costtrack.models.tenancy import Agent, Organization, Project


class AgentKey(models.Model):
    """What a program shows to send usage of one organization, or to read its costs. Its secret is not stored."""

    class Scope(models.TextChoices):
        """What a key lets its holder do."""

        INGEST = "ingest", _("ingest: sends usage, and reserves")
        READ = "read", _("read: reads costs")

    prefix = models.CharField(max_length=16, unique=True, help_text=_("Names the key; it is no secret."))
    secret_sha256 = models.CharField(max_length=64, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="agent_keys")
    # CASCADE, not SET_NULL: a key that lost its project would be good for the whole organization.
    project = models.ForeignKey(
        Project, on_delete=models.CASCADE, null=True, blank=True, related_name="agent_keys", help_text=_("Empty: all.")
    )
    agent = models.ForeignKey(
        Agent, on_delete=models.CASCADE, null=True, blank=True, related_name="agent_keys", help_text=_("Empty: all.")
    )
    can_ingest = models.BooleanField(default=False, help_text=_("May send usage, and reserve for calls."))
    can_read = models.BooleanField(default=False, help_text=_("May read costs."))
    name = models.CharField(max_length=100, help_text=_("Who holds it."))
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="costtrack_agent_keys",
        help_text=_("Empty: made by a command."),
    )
    expires_at = models.DateTimeField(null=True, blank=True, help_text=_("Empty: never."))
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, help_text=_("Right to a minute."))

    class Meta:
        """By organization, newest first."""

        ordering: ClassVar = ["organization_id", "-created_at", "-id"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(can_ingest=True) | Q(can_read=True), name="costtrack_key_can_something"),
            models.CheckConstraint(
                condition=Q(agent__isnull=True) | Q(project__isnull=False), name="costtrack_key_agent_has_project"
            ),
            models.CheckConstraint(condition=~Q(prefix=""), name="costtrack_key_prefix_not_empty"),
        ]

    def __str__(self) -> str:
        """Its name and its prefix."""
        return f"{self.name} ({self.prefix})"

    @property
    def scopes(self) -> list[str]:
        """What it lets its holder do."""
        held = ((self.can_ingest, self.Scope.INGEST), (self.can_read, self.Scope.READ))
        return [scope.value for is_held, scope in held if is_held]

    @property
    def owner(self) -> Project | Agent | None:
        """The project or agent that it is narrowed to; None: all of its organization."""
        return self.agent or self.project

    def state_at(self, now: datetime) -> str:
        """`active`, `revoked` or `expired`."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "active"
