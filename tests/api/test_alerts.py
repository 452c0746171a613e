"""Alerts over REST: who sees them, and what people do about them."""

from __future__ import annotations

from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
import time_machine
from django.core.handlers.wsgi import WSGIRequest
from django.test import Client
from rest_framework.request import Request

from costtrack.alerts.evaluate import raise_findings
from costtrack.api.bodies import has_body
from costtrack.metering.ledger import record_events
from costtrack.models import AlertAction, AlertChannel, BudgetAlert, Organization
from tests.api.callers import NO_UUID, ROOT, person, robot
from tests.budgets.asked import make_budget
from tests.factories import NOON, make_event, make_organization, make_rate

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def at_noon() -> Any:
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def acme() -> Organization:
    make_rate()
    return make_organization()


def cross(organization: Organization, **fields: Any) -> BudgetAlert:
    """One alert, of a budget of 0.0045 USD that one call of the project website has used up."""
    budget = make_budget(organization, "0.0045", enforcement="soft", name="A day", **fields)
    budget.thresholds.create(level=100)
    record_events([make_event(attribution={"organization": organization.slug, "project": "website"})])
    return BudgetAlert.objects.get(budget=budget)


def act(client: Client, alert: BudgetAlert, action: str, **body: Any) -> Any:
    return client.post(f"{ROOT}alerts/{alert.id}/{action}", body, content_type="application/json")


def ids(client: Client, **question: str) -> list[str]:
    return [row["id"] for row in client.get(ROOT + "alerts", question).json()["results"]]


def test_a_viewer_reads_an_alert_with_its_deliveries_and_never_a_target(acme: Organization) -> None:
    AlertChannel.objects.create(
        organization=acme, name="pager", kind="webhook", target="https://hooks.example.org/secret-path"
    )
    alert = cross(acme)
    client = person(roles={acme: "viewer"})
    (row,) = client.get(ROOT + "alerts").json()["results"]
    assert row["id"] == str(alert.id)
    assert (row["organization"], row["budget"], row["severity"], row["state"]) == (
        "acme",
        alert.budget_id,
        "warning",
        "open",
    )
    assert (row["figures"]["cost"], row["figures"]["threshold"]) == ("0.0045", "100")
    assert row["raised_at"] == "2026-11-20T12:00:00+00:00"
    answer = client.get(f"{ROOT}alerts/{alert.id}")
    assert answer.json()["deliveries"] == [
        {"channel": "pager", "kind": "webhook", "state": "pending", "attempts": 0, "sent_at": None, "last_error": ""}
    ]
    assert b"secret-path" not in answer.content


def test_who_acknowledged_and_resolved_it_and_when_stays(acme: Organization) -> None:
    alert = cross(acme)
    manager = person("meg", roles={acme: "manager"})
    answer = act(manager, alert, "acknowledge", note="On it.")
    assert (answer.status_code, answer.json()["state"], answer.json()["acknowledged_by"]) == (
        200,
        "acknowledged",
        "meg",
    )
    assert act(manager, alert, "acknowledge").status_code == 200  # again: no second line
    with time_machine.travel(NOON + timedelta(hours=1), tick=False):
        assert act(person("bob", roles={acme: "admin"}), alert, "resolve", note="").json()["resolved_by"] == "bob"
    assert act(manager, alert, "acknowledge").status_code == 409
    told = manager.get(f"{ROOT}alerts/{alert.id}").json()
    assert [(one["action"], one["by"], one["at"], one["note"]) for one in told["actions"]] == [
        ("acknowledged", "meg", "2026-11-20T12:00:00+00:00", "On it."),
        ("resolved", "bob", "2026-11-20T13:00:00+00:00", ""),
    ]
    assert act(manager, alert, "reopen").json()["state"] == "open"
    assert act(manager, alert, "note", note="Odd.").json()["actions"][-1]["note"] == "Odd."


def test_az_09_a_viewer_and_a_key_act_on_nothing(acme: Organization) -> None:
    alert = cross(acme)
    for client in (person(roles={acme: "viewer"}), robot(acme)):
        for action in ("acknowledge", "resolve", "reopen", "note"):
            assert act(client, alert, action).status_code == 403
    assert not AlertAction.objects.exists()


def test_az_01_an_alert_of_another_organization_is_as_one_that_is_not_there(acme: Organization) -> None:
    other = make_organization("globex")
    alert = cross(other)
    client = person(roles={acme: "admin", make_organization("third"): "viewer"})
    assert ids(client) == []
    missing = client.get(f"{ROOT}alerts/{NO_UUID}")
    foreign = client.get(f"{ROOT}alerts/{alert.id}")
    assert (foreign.status_code, missing.status_code) == (404, 404)
    assert foreign.json()["detail"].replace(str(alert.id), NO_UUID) == missing.json()["detail"]
    assert act(client, alert, "acknowledge").status_code == 404
    assert not AlertAction.objects.exists()


