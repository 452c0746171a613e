"""Schemathesis against the live server: requests of all kinds, each answered as docs/openapi.yaml says."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth import get_user_model
from django.core.handlers.base import BaseHandler
from django.core.servers.basehttp import WSGIRequestHandler
from django.core.signals import got_request_exception
from django.db import connections
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from costtrack import record_plan, usage_run
from costtrack.metering.ledger import record_events
from costtrack.models import BudgetAlert, Membership, Organization
from tests.api.callers import token_of
from tests.api.contract import PATH, contract, documented
from tests.budgets.asked import hold, make_budget
from tests.factories import make_event, make_organization, make_rate

HERE = Path(__file__).parent
SEED = 20261120
NOT_ENUMERATED = """
[[operations]] # thousands of requests, some for each field of an event: left to the slow test
include-operation-id = ["costtrack_send_usage", "costtrack_settle_hold", "costtrack_reserve", "costtrack_record_plan"]
phases.coverage.enabled = false
[[operations]] # they are refused before anything is looked at: left to the run of one who may
include-operation-id-regex = "costtrack_(create|change|delete|end|acknowledge|resolve|reopen|note_on)_"
phases.coverage.enabled = false
"""
NOT_THEIRS = {("get", "/api/costs/health")}
"""What is for superusers alone."""
PASSWORD = "a password for tests"


class Answered:
    """What the server answered, counted by itself."""

    def __init__(self) -> None:
        self.statuses: Counter[tuple[str, str, int]] = Counter()
        """By method, path as documented, and status."""
        self.exceptions: list[str] = []

    def of(self, method: str, path: str) -> dict[int, int]:
        """How often which status was answered."""
        return {status: count for (*place, status), count in self.statuses.items() if place == [method, path]}


@pytest.fixture
def answered(monkeypatch: pytest.MonkeyPatch) -> Iterator[Answered]:
    """Counts from here on, whoever asks."""
    found = Answered()
    real = BaseHandler.get_response

    def counted(self: BaseHandler, request: HttpRequest) -> HttpResponseBase:
        response = real(self, request)
        route = request.resolver_match.route if request.resolver_match else ""
        found.statuses[str(request.method).lower(), f"/{documented(route)}", response.status_code] += 1
        return response

    def told(**_: Any) -> None:
        found.exceptions.append(traceback.format_exc())

    monkeypatch.setattr(BaseHandler, "get_response", counted)
    got_request_exception.connect(told)
    yield found
    got_request_exception.disconnect(told)


@pytest.fixture
def world(db: None) -> dict[str, list[str]]:
    """Two organizations with all that there is; how two who belong to the first one authenticate."""
    make_rate()
    acme = organization_with_all("acme", calls=9, first_uuid=1)
    organization_with_all("globex", calls=30, first_uuid=101)
    return {
        "key": ["--header", f"Authorization: Bearer {token_of(acme)}"],
        "admin": ["--auth", f"admin-of-acme:{PASSWORD}"],
    }


def organization_with_all(slug: str, *, calls: int, first_uuid: int) -> Organization:
    """An organization with an admin, usage, budgets, holds, alerts and rates of its own."""
    organization = make_organization(slug)
    user = get_user_model().objects.create_user(username=f"admin-of-{slug}", password=PASSWORD)
    Membership.objects.create(user=user, organization=organization, role="admin")
    make_budget(organization, "1000", on_unpriced="admit")
    make_budget(organization, "100", period="month", per="thread", enforcement="soft")
    for model in ("mine", "test-model"):
        make_rate(model, organization=organization)
    plan = record_plan("docs", organization=slug, estimated_calls=2)
    with usage_run(plan=plan):
        pass
    now = datetime.now(UTC)
    about = {"organization": slug, "project": "website", "agent": "writer", "entity_type": "job", "endpoint": "chat"}
    events = [
        make_event(
            occurred_at=now - timedelta(days=index),
            attribution={**about, "thread_id": f"t{index % 3}", "entity_id": f"4{index % 3}"},
            model="unheard-of" if index % 4 == 3 else "test-model",
        )
        for index in range(calls)
    ]
    record_events(events)
    for number in range(first_uuid, first_uuid + 4):
        known = UUID(int=number)
        hold("0.1", organization=slug, at=now, hold_id=known, ttl=timedelta(hours=1))
        BudgetAlert.objects.create(
            id=known, organization=organization, kind="anomaly", key=str(known), severity="info", raised_at=now
        )
    return organization


@pytest.fixture
def quick_server(
    live_server: Any, settings: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> str:
    """The live server's address; as quick as it can be, and not a log of every refusal."""
    caplog.set_level(logging.ERROR, logger="django.request")
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    # Without, each answer waits 40 ms for the client to acknowledge its headers.
    monkeypatch.setattr(WSGIRequestHandler, "disable_nagle_algorithm", True)
    monkeypatch.setitem(connections.settings["default"], "CONN_MAX_AGE", None)
    url: str = live_server.url
    return url


@pytest.fixture
def run_schemathesis(quick_server: str, tmp_path: Path) -> Callable[..., None]:
    """Runs it, and fails with what it says."""

    def run(*options: str, config: str = "") -> None:
        file = tmp_path / "schemathesis.toml"
        file.write_text((HERE / "schemathesis.toml").read_text() + config)
        command = [str(Path(sys.executable).with_name("st")), "--config-file", str(file), "--no-color", "run"]
        ran = subprocess.run(
            [
                *command,
                str(PATH),
                "--url",
                quick_server,
                "--checks",
                "all",
                "--seed",
                str(SEED),
                "--workers",
                "2",
                *options,
            ],
            cwd=HERE.parent.parent,
            env={**os.environ, "PYTHONPATH": str(HERE.parent.parent)},
            capture_output=True,
            text=True,
            check=False,
        )
        print(ran.stdout)  # with the seed
        if ran.returncode:
            pytest.fail(f"This is not as docs/openapi.yaml says:\n{ran.stdout}\n{ran.stderr}", pytrace=False)

    return run


WRITES = ("--include-path-regex", "/(budgets|rates|alerts)", "--exclude-method", "GET")
"""What a key may not do."""


def check_that_all_was_tried(answered: Answered, *, least: int) -> None:
    assert answered.exceptions == []
    operations = [(method, path) for path, methods in contract()["paths"].items() for method in methods]
    tried = {place: answered.of(*place) for place in operations}
    for place, statuses in sorted(tried.items()):
        print(place, statuses)
    assert not [place for place, statuses in tried.items() if not statuses], "nobody asked for these"
    unanswered = [place for place, statuses in tried.items() if not any(200 <= one < 300 for one in statuses)]
    assert set(unanswered) == NOT_THEIRS, "these were never answered with success"
    assert sum(sum(statuses.values()) for statuses in tried.values()) >= least


@pytest.mark.django_db(transaction=True, reset_sequences=True)
def test_a_thousand_requests_are_answered_as_the_contract_says(
    run_schemathesis: Callable[..., None], answered: Answered, world: dict[str, list[str]]
) -> None:
    run_schemathesis(*world["key"], "--max-examples", "10", config=NOT_ENUMERATED)
    run_schemathesis(*world["admin"], *WRITES, "--max-examples", "10")
    check_that_all_was_tried(answered, least=1000)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True, reset_sequences=True)
def test_ten_thousand_requests_are_answered_as_the_contract_says(
    run_schemathesis: Callable[..., None], answered: Answered, world: dict[str, list[str]]
) -> None:
    for who in world.values():
        run_schemathesis(*who, "--max-examples", "100")
    check_that_all_was_tried(answered, least=10_000)
