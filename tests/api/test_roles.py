"""Who may do what: every route for every kind of caller, and of two organizations neither sees the other."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client

from costtrack.api.urls import urlpatterns
from costtrack.metering.ledger import record_events
from costtrack.models import Membership, Organization
from tests.api.callers import GET_PATHS, OF_NO_ROW, PATHS, ROOT, person, robot
from tests.budgets.asked import hold, make_budget
from tests.factories import NOON, make_event, make_organization, make_rate

pytestmark = pytest.mark.django_db

ANYBODY_KNOWN = {"me"}
SUPERUSERS = {"health"}
CALLERS = ("nobody", "stranger", "staff", "viewer", "manager", "admin", "superuser", "read", "ingest", "both")
READERS = {"viewer", "manager", "admin", "superuser", "read", "both"}
SENDERS = {"manager", "admin", "superuser", "ingest", "both"}
MANAGERS = {"manager", "admin", "superuser"}
ADMINS = {"admin", "superuser"}
OF_ALERTS = dict.fromkeys(("alert-acknowledge", "alert-resolve", "alert-reopen", "alert-note"), MANAGERS)
OF_RATES = dict.fromkeys(("rates", "rate", "rate-end"), ADMINS)
WRITERS = {"budgets": MANAGERS, "budget": MANAGERS, **OF_ALERTS, **OF_RATES}
"""Whom a route lets write, where that is not the senders."""
KEYS = {"read": "read", "ingest": "ingest", "both": "ingest read"}


def test_no_route_and_no_method_is_forgotten() -> None:
    served = {
        (pattern.name, method)
        for pattern in urlpatterns
        for method in ("get", "post", "put", "patch", "delete")
        if hasattr(pattern.callback.view_class, method) and method in pattern.callback.view_class.http_method_names
    }
    assert served == {(name, method) for method, paths in PATHS.items() for name in paths}


def caller(kind: str, organization: Organization) -> Client:
    if kind in KEYS:
        return robot(organization, scopes=KEYS[kind])
    if kind == "nobody":
        return Client()
    flags: dict[str, Any] = {"is_staff": kind == "staff", "is_superuser": kind == "superuser"}
    return person(kind, roles={organization: kind} if kind in Membership.Role.values else None, **flags)


@pytest.mark.parametrize("kind", CALLERS)
def test_every_route_lets_in_whom_it_should_and_nobody_else(kind: str) -> None:
    client = caller(kind, make_organization())
    for name, path in GET_PATHS.items():
        allowed = kind in READERS or (name in ANYBODY_KNOWN and kind != "nobody")
        if name in SUPERUSERS:
            allowed = kind == "superuser"
        for slash in ("", "/"):
            status = client.get(ROOT + path + slash).status_code
            assert status in ((200, 404, 503) if allowed else (401,) if kind == "nobody" else (403,)), (name, status)
    writes = [(method, *one) for method in ("post", "patch", "delete") for one in PATHS[method].items()]
    for method, name, path in writes:
        for slash in ("", "/"):
            answer = getattr(client, method)(ROOT + path + slash, {}, content_type="application/json")
            if kind in WRITERS.get(name, SENDERS):
                assert answer.status_code in (200, 201, 202, 204, 400, 404), (method, name, answer.status_code)
            else:
                assert answer.status_code == (401 if kind == "nobody" else 403), (method, name, answer.status_code)


@pytest.mark.parametrize("kind", sorted(SENDERS))
def test_senders_do_send(kind: str) -> None:
    acme = make_organization()
    event = {"model": "m", "input_tokens": 1, "organization": "acme"}
    assert caller(kind, acme).post(ROOT + "usage", event, content_type="application/json").status_code == 202


def test_a_role_is_good_for_its_own_organization_only() -> None:
    acme, globex = make_organization(), make_organization("globex")
    client = person(roles={acme: "viewer", globex: "admin"})
    event = {"model": "m", "input_tokens": 1}
    answers = [
        client.post(ROOT + "usage", {**event, "organization": slug}, content_type="application/json").status_code
        for slug in ("acme", "globex")
    ]
    assert answers == [400, 202]


def test_a_member_reads_the_sum_of_the_organizations_and_no_other() -> None:
    make_rate()
    for slug in ("acme", "globex", "initech"):
        make_organization(slug)
        record_events([make_event(attribution={"organization": slug, "thread_id": "t1"})])  # 0.0045 USD each
    two = person(roles={one: "viewer" for one in Organization.objects.exclude(slug="initech")})

    def costs(**question: str) -> list[Any]:
        with time_machine.travel(NOON, tick=False):
            return [
                two.get(ROOT + path, question).json()["total_cost"]
                for path in ("daily", "weekly", "monthly", "conversation/t1")
            ]

    assert costs() == ["0.009"] * 4
    assert costs(organization="globex") == ["0.0045"] * 4
    with time_machine.travel(NOON, tick=False):
        assert two.get(ROOT + "trend", {"days": "1"}).json() == [{"date": "2026-11-20", "cost": "0.009"}]
        assert two.get(ROOT + "daily", {"organization": "initech"}).status_code == 404


def test_a_lost_membership_is_lost_at_once() -> None:
    acme = make_organization()
    client = person(roles={acme: "admin"})
    assert client.get(ROOT + "daily").status_code == 200
    Membership.objects.all().delete()
    assert client.get(ROOT + "daily").status_code == 403


ASKED = {
    "limit": ("top-conversations", "entity-type"),
    "days": ("trend",),
    "target_date": ("daily", "weekly", "monthly", "report-daily", "report-weekly", "report-monthly"),
}


def answers_of(clients: dict[str, Client]) -> dict[str, tuple[int, bytes, str]]:
    """Every GET route's answer to every one of them: asked for all, for acme, for others, and in every format."""
    found = {}
    for kind, client in clients.items():
        for name, path in GET_PATHS.items():
            for question in ({}, {"organization": "acme"}, {"organization": "globex"}, {"format": "json"}):
                if name in SUPERUSERS:
                    continue
                full = dict(question)
                full |= {key: value for key, value in (("limit", "100"), ("days", "30")) if name in ASKED[key]}
                full |= {"target_date": "2026-11-20"} if name in ASKED["target_date"] else {}
                answer = client.get(ROOT + path, full)
                unpriced = str(answer.headers.get("Costtrack-Unpriced-Calls"))
                found[f"{kind} {name} {question}"] = (answer.status_code, answer.content, unpriced)
    return found


