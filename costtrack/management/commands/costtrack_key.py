"""`manage.py costtrack_key`: keys for programs that send usage or read costs over REST."""

from __future__ import annotations

import argparse
import json
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone

from costtrack.access.keys import create_key, prefix_in, revoke_key
from costtrack.conf import settings
from costtrack.management.arguments import aligned
from costtrack.management.base import BaseCommand
from costtrack.management.organizations import agent_named, given_slug, organization_named, project_named
from costtrack.metering.importing.errors import UnusableMapping
from costtrack.metering.importing.scopes import create_scopes
from costtrack.metering.ledger.owners import DEFAULT_PROJECT
from costtrack.models import Agent, AgentKey, Organization, Project
from costtrack.reporting.wording import one_line

SCOPES = tuple(scope.value for scope in AgentKey.Scope)
CREATE = "To make it with the key, add --create."
MAX_NAME = 100
MAX_DAYS = 36_500
EXAMPLES = """\
Examples:
  manage.py costtrack_key create --organization acme --name "build robot"
  manage.py costtrack_key create --organization acme --name writer --project website --agent writer --days 90
  manage.py costtrack_key create --organization acme --name "new app" --project app --create
  manage.py costtrack_key list --organization acme
  manage.py costtrack_key revoke k3x9..."""


class Command(BaseCommand):
    """Make, list and revoke keys. What a key was made for never changes: make another one."""

    help = (
        "Keys for programs that use the REST API: `Authorization: Bearer ctk_...`. A key is of one organization, or of "
        "one project or agent of it; with the scope `ingest` it sends usage and reserves, with `read` it reads costs."
    )

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        """Keep the examples' line breaks."""
        kwargs["epilog"] = EXAMPLES
        kwargs["formatter_class"] = argparse.RawDescriptionHelpFormatter
        return super().create_parser(prog_name, subcommand, **kwargs)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the three actions."""
        actions = parser.add_subparsers(dest="action", required=True, metavar="create|revoke|list")
        create = actions.add_parser("create", help="make a key, and show its secret, once")
        create.add_argument("--organization", required=True, metavar="SLUG", help="whose usage and costs; must exist")
        create.add_argument("--name", required=True, type=_name, help="who will hold it, for people")
        create.add_argument("--project", default="", metavar="SLUG", help="only this project; must exist")
        create.add_argument(
            "--agent", default="", metavar="SLUG", help=f'only this agent (without --project of "{DEFAULT_PROJECT}")'
        )
        create.add_argument("--create", action="store_true", help="make the project and the agent where they are new")
        create.add_argument(
            "--scope", action="append", choices=SCOPES, help="what it is good for; may be given twice. Default: both"
        )
        create.add_argument(
            "--days", type=_days, metavar="N", help="valid for so many days. Default: until it is revoked"
        )
        revoke = actions.add_parser("revoke", help="let a key be good for nothing, for ever")
        revoke.add_argument("prefix", metavar="PREFIX", help="as `list` shows it; the whole key will do, too")
        every = actions.add_parser("list", help="show keys, without secrets")
        every.add_argument("--organization", type=given_slug, metavar="SLUG", help="only those of this organization")
        for action in (create, revoke, every):
            action.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do what is asked for."""
        action = {"create": self._create, "revoke": self._revoke, "list": self._list}[options["action"]]
        action(timezone.now(), options)

    def _create(self, now: datetime, options: dict[str, Any]) -> None:
        organization = organization_named(options["organization"])
        created = _create_owners(organization, options) if options["create"] else []
        project, agent = _owners(organization, options["project"], options["agent"])
        scopes = options["scope"] or SCOPES
        days = options["days"]
        new = create_key(
            organization=organization,
            project=project,
            agent=agent,
            name=options["name"],
            can_ingest=AgentKey.Scope.INGEST in scopes,
            can_read=AgentKey.Scope.READ in scopes,
            expires_at=None if days is None else now + timedelta(days=days),
            now=now,
        )
        if options["json"]:
            self.stdout.write(json.dumps({"token": new.token, **_shape(new.key, now)}))
            return
        for one in created:
            self.stdout.write(f"Made the {one}.")
        self.stdout.write(
            f"Made the key {new.key.prefix} for {_what(new.key)}, {' and '.join(new.key.scopes)}, {_until(new.key)}.\n"
            "This is shown once, now:\n"
        )
        self.stdout.write(f"  {new.token}\n")
        self.stdout.write(f'Use it as:  curl -H "Authorization: Bearer {new.token[:8]}..." .../api/costs/me')

    def _revoke(self, now: datetime, options: dict[str, Any]) -> None:
        prefix = prefix_in(options["prefix"])
        rows = AgentKey.objects.using(settings.database).select_related("organization", "project", "agent")
        key = rows.filter(prefix=prefix).first() if "\x00" not in prefix else None
        if key is None:
            raise CommandError(f"There is no key {prefix!r}. See them with: manage.py costtrack_key list")
        was_valid = revoke_key(key, now=now)
        key.refresh_from_db(fields=["revoked_at"])
        if options["json"]:
            self.stdout.write(json.dumps(_shape(key, now)))
        elif was_valid:
            self.stdout.write(f"Revoked the key {key.prefix} ({one_line(key.name)}) of {_what(key)}.")
        else:
            self.stdout.write(f"The key {key.prefix} was revoked already, at {key.revoked_at:%Y-%m-%d %H:%M} UTC.")

    def _list(self, now: datetime, options: dict[str, Any]) -> None:
        rows = AgentKey.objects.using(settings.database).select_related("organization", "project", "agent")
        rows = rows.order_by("organization__slug", "-created_at", "-id")
        if options["organization"]:
            rows = rows.filter(organization=organization_named(options["organization"]))
        if options["json"]:
            self.stdout.write(json.dumps({"keys": [_shape(key, now) for key in rows]}))
        elif lines := [_line(key, now) for key in rows]:
            titles = ("key", "name", "of", "scopes", "state", "expires", "last used")
            self.stdout.write(aligned([titles, *lines]))
        else:
            self.stdout.write("There are no keys. Make one with: manage.py costtrack_key create")


