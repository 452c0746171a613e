"""Admission with the spool: no query where no hard budget matches, and no hold in the caller's transaction."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction

from costtrack.budgets.known import known_budgets
from costtrack.exceptions import BudgetExceeded
from costtrack.metering import spool
from costtrack.metering.context import attribute
from costtrack.metering.decorator import track_api_call
from costtrack.metering.meter import meter
from costtrack.metering.record import record_usage
from costtrack.models import Hold, Organization, Project, ResourceUsage
from tests.factories import make_organization, make_rate
from tests.metering.budgeted import make_budget, spent_and_held, states
from tests.metering.responses import chat_completion

pytestmark = pytest.mark.django_db(transaction=True)

CALL: dict[str, Any] = {"organization": "acme", "provider": "openai", "model": "test-model"}
WORST = {"input_tokens": 1000, "max_output_tokens": 1000}
"""0.018 USD."""


@pytest.fixture
def acme(settings: Any) -> Organization:
    """Metered by the spool."""
    settings.COSTTRACK = {"TRANSPORT": "spool"}
    make_rate()
    return make_organization()


@track_api_call("tracked", provider="openai", max_output_tokens=1000)
def answer(prompt: str, model: str = "test-model") -> dict[str, Any]:
    return chat_completion()


def metered() -> None:
    with meter("chat", **CALL, **WORST) as call:
        call.set_usage(input_tokens=1000, output_tokens=100)  # 0.0045


def recorded() -> None:
    record_usage(**CALL, input_tokens=1000, output_tokens=100)


def tracked() -> None:
    with attribute(organization="acme"):
        answer("x" * 100)


def none(acme: Organization) -> None:
    """No budget at all."""


def soft(acme: Organization) -> None:
    make_budget(acme, "0", enforcement="soft")
    make_budget(acme, "0", enforcement="soft", per="project")


def of_others(acme: Organization) -> None:
    """Hard ones that no call of these tests is in."""
    make_budget(make_organization("globex"), "0")
    project = Project.objects.create(organization=acme, slug="other")
    for scope in (
        {"project": project},
        {"endpoint": "other"},
        {"model": "other"},
        {"provider": "anthropic"},
        {"resource_type": "gpu_seconds"},
        {"thread_id": "t1"},
    ):
        make_budget(acme, "0", **scope)
    for per in ("thread", "customer", "entity", "project", "agent"):
        make_budget(acme, "0", per=per)


@pytest.mark.parametrize("call", [metered, recorded, tracked])
@pytest.mark.parametrize("budgets", [none, soft, of_others])
def test_without_a_hard_budget_that_matches_the_caller_makes_no_query(
    budgets: Callable[[Organization], None],
    call: Callable[[], None],
    acme: Organization,
    django_assert_num_queries: Any,
) -> None:
    budgets(acme)
    with django_assert_num_queries(0):
        call()  # the first one starts the spool, and reads the list of budgets on a thread of its own
        call()
    assert Hold.objects.count() == 0


def test_a_call_of_another_project_makes_none_either(acme: Organization, django_assert_num_queries: Any) -> None:
    make_budget(acme, "0", project=Project.objects.create(organization=acme, slug="other"))
    with django_assert_num_queries(0), meter("chat", **CALL, **WORST, project="mine", agent="a"):
        pass


def test_the_hold_of_a_call_is_settled_by_its_event(acme: Organization) -> None:
    budget = make_budget(acme)
    with meter("chat", **CALL, **WORST) as call:
        assert spent_and_held(budget) == (0, Decimal("0.018"))
        call.observe(chat_completion())
    assert spool.flush()
    assert (spent_and_held(budget), states()) == ((Decimal("0.0045"), 0), ["settled"])


def test_a_call_that_is_refused_only_because_of_what_is_spooled_waits_for_that(acme: Organization) -> None:
    budget = make_budget(acme, "0.02")
    for _ in range(3):  # each holds 0.018 and uses 0.00003: one after the other they fit
        with meter("chat", **CALL, **WORST) as call:
            call.set_usage(input_tokens=10, output_tokens=0)
    assert spool.flush()
    assert spent_and_held(budget) == (Decimal("0.00009"), 0)


def test_a_call_that_records_nothing_releases_its_hold(acme: Organization) -> None:
    budget = make_budget(acme)

    @track_api_call("outer", max_output_tokens=1000, **{name: CALL[name] for name in ("organization", "provider")})
    def outer(prompt: str, model: str) -> str:
        metered()
        return "done"

    outer("x" * 4000, model="test-model")
    assert spool.flush()
    assert sorted(states()) == ["released", "settled"]
    assert spent_and_held(budget) == (Decimal("0.0045"), 0)


def test_a_transaction_that_is_rolled_back_keeps_neither_the_hold_nor_the_others_waiting(acme: Organization) -> None:
    if connection.vendor == "sqlite":
        return rolled_back_on_sqlite(acme)
    budget = make_budget(acme)
    others: list[float] = []

    def other_caller() -> None:
        began = time.monotonic()
        metered()
        others.append(time.monotonic() - began)
        connection.close()

    with transaction.atomic():
        make_organization("undone")
        with meter("chat", **CALL, **WORST) as call:
            call.set_usage(input_tokens=1000, output_tokens=100)
            thread = threading.Thread(target=other_caller)
            thread.start()
            thread.join(5)
            assert not thread.is_alive()
        transaction.set_rollback(True)
    assert not Organization.objects.filter(slug="undone").exists()
    assert spool.flush()
    assert states() == ["settled", "settled"]
    assert others[0] < 1  # the lock timeout is 0.25 s
    assert spent_and_held(budget) == (Decimal("0.009"), 0)
    assert ResourceUsage.objects.count() == 2


def rolled_back_on_sqlite(acme: Organization) -> None:
    """SQLite has one writer, so the hold is the transaction's; the usage is spooled all the same."""
    budget = make_budget(acme)
    with transaction.atomic():
        metered()
        assert states() == ["held"]
        transaction.set_rollback(True)
    assert spool.flush()
    assert (states(), spent_and_held(budget)) == ([], (Decimal("0.0045"), 0))


def test_a_refusal_in_a_callers_transaction_leaves_that_usable(acme: Organization) -> None:
    make_budget(acme, "0.001")
    with transaction.atomic():
        with pytest.raises(BudgetExceeded):
            metered()
        make_organization("after")
    assert Organization.objects.filter(slug="after").exists()


def test_the_ids_of_owners_are_asked_for_once(acme: Organization, django_assert_num_queries: Any) -> None:
    make_budget(acme, per="agent")
    call = {**CALL, **WORST, "project": "p", "agent": "a"}
    with meter("chat", **call):
        pass
    assert spool.flush()
    with django_assert_num_queries(1 if connection.vendor == "postgresql" else 9), meter("chat", **call):
        pass


def test_a_new_budget_is_known_to_a_call_within_two_seconds(acme: Organization) -> None:
    metered()
    make_budget(acme, "0")
    assert known_budgets("default").by_slug == {}
    began = time.monotonic()
    while time.monotonic() < began + 2:
        try:
            metered()
        except BudgetExceeded:
            return
        time.sleep(0.02)
    raise AssertionError("The call is still admitted.")
