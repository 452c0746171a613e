from __future__ import annotations

from urllib.parse import quote, unquote

import pytest
from django.test import Client
from rest_framework.exceptions import Throttled
from rest_framework.settings import api_settings

from costtrack.api.views import TrendView
from tests.api.summaries import DIMENSIONS
from tests.reporting.booked import book, organization

pytestmark = pytest.mark.django_db

DATED = ["daily", "weekly", "monthly", "report/daily", "report/weekly", "report/monthly"]
ALL = ["summary", *DATED, "conversation/t1", "trend", "top-conversations", "entity/job", "entity/job/1"]
NO_DAYS = [
    "",
    "garbage",
    "%00",
    "2023-11-16%00",
    "0001-01-01",
    "9999-12-31",
    "1969-12-31",
    "9001-01-01",
    "%ff",
    "2023-02-30",
]


def refused(superuser: Client, path: str, *, parameter: str) -> str:
    """The detail of the 400 that the path answers."""
    response = superuser.get(f"/api/costs/{path}")
    assert response.status_code == 400, path
    assert response["Content-Type"] == "application/problem+json"
    problem = response.json()
    assert (problem["type"], problem["title"], problem["status"]) == ("about:blank", "Bad Request", 400)
    assert problem["parameter"] == parameter
    assert problem["detail"].startswith(f"{parameter}: got ")
    assert ", expected " in problem["detail"]
    return str(problem["detail"])


@pytest.mark.parametrize("path", DATED)
@pytest.mark.parametrize("value", NO_DAYS)
def test_no_date_is_a_400(superuser: Client, path: str, value: str) -> None:
    refused(superuser, f"{path}?target_date={value}", parameter="target_date")


@pytest.mark.parametrize("path", DATED)
@pytest.mark.parametrize("value", ["1970-01-01", "9000-12-31"])
@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Etc/GMT+12"])
def test_the_first_and_last_days_overflow_nowhere(superuser: Client, path: str, value: str, zone: str) -> None:
    organization("acme", zone)
    assert superuser.get(f"/api/costs/{path}?target_date={value}").status_code == 200


@pytest.mark.parametrize("value", ["0", "366", "-1", "", "x", "1.5", "%00", "30%00", "9" * 5000])
def test_days_out_of_range_are_a_400(superuser: Client, value: str) -> None:
    detail = refused(superuser, f"trend?days={value}", parameter="days")
    assert detail.endswith("expected a whole number from 1 to 365.")
    assert len(detail) < 200


@pytest.mark.parametrize("path", ["top-conversations", "entity/job"])
@pytest.mark.parametrize("value", ["0", "101", "-1", "", "x", "%00"])
def test_limits_out_of_range_are_a_400(superuser: Client, path: str, value: str) -> None:
    refused(superuser, f"{path}?limit={value}", parameter="limit")


@pytest.mark.parametrize("name", ["period_start", "period_end"])
@pytest.mark.parametrize(
    "value", [*NO_DAYS, "2023-11-16T00:00:00", "2023-11-16T01:00:00Z", "0001-01-01T00:00:00%2B14:00"]
)
def test_no_edge_of_a_period_is_a_400(superuser: Client, name: str, value: str) -> None:
    refused(superuser, f"top-conversations?{name}={value}", parameter=name)


@pytest.mark.parametrize("end", ["2023-11-16", "2023-11-15"])
def test_a_period_that_ends_before_it_begins_is_a_400(superuser: Client, end: str) -> None:
    refused(superuser, f"top-conversations?period_start=2023-11-16&period_end={end}", parameter="period_end")


@pytest.mark.parametrize("path", ALL)
@pytest.mark.parametrize("value", ["", "%00", "acme%00", "x" * 201])
def test_what_is_no_organization_s_slug_is_a_400(superuser: Client, path: str, value: str) -> None:
    detail = refused(superuser, f"{path}?organization={value}", parameter="organization")
    assert detail.endswith("expected an organization's slug.")


@pytest.mark.parametrize("path", ALL)
@pytest.mark.parametrize("value", ["globex", "ACME", "%ff", "' OR 1=1 --", "../acme"])
def test_an_unknown_organization_is_a_404(superuser: Client, path: str, value: str) -> None:
    organization("acme")
    response = superuser.get(f"/api/costs/{path}?organization={quote(value, safe='%')}")
    assert response.status_code == 404
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["detail"].startswith("organization: got ")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        *((path, "target_date") for path in DATED),
        *((path, "organization") for path in ALL),
        ("trend", "days"),
        ("top-conversations", "limit"),
        ("top-conversations", "period_start"),
        ("top-conversations", "period_end"),
    ],
)
def test_a_parameter_given_twice_is_a_400(superuser: Client, path: str, name: str) -> None:
    assert "one value" in refused(superuser, f"{path}?{name}=1&{name}=2", parameter=name)


