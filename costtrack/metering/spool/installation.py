"""The UUID that a database gives itself, so that segments find their way back to it."""

from __future__ import annotations

from uuid import UUID

from costtrack.models import Installation


def installation_uuid(*, using: str) -> UUID:
    """The database's UUID; the first who asks makes it."""
    return Installation.objects.using(using).get_or_create(id=Installation.THE_ONE)[0].uuid


def known_installation_uuid(*, using: str) -> UUID | None:
    """The database's UUID; None if nobody has asked for it yet. Writes nothing."""
    found: UUID | None = Installation.objects.using(using).values_list("uuid", flat=True).first()
    return found
