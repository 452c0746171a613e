"""Who looks, at what, and when: the 16th of November 2023, at noon."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest
import time_machine
from django.test import Client

from costtrack.models import Agent, Organization
from tests.api.callers import person
from tests.reporting.booked import agent, book, organization


@pytest.fixture(autouse=True)
def noon() -> Iterator[None]:
    with time_machine.travel("2023-11-16T12:00:00Z", tick=False):
        yield


@pytest.fixture
def acme(db: None) -> Organization:
    return organization()


@pytest.fixture
def bot(acme: Organization) -> Agent:
    """The agent acme/web/bot with usage of two months: 60 USD this month, 32 in October, 25 of it up to the 16th."""
    bot = agent(acme, "web/bot")
    own = {"agent": bot, "project": bot.project}
    book(acme, "10", day=date(2023, 11, 1), provider="openai", input_tokens=1000, output_tokens=100, **own)
    book(acme, "20", day=date(2023, 11, 15), provider="openai", input_tokens=3000, output_tokens=400, errors=1, **own)
    book(acme, "30", model="claude", provider="anthropic", endpoint="draft", **own)
    book(acme, None, model="mystery", provider="vllm", **own)
    book(acme, "25", day=date(2023, 10, 10), provider="openai", **own)
    book(acme, "7", day=date(2023, 10, 20), provider="openai")
    return bot


@pytest.fixture
def viewer(acme: Organization) -> Client:
    return person("vera", roles={acme: "viewer"})


@pytest.fixture
def manager(acme: Organization) -> Client:
    return person("mary", roles={acme: "manager"})


@pytest.fixture
def superuser(db: None) -> Client:
    return person("root", is_superuser=True, is_staff=True)
