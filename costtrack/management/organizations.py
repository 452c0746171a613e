"""The organization that a command is told."""

from __future__ import annotations

from django.core.management.base import CommandError

from costtrack.conf import settings
from costtrack.models import Organization

SHOWN_SLUGS = 20


def organization_named(slug: str) -> Organization:
    """The organization of that slug; raises CommandError with the known ones."""
    organizations = Organization.objects.using(settings.database)
    found = organizations.filter(slug=slug).first() if "\x00" not in slug else None
    if found is None:
        known = list(organizations.values_list("slug", flat=True)[: SHOWN_SLUGS + 1])
        shown = ", ".join(known[:SHOWN_SLUGS]) + (", ..." if len(known) > SHOWN_SLUGS else "")
        raise CommandError(
            f"Organization {slug!r} does not exist. "
            + (f"Known ones: {shown}." if known else "There are none yet: create one in the admin.")
        )
    return found