@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        ("conversation/%00", "conversation_id"),
        ("conversation/t1%00", "conversation_id"),
        (f"conversation/{'x' * 201}", "conversation_id"),
        ("entity/%00", "entity_type"),
        ("entity/job/%00/", "entity_id"),
    ],
)
def test_an_id_that_cannot_exist_is_a_400(superuser: Client, path: str, parameter: str) -> None:
    refused(superuser, path, parameter=parameter)


@pytest.mark.parametrize(
    "path", ["daily%00", "%00", "daily%0A", "conversation/", "conversation/%0A", "nothing", "report"]
)
def test_other_paths_are_a_404(superuser: Client, path: str) -> None:
    assert superuser.get(f"/api/costs/{path}").status_code == 404


REPORTS = [path for path in DATED if path.startswith("report/")]
KNOWN = {
    "summary": "from, to, group_by, granularity, compare, limit, figures, organization, format, project, agent, "
    "sprint, workflow, endpoint, provider, model, resource_type",
    **dict.fromkeys(DATED, "target_date, organization, format"),
    **dict.fromkeys(REPORTS, "target_date, data, organization, format"),
    "conversation/t1": "organization, format",
    "trend": "days, organization, format",
    "top-conversations": "limit, period_start, period_end, organization, format",
    "entity/job": "limit, organization, format",
    "entity/job/1": "organization, format",
}


@pytest.mark.parametrize("path", ALL)
@pytest.mark.parametrize("name", ["date", "organisation", "Organization", "%00", ""])
def test_a_parameter_that_is_not_taken_is_a_400_that_names_those_that_are(
    superuser: Client, path: str, name: str
) -> None:
    book(organization(), "1", thread_id="t1", entity_type="job", entity_id="1")
    detail = refused(superuser, f"{path}?{name}=2026-11-20", parameter=unquote(name))
    assert detail.endswith(f"expected no such parameter; the known ones are {KNOWN[path]}.")


@pytest.mark.parametrize("path", ALL)
def test_every_parameter_that_is_named_is_taken(superuser: Client, path: str) -> None:
    book(organization(), "1", thread_id="t1", entity_type="job", entity_id="1")
    values = {"target_date": "2023-11-16", "organization": "acme", "format": "json", "days": "7", "limit": "5"}
    values["data"] = "true"
    edges = {"period_start": "2023-11-16", "period_end": "2023-11-17"}
    period = {"from": "2023-11-16", "to": "2023-11-17", "granularity": "day", "compare": "previous"}
    more = {**dict.fromkeys(DIMENSIONS, "x"), "group_by": "model,agent", "figures": "cost,amount"}
    more |= {"project": "(none)", "agent": "(none)"}  # others have to be there
    question = {name: {**values, **edges, **period, **more}[name] for name in KNOWN[path].split(", ")}
    assert superuser.get(f"/api/costs/{path}", question).status_code == 200


def test_who_may_not_read_is_not_told_the_parameters(somebody: Client) -> None:
    assert somebody.get("/api/costs/daily?date=2026-11-20").status_code == 403


def test_a_host_s_own_name_for_the_format_is_taken(superuser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_settings, "URL_FORMAT_OVERRIDE", None)
    detail = refused(superuser, "daily?format=json", parameter="format")
    assert detail.endswith("the known ones are target_date, organization.")


@pytest.mark.parametrize("path", ALL)
def test_a_format_that_is_not_served_is_a_406(superuser: Client, path: str) -> None:
    response = superuser.get(f"/api/costs/{path}", headers={"Accept": "image/png"})
    assert response.status_code == 406
    assert response["Content-Type"] == "application/problem+json"


def test_a_throttled_client_is_told_when_to_come_back(superuser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: TrendView, request: object) -> None:
        raise Throttled(wait=7)

    monkeypatch.setattr(TrendView, "check_throttles", refuse)
    response = superuser.get("/api/costs/trend")
    assert (response.status_code, response["Retry-After"]) == (429, "7")
    assert response["Content-Type"] == "application/problem+json"


def test_a_fault_of_ours_is_no_problem_document(superuser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **options: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("costtrack.api.views.trend", fail)
    with pytest.raises(ZeroDivisionError):
        superuser.get("/api/costs/trend")
