"""Whose a plan or a run is: the organization and project that its attribution names."""

from __future__ import annotations

from typing import NamedTuple

from costtrack.conf import settings
from costtrack.domain.events import Attribution
from costtrack.exceptions import InvalidUsage, UnknownOrganization
from costtrack.metering.ledger.owners import attributions_key, find_owners
from costtrack.models import Organization, Project


class Owner(NamedTuple):
    """Rows of the database."""

    organization: Organization
    project: Project | None


def owner_of(attribution: Attribution) -> Owner:
    """As usage of that attribution would have it: a project appears on first use, and past the cap of them is none.

    Raises UnknownOrganization, and InvalidUsage for one whose time zone is none.
    """
    alias = settings.database
    owners = find_owners([attribution], using=alias)
    slug, project_slug, _ = attributions_key(attribution)
    if slug in owners.refused:
        raise InvalidUsage("organization", slug, "an organization with a valid time zone; correct it in the admin")
    if slug not in owners.organizations:
        raise UnknownOrganization(slug)
    organization = Organization.objects.using(alias).get(pk=owners.organizations[slug][0])
    project_id = owners.projects.get((organization.pk, project_slug))
    project = None if project_id is None else Project.objects.using(alias).get(pk=project_id)
    return Owner(organization, project)
