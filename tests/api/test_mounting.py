"""The API in sites of every kind: whatever the host does with its own views, these answer the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import time_machine
from django.core.checks import run_checks
from django.db import connection
from django.test import Client
from django.urls import reverse
from rest_framework.renderers import JSONRenderer
from rest_framework.settings import api_settings
from rest_framework.versioning import BaseVersioning
from rest_framework.views import APIView

from costtrack.metering.ledger import record_events
from costtrack.models import Hold, Organization, ResourceUsage
from tests.api import hosts
from tests.api.callers import person, program, robot, token_of
from tests.api.hosts import HOSTS, IMPORTED, OURS, SITES, answers, callers, host_handler, mounted_elsewhere
from tests.budgets.asked import make_budget
from tests.factories import NOON, make_event, make_organization, make_rate

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def answers_keep_the_contract() -> None:
    """They are held against those of the example site instead."""


@pytest.fixture(autouse=True)
def at_noon() -> Iterator[None]:
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def acme(db: None) -> Organization:
    """With a call of each kind that views tell of, and a budget."""
    make_rate()
    organization = make_organization()
    about = {"thread_id": "t1", "entity_type": "job", "entity_id": "1", "project": "website", "endpoint": "é"}
    record_events([make_event(attribution=about)])
    make_budget(organization, "1")
    return organization


@pytest.fixture
def host(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make it another host's site, whose REST framework has these settings."""

    def become(**rest: Any) -> None:
        settings.REST_FRAMEWORK = rest
        for name, attribute in IMPORTED.items():
            monkeypatch.setattr(APIView, attribute, getattr(api_settings, name))
        monkeypatch.setattr(JSONRenderer, "ensure_ascii", not api_settings.UNICODE_JSON)
        monkeypatch.setattr(JSONRenderer, "compact", api_settings.COMPACT_JSON)
        monkeypatch.setattr(JSONRenderer, "strict", api_settings.STRICT_JSON)
        monkeypatch.setattr(BaseVersioning, "allowed_versions", api_settings.ALLOWED_VERSIONS)
        monkeypatch.setattr(BaseVersioning, "default_version", api_settings.DEFAULT_VERSION)

    return become


@pytest.mark.parametrize("name", HOSTS)
def test_what_a_host_wants_of_rest_framework_changes_no_answer(
    name: str, acme: Organization, host: Callable[..., None], settings: Any
) -> None:
    clients = callers(acme)
    before = answers(clients, "/api/costs/")
    assert {status for status, _, _ in before.values()} == {200, 202, 400, 401, 403, 404, 405}
    host(**HOSTS[name])
    mounted_elsewhere(settings)
    assert answers(clients, "/billing/v2/") == before


@pytest.mark.parametrize("name", SITES)
def test_what_a_site_is_like_changes_no_figure_and_no_status(name: str, acme: Organization, settings: Any) -> None:
    clients = callers(acme)
    before = answers(clients, "/api/costs/")
    for key, value in SITES[name].items():
        setattr(settings, key, value)
    after = answers(clients, "/api/costs/")
    assert {asked: told[:2] for asked, told in after.items()} == {asked: told[:2] for asked, told in before.items()}
    assert {asked: told for asked, told in after.items() if told[0] < 400} == {
        asked: told for asked, told in before.items() if told[0] < 400
    }


@pytest.mark.parametrize(
    "middleware",
    [
        lambda given: [one for one in given if one != OURS],
        lambda given: [*given, "django.contrib.auth.middleware.LoginRequiredMiddleware"],
        lambda given: ["django.middleware.locale.LocaleMiddleware", *given],
        lambda given: ["django.middleware.http.ConditionalGetMiddleware", *given],
    ],
    ids=["without ours", "login required", "locale", "conditional"],
)
def test_a_host_s_middleware_changes_no_answer(
    middleware: Callable[[list[str]], list[str]], acme: Organization, settings: Any
) -> None:
    clients = callers(acme)
    before = answers(clients, "/api/costs/")
    settings.MIDDLEWARE = middleware(settings.MIDDLEWARE)
    assert answers(clients, "/api/costs/") == before


def test_mounted_twice_each_has_its_names_and_its_own_addresses(acme: Organization, settings: Any) -> None:
    mounted_elsewhere(settings)
    make_organization("globex")
    client = person("root", is_superuser=True)
    for namespace, root in (("billing", "/billing/v2/"), ("again", "/again/")):
        assert reverse(f"{namespace}:conversation", kwargs={"conversation_id": "t/1"}) == f"{root}conversation/t/1"
        page = client.get(f"{root}organizations", {"page_size": "1"}).json()
        assert page["next"].startswith(f"http://testserver{root}organizations?")
        assert [row["organization"] for row in client.get(page["next"]).json()["results"]] == ["globex"]
    assert run_checks(tags=["urls"]) == []
    assert client.get("/api/costs/daily").status_code == 404


