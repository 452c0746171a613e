"""Keys over REST: bearer tokens, what they read, and that they stay secret (AZ-07)."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.core.signals import got_request_exception
from django.test import Client
from django.views.debug import ExceptionReporter
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from costtrack.access.keys import revoke_key
from costtrack.api.views import DailyView
from costtrack.models import AgentKey
from tests.api.callers import OF_ORGANIZATIONS, ROOT, program, robot, token_of
from tests.reporting.booked import agent, book, organization

pytestmark = pytest.mark.django_db

DAY = {"target_date": "2023-11-16"}


def spent(client: Client, path: str = "daily", **question: str) -> Any:
    answer = client.get(ROOT + path, {**DAY, **question})
    assert answer.status_code == 200, answer.content
    return answer.json()["total_cost"]


def test_a_key_reads_its_organization(django_assert_num_queries: Any) -> None:
    acme, globex = organization("acme"), organization("globex")
    book(acme, "1")
    book(globex, "2")
    client = robot(acme)
    assert spent(client) == "1"
    assert spent(client, organization="acme") == "1"
    with django_assert_num_queries(3):  # the key, the zones of its organization, the sums
        client.get(ROOT + "daily", DAY)


def test_its_organization_has_its_own_days() -> None:
    organization("acme")
    client = robot(organization("bharat", "Asia/Kolkata"))
    assert client.get(ROOT + "daily", DAY).json()["period_start"] == "2023-11-16T00:00:00+05:30"


@pytest.mark.parametrize("path", OF_ORGANIZATIONS)
def test_another_organization_is_as_unknown_as_one_that_does_not_exist(path: str) -> None:
    organization("globex")
    client = robot(organization("acme"))
    foreign, unknown = (client.get(ROOT + path, {"organization": slug}) for slug in ("globex", "nobody"))
    assert foreign.status_code == unknown.status_code == 404
    assert foreign.content.replace(b"globex", b"nobody") == unknown.content


def test_a_key_of_a_project_or_agent_reads_only_that() -> None:
    acme = organization("acme")
    writer, editor = agent(acme, "website/writer"), agent(acme, "website/editor")
    for owner, cost in ((writer, "1"), (editor, "2")):
        at = {"agent": owner, "project": owner.project}
        book(acme, cost, thread_id="t1", entity_type="job", entity_id=owner.slug, day=date(2023, 11, 16), **at)
    book(acme, "4", thread_id="t1", entity_type="job", entity_id="other")
    of_agent, of_project, of_all = robot(acme, owner=writer), robot(acme, owner=writer.project), robot(acme)
    clients = (of_agent, of_project, of_all)
    # 1 is the writer's, 1 + 2 = 3 the website's, 1 + 2 + 4 = 7 all
    expected = ["1", "3", "7"]
    for path in ("daily", "weekly", "monthly"):
        assert [spent(client, path) for client in clients] == expected
        assert [spent(client, path, organization="acme") for client in clients] == expected
    for path in ("conversation/t1", "entity/job"):
        assert [client.get(ROOT + path).json()["total_cost"] for client in clients] == expected
    tops = [client.get(ROOT + "top-conversations").json()[0]["total_cost"] for client in clients]
    assert tops == expected
    assert [client.get(ROOT + "entity/job/editor").status_code for client in clients] == [404, 200, 200]
    reports = [client.get(ROOT + "report/daily", DAY).content.decode() for client in clients]
    assert ["$3.00" in report for report in reports] == [False, True, False]
    since = (datetime.now(UTC).date() - timedelta(days=364)).isoformat()
    book(acme, "8", day=date.fromisoformat(since))
    days = [client.get(ROOT + "trend", {"days": "365"}).json()[0] for client in clients]
    assert [day["cost"] for day in days] == ["0", "0", "8"]


def test_an_expired_a_revoked_and_an_unknown_key_are_answered_alike() -> None:
    acme = organization("acme")
    expired = token_of(acme, lifetime=timedelta(hours=1), now=datetime(2026, 1, 1, tzinfo=UTC))
    revoked = token_of(acme)
    revoke_key(AgentKey.objects.get(prefix=revoked.split("_")[1]), now=datetime.now(UTC))
    valid = token_of(acme)
    unknown = f"ctk_{'a' * 10}_{'b' * 43}"
    answers = [program(token).get(ROOT + "daily") for token in (expired, revoked, unknown, valid[:-1], "ctk_", "ctk_%")]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1
    assert answers[0].json() == {
        "type": "about:blank",
        "title": "Unauthorized",
        "status": 401,
        "detail": "This key is not valid: it is unknown, expired or revoked.",
    }
    assert {answer["WWW-Authenticate"] for answer in answers} == {'Bearer realm="costtrack"'}
    assert {answer["Content-Type"] for answer in answers} == {"application/problem+json"}


def test_a_key_that_is_not_valid_is_refused_even_to_somebody_who_is_logged_in(superuser: Client) -> None:
    assert superuser.get(ROOT + "daily", headers={"Authorization": "Bearer ctk_x_y"}).status_code == 401


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER "])
def test_the_scheme_may_be_written_in_any_case(scheme: str) -> None:
    token = token_of(organization("acme"))
    assert Client(headers={"Authorization": f"{scheme} {token}"}).get(ROOT + "daily").status_code == 200


@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer ", "ctk_x_y", "Token ctk_x_y", "Bearer \xff", "Bearer eyJhbGciOi"]
)
def test_what_is_no_bearer_token_of_ours_is_not_ours_to_judge(header: str) -> None:
    answer = Client(headers={"Authorization": header}).get(ROOT + "daily")
    assert answer.status_code == 401
    assert "not valid" not in answer.json()["detail"]


def test_a_host_s_own_bearer_tokens_still_work(monkeypatch: pytest.MonkeyPatch, admin_user: Any) -> None:
    class Tokens(BaseAuthentication):
        def authenticate(self, request: Request) -> Any:
            return (admin_user, None) if request.headers["Authorization"] == "Bearer theirs" else None

    organization("acme")
    monkeypatch.setattr(DailyView, "authentication_classes", (Tokens,))
    assert Client(headers={"Authorization": "Bearer theirs"}).get(ROOT + "daily").status_code == 200


def test_a_key_without_the_scope_to_read_reads_nothing() -> None:
    client = robot(organization("acme"), scopes="ingest")
    for path in OF_ORGANIZATIONS:
        assert client.get(ROOT + path).status_code == 403, path


def test_the_last_use_is_noted() -> None:
    client = robot(organization("acme"))
    assert AgentKey.objects.get().last_used_at is None
    before = datetime.now(UTC)
    client.get(ROOT + "daily")
    noted = AgentKey.objects.get().last_used_at
    assert noted is not None
    assert before <= noted <= datetime.now(UTC)


@pytest.mark.parametrize("name", ["key", "api_key", "token", "access_token"])
def test_az_07_a_key_in_the_url_is_not_taken(name: str) -> None:
    token = token_of(organization("acme"))
    assert Client().get(ROOT + "daily", {name: token}).status_code == 401


@pytest.mark.parametrize("place", ["costtrack.api.authentication.mark_used", "costtrack.access.keys.AgentKey.state_at"])
def test_az_07_no_secret_is_logged_or_reported_when_the_server_fails(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, place: str
) -> None:
    def fail(*args: object, **options: object) -> None:
        raise ZeroDivisionError

    reports: list[str] = []

    def report(sender: object, request: Any, **options: object) -> None:
        reporter = ExceptionReporter(request, *sys.exc_info())
        reports.extend((reporter.get_traceback_text(), reporter.get_traceback_html()))

    caplog.set_level(logging.DEBUG)
    token = token_of(organization("acme"))
    secret = token.split("_", 2)[2]
    monkeypatch.setattr(place, fail)
    client = program(token)
    client.raise_request_exception = False
    got_request_exception.connect(report)
    try:
        answer = client.get(ROOT + "daily")
    finally:
        got_request_exception.disconnect(report)
    assert answer.status_code == 500
    assert len(reports) == 2
    assert all("ZeroDivisionError" in text and "authenticate" in text for text in reports)
    assert not any(secret in text for text in (*reports, caplog.text, answer.content.decode()))
