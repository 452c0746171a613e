"""Exports as they are read and sent: errors first, then a chunk at a time."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from django.db import connection

from costtrack.api.organizations import OrganizationsView
from costtrack.models import Organization
from tests.api.callers import ROOT, person, robot
from tests.api.exporting import closed, organizations
from tests.factories import make_organization
from tests.slow_reads import has_limit, locked_away

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_an_error_is_told_before_anything_is_sent(acme: Organization, form: str) -> None:
    client = person(roles={acme: "viewer"})
    for question in ({"from": "garbage"}, {"nme": "x"}, {"is_estimated": "\x00"}):
        answer = client.get(f"{ROOT}usage", {"format": form, **question})
        assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")


def test_without_pyarrow_parquet_is_a_406_that_says_what_to_install(
    acme: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    answer = person(roles={acme: "viewer"}).get(f"{ROOT}organizations", {"format": "parquet"})
    assert (answer.status_code, answer["Content-Type"]) == (406, "application/problem+json")
    assert 'pip install "costtrack[parquet]"' in answer.json()["detail"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("form", ["json", "csv", "parquet"])
def test_a_list_that_takes_too_long_is_a_503_in_every_format(form: str, settings: Any) -> None:
    settings.COSTTRACK = {**settings.COSTTRACK, "READ_TIMEOUT_MS": 100}
    client = robot(make_organization())
    with locked_away("costtrack_resourceusage"):
        answer = closed(client.get(f"{ROOT}usage", {"format": form}))
    assert answer.status_code == (503 if has_limit() else 200)
    if has_limit():
        assert "longer than 100 ms" in answer.json()["detail"]


@pytest.mark.django_db(transaction=True)
def test_csv_is_read_as_it_is_sent_and_no_transaction_waits_for_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OrganizationsView, "max_page_size", 2)
    answer: Any = organizations(4).get(f"{ROOT}organizations", {"format": "csv"})
    parts = iter(answer)
    assert next(parts).count(b"\r\n") == 3  # the names, and two rows
    assert not connection.in_atomic_block
    Organization.objects.filter(slug="o3").update(name="Three")  # between the two chunks
    assert [part.decode().splitlines()[-1].split(",")[1] for part in parts] == ["Three"]


@pytest.mark.django_db(transaction=True)
def test_of_a_csv_each_chunk_may_take_as_long_as_a_reader(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.COSTTRACK = {**settings.COSTTRACK, "READ_TIMEOUT_MS": 100}
    monkeypatch.setattr(OrganizationsView, "max_page_size", 1)
    answer: Any = organizations(2).get(f"{ROOT}organizations", {"format": "csv"})
    parts = iter(answer)
    next(parts)
    with locked_away("costtrack_organization"):
        if not has_limit():
            assert next(parts).startswith(b"o1,")
            return
        with pytest.raises(Exception, match="longer than 100 ms"):
            next(parts)