def use(slug: str, *, count: int = 1, model: str = "test-model") -> None:
    """Calls of the organization, all of one conversation and one entity, the same ones as everybody's."""
    about = {"organization": slug, "project": "website", "agent": "writer"}
    same = {"thread_id": "t1", "entity_type": "job", "entity_id": "1", "endpoint": "chat"}
    record_events([make_event(attribution={**about, **same}, model=model) for _ in range(count)])


def test_az_02_no_answer_to_one_organization_changes_with_the_data_of_another() -> None:
    make_rate()
    acme = make_organization(timezone="Asia/Kolkata")
    budget = make_budget(acme, "1")
    with time_machine.travel(NOON, tick=False):
        use("acme")
        use("acme", model="unheard-of")
        project = acme.projects.get()
        clients = {
            "viewer": person("viewer", roles={acme: "viewer"}),
            "key": robot(acme),
            "project key": robot(acme, owner=project),
            "agent key": robot(acme, owner=project.agents.get()),
        }
        before = answers_of(clients)
        globex = make_organization("globex", timezone="America/New_York")
        make_budget(globex, "1")
        make_rate("unheard-of-2", organization=globex)
        use("globex", count=5)
        use("globex", count=2, model="unheard-of-2")
        with time_machine.travel(NOON - timedelta(days=3), tick=False):
            use("globex", count=3)
        hold("0.0005", organization="globex")
        person("other", roles={globex: "admin"})
        robot(globex)
        after = answers_of(clients)
    assert before == after
    assert len(before) == 4 * 4 * (len(GET_PATHS) - 1)
    for asked, (status, _, _) in before.items():
        is_asked_of_globex = "globex" in asked
        expected = (400 if "organization" in asked else 200) if " me " in asked else 404 if is_asked_of_globex else 200
        expected = 404 if any(f" {name} " in asked for name in OF_NO_ROW) else expected
        assert status == expected, asked
    assert all(b"globex" not in content or status in (400, 404) for status, content, _ in after.values())
    assert str(budget.pk).encode() in before["key me {}"][1]