def test_a_manager_of_one_organization_only_reads_the_alerts_of_another(acme: Organization) -> None:
    globex = make_organization("globex")
    alert = cross(globex)
    client = person(roles={acme: "manager", globex: "viewer"})
    assert ids(client) == [str(alert.id)]
    assert act(client, alert, "resolve").status_code == 403


@pytest.mark.parametrize(
    "garbage", ["1", "x" * 400, NO_UUID.upper() + "Z", "%00", "{" + NO_UUID + "}", "urn:uuid:" + NO_UUID]
)
def test_an_id_that_is_none_is_a_404(garbage: str, acme: Organization) -> None:
    assert person(roles={acme: "viewer"}).get(f"{ROOT}alerts/{garbage}").status_code == 404


def test_a_key_of_a_project_sees_the_alerts_of_its_own_budgets_alone(acme: Organization) -> None:
    whole = cross(acme)
    project = acme.projects.get()
    own = cross(acme, project=project)
    assert ids(robot(acme)) == sorted([str(whole.id), str(own.id)], reverse=True)
    assert ids(robot(acme, owner=project)) == [str(own.id)]
    assert robot(acme, owner=project).get(f"{ROOT}alerts/{whole.id}").status_code == 404


def test_what_is_about_the_site_is_for_superusers(acme: Organization) -> None:
    (finding,) = raise_findings(
        [BudgetAlert(kind="metering", key="k", severity="critical", message="m", raised_at=NOON)],
        now=NOON,
        using="default",
    )
    assert ids(person(roles={acme: "admin"})) == []
    root = person("root", is_superuser=True)
    assert ids(root) == [str(finding.id)]
    assert ids(root, organization="acme") == []
    assert root.get(f"{ROOT}alerts/{finding.id}").json()["organization"] is None
    assert act(root, finding, "resolve").json()["state"] == "resolved"


def test_filters_leave_what_is_asked_for(acme: Organization) -> None:
    first, second = cross(acme), cross(acme)
    client = person(roles={acme: "manager"})
    act(client, first, "acknowledge")
    assert ids(client, state="acknowledged") == [str(first.id)]
    assert ids(client, state="open", severity="warning", kind="budget") == [str(second.id)]
    assert ids(client, state="resolved") == []
    for name, value in (("state", "closed"), ("severity", ""), ("kind", "\x00")):
        assert client.get(ROOT + "alerts", {name: value}).status_code == 400


@pytest.mark.parametrize("body", ['{"note": 1}', '{"note": "a\\u0000b"}', '{"nte": "x"}', "[]", "{", '{"by": "bob"}'])
def test_a_body_that_is_not_acceptable_is_a_400_and_does_nothing(body: str, acme: Organization) -> None:
    alert = cross(acme)
    client = person(roles={acme: "manager"})
    answer = client.post(f"{ROOT}alerts/{alert.id}/acknowledge", body, content_type="application/json")
    assert answer.status_code == 400
    assert client.get(f"{ROOT}alerts/{alert.id}").json()["state"] == "open"


def test_az_11_a_session_needs_its_csrf_token(acme: Organization) -> None:
    alert = cross(acme)
    client = person(roles={acme: "manager"})
    client.handler.enforce_csrf_checks = True
    assert act(client, alert, "acknowledge").status_code == 403


@pytest.mark.parametrize(
    ("headers", "has_one"),
    [
        ({}, False),
        ({"CONTENT_LENGTH": ""}, False),
        ({"CONTENT_LENGTH": "0"}, False),
        ({"CONTENT_LENGTH": "2"}, True),
        ({"HTTP_TRANSFER_ENCODING": "chunked"}, True),
    ],
)
def test_a_body_is_there_by_its_length_or_in_chunks(headers: dict[str, str], has_one: bool) -> None:
    environ = {"REQUEST_METHOD": "POST", "PATH_INFO": "/", "wsgi.input": BytesIO(b"{}"), **headers}
    assert has_body(Request(WSGIRequest(environ))) is has_one


def test_without_a_body_it_is_done_without_a_note(acme: Organization) -> None:
    alert = cross(acme)
    client = person(roles={acme: "manager"})
    assert client.generic("POST", f"{ROOT}alerts/{alert.id}/acknowledge").status_code == 200
    assert AlertAction.objects.get().note == ""
