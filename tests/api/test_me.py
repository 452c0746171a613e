"""`GET me`: who asks, and what a key has left."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.test import Client

from costtrack.budgets.changes import change_budget
from costtrack.metering.ledger import record_events
from costtrack.models import Agent, AgentKey, Organization, Project
from tests.api.callers import ROOT, person, robot
from tests.budgets.asked import hold, make_budget
from tests.factories import NOON, make_event, make_organization, make_rate

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def at_noon() -> Iterator[None]:
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def acme(db: None) -> Organization:
    make_rate()
    return make_organization(timezone="Europe/Berlin", name="Acme Inc.")


def me(client: Client, path: str = "me") -> Any:
    answer = client.get(ROOT + path)
    assert answer.status_code == 200, answer.content
    assert answer["Cache-Control"] == "no-store"
    return answer.json()


@pytest.mark.parametrize("path", ["me", "me/"])
def test_a_person_is_told_the_roles(acme: Organization, path: str) -> None:
    globex = make_organization("globex")
    make_organization("initech")
    assert me(person("ann", roles={globex: "viewer", acme: "admin"}), path) == {
        "user": "ann",
        "key": None,
        "is_superuser": False,
        "organizations": [
            {"organization": "acme", "name": "Acme Inc.", "timezone": "Europe/Berlin", "role": "admin"},
            {"organization": "globex", "name": "globex", "timezone": "UTC", "role": "viewer"},
        ],
        "budgets": None,
    }


def test_a_superuser_is_admin_of_all(acme: Organization, superuser: Client) -> None:
    answer = me(superuser)
    assert answer["is_superuser"] is True
    assert [(one["organization"], one["role"]) for one in answer["organizations"]] == [("acme", "admin")]


def test_who_belongs_nowhere_is_told_so(acme: Organization, somebody: Client) -> None:
    assert me(somebody)["organizations"] == []


def test_who_is_not_known_is_told_nothing(client: Client) -> None:
    assert client.get(ROOT + "me").status_code == 401


@pytest.mark.parametrize("scopes", ["ingest", "read", "ingest read"])
def test_a_key_is_told_what_it_is_good_for_and_what_is_left(acme: Organization, scopes: str) -> None:
    make_budget(acme, "0.01", name="daily")
    record_events([make_event()])  # 0.0045 USD
    hold("0.002")
    answer = me(robot(acme, scopes=scopes, lifetime=timedelta(days=1)))
    key = AgentKey.objects.get()
    budgets = answer.pop("budgets")
    assert answer == {
        "user": None,
        "key": {
            "prefix": key.prefix,
            "name": "robot",
            "scopes": scopes.split(),
            "project": None,
            "agent": None,
            "expires_at": "2026-11-21T12:00:00+00:00",
        },
        "is_superuser": False,
        "organizations": [
            {"organization": "acme", "name": "Acme Inc.", "timezone": "Europe/Berlin", "role": None},
        ],
    }
    (budget,) = budgets
    shown = {name: budget[name] for name in ("budget", "limit", "spent", "held", "remaining", "resets_at", "state")}
    # 0.01 - 0.0045 - 0.002 = 0.0035; Berlin's midnight is 23:00 UTC
    assert shown == {
        "budget": "daily",
        "limit": "0.01",
        "spent": "0.0045",
        "held": "0.002",
        "remaining": "0.0035",
        "resets_at": "2026-11-20T23:00:00+00:00",
        "state": "ok",
    }


def test_a_key_is_told_the_budgets_that_its_own_usage_counts_in(acme: Organization) -> None:
    website = Project.objects.create(organization=acme, slug="website")
    writer, editor = (Agent.objects.create(project=website, slug=slug) for slug in ("writer", "editor"))
    other = Project.objects.create(organization=acme, slug="other")
    make_budget(acme, name="all")
    make_budget(acme, name="website", project=website)
    make_budget(acme, name="writer", project=website, agent=writer)
    make_budget(acme, name="editor", project=website, agent=editor)
    make_budget(acme, name="other", project=other)
    make_budget(acme, name="each agent", per="agent")
    make_budget(acme, name="gpt", model="gpt-4")
    make_budget(make_organization("globex"), name="theirs")

    def names(owner: Project | Agent | None) -> list[str]:
        return [budget["budget"] for budget in me(robot(acme, owner=owner))["budgets"]]

    assert names(writer) == ["all", "website", "writer", "each agent", "gpt"]
    assert names(website) == ["all", "website", "gpt"]
    assert names(None) == ["all", "gpt"]


def test_a_resting_budget_is_told_as_resting(acme: Organization) -> None:
    change_budget(make_budget(acme, "1"), is_active=False)
    record_events([make_event()])
    (budget,) = me(robot(acme))["budgets"]
    assert (budget["state"], Decimal(budget["spent"])) == ("resting", Decimal("0.0045"))


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_it_is_only_read(acme: Organization, method: str) -> None:
    assert getattr(robot(acme), method)(ROOT + "me").status_code == 405
