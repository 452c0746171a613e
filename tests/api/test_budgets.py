"""Budgets over REST: made, and looked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.test import Client

from costtrack.domain.budget_rules import TEXT_SCOPE
from costtrack.models import Budget, BudgetThreshold, Organization, Project
from tests.api.budget_calls import DAY, asked
from tests.api.callers import ROOT, person, robot
from tests.budgets.asked import make_budget
from tests.factories import NOON, make_organization

pytestmark = pytest.mark.django_db

ANY = dict.fromkeys(["project", "agent", *TEXT_SCOPE, "per"])
"""A budget of the whole organization."""


@pytest.fixture(autouse=True)
def at_noon() -> Iterator[None]:
    with time_machine.travel(NOON, tick=False):
        yield


def ids(client: Client, path: str = "budgets") -> list[int]:
    return [row["id"] for row in asked(client, "get", path)["results"]]


# Made.


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_manager_makes_a_budget_and_is_told_where_it_is(acme: Organization, manager: Client, slash: str) -> None:
    answer = manager.post(ROOT + "budgets" + slash, {**DAY, "name": "A day"}, content_type="application/json")
    assert answer.status_code == 201
    budget = Budget.objects.get()
    assert answer["Location"] == f"http://testserver/api/costs/budgets/{budget.pk}"
    assert answer.json() == {
        **ANY,
        "id": budget.pk,
        "organization": "acme",
        "name": "A day",
        "metric": "cost_usd",
        "limit": "50",
        "is_unlimited": False,
        "period": "day",
        "enforcement": "hard",
        "on_unpriced": "deny",
        "on_expiry": "release",
        "on_unavailable": "deny",
        "is_active": True,
        "created_at": "2026-11-20T12:00:00+00:00",
    }
    assert manager.get(answer["Location"]).json() == answer.json()


def test_it_says_what_it_is_about_by_slugs_and_texts(acme: Organization, website: Project, manager: Client) -> None:
    about = {
        **{"project": "website", "agent": "writer", "sprint": "s1", "workflow": "w1", "run": "r1", "thread_id": "t1"},
        **{"entity_type": "job", "entity_id": "42", "endpoint": "chat", "customer": "c1", "provider": "openai"},
        **{"model": "gpt-4o", "resource_type": "llm_tokens", "metric": "tokens", "limit": "100000", "per": "customer"},
        **{"period": "total", "enforcement": "soft", "on_unpriced": "admit", "on_expiry": "charge"},
        **{"on_unavailable": "allow", "is_active": False, "is_unlimited": False, "name": "all of it"},
    }
    made = asked(manager, "post", "budgets", about, status=201)
    assert {name: made[name] for name in about} == about
    budget = Budget.objects.get()
    assert (budget.project, budget.agent, budget.limit) == (website, website.agents.get(), Decimal(100_000))


def test_what_is_null_or_empty_is_not_said(manager: Client) -> None:
    made = asked(manager, "post", "budgets", {**DAY, **ANY, "name": None, "model": "", "per": ""}, status=201)
    assert {name: made[name] for name in ANY} == ANY


@pytest.mark.parametrize(
    ("said", "limit"), [("0.1", "0.1"), (0.1, "0.1"), (50, "50"), ("0", "0"), ("1e3", "1000"), ("50.000", "50")]
)
def test_a_limit_is_a_decimal_text_or_a_number(manager: Client, said: Any, limit: str) -> None:
    assert asked(manager, "post", "budgets", {**DAY, "limit": said}, status=201)["limit"] == limit
    assert Budget.objects.get().limit == Decimal(limit)


def test_an_unlimited_budget_is_asked_for(manager: Client) -> None:
    body = {**DAY, "limit": None}
    problem = asked(manager, "post", "budgets", body, status=400)
    said = "Give a limit of 0 or more, or say that it is unlimited and leave the limit empty."
    assert (problem["detail"], problem["errors"]) == (f"limit: {said}", {"limit": [said]})
    made = asked(manager, "post", "budgets", {**body, "is_unlimited": True}, status=201)
    assert (made["limit"], made["is_unlimited"]) == (None, True)


@pytest.mark.parametrize(
    ("period", "enforcement", "levels"),
    [("day", "hard", []), ("week", "soft", [80, 100]), ("month", "soft", [80, 100]), ("total", "hard", [])],
)
@pytest.mark.parametrize("said", [{}, {"enforcement": None}])
def test_d7_how_a_budget_holds_need_not_be_said(
    manager: Client, period: str, enforcement: str, levels: list[int], said: dict[str, None]
) -> None:
    made = asked(manager, "post", "budgets", {"period": period, "limit": "50", **said}, status=201)
    assert made["enforcement"] == enforcement
    assert list(Budget.objects.get().thresholds.order_by("level").values_list("level", flat=True)) == levels


def test_d7_how_it_holds_is_as_it_was_said(manager: Client) -> None:
    for enforcement in ("hard", "soft", "shadow"):
        body = {"period": "month", "limit": "50", "enforcement": enforcement}
        assert asked(manager, "post", "budgets", body, status=201)["enforcement"] == enforcement
    assert not BudgetThreshold.objects.exists()


@pytest.mark.parametrize(
    ("said", "limit"),
    [
        ({}, "100000"),
        ({"limit": None}, "100000"),  # null is not given
        ({"is_unlimited": False}, "100000"),
        ({"limit": "5"}, "5"),
        ({"is_unlimited": True}, None),
    ],
)
def test_c5_the_tokens_of_each_thread_are_100_000_by_default(
    manager: Client, said: dict[str, Any], limit: str | None
) -> None:
    body = {"period": "total", "metric": "tokens", "per": "thread", **said}
    made = asked(manager, "post", "budgets", body, status=201)
    assert (made["limit"], made["enforcement"]) == (limit, "hard")


def test_an_organization_is_named_in_the_body_or_the_query_or_is_the_only_one(acme: Organization) -> None:
    globex, initech = make_organization("globex"), make_organization("initech")
    client = person(roles={acme: "manager", globex: "admin", initech: "viewer"})
    expected = "expected the slug of an organization whose budgets you manage."
    assert asked(client, "post", "budgets", DAY, status=400)["detail"] == f"organization is empty, {expected}"
    assert asked(client, "post", "budgets", {**DAY, "organization": "globex"}, status=201)["organization"] == "globex"
    assert asked(client, "post", "budgets?organization=acme", DAY, status=201)["organization"] == "acme"
    told = [
        asked(client, "post", "budgets", {**DAY, "organization": slug}, status=400)["detail"].replace(slug, "X")
        for slug in ("initech", "unheard-of")  # one that may only be read, and one that is not there
    ]
    assert told == [f"organization: got 'X', {expected}"] * 2
    asked(client, "post", "budgets?organization=initech", DAY, status=404)
    assert Budget.objects.count() == 2


# Looked for.


def test_the_list_has_the_budgets_of_ones_organizations_oldest_first(acme: Organization) -> None:
    globex, initech = make_organization("globex"), make_organization("initech")
    mine = [make_budget(acme).pk, make_budget(globex).pk, make_budget(acme).pk]
    make_budget(initech)
    client = person(roles={acme: "viewer", globex: "viewer"})
    assert ids(client) == mine
    assert ids(client, "budgets?organization=acme") == [mine[0], mine[2]]
    asked(client, "get", "budgets?organization=initech", status=404)
    first = asked(client, "get", "budgets?page_size=2")
    assert [row["id"] for row in first["results"]] == mine[:2]
    last = client.get(first["next"]).json()
    assert ([row["id"] for row in last["results"]], last["next"]) == (mine[2:], None)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("name=chats", {"chats"}),
        ("project=website", {"site", "agent"}),
        ("agent=writer", {"agent"}),
        ("model=gpt-4o", {"chats"}),
        ("provider=openai", {"chats"}),
        ("endpoint=chat", {"chats"}),
        ("thread_id=t1", {"texts"}),
        ("customer=c1", {"texts"}),
        ("run=r1", {"texts"}),
        ("sprint=s1", {"texts"}),
        ("workflow=w1", {"texts"}),
        ("entity_type=job&entity_id=42", {"texts"}),
        ("resource_type=gpu_seconds", {"texts"}),
        ("metric=tokens", {"chats"}),
        ("metric=amount", {"texts"}),
        ("period=month", {"site"}),
        ("per=thread", {"chats"}),
        ("enforcement=soft", {"site"}),
        ("is_active=false", {"agent"}),
        ("is_unlimited=true", {"agent"}),
        ("enforcement=hard&metric=cost_usd", {"agent"}),
    ],
)
def test_the_list_is_filtered(acme: Organization, website: Project, query: str, found: set[str]) -> None:
    make_budget(acme, name="site", project=website, period="month", enforcement="soft")
    make_budget(acme, None, name="agent", project=website, agent=website.agents.get(), is_active=False)
    make_budget(acme, name="chats", provider="openai", model="gpt-4o", endpoint="chat", per="thread", metric="tokens")
    texts = {"thread_id": "t1", "customer": "c1", "run": "r1", "sprint": "s1", "workflow": "w1", "entity_type": "job"}
    make_budget(acme, name="texts", metric="amount", resource_type="gpu_seconds", entity_id="42", **texts)
    theirs = Project.objects.create(organization=make_organization("globex"), slug="theirs")
    make_budget(theirs.organization, name="theirs", project=theirs, thread_id="t1", model="gpt-4o")
    client = person(roles={acme: "viewer"})
    assert {row["name"] for row in asked(client, "get", f"budgets?{query}")["results"]} == found


@pytest.mark.parametrize(
    "query",
    [
        *("metric=euros", "period=fortnight", "per=user", "per=", "enforcement=gentle", "is_active=1", "name=%00"),
        *("project=", "limit=5", "spent=1", "page_size=0", "cursor=x", "name=a&name=b"),
    ],
)
def test_in_35_in_36_a_bad_parameter_is_a_400(manager: Client, query: str) -> None:
    assert asked(manager, "get", f"budgets?{query}", status=400)["parameter"] == query.partition("=")[0]


def test_as_many_queries_for_many_budgets_as_for_one(
    acme: Organization, website: Project, manager: Client, django_assert_num_queries: Callable[..., Any]
) -> None:
    make_budget(acme, project=website, agent=website.agents.get())
    with django_assert_num_queries(5):  # session, user, memberships, budgets, zones
        assert len(ids(manager)) == 1
    for number in range(20):
        project = Project.objects.create(organization=acme, slug=f"p{number}")
        make_budget(acme, project=project, agent=project.agents.create(slug="writer"))
    with django_assert_num_queries(5):
        assert len(ids(manager)) == 21


def test_a_key_that_is_narrowed_sees_the_budgets_that_are_about_its_owner_alone(
    acme: Organization, website: Project
) -> None:
    other = Project.objects.create(organization=acme, slug="other")
    writer, reader = website.agents.get(), website.agents.create(slug="reader")
    whole, each = make_budget(acme), make_budget(acme, per="project")
    site, thread = make_budget(acme, project=website), make_budget(acme, project=website, thread_id="t1")
    mine, theirs = (make_budget(acme, project=website, agent=agent) for agent in (writer, reader))
    make_budget(acme, project=other)
    seen = {
        "website": (robot(acme, owner=website), [site, thread, mine, theirs]),
        "writer": (robot(acme, owner=writer), [mine]),
        "acme": (robot(acme), list(Budget.objects.all())),
    }
    for key, budgets in seen.values():
        assert ids(key) == [one.pk for one in budgets]
        for budget in Budget.objects.all():
            for path in ("", "/status", "/changes"):
                status = 200 if budget in budgets else 404
                asked(key, "get", f"budgets/{budget.pk}{path}", status=status)
    assert {whole, each}.isdisjoint(seen["website"][1])
