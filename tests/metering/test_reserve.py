"""reserve(): a job's worst case is held before it runs; settled by what it used, once, whatever happens in between."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from asgiref.sync import async_to_sync

import costtrack
from costtrack import (
    BudgetExceeded,
    HoldEnded,
    HoldTooSmall,
    IdempotencyConflict,
    InvalidUsage,
    UnknownWorstCase,
    reserve,
)
from costtrack.budgets.holds import sweep_expired
from costtrack.metering import spool
from costtrack.metering.context import attribute
from costtrack.metering.meter import meter
from costtrack.metering.reservation import Reservation
from costtrack.metering.spool.dead_letters import DeadLetters
from costtrack.metering.spool.directory import spool_directory
from costtrack.models import Hold, Organization, Rate, ResourceUsage
from costtrack.pricing.ratebook import forget_rates
from costtrack.testing import capture_usage
from tests.factories import make_organization, make_rate
from tests.metering.budgeted import make_budget, spent_and_held, states
from tests.metering.responses import chat_completion


@pytest.fixture
def acme(db: None) -> Organization:
    """With a second of a GPU at 0.0005 USD, and test-model at 3 and 15 USD per million tokens."""
    Rate.objects.create(model="*", resource_type="gpu_seconds", unit_price_usd=Decimal("0.0005"))
    make_rate()
    forget_rates()
    return make_organization()


JOB: dict[str, Any] = {"organization": "acme", "resource_type": "gpu_seconds", "entity": ("job", "42")}
CALL: dict[str, Any] = {"organization": "acme", "provider": "openai", "model": "test-model"}


def expire(hold_id: UUID) -> None:
    Hold.objects.filter(id=hold_id).update(expires_at=datetime.now(UTC) - timedelta(seconds=1))


def test_a_gpu_job_is_held_before_it_runs_and_settled_afterwards(acme: Organization) -> None:
    dollars = make_budget(acme, "2")
    seconds = make_budget(acme, "5000", metric="amount", resource_type="gpu_seconds", per="entity")
    with reserve(amount=3600, **JOB) as hold:
        assert spent_and_held(dollars) == (0, Decimal("1.8"))  # 3600 x 0.0005
        assert spent_and_held(seconds, "job\x1f42") == (0, 3600)
        with pytest.raises(BudgetExceeded) as refused, reserve(amount=3600, **JOB):
            pass
        recorded = hold.settle(amount=2710)
    assert (refused.value.needed, refused.value.held, refused.value.limit) == (3600, 3600, 5000)
    assert recorded.cost_usd == Decimal("1.355")  # 2710 x 0.0005
    assert spent_and_held(dollars) == (Decimal("1.355"), 0)
    assert spent_and_held(seconds, "job\x1f42") == (2710, 0)
    row = ResourceUsage.objects.get()
    assert (row.amount, row.entity_type, row.entity_id, row.resource_type) == (2710, "job", "42", "gpu_seconds")
    assert (states(), Hold.objects.get().is_overrun, hold.id) == (["settled"], False, Hold.objects.get().id)


def test_an_llm_call_is_held_by_its_tokens_and_settled_by_its_figures(acme: Organization) -> None:
    budget = make_budget(acme)
    with reserve("summarize", input_tokens=1000, max_output_tokens=1000, metadata={"a": 1}, **CALL) as hold:
        assert spent_and_held(budget)[1] == Decimal("0.018")  # 1000 x 3 + 1000 x 15
        hold.settle(input_tokens=1000, output_tokens=100, latency_ms=7, metadata={"b": 2})
    row = ResourceUsage.objects.get()
    assert (row.cost_usd, row.endpoint, row.latency_ms) == (Decimal("0.0045"), "summarize", 7)
    assert row.metadata == {"a": 1, "b": 2}
    assert row.occurred_at == Hold.objects.get().admitted_at
    assert spent_and_held(budget) == (Decimal("0.0045"), 0)


def test_the_input_may_be_given_to_be_counted(acme: Organization) -> None:
    budget = make_budget(acme, "100", metric="tokens")
    with reserve(input="x" * 41, max_output_tokens=5, **CALL) as hold:
        assert spent_and_held(budget)[1] == 16  # 41 / 4 = 11, and 5
        hold.release()


def test_a_job_without_a_rate_may_say_what_it_costs_at_most(acme: Organization) -> None:
    budget = make_budget(acme)
    render = {"organization": "acme", "resource_type": "render", "amount": 1}
    with pytest.raises(UnknownWorstCase), reserve(**render):
        pass
    with reserve(**render, max_cost_usd="0.75") as hold:
        assert spent_and_held(budget)[1] == Decimal("0.75")
        hold.settle(amount=1, cost_usd="0.5")
    assert spent_and_held(budget) == (Decimal("0.5"), 0)


def test_a_job_of_unknown_size_is_refused(acme: Organization) -> None:
    make_budget(acme)
    with pytest.raises(UnknownWorstCase, match="how many gpu_seconds it may use is not known"), reserve(**JOB):
        pass


def test_an_exception_releases_the_hold_and_goes_on(acme: Organization) -> None:
    budget = make_budget(acme)
    with pytest.raises(ZeroDivisionError), reserve(amount=10, **JOB):
        raise ZeroDivisionError
    assert (spent_and_held(budget), states(), ResourceUsage.objects.count()) == ((0, 0), ["released"], 0)


def test_a_job_that_fails_after_it_used_something_settles_that(acme: Organization) -> None:
    budget = make_budget(acme)

    def fail(hold: Reservation) -> None:
        hold.settle(amount=4, error="out of memory")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), reserve(amount=10, **JOB) as hold:
        fail(hold)
    assert spent_and_held(budget) == (Decimal("0.002"), 0)
    assert (ResourceUsage.objects.get().outcome, states()) == ("error", ["settled"])


def test_a_block_that_settles_nothing_releases_the_hold_and_warns(
    acme: Organization, caplog: pytest.LogCaptureFixture
) -> None:
    budget = make_budget(acme)
    with reserve(amount=10, **JOB) as hold:
        pass
    assert (spent_and_held(budget), states(), ResourceUsage.objects.count()) == ((0, 0), ["released"], 0)
    assert caplog.messages == [
        f"The block of reserve(...) {hold.id} was left without hold.settle(...): what it used is not recorded."
    ]


def test_released_on_purpose_it_does_not_warn(acme: Organization, caplog: pytest.LogCaptureFixture) -> None:
    make_budget(acme)
    with reserve(amount=10, **JOB) as hold:
        assert hold.release()
        assert not hold.release()
    assert (caplog.messages, states()) == ([], ["released"])


def test_settled_twice_with_the_same_figures_it_is_one_charge(acme: Organization) -> None:
    budget = make_budget(acme)
    with reserve(amount=10, **JOB) as hold:
        first = hold.settle(amount=4)
        with attribute(thread_id="somewhere else"):
            again = hold.settle(amount=4)
    assert (again.status, again.usage_id) == ("duplicate", first.usage_id)
    assert spent_and_held(budget) == (Decimal("0.002"), 0)


def test_settled_twice_with_other_figures_it_is_a_conflict_and_spend_does_not_drop(acme: Organization) -> None:
    budget = make_budget(acme)
    with reserve(amount=10, **JOB) as hold:
        hold.settle(amount=4)
        with pytest.raises(IdempotencyConflict):
            hold.settle(amount=1)
    assert spent_and_held(budget) == (Decimal("0.002"), 0)


def test_more_than_was_held_counts_and_is_flagged(acme: Organization) -> None:
    budget = make_budget(acme, "0.005")
    with reserve(amount=10, **JOB) as hold:
        hold.settle(amount=20)
    assert spent_and_held(budget) == (Decimal("0.01"), 0)  # past the limit of 0.005: a fact
    assert Hold.objects.get().is_overrun


def test_nothing_used_is_recorded_as_nothing(acme: Organization) -> None:
    budget = make_budget(acme)
    with reserve(amount=10, **JOB) as hold:
        assert hold.settle(amount=0).cost_usd == 0
    assert (spent_and_held(budget), states()) == ((0, 0), ["settled"])


def test_less_than_nothing_is_refused_and_the_hold_released(acme: Organization) -> None:
    budget = make_budget(acme)
    with pytest.raises(InvalidUsage, match=r"^amount"), reserve(amount=10, **JOB) as hold:
        hold.settle(amount=-1)
    assert (spent_and_held(budget), states(), ResourceUsage.objects.count()) == ((0, 0), ["released"], 0)


@pytest.mark.parametrize("name", ["success", "is_estimated"])
def test_a_flag_that_is_none_settles_nothing(acme: Organization, name: str) -> None:
    make_budget(acme)
    with pytest.raises(InvalidUsage, match=f"^{name}: got 'no', expected True"), reserve(amount=10, **JOB) as hold:
        hold.settle(amount=4, **{name: "no"})  # type: ignore[arg-type]
    assert (states(), ResourceUsage.objects.count()) == (["released"], 0)


def test_the_reserved_amount_is_not_taken_for_the_used_one(acme: Organization) -> None:
    make_budget(acme)
    with pytest.raises(InvalidUsage, match="how many gpu_seconds were used"), reserve(amount=10, **JOB) as hold:
        hold.settle()


def test_a_figure_that_nobody_knows_is_refused_by_name(acme: Organization) -> None:
    with pytest.raises(TypeError, match="unexpected argument 'seconds'"), reserve(amount=10, **JOB) as hold:
        hold.settle(seconds=4)  # type: ignore[call-arg]


def test_settled_after_it_expired_it_counts_all_the_same(acme: Organization) -> None:
    budget = make_budget(acme)
    with reserve(amount=10, **JOB) as hold:
        assert hold.id is not None
        expire(hold.id)
        assert sweep_expired(using="default") == 1
        assert (states(), spent_and_held(budget)) == (["expired"], (0, 0))
        hold.settle(amount=4)
    assert (states(), spent_and_held(budget)) == (["settled"], (Decimal("0.002"), 0))


def test_settled_after_its_usage_was_voided_it_is_the_same_charge(acme: Organization) -> None:
    budget = make_budget(acme)
    with reserve(amount=10, **JOB) as hold:
        recorded = hold.settle(amount=4)
        costtrack.void_usage(recorded, reason="by mistake")
        assert hold.settle(amount=4).status == "duplicate"
    assert spent_and_held(budget) == (0, 0)


def test_the_same_job_asking_for_more_is_told_so_and_its_hold_stands(acme: Organization) -> None:
    budget, job_id = make_budget(acme, "1"), uuid4()
    with reserve(amount=10, hold_id=job_id, **JOB) as first:
        with pytest.raises(HoldTooSmall), reserve(amount=11, hold_id=job_id, **JOB):
            pass
        assert spent_and_held(budget)[1] == Decimal("0.005")
        first.settle(amount=4)
    assert spent_and_held(budget) == (Decimal("0.002"), 0)


def test_renewed_it_lives_longer_and_never_shorter(acme: Organization) -> None:
    make_budget(acme)
    with reserve(amount=10, ttl_seconds=60, **JOB) as hold:
        first = hold.expires_at
        assert first is not None
        assert timedelta(seconds=55) < first - datetime.now(UTC) <= timedelta(seconds=61)
        renewed = hold.renew(ttl_seconds=3600)
        assert renewed is not None
        assert timedelta(seconds=3530) < renewed - first < timedelta(seconds=3600)
        assert hold.renew() == hold.expires_at == renewed
        hold.release()
        with pytest.raises(HoldEnded, match="released"):
            hold.renew()


def test_the_same_job_asking_again_finds_its_hold_and_takes_nothing_twice(acme: Organization) -> None:
    budget, job_id = make_budget(acme, "0.005"), uuid4()
    with reserve(amount=10, hold_id=job_id, **JOB) as first:
        with reserve(amount=10, hold_id=str(job_id), **JOB) as again:
            assert spent_and_held(budget)[1] == Decimal("0.005")
            assert (again.id, again.expires_at) == (first.id, first.expires_at) == (job_id, first.expires_at)
            again.settle(amount=4)
        first.settle(amount=4)
    assert (spent_and_held(budget), ResourceUsage.objects.count()) == ((Decimal("0.002"), 0), 1)
    with pytest.raises(HoldEnded, match="settled"), reserve(amount=10, hold_id=job_id, **JOB):
        pass


def test_without_a_budget_about_it_there_is_no_hold_and_all_else_works(acme: Organization) -> None:
    make_budget(acme, endpoint="other")
    with reserve(amount=10, **JOB) as hold:
        assert (hold.id, hold.expires_at, hold.renew(), hold.release()) == (None, None, None, False)
        hold.settle(amount=4)
        assert hold.settle(amount=4).status == "duplicate"
    assert (ResourceUsage.objects.get().amount, Hold.objects.count()) == (4, 0)


def test_what_tests_capture_is_settled_there(acme: Organization) -> None:
    make_budget(acme, "0")
    with capture_usage() as log, reserve(amount=10, **JOB) as hold:
        hold.settle(amount=4)
    assert [event.amount for event in log] == [4]


def test_usage_is_attributed_as_it_was_reserved(acme: Organization) -> None:
    make_budget(acme)
    with attribute(organization="acme", thread_id="t1"):
        reservation = reserve(resource_type="gpu_seconds", amount=10)
        hold = reservation.__enter__()
    with attribute(thread_id="t2", customer="c2"):
        hold.settle(amount=4)
    row = ResourceUsage.objects.get()
    assert (row.organization, row.thread_id, row.customer) == (acme, "t1", "")


def test_a_response_that_a_meter_around_it_sees_is_charged_once(acme: Organization) -> None:
    with meter("outer", **CALL) as call:
        with reserve(input_tokens=1000, max_output_tokens=1000, **CALL) as hold:
            response = chat_completion()
            hold.settle(input_tokens=1000, output_tokens=100)
        call.observe(response)
    assert ResourceUsage.objects.count() == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [("hold_id", "job-42"), ("hold_id", 7), ("ttl_seconds", 0), ("ttl_seconds", -1), ("ttl_seconds", "60"),
     ("ttl_seconds", True), ("ttl_seconds", float("nan")), ("amount", -1), ("max_cost_usd", -1), ("input_tokens", -1),
     ("writes_cache", "no")],
)  # fmt: skip
def test_wrong_arguments_are_refused_by_name_before_anything_is_asked(name: str, value: object) -> None:
    with pytest.raises(InvalidUsage, match=f"^{name}"):
        reserve(**{name: value})


def test_async_with_holds_and_releases(acme: Organization) -> None:
    budget = make_budget(acme, "0.005")

    async def run() -> None:
        async with reserve(amount=10, **JOB) as hold:
            with pytest.raises(BudgetExceeded):
                async with reserve(amount=10, **JOB):
                    pass
            hold.settle(amount=4)
        with pytest.raises(ZeroDivisionError):
            async with reserve(amount=1, **JOB):
                raise ZeroDivisionError

    async_to_sync(run)()
    assert (spent_and_held(budget), sorted(states())) == ((Decimal("0.002"), 0), ["released", "settled"])


@pytest.mark.django_db(transaction=True)
def test_spooled_a_second_settling_with_other_figures_is_a_dead_letter(acme: Organization, settings: Any) -> None:
    settings.COSTTRACK = {"TRANSPORT": "spool"}
    budget = make_budget(acme)
    with reserve(amount=10, **JOB) as hold:
        hold.settle(amount=4)
        hold.settle(amount=4)
        hold.settle(amount=1)
    assert spool.flush()
    assert (spent_and_held(budget), states()) == ((Decimal("0.002"), 0), ["settled"])
    [(reason, count)] = DeadLetters(spool_directory()).reasons()
    assert (reason.partition(":")[0], count) == ("conflict", 1)
