"""The stream of events: told of what changes, of one's own organizations, until the right to see it ends."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.db import connections
from django.test import AsyncClient, Client

from costtrack.dashboard import events
from costtrack.dashboard.pages import POLL_SECONDS
from costtrack.models import BudgetAlert, Membership, Organization
from tests.dashboard.reading import ROOT
from tests.factories import NOON
from tests.reporting.booked import book, organization

pytestmark = pytest.mark.django_db(transaction=True)
PATH = f"{ROOT}events/"
Found = TypeVar("Found")
ROOT_OF_ALL = Path(__file__).parents[2]
SECONDS = (events.LOOK_SECONDS, events.HEARTBEAT_SECONDS, events.LIFETIME_SECONDS)
"""As they are outside of these tests."""
FIRST, ENDED = ": still here\n\n", "event: ended\ndata: {}\n\n"


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "LOOK_SECONDS", 0.02)


@pytest.fixture
def acme(transactional_db: None) -> Organization:
    return organization()


def run(work: Coroutine[Any, Any, Found]) -> Found:
    """What it gives; its thread's connection is closed."""

    async def whole() -> Found:
        try:
            return await work
        finally:
            await sync_to_async(connections.close_all)()

    return asyncio.run(whole())


def member(client: Any, *organizations: Organization) -> Any:
    user, _ = get_user_model().objects.get_or_create(username="vera")
    for one in organizations:
        Membership.objects.create(user=user, organization=one, role="viewer")
    client.force_login(user)
    return client


async def next_of(stream: AsyncIterator[bytes]) -> str:
    return (await asyncio.wait_for(anext(stream), 30)).decode()


def told(acme: Organization, work: Callable[[], object]) -> str:
    """What a member of acme is told after `work`."""

    async def listen() -> str:
        client = await sync_to_async(member)(AsyncClient(), acme)
        answer = await client.get(PATH)
        assert (answer.status_code, answer["Content-Type"]) == (200, "text/event-stream")
        assert answer["Cache-Control"] == "private, no-store"
        stream = aiter(answer.streaming_content)
        assert await next_of(stream) == FIRST
        await sync_to_async(work)()
        return await next_of(stream)

    return run(listen())


def test_new_usage_is_told(acme: Organization) -> None:
    assert told(acme, lambda: book(acme, "3")) == 'event: changed\ndata: {"alerts": 0}\n\n'


def test_a_new_alert_is_told_with_how_many_are_open(acme: Organization) -> None:
    def alert() -> None:
        BudgetAlert.objects.create(
            organization=acme, kind="metering", key="k", severity="warning", message="m", raised_at=NOON
        )

    assert told(acme, alert) == 'event: changed\ndata: {"alerts": 1}\n\n'


@pytest.mark.parametrize(
    "work",
    [
        lambda: Membership.objects.all().delete(),
        lambda: Session.objects.all().delete(),
        lambda: get_user_model().objects.update(is_active=False),
    ],
    ids=["a member no more", "logged out", "no longer active"],
)
def test_it_ends_with_the_right_to_see_it(acme: Organization, work: Callable[[], object]) -> None:
    assert told(acme, work) == ENDED


def test_what_happens_elsewhere_is_not_told(acme: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "HEARTBEAT_SECONDS", 0.2)
    globex = organization("globex")
    assert told(acme, lambda: book(globex, "3")) == FIRST


@pytest.mark.parametrize("slug", ["globex", "nowhere", "%00"])
def test_a_foreign_organization_is_answered_as_one_that_is_not_there(acme: Organization, slug: str) -> None:
    organization("globex")

    async def ask() -> tuple[int, bytes]:
        client = await sync_to_async(member)(AsyncClient(), acme)
        answer = await client.get(f"{PATH}?organization={slug}")
        return answer.status_code, answer.content

    assert run(ask()) == (403, b"You may not look at that.\n")


def test_nobody_is_told_to_log_in(transactional_db: None) -> None:
    async def ask() -> int:
        return int((await AsyncClient().get(PATH)).status_code)

    assert run(ask()) == 401


def test_on_wsgi_there_is_no_stream_and_pages_name_none(acme: Organization) -> None:
    client = member(Client(), acme)
    assert client.get(PATH).status_code == 406
    assert "data-events" not in client.get(ROOT).content.decode()


def test_on_asgi_pages_name_the_stream(acme: Organization) -> None:
    async def ask() -> str:
        client = await sync_to_async(member)(AsyncClient(), acme)
        return str((await client.get(f"{ROOT}?organization=acme")).content.decode())

    assert 'data-events="/costs/events/?organization=acme"' in run(ask())


def test_only_a_get_is_answered(acme: Organization) -> None:
    assert member(Client(), acme).post(PATH).status_code == 405


def test_how_often_and_how_long_is_what_the_document_says() -> None:
    document = (ROOT_OF_ALL / "docs" / "dashboard.md").read_text().replace("\n", " ")
    live = document.partition("## Live")[2].partition("## ")[0]
    sentences = (
        r"says within ([\d,]+) seconds that there is something new",
        r"Without news it sends a comment after ([\d,]+) seconds",
        r"ends by itself after ([\d,]+) seconds",
    )
    assert tuple(float(figure.replace(",", "")) for one in sentences for figure in re.findall(one, live)) == SECONDS
    [every] = re.findall(r"renew themselves every (\d+) seconds", live)
    assert int(every) == POLL_SECONDS
    [minutes] = re.findall(r"polls every (\d+) minutes only", live)
    script = (ROOT_OF_ALL / "costtrack" / "static" / "costtrack" / "live.js").read_text()
    [told, alone] = re.findall(r"isTold \? (\d+) : (\d+)", script)[0]
    assert (POLL_SECONDS * int(told), int(alone)) == (int(minutes) * 60_000, 1000)


def test_it_ends_by_itself(acme: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "LIFETIME_SECONDS", 0.1)

    async def listen() -> list[bytes]:
        client = await sync_to_async(member)(AsyncClient(), acme)
        answer = await client.get(PATH)
        return [part async for part in answer.streaming_content]

    assert run(listen()) == [FIRST.encode()]
