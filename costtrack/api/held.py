"""Holds as the API finds them again: in their table, or, while Redis has them, there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from costtrack.access.principals import Principal, Right
from costtrack.budgets.backends.redis_connections import redis_server
from costtrack.budgets.redis_holds import RedisHold, live_hold
from costtrack.conf import settings
from costtrack.metering.ledger.owners import DEFAULT_PROJECT
from costtrack.models import Hold, Organization

LONGEST_ID = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundHold:
    """A hold that somebody may settle, release or renew."""

    id: UUID
    organization: Organization
    state: str
    about: Mapping[str, str]
    """What the call is: model, endpoint, thread ..."""
    admitted_at: datetime
    leases: str = ""
    """What the event that settles it must carry, where Redis granted it."""


def find_hold(text: str, principal: Principal) -> FoundHold | None:
    """The hold of that id; None if there is none, or if it is of somebody else.

    Raises RedisAway where holds may be in Redis and it does not answer.
    """
    try:
        hold_id = UUID(text) if len(text) <= LONGEST_ID else None
    except ValueError:
        hold_id = None
    if hold_id is None:
        return None
    found = _find(hold_id, {one.pk: one for one in principal.organizations(Right.INGEST)})
    return found if found is not None and _is_within(found.about, principal.attribution) else None


def _find(hold_id: UUID, organizations: Mapping[int, Organization]) -> FoundHold | None:
    alias = settings.database
    found = _in_table(hold_id, organizations)
    if found is not None or redis_server() is None:
        return found
    live = live_hold(hold_id)
    owner = None if live is None else organizations.get(live.organization_id)
    if live is not None and owner is not None and not Hold.objects.using(alias).filter(id=hold_id).exists():
        return _of_redis(live, owner)
    return _in_table(hold_id, organizations)  # it has ended just now


def _in_table(hold_id: UUID, organizations: Mapping[int, Organization]) -> FoundHold | None:
    row = Hold.objects.using(settings.database).filter(id=hold_id).first()
    owner = None if row is None else organizations.get(row.organization_id)
    if row is None or owner is None:
        return None
    return FoundHold(id=row.id, organization=owner, state=row.state, about=row.about, admitted_at=row.admitted_at)


def _of_redis(hold: RedisHold, owner: Organization) -> FoundHold:
    return FoundHold(
        id=hold.id,
        organization=owner,
        state=Hold.State.HELD,
        about=hold.about,
        admitted_at=hold.admitted_at,
        leases=",".join(f"{lease_id}={units}" for lease_id, units in hold.leases.items()),
    )


def _is_within(about: Mapping[str, str], attribution: Mapping[str, str]) -> bool:
    project = about.get("project") or (DEFAULT_PROJECT if about.get("agent") else "")
    known = {"project": project, "agent": about.get("agent", "")}
    return all(known[name] == own for name, own in attribution.items())
