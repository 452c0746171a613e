"""What people and keys are granted."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser

from costtrack.access.keys import create_key
from costtrack.access.principals import KeyHolder, Person, Principal, Right
from costtrack.models import Membership, Organization, Project
from tests.factories import NOON, make_organization

pytestmark = pytest.mark.django_db


@pytest.fixture
def organizations(db: None) -> dict[str, Organization]:
    return {slug: make_organization(slug) for slug in ("initech", "acme", "globex")}


def person(roles: dict[Organization, str] | None = None, **fields: Any) -> Person:
    user = get_user_model().objects.create_user(username="person", **fields)
    for organization, role in (roles or {}).items():
        Membership.objects.create(user=user, organization=organization, role=role)
    return Person(user)


def granted(principal: Principal, right: Right) -> list[str]:
    return [one.slug for one in principal.organizations(right)]


def test_a_membership_grants_by_its_role(organizations: dict[str, Organization]) -> None:
    roles = {organizations["initech"]: "admin", organizations["acme"]: "viewer", organizations["globex"]: "manager"}
    somebody = person(roles)
    assert granted(somebody, Right.READ) == ["acme", "globex", "initech"]
    assert granted(somebody, Right.INGEST) == ["globex", "initech"]
    assert somebody.role_in(organizations["acme"]) == "viewer"
    assert somebody.organization("acme", right=Right.READ) == organizations["acme"]
    assert somebody.organization("acme", right=Right.INGEST) is None


def test_only_his_own_organizations_exist_for_a_member(organizations: dict[str, Organization]) -> None:
    somebody = person({organizations["acme"]: "admin"})
    assert granted(somebody, Right.READ) == ["acme"]
    assert somebody.organization("globex", right=Right.READ) is None
    assert somebody.role_in(organizations["globex"]) is None


def test_a_superuser_is_admin_everywhere(organizations: dict[str, Organization]) -> None:
    root = person(is_superuser=True)
    assert granted(root, Right.READ) == granted(root, Right.INGEST) == ["acme", "globex", "initech"]
    assert root.role_in(organizations["globex"]) == "admin"
    assert root.organization("globex", right=Right.INGEST) == organizations["globex"]
    assert root.organization("unknown", right=Right.READ) is None
    assert root.is_granted_all


def test_nobody_else_is_granted_all_whatever_they_belong_to(organizations: dict[str, Organization]) -> None:
    assert not person(dict.fromkeys(organizations.values(), "admin"), is_staff=True).is_granted_all
    key = create_key(organization=organizations["acme"], name="robot", can_ingest=True, can_read=True, now=NOON).key
    assert not KeyHolder(key).is_granted_all


@pytest.mark.parametrize("right", Right)
@pytest.mark.parametrize(
    ("fields", "role"),
    [({}, None), ({"is_staff": True}, None), ({"is_active": False, "is_superuser": True}, "admin")],
)
def test_others_are_granted_nothing(
    organizations: dict[str, Organization], fields: dict[str, Any], role: str | None, right: Right
) -> None:
    somebody = person({organizations["acme"]: role} if role else None, **fields)
    assert not somebody.has(right)
    assert not somebody.is_granted_all
    assert granted(somebody, right) == []
    assert somebody.organization("acme", right=right) is None
    assert somebody.role_in(organizations["acme"]) is None


@pytest.mark.parametrize("nobody", [None, AnonymousUser()])
def test_nobody_is_granted_nothing(organizations: dict[str, Organization], nobody: Any) -> None:
    assert not Person(nobody).has(Right.READ)
    assert granted(Person(nobody), Right.READ) == []


def test_a_member_costs_one_query(organizations: dict[str, Organization], django_assert_num_queries: Any) -> None:
    somebody = person({organizations["acme"]: "manager"})
    with django_assert_num_queries(1):
        assert somebody.has(Right.READ)
        assert granted(somebody, Right.INGEST) == ["acme"]
        assert somebody.organization("acme", right=Right.READ) == organizations["acme"]
        assert somebody.role_in(organizations["acme"]) == "manager"


@pytest.mark.parametrize("scope", ["ingest", "read"])
def test_a_key_is_granted_what_its_scopes_say_of_its_organization(
    organizations: dict[str, Organization], scope: str
) -> None:
    acme = organizations["acme"]
    project = Project.objects.create(organization=acme, slug="website")
    scopes = {"can_ingest": scope == "ingest", "can_read": scope == "read"}
    holder = KeyHolder(create_key(organization=acme, project=project, name="robot", now=NOON, **scopes).key)
    right, other = (Right.INGEST, Right.READ) if scope == "ingest" else (Right.READ, Right.INGEST)
    assert holder.has(right)
    assert granted(holder, right) == ["acme"]
    assert holder.organization("acme", right=right) == acme
    assert holder.organization("globex", right=right) is None
    assert not holder.has(other)
    assert granted(holder, other) == []
    assert holder.organization("acme", right=other) is None
    assert holder.role_in(acme) is None
    assert holder.owner == project
