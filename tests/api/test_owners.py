"""Projects and agents over REST: those of one's organizations, of a narrowed key its own alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import time_machine
from django.test import Client

from costtrack.models import Agent, Organization, Project
from tests.api.callers import ROOT, person, robot
from tests.factories import NOON, make_organization

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme(db: None) -> Organization:
    with time_machine.travel(NOON, tick=False):
        return make_organization(timezone="Asia/Kolkata")


def add(organization: Organization, project: str, *agents: str, **fields: Any) -> Project:
    """A project with agents."""
    with time_machine.travel(NOON, tick=False):
        made = organization.projects.create(slug=project, **fields)
        for slug in agents:
            made.agents.create(slug=slug, name=slug.title(), is_active=slug != "idle")
    return made


def found(client: Client, path: str) -> Any:
    answer = client.get(ROOT + path)
    assert answer.status_code == 200, answer.content
    return answer.json()["results"]


def slugs(client: Client, path: str) -> list[str]:
    return ["/".join(row[name] for name in ("project", "agent") if name in row) for row in found(client, path)]


def test_a_project_and_an_agent_say_whose_they_are(acme: Organization) -> None:
    add(acme, "website", "writer", name="The website", is_active=False)
    client = person(roles={acme: "viewer"})
    made_at = {"created_at": "2026-11-20T17:30:00+05:30"}
    assert found(client, "projects") == [
        {"organization": "acme", "project": "website", "name": "The website", "is_active": False, **made_at}
    ]
    assert found(client, "agents") == [
        {
            **{"organization": "acme", "project": "website", "agent": "writer", "name": "Writer", "is_active": True},
            **made_at,
        }
    ]


def test_they_are_those_of_one_s_organizations_oldest_first(acme: Organization) -> None:
    globex, initech = make_organization("globex"), make_organization("initech")
    for organization, slug in ((globex, "z"), (acme, "b"), (initech, "y"), (acme, "a")):
        add(organization, slug, "writer")
    client = person(roles={acme: "viewer", globex: "manager"})
    assert slugs(client, "projects") == ["z", "b", "a"]
    assert slugs(client, "agents") == ["z/writer", "b/writer", "a/writer"]
    assert slugs(client, "projects?organization=acme") == ["b", "a"]
    assert slugs(client, "agents?organization=globex") == ["z/writer"]
    for path in ("projects", "agents"):
        assert client.get(f"{ROOT}{path}?organization=initech").status_code == 404
    assert slugs(person("root", is_superuser=True), "projects") == ["z", "b", "y", "a"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("projects?project=website", ["website"]),
        ("projects?project=Website", []),
        ("projects?project=theirs", []),
        ("projects?name=Shop", ["shop"]),
        ("projects?is_active=false", ["shop"]),
        ("agents?project=website", ["website/writer", "website/idle"]),
        ("agents?agent=writer", ["website/writer", "shop/writer"]),
        ("agents?agent=writer&project=shop", ["shop/writer"]),
        ("agents?name=Idle", ["website/idle"]),
        ("agents?is_active=false", ["website/idle"]),
        ("agents?agent=reader", []),
    ],
)
def test_the_lists_are_filtered(acme: Organization, query: str, expected: list[str]) -> None:
    add(acme, "website", "writer", "idle")
    add(acme, "shop", "writer", name="Shop", is_active=False)
    add(make_organization("globex"), "theirs", "writer")
    assert slugs(person(roles={acme: "viewer"}), query) == expected


@pytest.mark.parametrize("path", ["agents", "usage", "usage?format=csv", "budgets", "budgets/status", "plans", "runs"])
def test_a_list_of_what_a_project_has_is_a_404_where_there_is_no_such_project(acme: Organization, path: str) -> None:
    add(acme, "website", "writer")
    add(make_organization("globex"), "theirs", "writer")
    client = person(roles={acme: "viewer"})
    url = f"{ROOT}{path}{'&' if '?' in path else '?'}project="
    assert client.get(url + "website").status_code == 200
    theirs, unknown = client.get(url + "theirs"), client.get(url + "nobody")
    assert (theirs.status_code, unknown.status_code) == (404, 404)
    expected = "project: got 'nobody', expected the slug of a project that exists. GET projects lists them."
    assert unknown.json()["detail"] == expected
    assert theirs.content.replace(b"theirs", b"nobody") == unknown.content


@pytest.mark.parametrize("path", ["projects", "agents"])
@pytest.mark.parametrize(
    "query", ["is_active=1", "project=", "name=%00", "project=a&project=b", "id=1", "slug=x", "page_size=0", "cursor=x"]
)
def test_in_35_in_36_a_bad_parameter_is_a_400(acme: Organization, path: str, query: str) -> None:
    answer = person(roles={acme: "viewer"}).get(f"{ROOT}{path}?{query}")
    assert (answer.status_code, answer.json()["parameter"]) == (400, query.partition("=")[0])


def test_a_narrowed_key_sees_its_own_project_and_agent_alone(acme: Organization) -> None:
    website = add(acme, "website", "writer", "reviewer")
    add(acme, "shop", "writer")
    of_project = robot(acme, owner=website)
    of_agent = robot(acme, owner=Agent.objects.get(slug="reviewer"))
    assert slugs(robot(acme), "projects") == ["website", "shop"]
    assert (slugs(of_project, "projects"), slugs(of_agent, "projects")) == (["website"], ["website"])
    assert slugs(of_project, "agents") == ["website/writer", "website/reviewer"]
    assert slugs(of_agent, "agents") == ["website/reviewer"]
    assert slugs(of_agent, "agents?agent=writer") == []
    assert slugs(of_project, "projects?project=shop") == []


@pytest.mark.parametrize("path", ["projects", "agents"])
def test_pages_reach_each_once_with_as_many_queries_for_many_as_for_one(
    acme: Organization, path: str, django_assert_num_queries: Callable[..., Any]
) -> None:
    client = person(roles={acme: "viewer"})
    add(acme, "p0", "writer")
    with django_assert_num_queries(5):  # session, user, memberships, rows, zones
        found(client, path)
    for number in range(1, 8):
        add(acme, f"p{number}", "writer")
    with django_assert_num_queries(5):
        assert len(found(client, path)) == 8
    seen, following = [], f"{ROOT}{path}?page_size=3"
    while following:
        page = client.get(following).json()
        seen += [row["project"] for row in page["results"]]
        following = page["next"]
    assert seen == [f"p{number}" for number in range(8)]
