"""How budgets stand: figures worked by hand, who is asked about whom, and what is missing is never taken for 0."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine

import costtrack
from costtrack import attribute, budget_status
from costtrack.budgets.changes import change_budget
from costtrack.domain.budget_forecast import RUN_RATE
from costtrack.domain.events import Attribution
from costtrack.exceptions import InvalidUsage, UnknownOrganization
from costtrack.metering.ledger import record_events
from costtrack.models import BudgetCounter, Organization, Project
from costtrack.reporting.budget_figures import BudgetStatus
from tests.budgets.asked import hold, make_budget
from tests.factories import NOON, make_event, make_organization, make_rate

pytestmark = pytest.mark.django_db

COST = Decimal("0.0045")  # (1000 x 3 + 100 x 15) / 1,000,000
ZERO = Decimal(0)
FIGURES = ("limit", "spent", "held", "leased", "taken", "remaining", "overrun")


@pytest.fixture(autouse=True)
def at_noon() -> Iterator[None]:
    with time_machine.travel(NOON, tick=True):
        yield


@pytest.fixture
def acme(db: None) -> Organization:
    make_rate()
    return make_organization()


def use(count: int = 1, **said: str) -> None:
    """That many calls of 0.0045 USD and 1,100 tokens."""
    record_events([make_event(attribution=said) for _ in range(count)])


def only(*args: Any, **options: Any) -> BudgetStatus:
    (status,) = budget_status(*args, now=NOON, **options)
    return status


def test_it_says_everything_of_a_budget(acme: Organization) -> None:
    budget = make_budget(acme, "0.01", name="October", model="test-model")
    use()
    hold("0.002", model="test-model")
    assert only("acme") == BudgetStatus(
        budget_id=budget.pk,
        budget="October",
        organization="acme",
        scope={"model": "test-model"},
        scope_text="acme, model test-model",
        subject="",
        subject_text="",
        metric="cost_usd",
        enforcement="hard",
        period="day",
        is_active=True,
        limit=Decimal("0.01"),
        spent=COST,
        held=Decimal("0.002"),
        leased=ZERO,
        forecast=Decimal("0.009"),  # half of the day has passed: 0.0045 x 24 / 12
        forecast_method=RUN_RATE,
        period_start=datetime(2026, 11, 20, tzinfo=UTC),
        resets_at=datetime(2026, 11, 21, tzinfo=UTC),
        shadow_refusals=0,
    )
    status = only(acme)
    assert (status.remaining, status.percent, status.overrun, status.state) == (
        Decimal("0.0035"),  # 0.01 - 0.0045 - 0.002
        Decimal("45.00"),
        ZERO,
        "ok",
    )
    with pytest.raises(dataclasses.FrozenInstanceError):
        status.spent = ZERO  # type: ignore[misc]


@pytest.mark.parametrize(
    ("limit", "held", "state", "percent", "remaining", "overrun"),
    [
        ("0.01", "0", "ok", "45.00", "0.0055", "0"),
        ("0.01", "0.0034", "ok", "45.00", "0.0021", "0"),  # 79 % taken
        ("0.01", "0.0035", "near", "45.00", "0.002", "0"),  # 80 %
        ("0.0045", "0", "over", "100.00", "0", "0"),
        ("0.004", "0", "over", "112.50", "0", "0.0005"),
        ("0", "0", "over", None, "0", "0.0045"),
        (None, "0", "unlimited", None, None, "0"),
    ],
)
def test_the_state_and_what_is_left(
    acme: Organization,
    limit: str | None,
    held: str,
    state: str,
    percent: str | None,
    remaining: str | None,
    overrun: str,
) -> None:
    make_budget(acme, limit)
    use()
    BudgetCounter.objects.update(held=Decimal(held))
    status = only(acme)
    assert (status.state, status.overrun) == (state, Decimal(overrun))
    assert status.percent == (None if percent is None else Decimal(percent))
    assert status.remaining == (None if remaining is None else Decimal(remaining))


def test_a_forecast_needs_a_twentieth_of_the_period(acme: Organization) -> None:
    make_budget(acme)
    record_events([make_event(occurred_at=datetime(2026, 11, 20, 0, 30, tzinfo=UTC))])
    midnight = datetime(2026, 11, 20, tzinfo=UTC)
    (early,) = budget_status(acme, now=midnight + timedelta(minutes=71))
    assert (early.forecast, early.forecast_method) == (
        None,
        "not enough data: less than 5 % of the period has passed",
    )
    (later,) = budget_status(acme, now=midnight + timedelta(minutes=72))
    assert later.forecast == Decimal("0.09")  # 0.0045 x 20


def test_there_is_no_forecast_of_what_never_ends_or_has_not_begun(acme: Organization) -> None:
    make_budget(acme, period="total")
    make_budget(acme, model="other-model")
    use()
    endless, unused = budget_status(acme, now=NOON)
    assert (endless.forecast, endless.forecast_method) == (None, "no forecast: this budget has no end")
    assert (unused.forecast, unused.forecast_method) == (None, "not enough data: nothing is spent yet")


def test_the_period_is_that_of_the_organization_s_zone() -> None:
    make_budget(make_organization(timezone="Asia/Kolkata"))  # UTC+5:30
    status = only("acme")
    assert status.period_start == datetime(2026, 11, 19, 18, 30, tzinfo=UTC)
    assert status.resets_at == datetime(2026, 11, 20, 18, 30, tzinfo=UTC)


def test_what_a_missing_counter_does_not_say_the_ledger_does(acme: Organization) -> None:
    use(2)
    make_budget(acme)
    make_budget(acme, metric="tokens")
    make_budget(acme, metric="calls", period="total")
    assert not BudgetCounter.objects.exists()
    assert [one.spent for one in budget_status(acme, now=NOON)] == [Decimal("0.009"), Decimal(2200), Decimal(2)]
    use()
    BudgetCounter.objects.all().delete()
    assert [one.spent for one in budget_status(acme, now=NOON)] == [Decimal("0.0135"), Decimal(3300), Decimal(3)]


def test_another_day_begins_with_nothing(acme: Organization) -> None:
    make_budget(acme)
    use()
    (status,) = budget_status(acme, now=NOON + timedelta(days=1))
    assert (status.spent, status.held) == (ZERO, ZERO)


def test_a_budget_for_each_thread_shows_the_dearest_and_how_many_others(acme: Organization) -> None:
    make_budget(acme, per="thread", metric="tokens", limit="100000")
    for thread, calls in (("t1", 1), ("t2", 3), ("t3", 2)):
        use(calls, thread_id=thread)
    use()  # of no thread
    shown = budget_status(acme, now=NOON, limit=2)
    assert [(one.subject, one.spent, one.other_subjects) for one in shown] == [
        ("t2", Decimal(3300), 1),
        ("t3", Decimal(2200), 1),
    ]
    assert shown[0].scope == {"thread_id": "t2"}
    assert [one.other_subjects for one in budget_status(acme, now=NOON)] == [0, 0, 0]
    assert budget_status(acme, now=NOON + timedelta(days=1)) == ()


def test_agents_and_entities_are_named_for_people(acme: Organization) -> None:
    make_budget(acme, per="agent")
    make_budget(acme, per="project")
    make_budget(acme, per="entity")
    use(project="website", agent="writer", entity_type="job", entity_id="42")
    assert [one.subject_text for one in budget_status(acme, now=NOON)] == ["website/writer", "website", "job 42"]


def test_one_subject_is_asked_for_with_or_without_a_counter(acme: Organization) -> None:
    make_budget(acme, per="thread", period="total")
    make_budget(acme)
    use(thread_id="t1")
    BudgetCounter.objects.all().delete()
    assert (only(acme, subject="t1").subject, only(acme, subject="t1").spent) == ("t1", COST)
    assert budget_status(acme, subject="t2", now=NOON) == ()
    assert only(acme, subject="").period == "day"


def test_one_budget_is_asked_for_by_itself_its_id_or_its_name(acme: Organization) -> None:
    make_budget(acme, name="other")
    budget = make_budget(acme, name="mine")
    for asked in (budget, budget.pk, "mine"):
        assert only(acme, budget=asked).budget == "mine"
    assert budget_status(make_organization("other"), budget=budget, now=NOON) == ()


def test_a_subject_that_a_budget_can_not_have_is_no_error(acme: Organization) -> None:
    budgets = [make_budget(acme, per=per) for per in ("agent", "entity", "thread")]
    assert budget_status(acme, budget=budgets[0], subject="writer", now=NOON) == ()
    assert budget_status(acme, budget=budgets[1], subject="42", now=NOON) == ()
    assert only(acme, budget=budgets[2], subject="42").spent == ZERO


def test_an_agent_sees_what_its_own_calls_count_in(acme: Organization) -> None:
    project = Project.objects.create(organization=acme, slug="website")
    writer, reader = (project.agents.create(slug=slug) for slug in ("writer", "reader"))
    make_budget(acme, name="all")
    make_budget(acme, name="writer", project=project, agent=writer)
    make_budget(acme, name="reader", project=project, agent=reader)
    make_budget(acme, name="each agent", per="agent")
    make_budget(acme, name="each thread", per="thread")
    make_budget(acme, name="gpt-4o", model="gpt-4o")
    make_budget(acme, name="chat", endpoint="chat")
    make_budget(acme, name="thread t2", thread_id="t2")
    use(project="website", agent="writer", thread_id="t1")

    def names(**options: Any) -> list[str]:
        return [one.budget for one in budget_status(now=NOON, **options)]

    with attribute(organization="acme", project="website", agent="writer", thread_id="t1"):
        assert names() == ["all", "writer", "each agent", "each thread", "gpt-4o", "chat"]
        assert {one.subject_text for one in budget_status(now=NOON)} == {"", "website/writer", "t1"}
        with attribute(endpoint="search"):
            assert names() == ["all", "writer", "each agent", "each thread", "gpt-4o"]
    said = {"project": "website", "agent": "reader"}
    assert names(organization="acme", counts_for=said) == ["all", "reader", "each agent", "gpt-4o", "chat"]
    mine = Attribution(organization="acme", project="website", agent="reader")
    assert names(counts_for=mine) == names(counts_for={"organization": "acme", **said})


def test_an_agent_that_has_done_nothing_yet_sees_what_is_left_for_it(acme: Organization) -> None:
    make_budget(acme, name="all")
    make_budget(acme, per="agent")
    make_budget(acme, per="thread", limit="100", metric="tokens")
    with attribute(organization="acme", project="website", agent="new", thread_id="fresh"):
        whole, thread = budget_status(now=NOON)
    assert (whole.budget, thread.subject, thread.remaining) == ("all", "fresh", Decimal(100))


def test_an_organization_that_does_not_exist_is_an_error_and_the_default_one_has_no_budgets_yet() -> None:
    with pytest.raises(UnknownOrganization):
        budget_status("nobody")
    assert budget_status() == ()
    with pytest.raises(TypeError, match="budget_status"):
        budget_status(counts_for={"colour": "red"})


def test_a_resting_budget_says_so_and_shows_what_the_ledger_says(acme: Organization) -> None:
    budget = make_budget(acme)
    threads = make_budget(acme, per="thread")
    use(thread_id="t1")
    change_budget(budget, is_active=False)
    change_budget(threads, is_active=False)
    use(thread_id="t1")
    status = only(acme)
    assert (status.state, status.spent) == ("resting", Decimal("0.009"))
    assert only(acme, budget=threads, subject="t1").spent == Decimal("0.009")


def test_what_shadow_would_have_refused_is_counted(acme: Organization) -> None:
    make_budget(acme, "0.001", enforcement="shadow")
    hold("0.1")
    hold("0.2")
    status = only(acme)
    assert (status.shadow_refusals, status.held, status.enforcement) == (2, Decimal("0.3"), "shadow")


def test_ten_budgets_take_as_many_queries_as_one(
    acme: Organization, django_assert_num_queries: Callable[..., Any]
) -> None:
    make_budget(acme)
    use()
    with django_assert_num_queries(4):  # organization, budgets, zones, counters
        budget_status("acme", now=NOON)
    for _ in range(9):
        make_budget(acme, period="month")
    use()
    with django_assert_num_queries(4):
        assert len(budget_status("acme", now=NOON)) == 10


@pytest.mark.parametrize("wrong", ["t1", 7, ["thread_id", "t1"], {"t1"}, True])
def test_what_is_no_attribution_is_a_typed_error(acme: Organization, wrong: Any) -> None:
    with pytest.raises(InvalidUsage, match=r"counts_for: got .*, expected a mapping of attribution fields"):
        budget_status(acme, counts_for=wrong)


def test_figures_are_printed_as_people_write_them(acme: Organization) -> None:
    make_budget(acme, "50")
    make_budget(acme, "100000", metric="tokens")
    unused = [str(getattr(one, name)) for one in budget_status(acme, now=NOON) for name in FIGURES]
    assert unused == ["50", "0", "0", "0", "0", "50", "0", "100000", "0", "0", "0", "0", "100000", "0"]
    use()
    hold("0.0955", tokens=100)
    dollars, tokens = budget_status(acme, now=NOON)
    assert [str(getattr(dollars, name)) for name in FIGURES] == ["50", "0.0045", "0.0955", "0", "0.1", "49.9", "0"]
    assert [str(getattr(tokens, name)) for name in FIGURES] == ["100000", "1100", "100", "0", "1200", "98800", "0"]
    make_budget(acme, "0.0045", period="month")
    spent_to_the_cent = budget_status(acme, now=NOON)[-1]  # 0.0045 - 0.0045
    assert (str(spent_to_the_cent.remaining), str(spent_to_the_cent.overrun)) == ("0", "0")
    assert (str(dollars.forecast), str(tokens.forecast)) == ("0.009", "2200")  # half of the day has passed


def test_missing_counters_of_many_budgets_are_summed_by_a_query_for_fifty(
    acme: Organization, django_assert_num_queries: Callable[..., Any]
) -> None:
    rests = make_budget(acme)
    use(2, thread_id="t1")
    change_budget(rests, is_active=False)  # its counter stands still
    use(thread_id="t2", project="website")
    metrics = ("cost_usd", "tokens", "calls")
    scopes: list[dict[str, Any]] = [{}, {"thread_id": "t1"}, {"thread_id": "t2"}, {"model": "test-model"}]
    spent = {"cost_usd": COST, "tokens": Decimal(1100), "calls": Decimal(1)}
    expected = []
    for number in range(5):
        for scope, calls in zip(scopes, (3, 2, 1, 3), strict=True):
            for metric in metrics:
                make_budget(acme, "1000", metric=metric, period=("day", "month", "total")[number % 3], **scope)
                expected.append(calls * spent[metric])
    assert len(expected) == 60
    with django_assert_num_queries(6):  # organization, budgets, zones, counters, twice the ledger
        found = budget_status("acme", now=NOON)
    assert [one.spent for one in found] == [3 * COST, *expected]


def test_a_subject_outside_of_a_budget_s_scope_is_none_of_its_own(acme: Organization) -> None:
    budget = make_budget(acme, per="thread", thread_id="t1")
    jobs = make_budget(acme, per="entity", entity_type="job")
    use(thread_id="t1", entity_type="job", entity_id="42")
    assert only(acme, budget=budget, subject="t1").spent == COST
    assert only(acme, budget=jobs, subject="job\x1f42").spent == COST
    assert budget_status(acme, budget=budget, subject="t2", now=NOON) == ()
    assert budget_status(acme, budget=jobs, subject="task\x1f42", now=NOON) == ()


def test_the_dearest_of_ten_budgets_take_as_many_queries_as_of_one(
    acme: Organization, django_assert_num_queries: Callable[..., Any]
) -> None:
    make_budget(acme, per="thread")
    for number in range(3):
        use(number + 1, thread_id=f"t{number}")
    with django_assert_num_queries(5):  # organization, budgets, zones, the dearest, how many others
        assert len(budget_status("acme", now=NOON, limit=2)) == 2
    for period in ("day", "month", "total") * 3:
        make_budget(acme, per="thread", period=period, metric="calls")
    for number in range(3):
        use(number + 1, thread_id=f"t{number}")
    with django_assert_num_queries(5):
        found = budget_status("acme", now=NOON, limit=2)
    assert [(one.subject, one.other_subjects) for one in found] == [("t2", 1), ("t1", 1)] * 10
    assert [one.spent for one in found] == [6 * COST, 4 * COST, *[Decimal(6), Decimal(4)] * 9]


def test_it_is_a_public_name() -> None:
    assert costtrack.budget_status is budget_status
