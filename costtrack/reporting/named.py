"""An organization, by itself or by its slug."""

from __future__ import annotations

from costtrack.conf import settings
from costtrack.exceptions import UnknownOrganization
from costtrack.models import Organization


def organization_named(organization: Organization | str) -> Organization:
    """The organization; a slug takes a query. Raises UnknownOrganization."""
    if isinstance(organization, Organization):
        return organization
    found = Organization.objects.using(settings.database).filter(slug=organization).first()
    if found is None:
        raise UnknownOrganization(organization)
    return found
