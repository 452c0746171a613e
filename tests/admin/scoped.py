"""Staff of an organization, rows of every table of one, and all that a screen can be asked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db.models import ForeignKey, Model
from django.test import Client
from django.urls import reverse

from costtrack.access.keys import create_key
from costtrack.models import (
    AlertDelivery,
    JobRun,
    Membership,
    Organization,
    Rate,
    ReportDelivery,
    UsageDelivery,
)
from tests.admin.plan_rows import make_plan_and_run
from tests.admin.rows import adding, changing, deleting, listing, summarize, use
from tests.budgets.asked import hold, make_budget
from tests.factories import NOON

Asked = tuple[str, str, Mapping[str, Any]]
"""Method, address, and what is sent with it."""


OF_THE_SITE = {"jobrun"}
"""Screens of rows that belong to no organization."""


def screens() -> dict[str, admin.ModelAdmin[Any]]:
    """Every screen of ours, by its model's name."""
    registered = admin.site._registry.items()
    return {str(model._meta.model_name): one for model, one in registered if model._meta.app_label == "costtrack"}


def staff(name: str = "clerk", /, **roles: str) -> Client:
    """A browser of somebody whom Django permits everything with our tables, with a role in each organization."""
    user = get_user_model().objects.create_user(name, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="costtrack"))
    for slug, role in roles.items():
        Membership.objects.create(user=user, organization=Organization.objects.get(slug=slug), role=role)
    client = Client()
    client.force_login(user)
    return client


def rows_of_everything(slug: str) -> dict[str, Model]:
    """A row of each table that has a screen, by the model's name; every text of them begins with the slug."""
    person = get_user_model().objects.create_user(f"{slug}-person")
    organization = Organization.objects.create(slug=slug, name=f"{slug}-name")
    project = organization.projects.create(slug=f"{slug}-project")
    agent = project.agents.create(slug=f"{slug}-agent")
    rate = own_rate(organization, is_used=True)
    # Earlier and later than all that anybody else used, from a maker and of a kind that nobody else knows.
    words = {"provider": f"{slug}-maker", "model": f"{slug}-model", "resource_type": f"{slug}-units"}
    usage = use(agent, thread_id=f"{slug}-thread", rate=rate, **words)
    for day in (date(2020, 1, 1), date(2029, 12, 31)):
        use(agent, day=day, customer=f"{slug}-customer", **words)
        summary = summarize(agent, day=day, endpoint=f"{slug}-endpoint", **words)
    budget = make_budget(organization, "10", name=f"{slug}-budget", project=project)
    budget.thresholds.create(level=80)
    held = hold(organization=slug, project_id=project.pk, project=project.slug, thread_id=f"{slug}-thread")
    assert held is not None
    key = create_key(organization=organization, name=f"{slug}-robot", can_ingest=True, can_read=True, now=NOON).key
    membership = Membership.objects.create(user=person, organization=organization, role="admin")
    rows = [organization, project, agent, membership, rate, usage, summary, budget, key, *alerting(organization)]
    rows += [
        budget.counters.get(),
        organization.holds.get(),
        JobRun.objects.create(name=f"{slug}-job", started_at=NOON),
        *make_plan_and_run(organization),
    ]
    named = {str(row._meta.model_name): row for row in rows}
    assert named.keys() == screens().keys()
    return named


def alerting(organization: Organization) -> Iterator[Model]:
    """A channel of the organization, an alert, and what is on its way there."""
    slug = organization.slug
    channel = organization.alert_channels.create(name=f"{slug}-mail", kind="email", target=f"{slug}@example.invalid")
    said: dict[str, Any] = {"severity": "warning", "message": f"{slug}-message", "raised_at": NOON}
    alert = organization.alerts.create(kind="anomaly", key=f"{slug}-day", **said)
    due: dict[str, Any] = {"channel": channel, "created_at": NOON, "next_attempt_at": NOON, "state": "dead"}
    report = {"organization": organization, "report": "daily", "day": NOON.date()}
    yield from (channel, alert, AlertDelivery.objects.create(alert=alert, **due))
    yield from (ReportDelivery.objects.create(**report, **due), UsageDelivery.objects.create(usage=[], **due))


