"""Making and changing budgets: what is refused, by words or by the database, who did it, and that others are told."""

from __future__ import annotations

import logging
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.db.models import ProtectedError, QuerySet
from django.utils.functional import SimpleLazyObject

from costtrack.budgets.changes import change_budget, create_budget, delete_budget
from costtrack.exceptions import BudgetNotFound, UntoldBudgetChange
from costtrack.metering.ledger import record_events
from costtrack.models import Budget, BudgetChange, BudgetCounter, BudgetThreshold, Organization, Project
from tests.budgets.asked import figures, hold, make_budget
from tests.factories import make_event, make_organization

COST = Decimal("0.0045")  # (1000 x 3 + 100 x 15) / 1,000,000


def epoch(organization: Organization) -> int:
    organization.refresh_from_db()
    return organization.budget_epoch


def test_a_new_budget_has_the_history_of_its_making_with_who(acme: Organization) -> None:
    person = get_user_model().objects.create_user("finance")
    budget = make_budget(acme, "12.50", name="October", changed_by=person, note="asked for by the board")
    change = budget.changes.get()
    assert (change.changed_by, change.note, change.before) == (person, "asked for by the board", {})
    assert (change.after["limit"], change.after["name"], change.after["organization"]) == ("12.5", "October", acme.pk)


def test_a_change_is_kept_as_what_was_and_what_is_with_who(acme: Organization) -> None:
    person = get_user_model().objects.create_user("finance")
    budget = make_budget(acme, "10")
    changed = change_budget(
        budget, changed_by=person, note="busy week", limit=Decimal("20.5"), enforcement="soft", name=""
    )
    assert (changed.limit, changed.enforcement) == (Decimal("20.5"), "soft")
    change = budget.changes.first()
    assert change is not None
    assert (change.before, change.after) == (
        {"limit": "10", "enforcement": "hard"},
        {"limit": "20.5", "enforcement": "soft"},
    )
    assert (change.changed_by, change.note) == (person, "busy week")
    person.delete()
    change.refresh_from_db()
    assert change.changed_by is None


@pytest.mark.parametrize("nobody", [None, AnonymousUser(), SimpleLazyObject(AnonymousUser)])
def test_somebody_anonymous_is_nobody_so_a_view_may_give_its_user(acme: Organization, nobody: Any) -> None:
    budget = make_budget(acme, changed_by=nobody)
    change_budget(budget, limit=Decimal(2), changed_by=nobody)
    assert [change.changed_by for change in budget.changes.all()] == [None, None]
    person = get_user_model().objects.create_user("finance")
    change_budget(budget, limit=Decimal(3), changed_by=SimpleLazyObject(lambda: person))
    assert budget.changes.latest("id").changed_by == person


@pytest.mark.parametrize("who", ["finance", 7, get_user_model()(username="not stored"), object()])
def test_who_is_no_user_is_refused_before_anything_is_written(acme: Organization, who: Any) -> None:
    budget = make_budget(acme)
    works: list[Callable[[], Any]] = [
        lambda: make_budget(acme, changed_by=who),
        lambda: change_budget(budget, limit=Decimal(2), changed_by=who),
        lambda: delete_budget(budget, changed_by=who),
    ]
    for work in works:
        with pytest.raises(ValidationError) as refused:
            work()
        assert list(refused.value.message_dict) == ["changed_by"]
        assert "expected a user that is stored, or None." in refused.value.messages[0]
    assert (Budget.objects.get().limit, BudgetChange.objects.count(), epoch(acme)) == (1, 1, 1)


def test_a_budget_that_somebody_has_deleted_can_not_be_changed_any_more(acme: Organization) -> None:
    budget, unnamed = make_budget(acme, name="October"), make_budget(acme)
    for one in (budget, unnamed):
        delete_budget(Budget.objects.get(pk=one.pk))
    with pytest.raises(BudgetNotFound) as refused:
        change_budget(budget, limit=Decimal(2))
    assert str(refused.value).startswith(f"Budget {budget.pk} ('October') does not exist any more")
    assert refused.value.budget_id == budget.pk
    with pytest.raises(BudgetNotFound, match=f"Budget {unnamed.pk} does not exist any more"):
        change_budget(unnamed, limit=Decimal(2))
    assert epoch(acme) == 4  # made twice, deleted twice


