"""Budgets changed and deleted over REST: who did it, and who may not."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.test import Client

from costtrack.api.budget_input import LIMITS
from costtrack.budgets.changes import CHANGEABLE, change_budget, delete_budget
from costtrack.models import Budget, BudgetChange, Organization, Project
from tests.api.budget_calls import DAY, asked
from tests.api.callers import ROOT, person, robot
from tests.budgets.asked import make_budget
from tests.factories import NOON, make_organization

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def at_noon() -> Iterator[None]:
    with time_machine.travel(NOON, tick=False):
        yield


# Changed.


def test_a_change_is_answered_and_holds(acme: Organization, manager: Client) -> None:
    budget = make_budget(acme, "10", name="October")
    before = asked(manager, "get", f"budgets/{budget.pk}")
    changes = {"limit": "20.5", "enforcement": "soft", "name": "November", "is_active": False}
    after = asked(manager, "patch", f"budgets/{budget.pk}", {**changes, "note": "busy"})
    assert after == {**before, **changes}
    budget.refresh_from_db()
    assert (budget.limit, budget.enforcement, budget.is_active) == (Decimal("20.5"), "soft", False)
    assert asked(manager, "get", f"budgets/{budget.pk}") == after


def test_the_fields_that_may_be_changed_are_those_of_the_one_writer() -> None:
    assert LIMITS.keys() == {*CHANGEABLE, "note"}


def test_a_limit_is_taken_off_and_put_on_by_saying_so(acme: Organization, manager: Client) -> None:
    path = f"budgets/{make_budget(acme).pk}"
    for body in ({"limit": None}, {"is_unlimited": True}, {"limit": "5", "is_unlimited": True}):
        assert list(asked(manager, "patch", path, body, status=400)["errors"]) == ["limit"]
    assert asked(manager, "patch", path, {"limit": None, "is_unlimited": True})["limit"] is None
    assert asked(manager, "patch", path, {"limit": "5"}, status=400)["errors"].keys() == {"limit"}
    assert asked(manager, "patch", path, {"limit": "5", "is_unlimited": False})["limit"] == "5"


@pytest.mark.parametrize(
    "name", ["id", "organization", "project", "agent", "thread_id", "model", "metric", "period", "per", "created_at"]
)
@pytest.mark.parametrize("value", ["x", None])
def test_what_says_which_budget_it_is_never_changes(
    acme: Organization, manager: Client, name: str, value: str | None
) -> None:
    budget = make_budget(acme, "10")
    problem = asked(manager, "patch", f"budgets/{budget.pk}", {"limit": "20", name: value}, status=400)
    assert list(problem["errors"]) == [name]
    assert "it never changes: make another budget, and let this one rest" in problem["detail"]
    budget.refresh_from_db()
    assert budget.limit == 10


def test_a_change_that_says_nothing_new_leaves_no_history(acme: Organization, manager: Client) -> None:
    budget = make_budget(acme, "10")
    for body in ({}, {"limit": "10.00"}, {"note": "nothing"}):
        asked(manager, "patch", f"budgets/{budget.pk}", body)
    assert budget.changes.count() == 1


def test_a_budget_that_is_deleted_while_it_is_changed_is_gone(
    acme: Organization, manager: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    budget = make_budget(acme)

    def too_late(given: Budget, **changes: Any) -> Budget:
        delete_budget(given)
        return change_budget(given, **changes)

    monkeypatch.setattr("costtrack.api.budgets.change_budget", too_late)
    problem = asked(manager, "patch", f"budgets/{budget.pk}", {"limit": "5"}, status=404)
    assert problem["detail"] == f"budget: got '{budget.pk}', expected the id of a budget."


def test_a_deleted_budget_is_gone_and_the_log_says_who_it_was(
    acme: Organization,
    manager: Client,
    caplog: pytest.LogCaptureFixture,
    django_capture_on_commit_callbacks: Callable[..., Any],
) -> None:
    budget = make_budget(acme, name="October")
    caplog.set_level(logging.INFO, logger="costtrack")
    with django_capture_on_commit_callbacks(execute=True):
        asked(manager, "delete", f"budgets/{budget.pk}", status=204)
    assert caplog.messages == [f"Budget {budget.pk}, 'October', was deleted by 'mary'."]
    assert not Budget.objects.exists()
    asked(manager, "delete", f"budgets/{budget.pk}", status=404)
    asked(manager, "get", f"budgets/{budget.pk}/changes", status=404)


# Who did it.


def test_az_09_every_change_is_kept_with_who_made_it(acme: Organization, website: Project, manager: Client) -> None:
    body = {**DAY, "project": "website", "agent": "writer", "note": "asked for by the board"}
    path = f"budgets/{asked(manager, 'post', 'budgets', body, status=201)['id']}"
    asked(manager, "patch", path, {"limit": "60", "note": "busy\nweek"})
    asked(person("alice", roles={acme: "admin"}), "patch", path, {"limit": None, "is_unlimited": True})
    change_budget(Budget.objects.get(), limit=Decimal(1), is_unlimited=False)
    get_user_model().objects.get(username="alice").delete()
    rows = asked(person(roles={acme: "viewer"}), "get", f"{path}/changes")["results"]
    made = rows.pop()
    told = [(row["changed_by"], row["before"], row["after"], row["note"]) for row in rows]
    assert told == [
        (None, {"limit": None, "is_unlimited": True}, {"limit": "1", "is_unlimited": False}, ""),
        (None, {"limit": "60", "is_unlimited": False}, {"limit": None, "is_unlimited": True}, ""),
        ("mary", {"limit": "50"}, {"limit": "60"}, "busy\nweek"),
    ]
    assert (made["changed_by"], made["before"], made["note"]) == ("mary", {}, "asked for by the board")
    assert {name: made["after"][name] for name in ("organization", "project", "agent", "limit", "period")} == {
        "organization": "acme",
        "project": "website",
        "agent": "writer",
        "limit": "50",
        "period": "day",
    }
    assert made["changed_at"] == "2026-11-20T12:00:00+00:00"


def test_the_history_has_pages_and_as_many_queries_for_many_changes(
    acme: Organization, manager: Client, django_assert_num_queries: Callable[..., Any]
) -> None:
    path = f"budgets/{make_budget(acme).pk}"
    with django_assert_num_queries(6):  # session, user, memberships, the budget, zones, history
        assert len(asked(manager, "get", f"{path}/changes")["results"]) == 1
    for limit in range(2, 7):
        asked(manager, "patch", path, {"limit": limit})
    with django_assert_num_queries(6):
        assert len(asked(manager, "get", f"{path}/changes")["results"]) == 6
    page = asked(manager, "get", f"{path}/changes?page_size=4")
    rows = page["results"] + manager.get(page["next"]).json()["results"]
    assert [row["after"]["limit"] for row in rows] == ["6", "5", "4", "3", "2", "1"]


def test_instants_are_told_in_the_zone_of_the_budget_s_organization(acme: Organization) -> None:
    kolkata = make_organization("kolkata", timezone="Asia/Kolkata")
    client = person(roles={acme: "manager", kolkata: "manager"})
    path = f"budgets/{make_budget(kolkata).pk}"
    noon = "2026-11-20T17:30:00+05:30"
    assert asked(client, "get", path)["created_at"] == noon
    assert asked(client, "patch", path, {"limit": "2"})["created_at"] == noon
    assert asked(client, "get", f"{path}/changes")["results"][0]["changed_at"] == noon


# Who may not.


def test_az_09_who_may_only_read_changes_nothing(acme: Organization) -> None:
    path = f"budgets/{make_budget(acme, '10').pk}"
    globex = make_organization("globex")
    callers = {
        "viewer": person("viewer", roles={acme: "viewer"}),
        "viewer who manages another": person("two", roles={acme: "viewer", globex: "manager"}),
        "key": robot(acme),
        "staff": person("staff", is_staff=True),
    }
    for client in callers.values():
        asked(client, "patch", path, {"limit": "1000000"}, status=403)
        asked(client, "delete", path, status=403)
    for kind in ("viewer", "key", "staff"):
        asked(callers[kind], "post", "budgets", DAY, status=403)
    asked(callers["viewer who manages another"], "post", "budgets", {**DAY, "organization": "acme"}, status=400)
    assert Budget.objects.get().limit == 10
    assert BudgetChange.objects.count() == 1


def test_az_01_a_foreign_budget_is_as_one_that_does_not_exist(acme: Organization) -> None:
    budget, globex = make_budget(acme, "10"), make_organization("globex")
    unknown = 2**63 - 1
    for client in (person(roles={globex: "admin"}), robot(globex)):
        for path in ("", "/status", "/changes"):
            told = [
                asked(client, "get", f"budgets/{key}{path}", status=404)["detail"].replace(str(key), "X")
                for key in (budget.pk, unknown)
            ]
            assert told == ["budget: got 'X', expected the id of a budget."] * 2
    admin = person("admin", roles={globex: "admin"})
    for method, body in (("patch", {"limit": "1"}), ("patch", {"spent": 1}), ("delete", None)):
        told = [
            asked(admin, method, f"budgets/{key}", body, status=404)["detail"].replace(str(key), "X")
            for key in (budget.pk, unknown)
        ]
        assert told == ["budget: got 'X', expected the id of a budget."] * 2
    budget.refresh_from_db()
    assert budget.limit == 10


@pytest.mark.parametrize(
    "text",
    ["x", "0", "-1", "01", "1.0", "%00", "1%00", "9" * 19, "9" * 400, "%EF%BC%91", "1e3", "%20", "null", "%0A", "+1"],
)
def test_an_id_that_is_none_is_a_404(acme: Organization, manager: Client, text: str) -> None:
    make_budget(acme)
    for path in ("", "/status", "/changes"):
        assert "expected the id of a budget" in asked(manager, "get", f"budgets/{text}{path}", status=404)["detail"]
    asked(manager, "patch", f"budgets/{text}", {}, status=404)
    asked(manager, "delete", f"budgets/{text}", status=404)


def test_an_organization_that_is_asked_for_narrows_a_budget_too(acme: Organization) -> None:
    path = f"budgets/{make_budget(acme).pk}"
    client = person(roles={acme: "admin", make_organization("globex"): "admin"})
    asked(client, "get", f"{path}?organization=acme")
    asked(client, "get", f"{path}?organization=globex", status=404)
    asked(client, "patch", f"{path}?organization=globex", {"limit": "1"}, status=404)


def test_az_04_a_foreign_project_or_agent_is_told_as_one_that_does_not_exist(
    acme: Organization, website: Project, manager: Client
) -> None:
    theirs = Project.objects.create(organization=make_organization("globex"), slug="theirs")
    theirs.agents.create(slug="spy")
    other = Project.objects.create(organization=acme, slug="other")
    other.agents.create(slug="reader")

    def told(body: dict[str, Any], slug: str) -> Any:
        problem = asked(manager, "post", "budgets", {**DAY, **body}, status=400)
        return problem["detail"].replace(slug, "X"), list(problem["errors"])

    projects = [told({"project": slug}, slug) for slug in ("theirs", "unheard-of", str(theirs.pk))]
    assert len({detail for detail, _ in projects}) == 1
    assert projects[0][0].startswith("project: got 'X', expected the slug of a project of that organization")
    agents = [told({"project": "website", "agent": slug}, slug) for slug in ("spy", "reader", "unheard-of")]
    assert len({detail for detail, _ in agents}) == 1
    assert [fields for _, fields in projects + agents] == [["project"]] * 3 + [["agent"]] * 3
    assert told({"agent": "writer"}, "writer")[0] == "agent: got 'X', expected its project, too."
    assert not Budget.objects.exists()


def test_az_11_a_session_needs_its_csrf_token(acme: Organization, manager: Client) -> None:
    budget = make_budget(acme, "10")
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = manager.cookies
    for content_type in ("application/json", "text/plain", "application/x-www-form-urlencoded"):
        for method, path in (
            ("post", "budgets"),
            ("patch", f"budgets/{budget.pk}"),
            ("delete", f"budgets/{budget.pk}"),
        ):
            answer = getattr(strict, method)(ROOT + path, "{}", content_type=content_type)
            assert answer.status_code == 403
            assert "CSRF" in answer.json()["detail"]
    token = "a" * 32
    strict.cookies["csrftoken"] = token
    told = {"content_type": "application/json", "headers": {"X-CSRFToken": token}}
    assert strict.patch(f"{ROOT}budgets/{budget.pk}", {"limit": "11"}, **told).status_code == 200
    assert strict.post(f"{ROOT}budgets", DAY, **told).status_code == 201
    assert strict.delete(f"{ROOT}budgets/{budget.pk}", **told).status_code == 204
