"""The organization, project or agent that a command is told. Each raises CommandError with the known ones."""

from __future__ import annotations

from argparse import ArgumentTypeError
from typing import Any, TypeVar

from django.core.management.base import CommandError
from django.db.models import QuerySet

from costtrack.conf import settings
from costtrack.models import Agent, Organization, Project

Row = TypeVar("Row", Organization, Project, Agent)

SHOWN_SLUGS = 20
WHICH = "Say one of them with --organization."
NONE_YET = "There are none yet: the first usage makes {default!r}, people make others in the admin."


def given_slug(text: str) -> str:
    """The `type` of an option that narrows what a command does: an unset variable of a shell must not widen it."""
    if not text.strip():
        raise ArgumentTypeError("got an empty text, expected a slug; leave the option out to ask for no particular one")
    return text


def organization_named(slug: str) -> Organization:
    """The organization of that slug."""
    rows = Organization.objects.using(settings.database).all()
    found = _of_slug(rows, slug)
    if found is None:
        none = NONE_YET.format(default=settings.default_organization)
        raise CommandError(f"Organization {slug!r} does not exist. {_known(rows, then=WHICH) or none}")
    return found


def project_named(organization: Organization, slug: str, *, hint: str = "") -> Project:
    """The project of that slug; `hint` says what else can be done."""
    rows = Project.objects.using(settings.database).filter(organization=organization)
    found = _of_slug(rows, slug)
    if found is None:
        problem = f"Organization {organization.slug!r} has no project {slug!r}."
        raise CommandError(f"{problem} {_known(rows) or 'It has none.'} {hint}".rstrip())
    return found


def agent_named(project: Project, slug: str, *, hint: str = "") -> Agent:
    """The agent of that slug; `hint` says what else can be done."""
    rows = Agent.objects.using(settings.database).filter(project=project)
    found = _of_slug(rows, slug)
    if found is None:
        problem = f"Project {project.slug!r} has no agent {slug!r}."
        raise CommandError(f"{problem} {_known(rows) or 'It has none.'} {hint}".rstrip())
    return found


def _of_slug(rows: QuerySet[Row], slug: str) -> Row | None:
    """The row, None without one; PostgreSQL takes no NUL in a text."""
    return rows.filter(slug=slug).first() if "\x00" not in slug else None


def _known(rows: QuerySet[Any], *, then: str = "") -> str:
    """Those that there are, and what to do then; "" if there are none."""
    slugs = list(rows.values_list("slug", flat=True)[: SHOWN_SLUGS + 1])
    more = ", ..." if len(slugs) > SHOWN_SLUGS else ""
    return f"Known ones: {', '.join(slugs[:SHOWN_SLUGS])}{more}. {then}".rstrip() if slugs else ""
