"""The organization, project and agent that a command names: created where they are missing."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import transaction

from costtrack.metering.importing.errors import UnusableMapping
from costtrack.metering.ledger.owners import DEFAULT_PROJECT
from costtrack.models import Agent, Organization, Project


def create_scopes(*, organization: str, project: str = "", agent: str = "", using: str) -> list[str]:
    """Create what is missing, all or nothing; an agent without a project belongs to the project "default".

    Says what was created. UnusableMapping for a slug that cannot be one.
    """
    created = []
    with transaction.atomic(using=using):
        owner, is_new = Organization.objects.using(using).get_or_create(
            slug=_valid(Organization(slug=organization), "organization")
        )
        if is_new:
            created.append(f"organization {organization}")
        if project or agent:
            slug = _valid(Project(organization=owner, slug=project or DEFAULT_PROJECT), "project")
            parent, is_new = Project.objects.using(using).get_or_create(organization=owner, slug=slug)
            if is_new:
                created.append(f"project {slug}")
            if agent:
                slug = _valid(Agent(project=parent, slug=agent), "agent")
                if Agent.objects.using(using).get_or_create(project=parent, slug=slug)[1]:
                    created.append(f"agent {slug}")
    return created


def _valid(scope: Organization | Project | Agent, kind: str) -> str:
    try:
        scope.clean_fields(exclude={one.name for one in scope._meta.fields} - {"slug"})
    except ValidationError as error:
        raise UnusableMapping(f"--{kind} {scope.slug}: {' '.join(error.messages)}") from None
    return scope.slug
