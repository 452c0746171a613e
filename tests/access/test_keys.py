"""Keys: made, known again, used, revoked."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from costtrack.access.keys import NewKey, create_key, mark_used, prefix_in, revoke_key, valid_key
from costtrack.models import Agent, AgentKey, Organization, Project
from tests.factories import NOON, make_organization

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


@pytest.fixture
def acme(db: None) -> Organization:
    return make_organization()


def new_key(organization: Organization, **fields: Any) -> NewKey:
    values: dict[str, Any] = {"name": "robot", "can_ingest": True, "can_read": False, "now": NOON}
    return create_key(organization=organization, **{**values, **fields})


def test_a_key_is_known_again_by_its_token_and_only_a_hash_of_its_256_bits_is_stored(acme: Organization) -> None:
    key, token = new_key(acme)
    marker, prefix, secret = token.split("_", 2)
    assert (marker, prefix) == ("ctk", key.prefix)
    assert len(secret) == 43  # 32 bytes in base64: 32 x 8 / 6 = 42.7
    stored = AgentKey.objects.values().get()
    assert stored["secret_sha256"] == hashlib.sha256(secret.encode()).hexdigest()
    assert not any(secret in str(value) for value in stored.values())
    assert valid_key(token, now=NOON) == key


def test_no_two_keys_are_alike(acme: Organization) -> None:
    assert len({new_key(acme).token for _ in range(20)}) == 20


@pytest.mark.parametrize("spoil", ["{token}x", "{short}", "ctk_{prefix}_", "ctk_{prefix}", "{prefix}", "", "ctk_"])
def test_whatever_is_not_the_whole_token_is_no_key(acme: Organization, spoil: str) -> None:
    key, token = new_key(acme)
    assert valid_key(spoil.format(token=token, short=token[:-1], prefix=key.prefix), now=NOON) is None


@pytest.mark.parametrize("text", ["ctk_\x00_\x00", "ctk_é_x", f"ctk_{'x' * 100_000}", "ctk_a_\ud800"])
def test_no_text_at_all_is_an_error(text: str) -> None:
    assert valid_key(text, now=NOON) is None


def test_the_secret_of_another_key_is_not_taken(acme: Organization) -> None:
    one, other = new_key(acme), new_key(acme)
    mixed = f"ctk_{one.key.prefix}_{other.token.split('_', 2)[2]}"
    assert valid_key(mixed, now=NOON) is None


def test_a_key_ends_at_its_instant(acme: Organization) -> None:
    token = new_key(acme, expires_at=NOON + MINUTE).token
    assert valid_key(token, now=NOON + MINUTE - timedelta(microseconds=1)) is not None
    assert valid_key(token, now=NOON + MINUTE) is None


def test_a_revoked_key_is_no_key_and_stays_revoked(acme: Organization) -> None:
    key, token = new_key(acme)
    assert revoke_key(key, now=NOON)
    assert valid_key(token, now=NOON) is None
    assert not revoke_key(key, now=NOON + MINUTE)
    assert AgentKey.objects.get().revoked_at == NOON


def test_the_last_use_is_written_once_a_minute(acme: Organization, django_assert_num_queries: Any) -> None:
    token = new_key(acme).token

    def use(seconds: int) -> object:
        now = NOON + timedelta(seconds=seconds)
        key = valid_key(token, now=now)
        assert key is not None
        mark_used(key, now=now)
        return AgentKey.objects.get().last_used_at

    assert use(0) == NOON
    assert use(59) == NOON
    assert use(60) == NOON + MINUTE
    with django_assert_num_queries(2):  # to find the key, and to look here
        assert use(61) == NOON + MINUTE


def test_of_two_that_use_a_key_at_once_one_writes(acme: Organization) -> None:
    token = new_key(acme).token
    first, second = valid_key(token, now=NOON), valid_key(token, now=NOON)
    assert first is not None
    assert second is not None
    mark_used(first, now=NOON)
    mark_used(second, now=NOON + timedelta(seconds=1))
    assert AgentKey.objects.get().last_used_at == NOON


def test_what_people_see_of_a_key_has_no_secret(acme: Organization) -> None:
    new = new_key(acme)
    secret = new.token.split("_", 2)[2]
    for shown in (repr(new), str(new), repr(new.key), str(new.key)):
        assert new.key.prefix in shown
        assert secret not in shown
        assert new.key.secret_sha256 not in shown


def test_a_prefix_is_read_from_a_whole_token_too(acme: Organization) -> None:
    key, token = new_key(acme)
    assert prefix_in(token) == prefix_in(key.prefix) == key.prefix


@pytest.mark.parametrize(
    "fields",
    [
        {"can_ingest": False},
        {"expires_at": NOON},
        {"project": "theirs"},
        {"agent": "theirs"},
        {"project": "mine", "agent": "other"},
    ],
)
def test_a_key_is_not_made_for_what_it_can_not_be_for(acme: Organization, fields: dict[str, Any]) -> None:
    projects = {
        "mine": Project.objects.create(organization=acme, slug="mine"),
        "other": Project.objects.create(organization=acme, slug="other"),
        "theirs": Project.objects.create(organization=make_organization("globex"), slug="theirs"),
    }
    agents = {name: Agent.objects.create(project=project, slug="a") for name, project in projects.items()}
    if "project" in fields:
        fields = {**fields, "project": projects[fields["project"]]}
    if "agent" in fields:
        fields = {**fields, "agent": agents[fields["agent"]]}
    with pytest.raises(ValueError, match="got"):
        new_key(acme, **fields)
    assert not AgentKey.objects.exists()


def test_an_agent_brings_its_project(acme: Organization) -> None:
    agent = Agent.objects.create(project=Project.objects.create(organization=acme, slug="website"), slug="writer")
    key = new_key(acme, agent=agent).key
    assert (key.project, key.agent, key.owner) == (agent.project, agent, agent)


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"can_ingest": False}, "costtrack_key_can_something"),
        ({"prefix": ""}, "costtrack_key_prefix_not_empty"),
        ({"project": None}, "costtrack_key_agent_has_project"),
    ],
)
def test_the_database_refuses_a_key_that_makes_no_sense(
    acme: Organization, changes: dict[str, Any], constraint: str
) -> None:
    agent = Agent.objects.create(project=Project.objects.create(organization=acme, slug="website"), slug="writer")
    key = new_key(acme, agent=agent).key
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        AgentKey.objects.filter(pk=key.pk).update(**changes)


def test_two_keys_can_not_have_one_prefix(acme: Organization) -> None:
    one, other = new_key(acme).key, new_key(acme).key
    with pytest.raises(IntegrityError), transaction.atomic():
        AgentKey.objects.filter(pk=other.pk).update(prefix=one.prefix)


def test_a_key_goes_with_its_project_rather_than_be_good_for_more(acme: Organization) -> None:
    project = Project.objects.create(organization=acme, slug="website")
    token = new_key(acme, project=project).token
    project.delete()
    assert valid_key(token, now=NOON) is None
