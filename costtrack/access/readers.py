"""Who may read costs, and of which organizations."""

from __future__ import annotations

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import QuerySet

from costtrack.conf import settings
from costtrack.models import Organization


def may_read_costs(user: AbstractBaseUser | AnonymousUser | None) -> bool:
    """Whether this person may read costs: active staff may, nobody else."""
    return user is not None and user.is_active and bool(getattr(user, "is_staff", False))


def readable_organizations(user: AbstractBaseUser | AnonymousUser | None) -> QuerySet[Organization]:
    """The organizations whose costs this person may read; none for who may not read costs."""
    organizations = Organization.objects.using(settings.database)
    return organizations.all() if may_read_costs(user) else organizations.none()
