"""The organization, project and agent that a command names: created where they are missing."""

from __future__ import annotations

from difflib import get_close_matches

from django.core.exceptions import ValidationError
from django.db import transaction

from costtrack.metering.importing.errors import UnusableMapping
from costtrack.metering.ledger.owners import DEFAULT_PROJECT
from costtrack.models import Agent, Organization, Project

SIMILAR = 0.7
"""difflib's ratio from which on a slug may be another one mistyped."""


def missing_scopes(*, organization: str, project: str = "", agent: str = "", using: str) -> list[str]:
    """What `create_scopes` would create, and write nothing. UnusableMapping for a slug that cannot be one."""
    slugs = {"organization": _valid(Organization(slug=organization), "organization")}
    if project or agent:
        slugs["project"] = _valid(Project(slug=project or DEFAULT_PROJECT), "project")
    if agent:
        slugs["agent"] = _valid(Agent(slug=agent), "agent")
    owner = Organization.objects.using(using).filter(slug=organization).first()
    parent = Project.objects.using(using).filter(organization=owner, slug=slugs.get("project")).first()
    is_known = {
        "organization": owner is not None,
        "project": parent is not None,
        "agent": Agent.objects.using(using).filter(project=parent, slug=agent).exists() if parent else False,
    }
    return [f"{kind} {slug}" for kind, slug in slugs.items() if not is_known[kind]]


def create_scopes(*, organization: str, project: str = "", agent: str = "", using: str) -> list[str]:
    """Create what is missing, all or nothing; an agent without a project belongs to the project "default".

    Says what was created. UnusableMapping for a slug that cannot be one.
    """
    missing = missing_scopes(organization=organization, project=project, agent=agent, using=using)
    with transaction.atomic(using=using):
        owner, _ = Organization.objects.using(using).get_or_create(slug=organization)
        if project or agent:
            parent, _ = Project.objects.using(using).get_or_create(organization=owner, slug=project or DEFAULT_PROJECT)
            if agent:
                Agent.objects.using(using).get_or_create(project=parent, slug=agent)
    return missing


def similar_organizations(slug: str, *, using: str) -> list[str]:
    """Other organizations whose slugs are nearly this one, the nearest first: the slug may be mistyped."""
    slugs = Organization.objects.using(using).exclude(slug=slug).values_list("slug", flat=True)
    return get_close_matches(slug, list(slugs), n=3, cutoff=SIMILAR)


def _valid(scope: Organization | Project | Agent, kind: str) -> str:
    try:
        scope.clean_fields(exclude={one.name for one in scope._meta.fields} - {"slug"})
    except ValidationError as error:
        raise UnusableMapping(f"--{kind} {scope.slug}: {' '.join(error.messages)}") from None
    return scope.slug