def test_the_log_says_who_deleted_a_budget_once_it_is_gone(
    acme: Organization, caplog: pytest.LogCaptureFixture, django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    first, second = make_budget(acme, name="first"), make_budget(acme)
    person = get_user_model().objects.create_user("finance\nroot")
    caplog.set_level(logging.INFO, logger="costtrack")
    with django_capture_on_commit_callbacks(execute=True):
        delete_budget(first, changed_by=person)
        delete_budget(second)
        delete_budget(second, changed_by=person)  # there is nothing left to delete
        assert caplog.messages == []
    assert caplog.messages == [
        f"Budget {first.pk}, 'first', was deleted by 'finance\\nroot'.",
        f"Budget {second.pk}, '', was deleted by 'somebody'.",
    ]


def test_a_change_that_changes_nothing_has_no_history(acme: Organization) -> None:
    budget = make_budget(acme, "10")
    change_budget(budget, limit=Decimal("10.00"))
    assert BudgetChange.objects.filter(budget=budget).count() == 1


@pytest.mark.parametrize("field", ["organization", "project", "thread_id", "metric", "period", "per", "created_at"])
def test_what_says_which_budget_it_is_never_changes(acme: Organization, field: str) -> None:
    budget = make_budget(acme)
    with pytest.raises(ValidationError) as refused:
        change_budget(budget, **{field: "x", "limit": Decimal(5)})
    assert refused.value.message_dict == {
        field: ["This never changes. Make another budget, and let this one rest (is_active=False)."]
    }
    budget.refresh_from_db()
    assert budget.limit == 1


def test_every_change_raises_the_epoch_of_its_organization_alone(acme: Organization) -> None:
    other = make_organization("other")
    budget = make_budget(acme)
    assert epoch(acme) == 1
    change_budget(budget, limit=Decimal(2))
    change_budget(budget, is_active=False)
    delete_budget(budget)
    assert (epoch(acme), epoch(other)) == (4, 0)


def test_a_refused_change_raises_no_epoch(acme: Organization) -> None:
    budget = make_budget(acme)
    with pytest.raises(ValidationError):
        change_budget(budget, limit=None)
    assert epoch(acme) == 1


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"limit": None}, "limit"),
        ({"limit": Decimal("-0.01")}, "limit"),
        ({"limit": Decimal("NaN")}, "limit"),
        ({"limit": Decimal("1e18")}, "limit"),
        ({"limit": Decimal("999999999999999999.99")}, "limit"),
        ({"limit": Decimal("1e15")}, "limit"),
        ({"limit": Decimal("0.5"), "metric": "calls"}, "limit"),
        ({"limit": 0.5, "metric": "calls"}, "limit"),
        ({"limit": "100000.000000000001", "metric": "tokens"}, "limit"),
        ({"limit": Decimal(1), "is_unlimited": True}, "limit"),
        ({"limit": Decimal(1), "metric": "euros"}, "metric"),
        ({"limit": Decimal(1), "metric": "amount"}, "resource_type"),
        ({"limit": Decimal(1), "entity_id": "42"}, "entity_type"),
        ({"limit": Decimal(1), "period": "fortnight"}, "period"),
        ({"limit": Decimal(1), "enforcement": "gentle"}, "enforcement"),
        ({"limit": Decimal(1), "per": "user"}, "per"),
    ],
)
def test_what_is_not_acceptable_is_refused_with_its_field(
    acme: Organization, fields: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        create_budget(organization=acme, **{"period": "day", "enforcement": "hard", **fields})
    assert list(refused.value.message_dict) == [problem]
    assert not Budget.objects.exists()


def test_a_limit_of_calls_or_tokens_is_whole_whoever_changes_it(acme: Organization) -> None:
    calls, units = (
        make_budget(acme, "5.0", metric="calls"),
        make_budget(acme, "0.5", metric="amount", resource_type="r"),
    )
    for limit in (Decimal("5.5"), 0.5, "1.000000000001"):
        with pytest.raises(ValidationError) as refused:
            change_budget(calls, limit=limit)
        assert refused.value.message_dict == {"limit": ["Give a whole number: of calls and tokens there is no part."]}
    assert change_budget(calls, limit=Decimal("6.00")).limit == 6
    assert change_budget(calls, name="six").limit == 6
    assert change_budget(units, limit=Decimal("1.5")).limit == Decimal("1.5")


def test_owners_of_somebody_else_are_refused(acme: Organization) -> None:
    theirs = Project.objects.create(organization=make_organization("other"), slug="theirs")
    ours = Project.objects.create(organization=acme, slug="ours")
    agent = theirs.agents.create(slug="spy")
    for fields, problem in (({"project": theirs}, "project"), ({"project": ours, "agent": agent}, "agent")):
        with pytest.raises(ValidationError) as refused:
            make_budget(acme, **fields)
        assert list(refused.value.message_dict) == [problem]


def test_a_budget_is_not_written_past_its_one_writer(acme: Organization) -> None:
    budget = make_budget(acme, "10")
    new = Budget(organization=acme, period="day", enforcement="hard", limit=Decimal(5))
    budget.limit = Decimal(20)
    attempts: list[tuple[str, Callable[[], object]]] = [
        ("save()", budget.save),
        ("save()", lambda: budget.save(update_fields=["limit"])),
        ("save()", new.save),
        ("save()", lambda: Budget.objects.create(organization=acme, period="day", enforcement="hard", limit=5)),
        ("save()", lambda: acme.budgets.create(period="day", enforcement="hard", limit=5)),
        ("save()", lambda: Budget.objects.update_or_create(pk=budget.pk, defaults={"limit": 5})),
        ("update()", lambda: Budget.objects.update(limit=5)),
        ("update()", lambda: acme.budgets.filter(pk=budget.pk).update(limit=5)),
        ("update()", lambda: Budget.objects.bulk_update([budget], ["limit"])),
        ("bulk_create()", lambda: Budget.objects.bulk_create([new])),
        ("delete()", budget.delete),
        ("delete()", Budget.objects.filter(pk=budget.pk).delete),
    ]
    for method, attempt in attempts:
        with pytest.raises(UntoldBudgetChange) as refused, transaction.atomic():
            attempt()
        assert str(refused.value) == (
            f"{method} is refused for budgets: no process would notice in time, and no history would say who it was. "
            "Use create_budget(), change_budget() or delete_budget() of costtrack.budgets.changes."
        )
    assert (Budget.objects.get().limit, BudgetChange.objects.count(), epoch(acme)) == (10, 1, 1)
    acme.delete()  # with all that it has
    assert not Budget.objects.exists()


def test_a_limit_of_0_and_an_unlimited_budget_are_asked_for(acme: Organization) -> None:
    assert make_budget(acme, "0").limit == 0
    assert make_budget(acme, None).is_unlimited


BAD_ROWS: list[tuple[str, dict[str, Any]]] = [
    ("costtrack_budget_limit_gte_0_or_unlimited", {"limit": None}),
    ("costtrack_budget_limit_gte_0_or_unlimited", {"limit": -1}),
    ("costtrack_budget_limit_gte_0_or_unlimited", {"is_unlimited": True}),
    ("costtrack_budget_amount_has_resource_type", {"metric": "amount"}),
    ("costtrack_budget_entity_id_has_type", {"entity_id": "42"}),
]


@pytest.mark.parametrize(("constraint", "fields"), BAD_ROWS)
def test_the_database_refuses_a_bad_budget_too(acme: Organization, constraint: str, fields: dict[str, Any]) -> None:
    budget = make_budget(acme)
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        QuerySet(Budget).filter(pk=budget.pk).update(**fields)


def test_the_database_refuses_an_agent_without_its_project(acme: Organization) -> None:
    agent = Project.objects.create(organization=acme, slug="website").agents.create(slug="writer")
    budget = make_budget(acme)
    with pytest.raises(IntegrityError, match="costtrack_budget_agent_has_project"), transaction.atomic():
        QuerySet(Budget).filter(pk=budget.pk).update(agent=agent)


@pytest.mark.parametrize("figure", ["held", "leased"])
def test_the_database_refuses_a_counter_that_holds_less_than_nothing(acme: Organization, figure: str) -> None:
    make_budget(acme)
    hold()
    with pytest.raises(IntegrityError, match="costtrack_counter_figures_gte_0"), transaction.atomic():
        BudgetCounter.objects.update(**{figure: -1})


def test_the_database_keeps_one_counter_for_a_subject_and_period(acme: Organization) -> None:
    make_budget(acme)
    hold()
    again = BudgetCounter.objects.get()
    again.pk = None
    # SQLite names the columns of a unique constraint, PostgreSQL its name.
    with pytest.raises(IntegrityError, match=r"costtrack_counter_unique|budget_id"), transaction.atomic():
        again.save(force_insert=True)


def test_thresholds_are_numbers_above_0_each_of_them_once(acme: Organization) -> None:
    """The list [80, 80, 0, 101, -5, NaN]: 80 and 101 remain."""
    budget = make_budget(acme)
    refused: list[tuple[str, list[str]]] = []
    for level in ("80", "80", "0", "101", "-5", "NaN"):
        threshold = BudgetThreshold(budget=budget, level=level)
        try:
            threshold.full_clean()
        except ValidationError as error:
            refused.append((level, list(error.message_dict)))
        else:
            threshold.save()
    assert refused == [("80", ["__all__"]), ("0", ["level"]), ("-5", ["level"]), ("NaN", ["level"])]
    assert [str(threshold) for threshold in budget.thresholds.all()] == ["80 % spent", "101 % spent"]


@pytest.mark.parametrize("level", [0, -5, 10**15])
def test_the_database_refuses_a_bad_threshold_too(acme: Organization, level: int) -> None:
    budget = make_budget(acme)
    with pytest.raises(IntegrityError, match="costtrack_threshold_level_gt_0"), transaction.atomic():
        BudgetThreshold.objects.create(budget=budget, level=level)


def test_the_database_refuses_a_repeated_threshold_too(acme: Organization) -> None:
    budget = make_budget(acme)
    budget.thresholds.create(level=80)
    budget.thresholds.create(level=80, basis="forecast")
    with pytest.raises(IntegrityError, match=r"costtrack_threshold_unique|level"), transaction.atomic():
        budget.thresholds.create(level=80)


def test_a_budget_that_wakes_counts_what_was_used_while_it_rested(acme: Organization) -> None:
    budget = make_budget(acme)
    record_events([make_event()])
    hold("0.1")
    change_budget(budget, is_active=False)
    record_events([make_event()])
    assert figures(budget) == (COST, Decimal("0.1"))
    change_budget(budget, is_active=True)
    assert figures(budget) == (Decimal("0.009"), Decimal("0.1"))  # 2 x 0.0045


def test_a_budget_that_wakes_forgets_counters_that_hold_nothing(acme: Organization) -> None:
    budget = make_budget(acme, per="thread")
    record_events([make_event(attribution={"thread_id": "t1"})])
    change_budget(budget, is_active=False)
    record_events([make_event(attribution={"thread_id": "t1"})])
    change_budget(budget, is_active=True)
    assert not BudgetCounter.objects.exists()
    hold("0.1", thread_id="t1")
    assert figures(budget, "t1") == (Decimal("0.009"), Decimal("0.1"))


def test_deleting_a_budget_takes_its_counters_thresholds_and_history_along(acme: Organization) -> None:
    budget = make_budget(acme)
    budget.thresholds.create(level=80)
    hold()
    delete_budget(budget)
    left = (Budget, BudgetCounter, BudgetThreshold, BudgetChange)
    assert [model._base_manager.count() for model in left] == [0, 0, 0, 0]


def test_a_project_or_agent_with_a_budget_can_not_be_deleted_behind_its_back(acme: Organization) -> None:
    """It would go without any process being told, and each reservation would look for a counter of it."""
    project = Project.objects.create(organization=acme, slug="website")
    agent = project.agents.create(slug="writer")
    budget = make_budget(acme, project=project, agent=agent)
    with pytest.raises(ProtectedError):
        agent.delete()
    delete_budget(budget)
    agent.delete()
    project.delete()


def test_a_lock_on_the_organization_comes_before_anything_is_written(
    acme: Organization, django_assert_num_queries: Callable[..., Any]
) -> None:
    budget = make_budget(acme)
    is_postgres = connection.vendor == "postgresql"  # where the epoch is a trigger's
    with django_assert_num_queries(7 if is_postgres else 8) as asked:
        change_budget(budget, limit=Decimal(2))
    if is_postgres:
        statements = [query["sql"] for query in asked.captured_queries if "SAVEPOINT" not in query["sql"]]
        assert "costtrack_organization" in statements[0]
        assert statements[0].endswith("FOR UPDATE")


@pytest.mark.parametrize(
    ("field", "model"), [("organization", "Organization"), ("project", "Project"), ("agent", "Agent")]
)
def test_a_slug_in_place_of_an_owner_is_told(acme: Organization, field: str, model: str) -> None:
    with pytest.raises(ValidationError, match=rf"Got 'web', expected a row: {model}.objects.get\(slug=...\)."):
        create_budget(**{"organization": acme, "period": "day", "enforcement": "hard", "limit": 1, field: "web"})


def test_no_manager_deletes_all_budgets_of_what_it_manages(acme: Organization) -> None:
    make_budget(acme)
    for manager in (Budget.objects, acme.budgets):
        assert not hasattr(manager, "delete_unrecorded")
        assert not hasattr(manager, "delete")


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        (
            {"period": "fortnight"},
            "Got 'fortnight', expected one of: minute, hour, day, week, month, total.",
        ),
        ({"enforcement": "firm"}, "Got 'firm', expected one of: hard, soft, shadow."),
        ({"metric": 7}, "Got 7, expected one of: cost_usd, tokens, calls, amount."),
    ],
)
def test_a_value_that_is_none_of_the_choices_is_told_with_them(
    acme: Organization, fields: dict[str, Any], told: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        make_budget(acme, "10", **fields)
    assert refused.value.message_dict == {next(iter(fields)): [told]}
    assert not Budget.objects.exists()