def test_a_host_s_own_views_keep_what_the_host_wants(
    acme: Organization, host: Callable[..., None], settings: Any
) -> None:
    mounted_elsewhere(settings)
    host(EXCEPTION_HANDLER=host_handler)
    viewer = person(roles={acme: "viewer"})
    theirs, ours = viewer.get("/orders"), viewer.get("/billing/v2/conversation/none")
    assert (theirs.status_code, theirs.content) == (418, b"the host's own words")
    assert (ours.status_code, ours["Content-Type"]) == (404, "application/problem+json")
    host()
    theirs = viewer.get("/orders")
    assert (theirs.status_code, theirs["Content-Type"]) == (404, "application/json")


def test_a_host_s_throttles_hold_here_too(acme: Organization, host: Callable[..., None]) -> None:
    host(DEFAULT_THROTTLE_CLASSES=[f"{hosts.__name__}.NobodyMay"])
    for answer in (robot(acme).get("/api/costs/daily"), robot(acme).post("/api/costs/usage")):
        assert (answer.status_code, answer["Retry-After"]) == (429, "7")
        assert answer["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("has_sessions", [True, False])
def test_people_are_known_as_the_host_knows_them(
    has_sessions: bool, acme: Organization, host: Callable[..., None], settings: Any
) -> None:
    session = person("ada", roles={acme: "manager"})
    host(DEFAULT_AUTHENTICATION_CLASSES=[f"{hosts.__name__}.OwnToken"], UNAUTHENTICATED_USER=None)
    if not has_sessions:
        settings.MIDDLEWARE = []
    token = Client(headers={"Authorization": "Token ada"}, enforce_csrf_checks=True)
    assert token.get("/api/costs/me").json()["user"] == "ada"
    assert token.get("/api/costs/daily").json()["total_calls"] == 1
    event = {"model": "test-model", "input_tokens": 1}
    assert token.post("/api/costs/usage", event, content_type="application/json").status_code == 202
    assert program(token_of(acme)).get("/api/costs/daily").json()["total_calls"] == 2
    for nobody in (session, Client(), Client(headers={"Authorization": "Token nobody"})):
        for path_ in ("me", "daily", "usage?format=csv"):
            answer = nobody.get(f"/api/costs/{path_}")
            assert (answer.status_code, answer["Content-Type"]) == (401, "application/problem+json")
            assert answer["WWW-Authenticate"] == 'Bearer realm="costtrack", Token'
    unknown = Client(headers={"Authorization": "Bearer ctk_abc"}).get("/api/costs/me")
    assert (unknown.status_code, unknown.json()["title"]) == (401, "Unauthorized")


def test_without_any_authentication_of_the_host_s_keys_are_known(acme: Organization, host: Callable[..., None]) -> None:
    session = person("ada", roles={acme: "viewer"})
    host(DEFAULT_AUTHENTICATION_CLASSES=[])
    assert robot(acme).get("/api/costs/daily").status_code == 200
    answer = session.get("/api/costs/daily")
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, 'Bearer realm="costtrack"')


@pytest.mark.parametrize(("name", "known"), [(None, []), ("fmt", ["fmt"])])
def test_the_format_is_asked_for_as_the_host_has_it(
    name: str | None, known: list[str], acme: Organization, host: Callable[..., None]
) -> None:
    host(URL_FORMAT_OVERRIDE=name)
    client = robot(acme)
    refused = client.get("/api/costs/organizations?format=csv")
    assert (refused.status_code, refused.json()["parameter"]) == (400, "format")
    for one in known:
        assert client.get(f"/api/costs/organizations?{one}=csv")["Content-Type"].startswith("text/csv")
    told: Any = client.get("/api/costs/organizations", headers={"Accept": "text/csv"})
    assert told.getvalue().startswith(b"organization,name,")


@pytest.mark.django_db(transaction=True)
def test_where_each_request_is_a_transaction_answers_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    make_rate()
    acme = make_organization()
    make_budget(acme, "1")
    clients = callers(acme)
    before = answers(clients, "/api/costs/")
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    assert answers(clients, "/api/costs/") == before
    event = {"provider": "openai", "model": "test-model", "input_tokens": 1, "max_output_tokens": 1}
    held = clients["manager"].post("/api/costs/reserve", event, content_type="application/json")
    assert (held.status_code, Hold.objects.count(), ResourceUsage.objects.count()) == (201, 1, 1)