def own_rate(organization: Organization | None, model: str = "", **fields: Any) -> Rate:
    """The price of one organization, or (None) everybody's, for a model."""
    slug = organization.slug if organization else "everybody"
    rate = Rate.objects.create(
        organization=organization,
        provider=f"{slug}-maker",
        model=model or f"{slug}-model",
        effective_from=NOON - timedelta(days=9),
        input_usd_per_million=Decimal(30),
        source=f"{slug}-contract",
    )
    rate.tiers.create(above_input_tokens=200_000, input_usd_per_million=Decimal(60))
    Rate.objects.filter(pk=rate.pk).update(**fields)
    return rate


def everything_asked(ours: Mapping[str, Model], theirs: Mapping[str, Model]) -> Iterator[Asked]:
    """All that can be looked at, of one's own rows and by the keys of somebody else's; nothing of one's own changes."""
    for name, screen in screens().items():
        other = theirs[name]
        for query in ({}, {"q": "g"}, {"q": "1"}, {"_popup": "1", "_facets": "True", "o": "-3"}):
            yield "get", listing(name), query
        yield from (("get", listing(name), {lookup: value}) for lookup, value in lookups(screen.model, theirs))
        yield "get", adding(name), {"follow": str(theirs["rate"].pk), **{n: str(row.pk) for n, row in theirs.items()}}
        for row in (ours[name], other):
            history = reverse(f"admin:costtrack_{name}_history", args=[row.pk])
            yield from (("get", address, {}) for address in (changing(row), deleting(row), history))
            yield "get", changing(row), {"_to_field": "id", "_popup": "1"}
        yield "post", changing(other), {"name": "changed", "_popup": "1"}
        yield "post", deleting(other), {"post": "yes"}
        for action in ("delete_selected", *(screen.actions or ())):
            yield "post", listing(name), {"action": action, "_selected_action": [str(other.pk)], "post": "yes"}
        for field in screen.model._meta.fields:
            if isinstance(field, ForeignKey) and field.related_model._meta.app_label == "costtrack":
                asked = {"app_label": "costtrack", "model_name": name, "field_name": field.name}
                yield "get", reverse("admin:autocomplete"), {**asked, "term": "g"}


def lookups(model: type[Model], theirs: Mapping[str, Model]) -> Iterator[tuple[str, str]]:
    """The screen's filters and others that Django allows, by keys and texts of somebody else."""
    yield f"{model._meta.pk.name}__exact", str(theirs[str(model._meta.model_name)].pk)
    for field in model._meta.fields:
        if isinstance(field, ForeignKey) and (row := theirs.get(str(field.related_model._meta.model_name))):
            yield field.name if field.name == "organization" else f"{field.name}__id__exact", str(row.pk)
        if field.name in ("slug", "provider", "resource_type"):
            yield f"{field.name}__startswith", "globex"
        if field.name == "day":
            yield from (("day__year", "2029"), ("organization", "0"), ("project", str(theirs["project"].pk)))
    for path in ("organization", "budget__organization", "project__organization"):
        yield f"{path}__id__exact", str(theirs["organization"].pk)
    yield from (("is_used__exact", "1"), ("validity", "now"), ("organization__slug__startswith", "globex"))


def answer(client: Client, asked: Asked) -> tuple[int, str, str]:
    """Status, where to, and the page, but for what is random in it."""
    method, address, sent = asked
    response = getattr(client, method)(address, sent)
    page = re.sub(r'(name="csrfmiddlewaretoken" value=)"[^"]+"', r"\1", response.getvalue().decode())
    return response.status_code, response.headers.get("Location", ""), page
