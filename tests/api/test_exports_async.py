"""Exports under an event loop: sent as they are read there, too."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.db import connection
from django.http import FileResponse
from django.test import AsyncClient

from costtrack.api.organizations import OrganizationsView
from costtrack.metering.ledger import record_events
from costtrack.models import Organization
from tests.api.callers import ROOT, robot, token_of
from tests.api.exporting import organizations
from tests.factories import make_event, make_organization

pytestmark = pytest.mark.django_db(transaction=True)


def superuser(count: int) -> AsyncClient:
    """One on an event loop, and that many organizations."""
    client = AsyncClient()
    client.cookies = organizations(count).cookies
    return client


def test_csv_is_read_as_it_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OrganizationsView, "max_page_size", 2)
    client = superuser(5)

    async def main() -> list[bytes]:
        answer: Any = await client.get(f"{ROOT}organizations", {"format": "csv"})
        assert answer.is_async
        parts = aiter(answer)
        first = await anext(parts)
        assert not await sync_to_async(lambda: connection.in_atomic_block)()
        await Organization.objects.filter(slug="o4").aupdate(name="Four")
        return [first, *[part async for part in parts]]

    first, second, third = async_to_sync(main)()
    assert [first.count(b"\r\n"), second.count(b"\r\n")] == [3, 2]
    assert third.startswith(b"o4,Four,")


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_the_same_is_sent_as_without_an_event_loop(form: str) -> None:
    acme = make_organization()
    record_events([make_event() for _ in range(5)])
    answer: Any = robot(acme).get(f"{ROOT}usage", {"format": form})
    expected = answer.getvalue()
    token = token_of(acme)

    async def main() -> bytes:
        key = {"Authorization": f"Bearer {token}"}
        told: Any = await AsyncClient().get(f"{ROOT}usage?format={form}", headers=key)
        assert told.status_code == 200
        assert told.headers["Content-Disposition"] == answer.headers["Content-Disposition"]
        return b"".join([part async for part in told])

    assert async_to_sync(main)() == expected


def test_a_parquet_file_is_not_read_into_memory_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("costtrack.api.exports.BLOCK_BYTES", 100)
    client = superuser(1)

    async def main() -> list[bytes]:
        answer: Any = await client.get(f"{ROOT}organizations", {"format": "parquet"})
        assert isinstance(answer, FileResponse)
        assert answer.is_async
        return [part async for part in answer]

    parts = async_to_sync(main)()
    assert len(parts) > 5
    assert max(map(len, parts)) == 100
    assert parts[0][:4] == b"PAR1"


def test_head_and_errors_are_told_as_without_an_event_loop() -> None:
    token = token_of(make_organization())

    async def main() -> list[Any]:
        client, key = AsyncClient(), {"Authorization": f"Bearer {token}"}
        head: Any = await client.head(f"{ROOT}usage?format=csv", headers=key)
        bad: Any = await client.get(f"{ROOT}usage?format=csv&from=x", headers=key)
        return [head.status_code, bad.status_code, bad.json()["parameter"]]

    assert async_to_sync(main)() == [200, 400, "from"]
