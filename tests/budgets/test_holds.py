"""Holds after they were granted: released, renewed, swept; by the database's clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError, transaction

from costtrack.budgets.holds import held_by_counter, release, renew, sweep_expired
from costtrack.metering.ledger import record_events
from costtrack.models import BudgetCounter, Hold, Organization
from tests.budgets.asked import figures, hold, make_budget
from tests.factories import make_event

LONG_AGO = timedelta(days=-400)  # whatever the clocks of the test and of the database say


def taken(cost: str = "0.3", ttl: timedelta = timedelta(days=400)) -> UUID:
    granted = hold(cost, ttl=ttl)
    assert granted is not None
    assert granted.hold_id is not None
    return granted.hold_id


def test_release_gives_back_once(acme: Organization) -> None:
    budget = make_budget(acme)
    first = taken()
    taken("0.2")
    assert release(first, using="default")
    assert not release(first, using="default")
    assert not release(uuid4(), using="default")
    assert figures(budget) == (Decimal(0), Decimal("0.2"))
    assert Hold.objects.get(id=first).state == "released"


def test_a_sweep_ends_what_has_expired_and_nothing_else(acme: Organization) -> None:
    budget = make_budget(acme)
    expired, live = taken(ttl=LONG_AGO), taken("0.2")
    assert sweep_expired(using="default") == 1
    assert sweep_expired(using="default") == 0
    assert figures(budget) == (Decimal(0), Decimal("0.2"))
    assert [Hold.objects.get(id=one).state for one in (expired, live)] == ["expired", "held"]


def test_usage_that_comes_after_the_sweep_still_counts(acme: Organization) -> None:
    budget = make_budget(acme)
    expired = taken(ttl=LONG_AGO)
    sweep_expired(using="default")
    taken("0.2")
    record_events([make_event(hold_id=expired.hex)])
    assert figures(budget) == (Decimal("0.0045"), Decimal("0.2"))
    assert Hold.objects.get(id=expired).state == "settled"


def test_usage_after_a_release_still_counts(acme: Organization) -> None:
    budget = make_budget(acme)
    released = taken()
    release(released, using="default")
    record_events([make_event(hold_id=released.hex)])
    assert figures(budget) == (Decimal("0.0045"), Decimal(0))


def test_a_budget_may_keep_what_nobody_settled(acme: Organization) -> None:
    charging, other = make_budget(acme, on_expiry="charge"), make_budget(acme, period="month")
    expired = taken(ttl=LONG_AGO)
    sweep_expired(using="default")
    assert figures(charging) == (Decimal(0), Decimal("0.3"))
    assert figures(other) == (Decimal(0), Decimal(0))
    assert Hold.objects.get(id=expired).state == "charged"
    record_events([make_event(hold_id=expired.hex)])  # it was made after all
    assert figures(charging) == figures(other) == (Decimal("0.0045"), Decimal(0))


def test_a_renewed_hold_outlives_its_first_end(acme: Organization) -> None:
    budget = make_budget(acme)
    job = taken(ttl=LONG_AGO)
    assert renew(job, timedelta(days=400), using="default") is not None
    assert sweep_expired(using="default") == 0
    assert figures(budget) == (Decimal(0), Decimal("0.3"))


def test_renewing_never_shortens_and_finds_only_what_is_held(acme: Organization) -> None:
    make_budget(acme)
    job = taken(ttl=timedelta(days=400))
    before = Hold.objects.get(id=job).expires_at
    assert renew(job, timedelta(seconds=1), using="default") == before
    release(job, using="default")
    assert renew(job, timedelta(seconds=1), using="default") is None
    assert renew(uuid4(), timedelta(seconds=1), using="default") is None


def test_a_sweep_of_one_organization_leaves_the_others(acme: Organization) -> None:
    make_budget(acme)
    taken(ttl=LONG_AGO)
    other = Organization.objects.create(slug="globex")
    assert sweep_expired(using="default", organization_id=other.id) == 0
    assert sweep_expired(using="default", organization_id=acme.id) == 1


def test_many_are_swept_in_short_transactions(acme: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("costtrack.budgets.holds.SWEEP_BATCH", 2)
    budget = make_budget(acme)
    for _ in range(5):
        # Not by `hold`, which sweeps before it refuses; each holds 0.3 of 1.
        counter = BudgetCounter.objects.filter(budget=budget).first()
        if counter is None:
            taken("0.3", LONG_AGO)
            counter = BudgetCounter.objects.get(budget=budget)
        else:
            now = datetime.now(UTC)
            Hold.objects.create(
                id=uuid4(), organization=acme, parts=[[counter.id, "0.3"]], admitted_at=now, expires_at=now + LONG_AGO
            )
            BudgetCounter.objects.update(held=counter.held + Decimal("0.3"))
    assert held_by_counter(using="default") == {counter.id: Decimal("1.5")}  # 5 x 0.3
    assert sweep_expired(using="default") == 5
    assert figures(budget) == (Decimal(0), Decimal(0))


def test_the_database_refuses_to_hold_less_than_nothing(acme: Organization) -> None:
    make_budget(acme)
    taken()
    with pytest.raises(IntegrityError, match="figures_gte_0"), transaction.atomic():
        BudgetCounter.objects.update(held=Decimal(-1))
