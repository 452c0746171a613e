"""The pages of costs of one project, and of one agent."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django.http import Http404

from costtrack.conf import settings
from costtrack.dashboard.addresses import Here, address
from costtrack.dashboard.costs import CostPage
from costtrack.models import Agent, Organization, Project
from costtrack.reporting.wording import one_line


class OwnerPage(CostPage):
    """A base: of a project or an agent; its organization is its own, whatever else there is."""

    name = "overview"

    @cached_property
    def organization(self) -> Organization | None:
        """The owner's."""
        return self._organization_of_owner()

    def _organization_of_owner(self) -> Organization:
        raise NotImplementedError  # a project's, an agent's

    @property
    def here(self) -> Here:
        """Without the organization, which the path says."""
        return Here(self.request.path, {name: value for name, value in self.given.items() if name != "organization"})

    def shared(self) -> dict[str, Any]:
        """Refuse an organization that it does not belong to."""
        asked = self.given.get("organization")
        if self.organization is None or asked not in (None, self.organization.slug):
            raise Http404("It belongs to another organization.")
        return super().shared()

    def organization_parents(self) -> list[tuple[str, str]]:
        """All organizations, and its own."""
        own = self._organization_of_owner()
        several = [("All organizations", address("overview", **self.period.query))] if len(self.granted) > 1 else []
        return [*several, (one_line(str(own)), address("overview", organization=own.slug, **self.period.query))]


class ProjectPage(OwnerPage):
    """What one project costs."""

    dimensions = ("model", "agent", "provider", "endpoint", "sprint", "workflow")
    tables = ("agent", "model")

    @cached_property
    def owner(self) -> Project:
        """The one of the address."""
        rows = Project.objects.using(settings.database).select_related("organization")
        found: Project = self.found(rows, pk=self.kwargs["project_id"])
        return found

    @property
    def title(self) -> str:
        """The project's name."""
        return one_line(str(self.owner))

    @property
    def parents(self) -> list[tuple[str, str]]:
        """Its organization."""
        return self.organization_parents()

    def _organization_of_owner(self) -> Organization:
        return self.owner.organization


class AgentPage(OwnerPage):
    """What one agent costs."""

    dimensions = ("model", "provider", "endpoint", "sprint", "workflow")
    tables = ("model", "endpoint")

    @cached_property
    def owner(self) -> Agent:
        """The one of the address."""
        rows = Agent.objects.using(settings.database).select_related("project__organization")
        found: Agent = self.found(rows, pk=self.kwargs["agent_id"])
        return found

    @property
    def title(self) -> str:
        """The agent's name."""
        return one_line(str(self.owner))

    @property
    def parents(self) -> list[tuple[str, str]]:
        """Its project and organization."""
        project = self.owner.project
        return [
            *self.organization_parents(),
            (one_line(str(project)), address("project", project.pk, **self.period.query)),
        ]

    def _organization_of_owner(self) -> Organization:
        return self.owner.project.organization
