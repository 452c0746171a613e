"""Which rows are whose: every table reaches its organization, and what has none is everybody's or the site's."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth import get_user_model

from costtrack.access.principals import Person, Right
from costtrack.access.rows import REACH, may_change, may_see, right_to_change, rows_granted, rows_of, visible_rows
from costtrack.models import Agent, BudgetThreshold, JobRun, Membership, Organization, Rate, RateTier
from tests.budgets.asked import make_budget
from tests.factories import NOON, make_organization, make_rate

pytestmark = pytest.mark.django_db

ROWS: tuple[type[Any], ...] = (Organization, Agent, Rate, RateTier, BudgetThreshold, JobRun)


@pytest.fixture
def acme(db: None) -> Organization:
    """With the rows of globex, of everybody and of the site beside."""
    for slug in ("acme", "globex"):
        organization = make_organization(slug)
        organization.projects.create(slug="website").agents.create(slug="writer")
        make_rate(organization=organization).tiers.create(above_input_tokens=9)
        make_budget(organization).thresholds.create(level=80)
    make_rate().tiers.create(above_input_tokens=9)
    JobRun.objects.create(name="fold", started_at=NOON)
    return Organization.objects.get(slug="acme")


def person(acme: Organization, role: str = "", **fields: Any) -> Person:
    user = get_user_model().objects.create_user(username=role or "nobody", **fields)
    if role:
        Membership.objects.create(user=user, organization=acme, role=role)
    return Person(user)


def counts(person: Person) -> list[int]:
    return [visible_rows(model.objects.all(), person).count() for model in ROWS]


def test_every_table_says_how_it_reaches_its_organization() -> None:
    assert set(REACH) == set(apps.get_app_config("costtrack").get_models())


def test_a_member_sees_the_organization_s_rows_and_what_is_everybody_s(acme: Organization) -> None:
    # Of rates and tiers the own one and the global one; nothing of the site.
    assert counts(person(acme, "viewer")) == [1, 1, 2, 2, 1, 0]
    assert counts(person(acme, is_superuser=True)) == [2, 2, 3, 3, 2, 1]


def test_without_a_membership_there_is_nothing_not_even_what_is_everybody_s(acme: Organization) -> None:
    assert counts(person(acme, is_staff=True)) == [0, 0, 0, 0, 0, 0]
    assert rows_of(Rate.objects.all(), []).get().organization is None


@pytest.mark.parametrize(
    ("role", "changes"),
    [
        ("viewer", []),
        ("manager", [Agent, BudgetThreshold]),
        ("admin", [Organization, Agent, Rate, RateTier, BudgetThreshold]),
    ],
)
def test_what_a_member_may_change_is_of_the_organization_alone(
    acme: Organization, role: str, changes: list[type[Any]]
) -> None:
    member = person(acme, role)
    for model in ROWS:
        granted = rows_granted(model.objects.all(), member, right_to_change(model))
        assert granted.count() == (1 if model in changes else 0), model
        for row in model.objects.all():
            assert may_change(member, row) == (row in granted), row
            assert may_see(member, row) == (row in visible_rows(model.objects.all(), member)), row


def test_a_row_that_is_not_stored_yet_belongs_where_it_is_going_to(acme: Organization) -> None:
    member = person(acme, "admin")
    globex = Organization.objects.get(slug="globex")
    for organization, may in ((acme, True), (globex, False), (None, False)):
        rate = Rate(organization=organization, model="m")
        assert may_change(member, rate) == may_change(member, RateTier(rate=rate)) == may
    assert not may_change(member, Organization(slug="new"))


def test_a_superuser_changes_whatever_there_is(acme: Organization) -> None:
    root = person(acme, is_superuser=True)
    for model in ROWS:
        assert rows_granted(model.objects.all(), root, right_to_change(model)).count() == model.objects.count()
        assert all(may_see(root, row) and may_change(root, row) for row in model.objects.all())


def test_a_right_that_is_only_to_read_leaves_what_is_everybody_s_out(acme: Organization) -> None:
    viewer = person(acme, "viewer")
    assert [row.organization for row in rows_granted(Rate.objects.all(), viewer, Right.READ)] == [acme]
