"""A page that would keep the database busy for too long is a 503 (PostgreSQL; SQLite has no such limit)."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from costtrack.models import Organization
from tests.dashboard.reading import ROOT, document
from tests.slow_reads import has_limit, locked_away

pytestmark = pytest.mark.django_db(transaction=True)
TOLD = "This took longer than 100 ms: ask for a shorter period, or for fewer rows."
SUMMARIES, LEDGER = "costtrack_dailycostsummary", "costtrack_resourceusage"


@pytest.fixture(autouse=True)
def short(settings: Any) -> None:
    """Readers have a tenth of a second."""
    settings.COSTTRACK = {**settings.COSTTRACK, "READ_TIMEOUT_MS": 100}


@pytest.mark.parametrize(
    ("path", "table"),
    [("", SUMMARIES), ("usage/?tag=team%3Dred", LEDGER), ("rates/", SUMMARIES), ("reconcile/", SUMMARIES)],
)
def test_what_takes_too_long_says_what_to_do(viewer: Client, acme: Organization, path: str, table: str) -> None:
    with locked_away(table):
        answer = viewer.get(ROOT + path)
    if has_limit():
        assert answer.status_code == 503
        assert document(answer.content.decode()).by_id("ct-problem").text == TOLD
    assert viewer.get(ROOT + path).status_code == 200


def test_an_invoice_that_takes_too_long_is_told_likewise(viewer: Client, acme: Organization) -> None:
    def sent() -> Any:
        file = SimpleUploadedFile("invoice.csv", b"date,model,cost_usd\n2023-11-01,gpt-4,10\n")
        return viewer.post(f"{ROOT}reconcile/", {"provider": "openai", "invoice": file})

    with locked_away(SUMMARIES):
        answer = sent()
    if has_limit():
        assert answer.status_code == 503
        assert TOLD in answer.content.decode()
    assert sent().status_code == 200
