"""Keys of programs: made, known again by their secret, revoked. The secret is shown once and never stored."""

from __future__ import annotations

import hashlib
import logging
import secrets
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import DatabaseError, transaction
from django.db.models import Q
from django.views.decorators.debug import sensitive_variables

from costtrack.conf import settings
from costtrack.models import Agent, AgentKey, Organization, Project

MARKER = "ctk_"
"""Every key begins so: scanners for leaked secrets find it, and other tokens are not taken for keys."""
PREFIX_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"
"""None that look alike: people read prefixes to one another."""
PREFIX_LENGTH = 10
SECRET_BYTES = 32
LONGEST_TOKEN = 200
USED_EVERY = timedelta(minutes=1)
"""How often the time of its last use is written, at most."""
_OF_NOBODY = hashlib.sha256(secrets.token_bytes(SECRET_BYTES)).hexdigest()

logger = logging.getLogger("costtrack")


class NewKey(NamedTuple):
    """A key that was just made."""

    key: AgentKey
    token: str
    """What its holder shows: marker, prefix and secret. There is no second chance to see it."""

    def __repr__(self) -> str:
        """Without the secret."""
        return f"NewKey(key={self.key!r})"


def create_key(
    *,
    organization: Organization,
    name: str,
    can_ingest: bool,
    can_read: bool,
    now: datetime,
    project: Project | None = None,
    agent: Agent | None = None,
    expires_at: datetime | None = None,
    created_by: Any = None,
) -> NewKey:
    """Make a key of an organization, or of one project or agent of it; `created_by` is a user of the host's.

    Raises ValueError for a project or agent of another one, for a key that can do nothing, and for an end that is past.
    """
    if agent is not None:
        project = project or agent.project
        if agent.project_id != project.pk:
            raise ValueError(f"agent: got {agent.slug!r}, expected an agent of the project {project.slug!r}.")
    if project is not None and project.organization_id != organization.pk:
        raise ValueError(f"project: got {project.slug!r}, expected a project of {organization.slug!r}.")
    if not (can_ingest or can_read):
        raise ValueError("scopes: got none, expected ingest, read, or both.")
    if expires_at is not None and expires_at <= now:
        raise ValueError(f"expires_at: got {expires_at.isoformat()}, expected a time to come.")
    prefix = "".join(secrets.choice(PREFIX_LETTERS) for _ in range(PREFIX_LENGTH))
    secret = secrets.token_urlsafe(SECRET_BYTES)
    key = AgentKey(
        prefix=prefix,
        secret_sha256=_hash(secret),
        organization=organization,
        project=project,
        agent=agent,
        can_ingest=can_ingest,
        can_read=can_read,
        name=name,
        created_at=now,
        created_by=created_by,
        expires_at=expires_at,
    )
    key.save(using=settings.database, force_insert=True)
    return NewKey(key, f"{MARKER}{prefix}_{secret}")


@sensitive_variables("token", "secret")
def valid_key(token: str, *, now: datetime) -> AgentKey | None:
    """The key of that token, with its organization, project and agent; None for any that is not valid, alike."""
    prefix, secret = _parts(token)
    owners = ("organization", "project", "agent")
    key = AgentKey.objects.using(settings.database).select_related(*owners).filter(prefix=prefix).first()
    is_right = secrets.compare_digest(_hash(secret), _OF_NOBODY if key is None else key.secret_sha256)
    return key if key is not None and is_right and key.state_at(now) == "active" else None


def mark_used(key: AgentKey, *, now: datetime) -> None:
    """Write down that the key was used; once a minute at most, and not if the database has better to do."""
    if key.last_used_at is not None and key.last_used_at > now - USED_EVERY:
        return
    alias = settings.database
    rows = AgentKey.objects.using(alias)
    is_due = Q(last_used_at=None) | Q(last_used_at__lte=now - USED_EVERY)
    try:
        with transaction.atomic(using=alias):
            # Nobody waits for a request that has marked it and goes on in its transaction.
            due = list(rows.select_for_update(skip_locked=True).filter(is_due, pk=key.pk).values_list("pk", flat=True))
            rows.filter(pk__in=due).update(last_used_at=now)
    except DatabaseError as error:  # a note for people; no request fails for it
        logger.info("The use of key %s is not noted: %s", key.prefix, type(error).__name__)


def revoke_key(key: AgentKey, *, now: datetime) -> bool:
    """Let it be good for nothing from now on, for ever; False if it is so already."""
    rows = AgentKey.objects.using(settings.database).filter(pk=key.pk, revoked_at=None)
    return bool(rows.update(revoked_at=now))


def prefix_in(text: str) -> str:
    """The prefix that a text names: itself, or that of a whole token."""
    return _parts(text)[0] if text.startswith(MARKER) else text


@sensitive_variables()
def _parts(token: str) -> tuple[str, str]:
    """Prefix and secret; empty where it is no token."""
    if not token.startswith(MARKER) or len(token) > LONGEST_TOKEN or not (token.isascii() and token.isprintable()):
        return "", ""
    prefix, _, secret = token.removeprefix(MARKER).partition("_")
    return prefix, secret


@sensitive_variables()
def _hash(secret: str) -> str:
    # 256 random bits need no slow hash: there is nothing to guess.
    return hashlib.sha256(secret.encode()).hexdigest()
