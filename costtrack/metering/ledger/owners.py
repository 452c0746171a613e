"""Whom usage belongs to: slugs become rows, projects and agents appear on first use, up to a cap."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar
from zoneinfo import ZoneInfoNotFoundError

from django.core.validators import slug_re
from django.db.models import Count, Exists, OuterRef, Q

from costtrack.conf import settings
from costtrack.domain.events import Attribution
from costtrack.domain.periods import ZoneHistory
from costtrack.models import Agent, AlertChannel, Organization, OrganizationZone, Project

Key = TypeVar("Key", tuple[int, str], tuple[int, int, str])

DEFAULT_PROJECT = "default"
"""The project of an agent that was named without one."""


@dataclass(slots=True)
class Owners:
    """The rows that a batch's attributions name, by slug."""

    organizations: dict[str, tuple[int, ZoneHistory]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    """Organizations that can take no usage, with the reason."""
    sending: set[int] = field(default_factory=set)
    """Organizations whose usage some webhook wants."""
    projects: dict[tuple[int, str], int] = field(default_factory=dict)
    agents: dict[tuple[int, str], int] = field(default_factory=dict)

    def organization(self, attribution: Attribution) -> tuple[int, ZoneHistory] | None:
        """The organization's id and zones; None if there is no such organization."""
        return self.organizations.get(attribution.organization or settings.default_organization)


def project_slug(attribution: Attribution) -> str:
    """The project that usage belongs to; "" for none."""
    return attribution.project or (DEFAULT_PROJECT if attribution.agent else "")


def find_owners(attributions: Iterable[Attribution], *, using: str) -> Owners:
    """Look up, and where allowed create, what the attributions name. At most 3 queries if all exist."""
    wanted = set(attributions_key(attribution) for attribution in attributions)
    owners = Owners()
    _find_organizations(owners, sorted({slug for slug, _, _ in wanted}), using=using)
    projects = sorted(
        {
            (owners.organizations[slug][0], project)
            for slug, project, _ in wanted
            if project and slug in owners.organizations
        }
    )
    _find_projects(owners, projects, using=using)
    agents = set()
    for slug, project, agent in wanted:
        if agent and slug in owners.organizations:
            project_id = owners.projects.get((owners.organizations[slug][0], project))
            if project_id is not None:
                agents.add((project_id, agent))
    _find_agents(owners, sorted(agents), using=using)
    return owners


def attributions_key(attribution: Attribution) -> tuple[str, str, str]:
    """(organization, project, agent) slugs with the defaults filled in."""
    return (attribution.organization or settings.default_organization, project_slug(attribution), attribution.agent)


def _find_organizations(owners: Owners, slugs: Sequence[str], *, using: str) -> None:
    organizations = Organization.objects.using(using)
    hooks = AlertChannel.objects.filter(Q(organization=OuterRef("pk")) | Q(organization=None))
    is_sending = Exists(hooks.filter(is_active=True, sends_usage=True))  # here, so that batches need no query for it
    named = organizations.filter(slug__in=slugs)
    rows = list(named.values_list("slug", "id", "timezone", is_sending))
    default = settings.default_organization
    if default in slugs and all(row[0] != default for row in rows) and slug_re.fullmatch(default):
        organizations.bulk_create([Organization(slug=default)], ignore_conflicts=True)
        rows += organizations.filter(slug=default).values_list("slug", "id", "timezone", is_sending)
    changes: dict[int, list[tuple[str, datetime | None]]] = {}
    zones = OrganizationZone.objects.using(using).filter(organization_id__in=[row[1] for row in rows])
    for organization_id, timezone, effective_from in zones.values_list("organization_id", "timezone", "effective_from"):
        changes.setdefault(organization_id, []).append((timezone, effective_from))
    owners.sending = {row[1] for row in rows if row[3]}
    for slug, organization_id, timezone, _ in rows:
        try:
            history = ZoneHistory.of(timezone, changes.get(organization_id, []))
        except (ZoneInfoNotFoundError, ValueError) as error:
            owners.refused[slug] = f"Organization {slug!r} has no valid time zone ({error}); correct it in the admin."
            continue
        owners.organizations[slug] = (organization_id, history)


def _find_projects(owners: Owners, wanted: Sequence[tuple[int, str]], *, using: str) -> None:
    if not wanted:
        return
    objects = Project.objects.using(using)

    def known() -> dict[tuple[int, str], int]:
        rows = objects.filter(
            organization_id__in={organization_id for organization_id, _ in wanted},
            slug__in={slug for _, slug in wanted},
        )
        return {(row[0], row[1]): row[2] for row in rows.values_list("organization_id", "slug", "id")}

    owners.projects = known()
    missing = [key for key in wanted if key not in owners.projects]
    if missing:
        taken = dict(
            objects.filter(organization_id__in={key[0] for key in missing})
            .values_list("organization_id")
            .annotate(n=Count("id"))
        )
        allowed = _within_cap(missing, taken, settings.max_projects)
        objects.bulk_create(
            [Project(organization_id=parent, slug=slug) for parent, slug in allowed], ignore_conflicts=True
        )
        owners.projects = known()


def _find_agents(owners: Owners, wanted: Sequence[tuple[int, str]], *, using: str) -> None:
    if not wanted:
        return
    objects = Agent.objects.using(using)

    def known() -> dict[tuple[int, str], int]:
        rows = objects.filter(project_id__in={project for project, _ in wanted}, slug__in={slug for _, slug in wanted})
        return {(row[0], row[1]): row[2] for row in rows.values_list("project_id", "slug", "id")}

    owners.agents = known()
    missing = [key for key in wanted if key not in owners.agents]
    if missing:
        organization_of = dict(
            Project.objects.using(using).filter(id__in={key[0] for key in missing}).values_list("id", "organization_id")
        )
        taken = dict(
            objects.filter(project__organization_id__in=set(organization_of.values()))
            .values_list("project__organization_id")
            .annotate(n=Count("id"))
        )
        by_organization = [(organization_of[project], project, slug) for project, slug in missing]
        allowed = _within_cap(by_organization, taken, settings.max_agents)
        objects.bulk_create(
            [Agent(project_id=project, slug=slug) for _, project, slug in allowed], ignore_conflicts=True
        )
        owners.agents = known()


def _within_cap(keys: Sequence[Key], taken: dict[int, int], cap: int) -> list[Key]:
    """The keys, in order, for which their organization (the first member) still has room."""
    allowed = []
    for key in keys:
        if taken.get(key[0], 0) < cap:
            taken[key[0]] = taken.get(key[0], 0) + 1
            allowed.append(key)
    return allowed
