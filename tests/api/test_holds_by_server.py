"""Reservations over REST as a server makes them: budgets known from before, holds in the database or in Redis."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.test import Client

from costtrack.budgets.backends.redis_connections import forget_redis
from costtrack.budgets.redis_holds import holds_in_redis
from costtrack.metering import spool
from costtrack.models import Budget, Hold, ResourceUsage
from tests.api.callers import ROOT, robot
from tests.budgets.admitting import counted
from tests.budgets.asked import make_budget
from tests.budgets.redis_scene import OwnRedis, assert_books_agree
from tests.factories import make_organization, make_rate

pytestmark = pytest.mark.django_db(transaction=True)

CALL: dict[str, Any] = {"provider": "openai", "model": "test-model", "input_tokens": 1000, "max_output_tokens": 1000}
"""1000 x 3 + 1000 x 15 = 18000 per million: 0.018 USD."""
USED = {"input_tokens": 1000, "output_tokens": 100}
"""0.0045 USD."""
CALL_NAMES = {name: CALL[name] for name in ("provider", "model")}
"""A hold that Redis granted does not remember these any more once it is settled."""


@pytest.fixture(params=["database", "redis"])
def server(request: pytest.FixtureRequest, settings: Any, tmp_path: Any) -> Iterator[OwnRedis | None]:
    """The Redis that admits, if one does; usage of this process goes through the spool."""
    common = {"TRANSPORT": "spool", "SPOOL_DIR": tmp_path / "spool"}
    with time_machine.travel(datetime.now(UTC), tick=True):  # the servers have one clock
        if request.param == "database":
            settings.COSTTRACK = common
            yield None
        else:
            with OwnRedis() as own:
                ours = {"BUDGET_BACKEND": "redis", "REDIS_URL": own.url, "REDIS_TIMEOUT_MS": 2000}
                settings.COSTTRACK = {**common, **ours}
                yield own
                forget_redis()
        spool.stop(5.0)


@pytest.fixture
def budget(server: OwnRedis | None) -> Budget:
    make_rate()
    return make_budget(make_organization(), "10", period="total")


@pytest.fixture
def client(budget: Budget) -> Client:
    return robot(budget.organization)


def post(client: Client, path: str, body: Any, *, status: int = 200) -> Any:
    answer = client.post(ROOT + path, body, content_type="application/json")
    assert answer.status_code == status, answer.content
    return answer.json()


def test_a_hold_is_found_and_settled_by_another_request(
    server: OwnRedis | None, budget: Budget, client: Client
) -> None:
    hold_id = post(client, "reserve", CALL, status=201)["id"]
    assert Hold.objects.exists() is (server is None)
    assert len(holds_in_redis(budget.organization_id, using="default")) == (0 if server is None else 1)
    settled = post(client, f"holds/{hold_id}/settle", USED)
    assert (settled["status"], settled["cost_usd"]) == ("accepted", "0.0045")
    assert Hold.objects.get().state == "settled"
    assert counted(budget)[:2] == (Decimal("0.0045"), 0)
    assert ResourceUsage.objects.get().model == "test-model"
    assert holds_in_redis(budget.organization_id, using="default") == []
    assert post(client, f"holds/{hold_id}/settle", {**USED, **CALL_NAMES})["status"] == "duplicate"
    if server is not None:
        assert_books_agree(server)


def test_a_hold_is_renewed_and_released(server: OwnRedis | None, budget: Budget, client: Client) -> None:
    held = post(client, "reserve", {**CALL, "ttl_seconds": 60}, status=201)
    renewed = post(client, f"holds/{held['id']}/renew", {"ttl_seconds": 7200})
    assert renewed["expires_at"] > held["expires_at"]
    for _ in range(2):
        assert post(client, f"holds/{held['id']}/release", {})["state"] == "released"
    assert Hold.objects.get().state == "released"
    assert counted(budget)[:2] == (0, 0)
    post(client, f"holds/{held['id']}/renew", {}, status=409)
    if server is not None:
        assert_books_agree(server)


def test_an_idempotency_key_finds_its_hold_again(server: OwnRedis | None, budget: Budget, client: Client) -> None:
    first = post(client, "reserve", {**CALL, "idempotency_key": "job"}, status=201)
    again = post(client, "reserve", {**CALL, "idempotency_key": "job"}, status=200)
    post(client, "reserve", {**CALL, "max_cost_usd": "0.5", "idempotency_key": "job"}, status=409)
    assert again["id"] == first["id"]
    live = Hold.objects.count() if server is None else len(holds_in_redis(budget.organization_id, using="default"))
    assert live == 1


def test_az_01_a_foreign_hold_is_unknown(server: OwnRedis | None, budget: Budget, client: Client) -> None:
    hold_id = post(client, "reserve", CALL, status=201)["id"]
    stranger = robot(make_organization("globex"))
    for action in ("settle", "release", "renew"):
        post(stranger, f"holds/{hold_id}/{action}", {}, status=404)
    assert post(client, f"holds/{hold_id}/release", {})["state"] == "released"


def test_in_43_an_expired_hold_is_settled_all_the_same(server: OwnRedis | None, budget: Budget, client: Client) -> None:
    hold_id = post(client, "reserve", {**CALL, "ttl_seconds": 1}, status=201)["id"]
    time.sleep(1.2)
    assert post(client, f"holds/{hold_id}/settle", USED)["status"] == "accepted"
    assert counted(budget)[:2] == (Decimal("0.0045"), 0)
    if server is not None:
        assert_books_agree(server)


def test_a_refusal_comes_at_once_and_is_a_402(server: OwnRedis | None, budget: Budget, client: Client) -> None:
    problem = post(client, "reserve", {**CALL, "max_cost_usd": "10.01"}, status=402)
    assert (problem["type"], problem["needed"], problem["limit"]) == ("urn:costtrack:budget-exceeded", "10.01", "10")
