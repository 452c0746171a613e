"""The screen of keys: to look at, and to revoke."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client

from costtrack.access.keys import create_key
from costtrack.models import Agent, AgentKey, Membership
from tests.admin.rows import changing, listing, page
from tests.factories import NOON

pytestmark = pytest.mark.django_db


def make_key(agent: Agent) -> AgentKey:
    organization = agent.project.organization
    return create_key(
        organization=organization, agent=agent, name="robot", can_ingest=True, can_read=True, now=NOON
    ).key


def revoke(client: Client, key: AgentKey) -> int:
    return client.post(listing("agentkey"), {"action": "revoke", "_selected_action": str(key.pk)}).status_code


def test_a_key_is_shown_without_its_hash(browser: Client, agent: Agent) -> None:
    key = make_key(agent)
    for text in (page(browser, listing("agentkey")), page(browser, changing(key))):
        assert key.prefix in text
        assert "ingest, read" in text
        assert key.secret_sha256 not in text


def test_keys_are_revoked_from_the_list(browser: Client, agent: Agent) -> None:
    key, other = make_key(agent), make_key(agent)
    assert "active" in page(browser, listing("agentkey"))
    assert revoke(browser, key) == 302
    key.refresh_from_db()
    other.refresh_from_db()
    revoked_at = key.revoked_at
    assert revoked_at is not None
    assert other.revoked_at is None
    assert "1 key was revoked." in page(browser, listing("agentkey"))
    assert revoke(browser, key) == 302
    key.refresh_from_db()
    assert key.revoked_at == revoked_at


def test_who_may_only_look_at_keys_can_not_revoke(agent: Agent) -> None:
    key = make_key(agent)
    clerk = get_user_model().objects.create_user(username="clerk", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_agentkey"))
    Membership.objects.create(user=clerk, organization=agent.project.organization, role="admin")
    client = Client()
    client.force_login(clerk)
    assert "revoke" not in page(client, listing("agentkey")).lower().replace("revoked", "")
    revoke(client, key)
    key.refresh_from_db()
    assert key.revoked_at is None
