"""Who asks, and what of: a person by the memberships, a program by its key. Whatever nobody grants is not there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import cached_property

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

from costtrack.conf import settings
from costtrack.models import Agent, AgentKey, Membership, Organization, Project

Role = Membership.Role
ROLES = (Role.VIEWER, Role.MANAGER, Role.ADMIN)
"""Each may do what those before it may."""


class Right(StrEnum):
    """What is asked for."""

    READ = "read"
    """To read costs."""
    INGEST = "ingest"
    """To send usage, and to reserve for calls."""
    MANAGE_BUDGETS = "manage_budgets"
    """To make, change and delete budgets, and to acknowledge alerts."""
    MANAGE_PROJECTS = "manage_projects"
    """To make, change and deactivate projects and agents."""
    MANAGE_RATES = "manage_rates"
    """To make and end the organization's own rates."""
    MANAGE_ORGANIZATION = "manage_organization"
    """To change the organization itself: its name and zone, its people, its keys, where its alerts go."""


LEAST_ROLE: Mapping[Right, Role] = {
    Right.READ: Role.VIEWER,
    Right.INGEST: Role.MANAGER,
    Right.MANAGE_BUDGETS: Role.MANAGER,
    Right.MANAGE_PROJECTS: Role.MANAGER,
    Right.MANAGE_RATES: Role.ADMIN,
    Right.MANAGE_ORGANIZATION: Role.ADMIN,
}
"""What a person has to be for it. A key is granted its scopes, `read` and `ingest`, and never the rest."""


class Principal(ABC):
    """Somebody who asks."""

    @abstractmethod
    def has(self, right: Right) -> bool:
        """Whether there is anything at all that this is granted for."""

    @abstractmethod
    def organizations(self, right: Right) -> Sequence[Organization]:
        """Those that it is granted for, by slug."""

    @abstractmethod
    def organization(self, slug: str, *, right: Right) -> Organization | None:
        """The one of that slug; None for one that is not granted, as for one that does not exist."""

    @abstractmethod
    def role_in(self, organization: Organization) -> Role | None:
        """What a person is there; a key has no role."""

    @property
    def is_granted_all(self) -> bool:
        """Whether everything is granted, of whatever organization: then sums need not tell them apart."""
        return False

    def summed(self, organizations: Sequence[Organization], *, is_narrowed: bool) -> Sequence[Organization] | None:
        """Of which of these summaries are to be summed; None: of all that there are, of which there are sums.

        `is_narrowed`: not all that are granted are asked for.
        """
        return None if self.is_granted_all and not is_narrowed else organizations

    @property
    def owner(self) -> Project | Agent | None:
        """The project or agent that all of it is narrowed to; None: to none."""
        return None

    @property
    def attribution(self) -> Mapping[str, str]:
        """What usage that is sent, or held for, must be attributed to: the slugs of a `project`, of an `agent`."""
        return {}


class Person(Principal):
    """A user of the host's: what the memberships say; a superuser is admin of every organization."""

    def __init__(self, user: AbstractBaseUser | AnonymousUser | None) -> None:
        """Nobody, somebody unknown and an inactive user are granted nothing; being staff grants nothing either."""
        self._user = user

    @property
    def is_superuser(self) -> bool:
        """Whether every organization is theirs."""
        return self._is_active and bool(getattr(self._user, "is_superuser", False))

    @property
    def is_granted_all(self) -> bool:
        """A superuser is."""
        return self.is_superuser

    def has(self, right: Right) -> bool:
        """A superuser is granted all, whatever there is."""
        return self.is_superuser or bool(self.organizations(right))

    def organizations(self, right: Right) -> Sequence[Organization]:
        """Of a superuser every one (a query)."""
        if self.is_superuser:
            return list(Organization.objects.using(settings.database).order_by("slug"))
        least = ROLES.index(LEAST_ROLE[right])
        return [one.organization for one in self.memberships if ROLES.index(Role(one.role)) >= least]

    def organization(self, slug: str, *, right: Right) -> Organization | None:
        """A superuser's costs a query."""
        if self.is_superuser:
            return Organization.objects.using(settings.database).filter(slug=slug).first()
        return next((one for one in self.organizations(right) if one.slug == slug), None)

    def role_in(self, organization: Organization) -> Role | None:
        """None: no membership."""
        if self.is_superuser:
            return Role.ADMIN
        found = (one.role for one in self.memberships if one.organization_id == organization.pk)
        role = next(found, None)
        return None if role is None else Role(role)

    @cached_property
    def memberships(self) -> Sequence[Membership]:
        """What the person belongs to, by slug (one query); of a superuser it grants nothing more."""
        if not self._is_active or self._user is None or self._user.pk is None:
            return ()
        rows = Membership.objects.using(settings.database).filter(user=self._user.pk)
        return list(rows.select_related("organization").order_by("organization__slug"))

    @property
    def _is_active(self) -> bool:
        return self._user is not None and bool(self._user.is_active)


class KeyHolder(Principal):
    """A program with a key that is valid: what its scopes say, of its organization, project, agent."""

    def __init__(self, key: AgentKey) -> None:
        """Take the key for valid: `costtrack.access.keys.valid_key` has found it."""
        self.key = key

    @property
    def owner(self) -> Project | Agent | None:
        """The key's."""
        return self.key.owner

    @property
    def attribution(self) -> Mapping[str, str]:
        """The key's project and agent."""
        owners = {"project": self.key.project, "agent": self.key.agent}
        return {name: owner.slug for name, owner in owners.items() if owner is not None}

    def has(self, right: Right) -> bool:
        """What its scopes say."""
        return right.value in self.key.scopes

    def organizations(self, right: Right) -> Sequence[Organization]:
        """The key's own, no other."""
        return [self.key.organization] if self.has(right) else []

    def organization(self, slug: str, *, right: Right) -> Organization | None:
        """Its own, by its slug."""
        return next((one for one in self.organizations(right) if one.slug == slug), None)

    def role_in(self, organization: Organization) -> Role | None:
        """None: roles are people's."""
        return None
