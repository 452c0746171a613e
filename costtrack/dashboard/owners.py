"""The pages of projects and agents, by the names that summaries give them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from costtrack.conf import settings
from costtrack.dashboard.addresses import address
from costtrack.models import Agent, Organization, Project


def owner_addresses(
    dimension: str, names: Collection[str], *, organizations: Sequence[Organization], **query: str | None
) -> dict[str, str]:
    """By its name the address of each project (`acme/website`) or agent (`acme/website/writer`); one query."""
    if not names:
        return {}
    slugs = {name.partition("/")[2] for name in names}
    if dimension == "project":
        projects = Project.objects.using(settings.database).filter(organization__in=organizations, slug__in=slugs)
        found = [(path, key) for key, *path in projects.values_list("pk", "organization__slug", "slug")]
        return {"/".join(path): address("project", key, **query) for path, key in found}
    # Either slug may have slashes of its own, so the parts are looked for, and what they make compared.
    last = {slug[place + 1 :] for slug in slugs for place, letter in enumerate(slug) if letter == "/"}
    agents = Agent.objects.using(settings.database).filter(project__organization__in=organizations, slug__in=last)
    rows = agents.values_list("pk", "project__organization__slug", "project__slug", "slug")
    paths = {"/".join(path): key for key, *path in rows}
    return {name: address("agent", paths[name], **query) for name in names if name in paths}
