"""Plans and runs over REST: sent, listed, looked at, and of whom."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from django.test import Client

from costtrack import record_plan, record_usage, usage_run
from costtrack.models import CostPlan, Organization, Project, UsageRun
from tests.api.budget_calls import asked
from tests.api.callers import ROOT, person, robot
from tests.factories import NOON, make_organization, make_rate

pytestmark = pytest.mark.django_db

PLAN: dict[str, Any] = {
    "name": "docs",
    "max_calls": 3,
    "cost_cap": "0.05",
    "model": "test-model",
    "provider": "openai",
    "filters": {"language": "en"},
    "workflows": [
        {
            "workflow_id": "draft",
            "estimated_calls": 2,
            "estimated_prompt_tokens": 2_000,
            "estimated_completion_tokens": 200,
        }
    ],
}


@pytest.fixture(autouse=True)
def at_noon() -> Iterator[None]:
    with time_machine.travel(NOON, tick=False):
        yield


def send(client: Client, body: Any, *, status: int = 201) -> Any:
    answer = client.post(ROOT + "plans", body, content_type="application/json")
    assert answer.status_code == status, answer.content
    return answer


def run_of(organization: str, *, project: str = "", calls: int = 1, name: str = "docs") -> UsageRun:
    """A run; a call of it is 1,000 x 3 + 100 x 15 = 4,500 per million: 0.0045."""
    with usage_run(name, organization=organization, project=project) as run:
        for _ in range(calls):
            record_usage(model="test-model", provider="openai", input_tokens=1_000, output_tokens=100)
    return UsageRun.objects.get(run_id=run.run_id)


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_program_sends_a_plan_and_is_told_where_it_is(acme: Organization, slash: str) -> None:
    make_rate()
    client = robot(acme, scopes="ingest")
    answer = client.post(ROOT + "plans" + slash, PLAN, content_type="application/json")
    assert answer.status_code == 201
    plan = CostPlan.objects.get()
    assert answer["Location"] == f"http://testserver/api/costs/plans/{plan.pk}"
    body = answer.json()
    assert body["plan_id"] == plan.plan_id
    assert (body["organization"], body["project"], body["sequence"]) == ("acme", None, 1)
    # 2,000 x 3 + 200 x 15 = 9,000 per million
    assert (body["estimated_cost_usd"], body["cost_basis"], body["exceeds_cost_cap"]) == ("0.009", "rates", False)
    assert body["estimated_total_tokens"] == 2_200
    assert [one["workflow_id"] for one in body["workflows"]] == ["draft"]
    assert asked(robot(acme, scopes="read"), "get", f"plans/{plan.pk}") == body


def test_the_same_plan_sent_again_is_the_same_snapshot(acme: Organization, manager: Client) -> None:
    first, again = send(manager, PLAN).json(), send(manager, PLAN).json()
    assert first == again
    other = send(manager, {**PLAN, "max_calls": 4}).json()
    assert (other["sequence"], other["id"]) != (first["sequence"], first["id"])
    assert [row["sequence"] for row in asked(manager, "get", "plans")["results"]] == [2, 1]
    assert [row["sequence"] for row in asked(manager, "get", f"plans?plan_id={first['plan_id']}")["results"]] == [1]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ([], "plan"),
        ({**PLAN, "plan_id": "1"}, "plan_id"),
        ({**PLAN, "cost_cap": "much"}, "cost_cap"),
        ({**PLAN, "organization": "globex"}, "organization"),
        ({**PLAN, "workflows": [{"workflow_id": "a", "calls": 1}]}, "workflows[0].calls"),
        ({**PLAN, "selection": "all"}, "selection"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_stored(
    acme: Organization, manager: Client, body: Any, field: str
) -> None:
    make_organization("globex")
    assert list(send(manager, body, status=400).json()["errors"]) == [field]
    assert not CostPlan.objects.exists()


def test_all_wrong_fields_are_named_at_once(acme: Organization, manager: Client) -> None:
    body = {"cost_cap": "much", "max_calls": -1, "workflows": [{"workflow_id": "a", "calls": 1}]}
    problem = send(manager, body, status=400).json()
    assert list(problem["errors"]) == ["cost_cap", "max_calls", "workflows[0].calls", "name"]
    assert problem["errors"]["max_calls"] == ["got -1, expected a whole number from 0 to 999,999,999,999,999."]
    assert problem["errors"]["name"] == ["name is empty, expected what it is a plan of, such as docs."]
    assert "cost_cap: got 'much'" in problem["detail"]
    assert "max_calls: got -1" in problem["detail"]


def test_a_key_of_a_project_plans_and_reads_for_that_project_alone(website: Project) -> None:
    make_rate()
    acme = website.organization
    run_of("acme", calls=2)
    mine = run_of("acme", project="website")
    with usage_run("shared", organization="acme", project="website") as shared:
        record_usage(model="test-model", provider="openai", input_tokens=1_000, output_tokens=100)
        record_usage(project="other", model="test-model", provider="openai", input_tokens=1_000, output_tokens=100)
    record_plan("docs", organization="acme")
    client = robot(acme, owner=website)
    assert send(client, PLAN).json()["project"] == "website"
    assert list(send(client, {**PLAN, "project": "other"}, status=400).json()["errors"]) == ["project"]
    assert [row["project"] for row in asked(client, "get", "plans")["results"]] == ["website"]
    runs = asked(client, "get", "runs")["results"]
    assert [(row["run_id"], row["total_calls"]) for row in runs] == [(shared.run_id, 1), (mine.run_id, 1)]
    writer = robot(acme, owner=website.agents.get())
    assert asked(writer, "get", "runs")["results"] == asked(writer, "get", "plans")["results"] == []


def test_runs_are_listed_with_their_totals_and_looked_at_with_their_buckets(acme: Organization) -> None:
    make_rate()
    first, second = run_of("acme", calls=2), run_of("acme", calls=3)
    client = person(roles={acme: "viewer"})
    rows = asked(client, "get", "runs")["results"]
    assert [(row["id"], row["run_index"], row["total_calls"]) for row in rows] == [(second.pk, 2, 3), (first.pk, 1, 2)]
    assert [row["total_cost_usd_estimated"] for row in rows] == ["0.0135", "0.009"]
    assert [row["id"] for row in asked(client, "get", f"runs?run_id={first.run_id}")["results"]] == [first.pk]
    assert asked(client, "get", "runs?status=running")["results"] == []
    one = asked(client, "get", f"runs/{first.pk}")
    assert {name: one[name] for name in rows[1]} == rows[1]
    assert one["buckets"] == [
        {
            **dict.fromkeys(("workflow", "stage"), ""),
            "provider": "openai",
            "model": "test-model",
            "calls": 2,
            "prompt_tokens": 2_000,
            "completion_tokens": 200,
            "total_tokens": 2_200,
            "cost_usd_known": "0",
            "cost_usd_estimated": "0.009",
            "cost_status": "estimated",
            "cost_estimated_for_calls": 2,
            "cost_unknown_for_calls": 0,
        }
    ]
    assert one["budget_summary"]["line"] == "Plan variance: docs #1: it has no plan; $0.009000, 2 calls."


def test_the_variance_of_a_run_names_what_was_estimated_and_what_came_of_it(
    acme: Organization, manager: Client
) -> None:
    make_rate()
    plan = send(manager, PLAN).json()
    with usage_run(plan="docs", organization="acme") as run, run.workflow("draft"):
        for _ in range(3):
            record_usage(model="test-model", provider="openai", input_tokens=1_000, output_tokens=100)
    row = UsageRun.objects.get()
    body = asked(manager, "get", f"runs/{row.pk}/variance")
    assert (body["plan_id"], body["snapshot_resolved"]) == (plan["plan_id"], True)
    assert body["calls"] == {"estimated": 2, "actual": 3, "delta": 1, "ratio": "1.5"}
    assert body["cost_usd"] == {
        "estimated": "0.009",
        "actual_known": "0",
        "actual_estimated_from_rates": "0.0135",
        "actual_total": "0.0135",
        "delta": "0.0045",
        "ratio": "1.5",
    }
    assert asked(manager, "get", f"runs/{row.pk}")["budget_summary"]["run_exceeds_max_calls"] is False


def test_what_is_another_organization_s_is_not_there(acme: Organization, manager: Client) -> None:
    make_rate()
    globex = make_organization("globex")
    theirs = record_plan("docs", organization=globex.slug)
    run = run_of("globex")
    for path in (f"plans/{theirs.pk}", f"runs/{run.pk}", f"runs/{run.pk}/variance", "runs/x", "plans/-1"):
        assert manager.get(ROOT + path).status_code == 404
    assert asked(manager, "get", "plans")["results"] == asked(manager, "get", "runs")["results"] == []


def test_lists_ask_the_same_number_of_queries_for_many_rows(
    acme: Organization, manager: Client, django_assert_max_num_queries: Any
) -> None:
    make_rate()
    for number in range(12):
        run_of("acme", name=f"run {number}", project="website")
        record_plan("docs", organization="acme", estimated_calls=number, workflows=[{"workflow_id": "a"}])
    for path in ("runs", "plans"):
        with django_assert_max_num_queries(10):
            assert len(asked(manager, "get", path)["results"]) == 12


def test_exports_have_the_same_columns(acme: Organization, manager: Client) -> None:
    make_rate()
    run_of("acme")
    send(manager, PLAN)
    for path, name in (("runs", "total_calls"), ("plans", "plan_id")):
        answer = manager.get(ROOT + path, {"format": "csv"})
        assert answer.status_code == 200
        assert name in b"".join(answer.streaming_content).decode().splitlines()[0]  # type: ignore[attr-defined]
