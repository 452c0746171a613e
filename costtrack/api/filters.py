"""The filters of lists: django-filter's, of which a wrong value is a 400 and an owner is named by its slug."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, ClassVar

import django_filters
from django.db.models import QuerySet
from rest_framework.exceptions import NotFound

from costtrack.access.owners import agents_within, projects_within
from costtrack.models import Agent, Organization, Project
from costtrack.reporting.parameters import MAX_TEXT, InvalidParameter, shorten
from costtrack.reporting.wording import NO_NAME


class TextFilter(django_filters.CharFilter):
    """Rows whose column is exactly this text, without blanks cut off."""

    def __init__(self, *args: Any, max_length: int = MAX_TEXT, **kwargs: Any) -> None:
        super().__init__(*args, max_length=max_length, strip=False, **kwargs)


class OwnerFilter(TextFilter):
    """A base for filters by an owner, whose row has to be there; a list of owners says by no row that there is none."""

    expected: ClassVar[str]
    """How it is named."""
    takes_no_name: ClassVar[bool] = False
    """Whether NO_NAME asks for usage that has none."""


class ProjectFilter(OwnerFilter):
    """Rows of the projects of this slug."""

    expected = "the slug of a project that exists"

    def named(self, projects: QuerySet[Project], value: str) -> QuerySet[Project]:
        """Those of the projects that the value names."""
        return projects.filter(slug=value)


class AgentFilter(OwnerFilter):
    """Rows of the agents of this slug."""

    expected = "the slug of an agent that exists"

    def named(self, agents: QuerySet[Agent], value: str) -> QuerySet[Agent]:
        """Those of the agents that the value names."""
        return agents.filter(slug=value)


class FlagFilter(django_filters.TypedChoiceFilter):
    """Rows whose column is `true` or `false`; django-filter's own takes any other text for no filter at all."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        is_true = {"true": True, "false": False}.get
        super().__init__(*args, choices=choices_of(("true", "false")), coerce=is_true, empty_value=None, **kwargs)


class CostFilterSet(django_filters.FilterSet):
    """A base for the filters of one list.

    Give the list's rows as they are scoped. Filters by a project or agent take its slug (`project__slug`), never a key:
    so one that is not the caller's is answered as one that does not exist.
    """

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """The query parameters."""
        return tuple(cls.base_filters)

    def matching(
        self, *, organizations: Collection[Organization], owner: Project | Agent | None = None
    ) -> QuerySet[Any]:
        """The rows that match; raises InvalidParameter for the first value that can not be understood.

        NotFound for a project or agent that is none of the organizations', or not the `owner`'s: were nothing found
        instead, a mistyped name would cost 0.
        """
        for name in self.base_filters:
            if self.data.get(name) == "":
                raise InvalidParameter(name, "", "a value, or no such parameter")
        if not self.is_valid():
            for name, problems in self.form.errors.items():
                raise InvalidParameter(name, self.data.get(name), " ".join(_text(one) for one in problems))
        self._check_owners(projects_within(organizations, owner=owner), agents_within(organizations, owner=owner))
        matching: QuerySet[Any] = self.qs
        return matching

    def _check_owners(self, projects: QuerySet[Project], agents: QuerySet[Agent]) -> None:
        project, agent = self.data.get("project"), self.data.get("agent")
        by_project, by_agent = self.filters.get("project"), self.filters.get("agent")
        of_project = ""
        if project is not None and isinstance(by_project, ProjectFilter):
            named = by_project.named(projects, project)
            _check_owner("project", project, named, by_project)
            agents, of_project = agents.filter(project__in=named), f" in the project {shorten(repr(project))}"
        if agent is not None and isinstance(by_agent, AgentFilter):
            _check_owner("agent", agent, by_agent.named(agents, agent), by_agent, more=of_project)


def _check_owner(name: str, value: str, named: QuerySet[Any], asked: OwnerFilter, *, more: str = "") -> None:
    if not named.exists() and not (asked.takes_no_name and value == NO_NAME):
        raise NotFound(f"{name}: got {shorten(repr(value))}, expected {asked.expected}{more}. GET {name}s lists them.")


def _text(problem: Any) -> str:
    return str(problem).rstrip(".")


def choices_of(values: Sequence[str]) -> list[tuple[str, str]]:
    """Texts as the choices of a filter."""
    return [(value, value) for value in values]