def _create_owners(organization: Organization, options: dict[str, Any]) -> list[str]:
    """Make the project and the agent that are missing; says which those were."""
    names = {"organization": organization.slug, "project": options["project"], "agent": options["agent"]}
    try:
        return create_scopes(**names, using=settings.database)
    except UnusableMapping as error:
        raise CommandError(str(error)) from error


def _owners(organization: Organization, project: str, agent: str) -> tuple[Project | None, Agent | None]:
    """The rows that the slugs name. A mistyped one would narrow the key to what nobody uses."""
    if not (project or agent):
        return None, None
    hint = CREATE if project else f"Without --project an agent is of {DEFAULT_PROJECT!r}: name its project. {CREATE}"
    parent = project_named(organization, project or DEFAULT_PROJECT, hint=hint)
    return parent, agent_named(parent, agent, hint=hint) if agent else None


def _shape(key: AgentKey, now: datetime) -> dict[str, Any]:
    times = ("created_at", "expires_at", "revoked_at", "last_used_at")
    return {
        "prefix": key.prefix,
        "name": key.name,
        "organization": key.organization.slug,
        "project": key.project.slug if key.project else None,
        "agent": key.agent.slug if key.agent else None,
        "scopes": key.scopes,
        "state": key.state_at(now),
        **{name: value.isoformat() if (value := getattr(key, name)) else None for name in times},
    }


def _line(key: AgentKey, now: datetime) -> tuple[str, ...]:
    used = f"{key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else "never"
    expires = f"{key.expires_at:%Y-%m-%d %H:%M}" if key.expires_at else "never"
    return key.prefix, one_line(key.name), _what(key), " ".join(key.scopes), key.state_at(now), expires, used


def _what(key: AgentKey) -> str:
    slugs = (owner.slug for owner in (key.organization, key.project, key.agent) if owner is not None)
    return one_line("/".join(slugs))


def _until(key: AgentKey) -> str:
    return f"valid until {key.expires_at:%Y-%m-%d %H:%M} UTC" if key.expires_at else "valid until it is revoked"


def _name(text: str) -> str:
    name = text.strip()
    if not 0 < len(name) <= MAX_NAME or not name.isprintable():
        raise argparse.ArgumentTypeError(f"got {text[:40]!r}, expected one line of 1 to {MAX_NAME} characters")
    return name


def _days(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= MAX_DAYS):
        raise argparse.ArgumentTypeError(f"got {text[:40]!r}, expected a whole number of days from 1 to {MAX_DAYS:,}")
    return int(text)
