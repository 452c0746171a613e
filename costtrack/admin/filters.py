"""Filters of the ledger and the summaries whose choices never come from reading the ledger.

Django's own filter of a text column, and RelatedOnlyFieldListFilter, ask for the distinct values of the column:
on the ledger that reads every row.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any

from django.contrib import admin
from django.contrib.admin import ModelAdmin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from costtrack.access.principals import Right
from costtrack.access.rows import rows_granted, visible_rows
from costtrack.admin.day_list import chosen_key
from costtrack.admin.scoping import person_of
from costtrack.models import Agent, DailyCostSummary, Organization, Project, Rate
from costtrack.models.summaries import ORGANIZATION, PENDING

MOST_CHOICES = 200
"""A longer list helps nobody; the others are reached by the links on their own screens."""

NEWEST_SUMMARIES = 2_000
"""So many rows of a grain are looked at for values to offer: a few milliseconds."""

Choices = Iterable[tuple[str, str]]


class OwnerFilter(admin.SimpleListFilter):
    """One level of organization > project > agent; a level shows once the one above it is chosen."""

    narrower: tuple[str, ...] = ()
    """Parameters of the levels below, which end when another choice is made here."""

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        """Django's, with links that leave the levels below."""
        yield {
            "selected": self.value() is None,
            "query_string": changelist.get_query_string({}, [str(self.parameter_name), *self.narrower]),
            "display": _("All"),
        }
        for key, title in self.lookup_choices:
            yield {
                "selected": self.value() == key,
                "query_string": changelist.get_query_string({str(self.parameter_name): key}, [*self.narrower]),
                "display": title,
            }

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> Choices:
        """The chosen one first, then up to 200 of its level."""
        chosen = self.number()
        owners = visible_rows(self.owners(request), person_of(request))
        listed = {owner.pk: str(owner) for owner in owners[:MOST_CHOICES]}
        if chosen and chosen not in listed:
            listed = {owner.pk: str(owner) for owner in owners.filter(pk=chosen)} | listed
        return [(str(key), title) for key, title in listed.items()]

    def has_output(self) -> bool:
        """A choice that was made counts, even if there is nothing to choose from."""
        return self.value() is not None or super().has_output()

    def number(self) -> int:
        """The primary key that was chosen; 0, which no row has, if none was or it is no key."""
        return chosen_key(self.value())

    @abstractmethod
    def owners(self, request: HttpRequest) -> QuerySet[Any]:
        """What there is to choose from, in order."""


class OrganizationFilter(OwnerFilter):
    """By organization."""

    title = _("organization")
    parameter_name = "organization"
    narrower = ("project", "agent")

    def owners(self, request: HttpRequest) -> QuerySet[Organization]:
        """All organizations."""
        return Organization.objects.all()

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any] | None:
        """The organization's rows."""
        return None if self.value() is None else queryset.filter(organization_id=self.number())


class ProjectFilter(OwnerFilter):
    """By project, once an organization is chosen."""

    title = _("project")
    parameter_name = "project"
    narrower = ("agent",)

    def owners(self, request: HttpRequest) -> QuerySet[Project]:
        """The projects of the organization that is chosen, or else of the chosen project's."""
        organization = chosen_key(request.GET.get("organization"))
        if organization:
            return Project.objects.filter(organization_id=organization)
        return Project.objects.filter(organization__projects=self.number())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any] | None:
        """The project's rows; with its organization, because the indexes begin with it."""
        if self.value() is None:
            return None
        project = Project.objects.filter(pk=self.number()).first()
        return queryset.filter(organization_id=project.organization_id, project=project) if project else queryset.none()


class AgentFilter(OwnerFilter):
    """By agent, once a project is chosen."""

    title = _("agent")
    parameter_name = "agent"

    def owners(self, request: HttpRequest) -> QuerySet[Agent]:
        """The agents of the project that is chosen, or else of the chosen agent's."""
        project = chosen_key(request.GET.get("project"))
        if project:
            return Agent.objects.filter(project_id=project)
        return Agent.objects.filter(project__agents=self.number())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any] | None:
        """The agent's rows; with its organization and project, because the indexes begin with them."""
        if self.value() is None:
            return None
        agent = Agent.objects.select_related("project").filter(pk=self.number()).first()
        if agent is None:
            return queryset.none()
        return queryset.filter(
            organization_id=agent.project.organization_id, project_id=agent.project_id, agent_id=agent.pk
        )


class KnownValueFilter(admin.SimpleListFilter):
    """By a text column; offered are the values of used rates and those of the newest summaries.

    To who is no superuser only those of their own organizations: a used rate that is everybody's tells of others.
    """

    parameter_name: str

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> Choices:
        """The known values, and the chosen one whatever it is."""
        person = person_of(request)
        used = rows_granted(Rate.objects.filter(is_used=True), person, Right.READ)
        known = set(used.values_list(self.parameter_name, flat=True))
        for grain in (ORGANIZATION, PENDING):
            of_grain = DailyCostSummary.all_grains.filter(grain=grain)
            newest = visible_rows(of_grain, person).order_by("-day")
            known.update(newest.values_list(self.parameter_name, flat=True)[:NEWEST_SUMMARIES])
        if chosen := self.value():
            known.add(chosen)
        return [(value, value) for value in sorted(known - {""})]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any] | None:
        """The rows with that value."""
        return None if self.value() is None else queryset.filter(**{self.parameter_name: self.value()})


class ProviderFilter(KnownValueFilter):
    """By provider."""

    title = _("provider")
    parameter_name = "provider"


class ResourceTypeFilter(KnownValueFilter):
    """By resource type."""

    title = _("resource type")
    parameter_name = "resource_type"
