"""Reservations over REST: reserve, settle, release, renew."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.test import Client

from costtrack.budgets.changes import delete_budget
from costtrack.budgets.holds import sweep_expired
from costtrack.models import Agent, Budget, Hold, Organization, Project, ResourceUsage
from tests.api.callers import ROOT, person, robot
from tests.budgets.asked import figures, make_budget
from tests.factories import NOON, make_organization, make_rate

pytestmark = pytest.mark.django_db

CALL: dict[str, Any] = {"provider": "openai", "model": "test-model", "input_tokens": 1000, "max_output_tokens": 200}
"""At most 1000 x 3 + 200 x 15 = 6000 per million: 0.006 USD."""
USED: dict[str, Any] = {"input_tokens": 1000, "output_tokens": 100}
"""1000 x 3 + 100 x 15 = 4500 per million: 0.0045 USD."""
NONE, HELD, COST = Decimal(0), Decimal("0.006"), Decimal("0.0045")


@pytest.fixture(autouse=True)
def at_noon() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


@pytest.fixture
def acme(db: None) -> Organization:
    make_rate()
    return make_organization()


@pytest.fixture
def budget(acme: Organization) -> Budget:
    return make_budget(acme, "0.01", name="daily")


def post(client: Client, path: str, body: Any = None, *, status: int = 200) -> Any:
    """The answer, parsed; without a `body` nothing is sent."""
    if body is None:
        answer: Any = client.generic("POST", ROOT + path)
    else:
        answer = client.post(ROOT + path, body, content_type="application/json")
    assert answer.status_code == status, answer.content
    if status >= 400:
        assert answer["Content-Type"] == "application/problem+json"
    return answer.json()


def reserved(client: Client, **fields: Any) -> str:
    """The id of a new hold for the call."""
    return str(post(client, "reserve", {**CALL, **fields}, status=201)["id"])


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_call_is_held_for_and_settled_by_what_it_used(acme: Organization, budget: Budget, slash: str) -> None:
    client = robot(acme)
    held = post(client, f"reserve{slash}", CALL, status=201)
    assert held == {"id": str(Hold.objects.get().id), "state": "held", "expires_at": held["expires_at"]}
    assert figures(budget) == (NONE, HELD)
    assert post(client, f"holds/{held['id']}/settle{slash}", USED) == {
        "id": held["id"],
        "state": "settled",
        "status": "accepted",
        "idempotency_key": f"hold:{held['id'].replace('-', '')}",
        "usage_id": ResourceUsage.objects.get().id,
        "cost_usd": "0.0045",
        "cost_source": "estimated",
    }
    assert figures(budget) == (COST, NONE)
    row = ResourceUsage.objects.get()
    assert (row.provider, row.model, row.occurred_at) == ("openai", "test-model", Hold.objects.get().admitted_at)


def test_a_call_of_which_nothing_more_is_told_was_made_all_the_same(acme: Organization) -> None:
    budget = make_budget(acme, "1", metric="calls")
    client = robot(acme)
    held = post(client, "reserve", {"thread_id": "t1"}, status=201)
    settled = post(client, f"holds/{held['id']}/settle", {})
    assert (settled["state"], settled["cost_usd"], settled["cost_source"]) == ("settled", None, "unpriced")
    assert figures(budget) == (1, 0)


def test_a_refusal_is_a_402_with_the_budget_s_figures_and_holds_nothing(acme: Organization, budget: Budget) -> None:
    client = robot(acme)
    reserved(client)
    problem = post(client, "reserve", CALL, status=402)
    assert (problem["type"], problem["budget"]) == ("urn:costtrack:budget-exceeded", "daily")
    assert [problem[name] for name in ("limit", "spent", "held", "needed")] == ["0.01", "0", "0.006", "0.006"]
    assert problem["resets_at"] == "2026-11-21T00:00:00+00:00"
    assert figures(budget) == (NONE, HELD)
    assert not ResourceUsage.objects.exists()


def test_a_refusal_names_projects_and_agents_by_their_slugs(acme: Organization, budget: Budget) -> None:
    website = Project.objects.create(organization=acme, slug="web site")
    writer = Agent.objects.create(project=website, slug="writer")
    call = {**CALL, "project": "web site", "agent": "writer"}
    scopes = {
        "each agent": ({"per": "agent"}, {"project": "web site", "agent": "writer"}),
        "each project": ({"per": "project"}, {"project": "web site"}),
        "the writer": ({"project": website, "agent": writer}, {"project": "web site", "agent": "writer"}),
        "in chats": ({"project": website, "endpoint": "chat"}, {"project": "web site", "endpoint": "chat"}),
    }
    for name, (about, scope) in scopes.items():
        full = make_budget(acme, "0", name=name, **about)
        problem = post(robot(acme), "reserve", {**call, "endpoint": "chat"}, status=402)
        assert (problem["budget"], problem["scope"]) == (name, scope)
        if name == "each agent":
            told = "Budget 'each agent' for 'web site/writer' of organization 'acme' has no room"
            assert problem["detail"].startswith(told)
        delete_budget(full)
    make_budget(acme, "0", name="the site's", project=website)
    status = robot(acme).get(ROOT + "budgets/status").json()["results"]
    assert [one["scope"] for one in status] == [{}, {"project": "web site"}]


def test_a_worst_case_that_nobody_knows_is_a_402_too(acme: Organization, budget: Budget) -> None:
    call = {name: value for name, value in CALL.items() if name != "max_output_tokens"}
    assert post(robot(acme), "reserve", call, status=402)["type"] == "urn:costtrack:unknown-worst-case"


def test_in_32_a_refusal_names_the_binding_budget_and_nothing_is_held_on_the_others(acme: Organization) -> None:
    website = Project.objects.create(organization=acme, slug="website")
    wide, narrow = make_budget(acme, "1"), make_budget(acme, "0.001", name="website", project=website)
    client = robot(acme)
    reserved(client, project="other")
    assert figures(wide) == (NONE, HELD)
    assert post(client, "reserve", {**CALL, "project": "website"}, status=402)["budget"] == "website"
    assert not narrow.counters.exclude(held=0).exists()
    assert figures(wide) == (NONE, HELD)
    assert figures(wide) == (NONE, HELD)


def test_the_caller_s_own_figure_wins_and_other_resources_are_held_by_their_amount(
    acme: Organization, budget: Budget
) -> None:
    client = robot(acme)
    reserved(client, max_cost_usd="0.0001")
    assert figures(budget) == (NONE, Decimal("0.0001"))
    seconds = make_budget(acme, "3600", name="gpu", metric="amount", resource_type="gpu_seconds")
    job = {"resource_type": "gpu_seconds", "amount": 2700, "max_cost_usd": "0"}
    hold_id = post(client, "reserve", job, status=201)["id"]
    assert figures(seconds) == (NONE, Decimal(2700))
    assert post(client, "reserve", job, status=402)["metric"] == "amount"
    post(client, f"holds/{hold_id}/settle", {"amount": 1800, "cost_usd": "0"})
    assert figures(seconds) == (Decimal(1800), NONE)


def test_the_input_itself_is_counted_and_not_kept(acme: Organization, budget: Budget) -> None:
    call = {"provider": "openai", "model": "test-model", "max_output_tokens": 100, "input": "story " * 200}
    reserved(robot(acme), **{**call, "input_tokens": None})
    assert Decimal("0.0015") < figures(budget)[1] < Decimal("0.006")
    assert "story" not in str(Hold.objects.values().get())


def test_the_same_idempotency_key_finds_its_hold_again_and_takes_nothing_twice(
    acme: Organization, budget: Budget
) -> None:
    client = robot(acme)
    first = post(client, "reserve", {**CALL, "idempotency_key": "job-42"}, status=201)
    again = post(client, "reserve", {**CALL, "idempotency_key": "job-42"}, status=200)
    assert again == first
    assert figures(budget) == (NONE, HELD)
    post(client, f"holds/{first['id']}/settle", USED)
    problem = post(client, "reserve", {**CALL, "idempotency_key": "job-42"}, status=409)
    assert "it is settled" in problem["detail"]


def test_with_the_same_idempotency_key_more_is_a_409_and_less_finds_the_hold(
    acme: Organization, budget: Budget
) -> None:
    client = robot(acme)
    asked = {**CALL, "idempotency_key": "job-42"}
    first = post(client, "reserve", asked, status=201)
    # 1000 x 3 + 201 x 15 = 6015 per million
    problem = post(client, "reserve", {**asked, "max_output_tokens": 201}, status=409)
    assert problem["detail"] == (
        f"The hold {first['id']} holds 0.006 cost_usd, and this call may need 0.006015. Ask for no more than it holds, "
        "or reserve anew, without its id. Give another idempotency_key."
    )
    assert post(client, "reserve", {**asked, "max_output_tokens": 100}, status=200) == first
    assert figures(budget) == (NONE, HELD)
    assert post(client, f"holds/{first['id']}/settle", USED)["status"] == "accepted"


def test_who_gives_tags_is_told_that_reserve_takes_none(acme: Organization, budget: Budget) -> None:
    problem = post(robot(acme), "reserve", {**CALL, "tags": {"tier": "gold"}}, status=400)
    assert problem["detail"] == "tags: no such field. No budget is about tags: reserve takes none, settle does."
    assert not Hold.objects.exists()


def test_one_key_of_two_organizations_is_two_holds(acme: Organization, budget: Budget) -> None:
    globex = make_organization("globex")
    theirs = make_budget(globex, "1")
    ids = {reserved(robot(one), idempotency_key="job-42") for one in (acme, globex)}
    assert len(ids) == 2
    assert figures(budget) == figures(theirs) == (NONE, HELD)


def test_without_a_budget_there_is_nothing_to_settle(acme: Organization) -> None:
    assert post(robot(acme), "reserve", CALL, status=201) == {"id": None, "state": None, "expires_at": None}
    assert not Hold.objects.exists()


def test_what_budgets_can_be_about_need_not_be_said_again(acme: Organization, budget: Budget) -> None:
    client = robot(acme)
    said = {"project": "website", "agent": "writer", "endpoint": "chat", "thread_id": "t1", "entity": ["job", 42]}
    hold_id = reserved(client, **said)
    post(client, f"holds/{hold_id}/settle", {**USED, "tags": {"tier": "gold"}, "metadata": {"attempt": 1}})
    row = ResourceUsage.objects.select_related("project", "agent").get()
    assert row.project is not None
    assert row.agent is not None
    assert (row.project.slug, row.agent.slug, row.endpoint, row.thread_id) == ("website", "writer", "chat", "t1")
    assert (row.entity_type, row.entity_id, row.tags, row.metadata) == ("job", "42", {"tier": "gold"}, {"attempt": 1})


def test_nothing_of_the_requests_is_told_of_the_call(acme: Organization, budget: Budget) -> None:
    manager = person(roles={acme: "manager"})
    hold_id = reserved(manager)
    post(manager, f"holds/{hold_id}/settle", USED)
    row = ResourceUsage.objects.get()
    assert (row.request_id, row.user, row.endpoint) == ("", "", "")


# IN-43: settling.


def test_in_43_more_than_was_held_counts_and_is_flagged(acme: Organization, budget: Budget) -> None:
    client = robot(acme)
    hold_id = reserved(client)
    # 1000 x 3 + 1000 x 15 = 18,000 per million: 0.018, above the limit of 0.01
    post(client, f"holds/{hold_id}/settle", {"input_tokens": 1000, "output_tokens": 1000})
    assert figures(budget) == (Decimal("0.018"), NONE)
    assert Hold.objects.get().is_overrun


def test_in_43_nothing_used_costs_nothing(acme: Organization, budget: Budget) -> None:
    client = robot(acme)
    hold_id = reserved(client)
    assert post(client, f"holds/{hold_id}/settle", {"input_tokens": 0, "output_tokens": 0})["cost_usd"] == "0"
    assert figures(budget) == (NONE, NONE)


@pytest.mark.parametrize(
    "used", [{"input_tokens": -1}, {"cost_usd": -1}, {"output_tokens": 2**63}, {"metadata": {"k": "\x00"}}, {"cost": 1}]
)
def test_in_43_a_bad_figure_settles_nothing(acme: Organization, budget: Budget, used: dict[str, Any]) -> None:
    client = robot(acme)
    hold_id = reserved(client)
    (field,) = used
    assert post(client, f"holds/{hold_id}/settle", used, status=400)["detail"].startswith(field)
    assert figures(budget) == (NONE, HELD)
    assert not ResourceUsage.objects.exists()


def test_in_43_the_same_settlement_again_charges_nothing_and_another_is_a_conflict(
    acme: Organization, budget: Budget
) -> None:
    client = robot(acme)
    hold_id = reserved(client)
    first = post(client, f"holds/{hold_id}/settle", USED)
    again = post(client, f"holds/{hold_id}/settle", USED)
    assert (again["status"], again["usage_id"]) == ("duplicate", first["usage_id"])
    problem = post(client, f"holds/{hold_id}/settle", {**USED, "output_tokens": 7}, status=409)
    assert problem["detail"] == f"The hold {hold_id} was settled before, with other usage: that stands."
    assert figures(budget) == (COST, NONE)
    assert ResourceUsage.objects.count() == 1


@pytest.mark.parametrize("end", ["expire", "release"])
def test_in_43_usage_counts_after_the_hold_has_ended_too(
    acme: Organization, budget: Budget, at_noon: time_machine.Traveller, end: str
) -> None:
    client = robot(acme)
    hold_id = reserved(client)
    if end == "release":
        post(client, f"holds/{hold_id}/release")
    else:
        Hold.objects.update(expires_at=NOON - timedelta(days=400))
        assert sweep_expired(using="default") == 1
    assert figures(budget) == (NONE, NONE)
    assert post(client, f"holds/{hold_id}/settle", USED)["status"] == "accepted"
    assert figures(budget) == (COST, NONE)


# Release and renew.


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_released_hold_holds_nothing_and_again_is_no_error(acme: Organization, budget: Budget, slash: str) -> None:
    client = robot(acme)
    hold_id = reserved(client)
    for _ in range(2):
        assert post(client, f"holds/{hold_id}/release{slash}") == {"id": hold_id, "state": "released"}
        assert figures(budget) == (NONE, NONE)


def test_a_settled_hold_can_be_neither_released_nor_renewed(acme: Organization, budget: Budget) -> None:
    client = robot(acme)
    hold_id = reserved(client)
    post(client, f"holds/{hold_id}/settle", USED)
    for action in ("release", "renew"):
        problem = post(client, f"holds/{hold_id}/{action}", status=409)
        assert problem["detail"] == f"The hold {hold_id} has ended already: it is settled."
    assert figures(budget) == (COST, NONE)


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_hold_is_renewed_and_never_shortened(acme: Organization, budget: Budget, slash: str) -> None:
    client = robot(acme)
    first = post(client, "reserve", {**CALL, "ttl_seconds": 60}, status=201)
    later = post(client, f"holds/{first['id']}/renew{slash}", {"ttl_seconds": 3600})
    assert later["state"] == "held"
    gained = datetime.fromisoformat(later["expires_at"]) - datetime.fromisoformat(first["expires_at"])
    assert timedelta(seconds=3530) < gained < timedelta(seconds=3600)
    assert post(client, f"holds/{first['id']}/renew{slash}", {"ttl_seconds": 1})["expires_at"] == later["expires_at"]
    assert post(client, f"holds/{first['id']}/renew{slash}")["expires_at"] == later["expires_at"]


# Whose it is.


@pytest.mark.parametrize("action", ["settle", "release", "renew"])
def test_az_01_a_foreign_hold_is_as_unknown_as_one_that_never_was(
    acme: Organization, budget: Budget, action: str
) -> None:
    hold_id = reserved(robot(acme))
    stranger = robot(make_organization("globex"))
    for foreign, unknown in ((hold_id, str(uuid4())), (hold_id, "garbage"), (hold_id, "x" * 500)):
        answers = [
            stranger.post(f"{ROOT}holds/{one}/{action}", USED, content_type="application/json")
            for one in (foreign, unknown)
        ]
        assert [answer.status_code for answer in answers] == [404, 404]
        first, second = (answer.json() for answer in answers)
        assert first["detail"].replace(foreign, "") == second["detail"].replace(unknown[:50], "")
    assert figures(budget) == (NONE, HELD)
    assert Hold.objects.get().state == "held"
    assert not ResourceUsage.objects.exists()


def test_a_key_of_an_agent_reaches_only_that_agent_s_holds(acme: Organization, budget: Budget) -> None:
    website = Project.objects.create(organization=acme, slug="website")
    writer, editor = (Agent.objects.create(project=website, slug=slug) for slug in ("writer", "editor"))
    mine, theirs = robot(acme, owner=writer), robot(acme, owner=editor)
    hold_id = reserved(mine, max_cost_usd="0.001")
    post(theirs, f"holds/{hold_id}/release", status=404)
    assert post(theirs, "reserve", {**CALL, "agent": "writer"}, status=400)["detail"] == (
        "agent: got 'writer', expected 'editor', which your key is for."
    )
    settled = post(mine, f"holds/{hold_id}/settle", USED)
    assert ResourceUsage.objects.get(id=settled["usage_id"]).agent == writer


def test_a_settlement_can_not_move_the_usage_to_another_agent(acme: Organization, budget: Budget) -> None:
    website = Project.objects.create(organization=acme, slug="website")
    mine = robot(acme, owner=Agent.objects.create(project=website, slug="writer"))
    hold_id = reserved(mine)
    assert (
        "which your key is for" in post(mine, f"holds/{hold_id}/settle", {**USED, "agent": "x"}, status=400)["detail"]
    )
    assert post(mine, f"holds/{hold_id}/settle", {**USED, "organization": "acme"}, status=400)["detail"].startswith(
        "organization: no such field."
    )


@pytest.mark.parametrize("slug", ["globex", "nobody"])
def test_nothing_is_held_for_another_organization(acme: Organization, slug: str) -> None:
    theirs = make_budget(make_organization("globex"), "1")
    problem = post(robot(acme), "reserve", {**CALL, "organization": slug}, status=400)
    assert problem["detail"] == (
        f"organization: got {slug!r}, expected the slug of an organization that you may send usage to."
    )
    assert not theirs.counters.exists()


# Bad input.


@pytest.mark.parametrize(
    "fields",
    [
        {"input_tokens": -1},
        {"input_tokens": True},
        {"input_tokens": 2**63},
        {"max_output_tokens": "200"},
        {"max_output_tokens": 1.5},
        {"max_cost_usd": "NaN"},
        {"max_cost_usd": -1},
        {"max_cost_usd": 10**12},
        {"amount": -1, "resource_type": "gpu_seconds"},
        {"ttl_seconds": 0},
        {"ttl_seconds": 86_401},
        {"ttl_seconds": 1e300},
        {"ttl_seconds": "60"},
        {"model": "a\x00"},
        {"thread_id": ["t"]},
        {"input": 7},
        {"writes_cache": 1},
        {"tags": {}},
        {"metadata": {}},
        {"hold_id": "x"},
        {"idempotency_key": []},
        {"entity": ["job"]},
    ],
)
def test_a_call_that_can_not_be_is_a_400_that_names_the_field(
    acme: Organization, budget: Budget, fields: dict[str, Any]
) -> None:
    name = next(iter(fields))
    assert post(robot(acme), "reserve", {**CALL, **fields}, status=400)["detail"].startswith(name)
    assert not Hold.objects.exists()


@pytest.mark.parametrize("path", ["reserve", "settle", "renew"])
@pytest.mark.parametrize("body", [b"[]", b"7", b"null", b"{", b"\xff", b'{"a":' * 100_000, b'{"input_tokens": NaN}'])
def test_what_is_no_json_object_is_a_400(acme: Organization, budget: Budget, path: str, body: bytes) -> None:
    client = robot(acme)
    hold_id = reserved(client)
    full = path if path == "reserve" else f"holds/{hold_id}/{path}"
    answer = client.generic("POST", ROOT + full, body, content_type="application/json")
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    assert figures(budget) == (NONE, HELD)


@pytest.mark.parametrize("body", [{"ttl_seconds": 0}, {"ttl_seconds": None, "seconds": 1}, {"ttl_seconds": [1]}])
def test_a_time_that_can_not_be_renews_nothing(acme: Organization, budget: Budget, body: Any) -> None:
    client = robot(acme)
    hold_id = reserved(client)
    before = Hold.objects.get().expires_at
    post(client, f"holds/{hold_id}/renew", body, status=400)
    assert Hold.objects.get().expires_at == before
