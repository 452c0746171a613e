"""A budget that is made, changed or deleted over REST holds for calls over REST, as a server makes them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from costtrack.budgets.known import FRESH_SECONDS
from costtrack.metering import spool
from costtrack.models import Organization
from tests.api.callers import ROOT, person, robot
from tests.factories import make_organization, make_rate

pytestmark = pytest.mark.django_db(transaction=True)

CALL: dict[str, Any] = {"provider": "openai", "model": "test-model", "input_tokens": 1000, "max_output_tokens": 200}
"""At most 1000 x 3 + 200 x 15 = 6000 per million: 0.006 USD."""
DAY = {"name": "A day", "period": "day", "enforcement": "hard"}


@pytest.fixture
def acme(settings: Any, tmp_path: Any) -> Iterator[Organization]:
    """As a server has it: which budgets there are is known from before, and not read for each call."""
    settings.COSTTRACK = {"TRANSPORT": "spool", "SPOOL_DIR": tmp_path / "spool"}
    make_rate()
    yield make_organization()
    spool.stop(5.0)


def sent(client: Client, method: str, path: str, body: Any = None) -> Any:
    return getattr(client, method)(ROOT + path, body, content_type="application/json")


def seconds_until(client: Client, status: int) -> float:
    """How long it takes until `reserve` answers so."""
    began = time.monotonic()
    while (answer := sent(client, "post", "reserve", CALL)).status_code != status:
        assert time.monotonic() - began < 10, answer.content
        time.sleep(0.05)
    return time.monotonic() - began


def test_a_new_budget_refuses_the_next_call_within_two_seconds_and_a_raised_limit_admits_it_at_once(
    acme: Organization,
) -> None:
    manager, robots = person(roles={acme: "manager"}), robot(acme)
    assert sent(robots, "post", "reserve", CALL).json()["id"] is None  # the list is read: there is no budget

    made = sent(manager, "post", "budgets", {**DAY, "limit": "0.005"})
    assert made.status_code == 201
    assert seconds_until(robots, 402) <= FRESH_SECONDS
    problem = sent(robots, "post", "reserve", CALL).json()
    assert [problem[name] for name in ("budget", "limit", "spent", "needed")] == ["A day", "0.005", "0", "0.006"]

    path = f"budgets/{made.json()['id']}"
    assert sent(manager, "patch", path, {"limit": "0.006"}).status_code == 200
    held = sent(robots, "post", "reserve", CALL)
    assert held.status_code == 201
    (line,) = manager.get(f"{ROOT}{path}/status").json()["results"]
    assert (line["held"], line["remaining"], line["state"]) == ("0.006", "0", "near")

    assert sent(manager, "patch", path, {"limit": "0"}).status_code == 200
    assert sent(robots, "post", "reserve", CALL).status_code == 402
    assert sent(robots, "post", f"holds/{held.json()['id']}/release", {}).status_code == 200

    assert sent(manager, "delete", path).status_code == 204
    assert seconds_until(robots, 201) <= FRESH_SECONDS
    assert sent(robots, "post", "reserve", CALL).json()["id"] is None


def test_a_budget_of_what_a_project_has_spent_before_it_was_there(acme: Organization) -> None:
    manager, robots = person(roles={acme: "manager"}), robot(acme)
    used = {**CALL, "project": "website", "output_tokens": 100}
    del used["max_output_tokens"]
    assert sent(robots, "post", "usage", used).status_code == 202  # 1000 x 3 + 100 x 15: 0.0045 USD
    made = sent(manager, "post", "budgets", {**DAY, "limit": "0.01", "project": "website"}).json()
    (line,) = manager.get(f"{ROOT}budgets/{made['id']}/status").json()["results"]
    assert (line["spent"], line["remaining"]) == ("0.0045", "0.0055")
    began = time.monotonic()
    call = {**CALL, "project": "website"}
    while (answer := sent(robots, "post", "reserve", call)).status_code != 402:
        assert time.monotonic() - began <= FRESH_SECONDS, answer.content
        time.sleep(0.05)
    assert answer.json()["spent"] == "0.0045"
