"""A browser that is logged in as a superuser, and one organization's worth of rows."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from costtrack.models import Agent, Organization
from tests.admin.rows import summarize, use


@pytest.fixture
def browser(db: None) -> Client:
    client = Client()
    client.force_login(get_user_model().objects.create_superuser(username="root"))
    return client


@pytest.fixture
def acme(db: None) -> Organization:
    return Organization.objects.create(slug="acme", name="Acme", timezone="Europe/Berlin")


@pytest.fixture
def agent(acme: Organization) -> Agent:
    """The agent acme/search/planner, with one call of 0.06 USD."""
    project = acme.projects.create(slug="search")
    agent = project.agents.create(slug="planner")
    use(agent)
    summarize(agent)
    return agent
