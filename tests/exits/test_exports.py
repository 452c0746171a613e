"""Exports by real servers: whole, or broken off so that the client notices."""

from __future__ import annotations

import base64
import csv
import http.client
import io
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow.parquet
import pytest
from django.contrib.auth import get_user_model

from tests.exits.processes import Host, UnixConnection, wait_until
from tests.factories import make_organization

WSGI = ("gunicorn", "tests.exits.servers:wsgi", "--bind", "unix:{socket}", "--worker-class")
SERVERS = {
    "sync": (*WSGI, "sync"),
    "gthread": (*WSGI, "gthread", "--threads", "2"),
    "uvicorn": ("uvicorn", "tests.exits.servers:asgi", "--uds", "{socket}"),
}


@pytest.fixture(params=SERVERS)
def serving(request: pytest.FixtureRequest, host: Host) -> Host:
    """Of the organizations o0 to o4, besides acme."""
    for number in range(5):
        make_organization(f"o{number}")
    get_user_model().objects.create_superuser("root", password="root")
    host.start(*(word.format(socket=host.socket) for word in SERVERS[request.param]))
    return host


@contextmanager
def asked(host: Host, path: str) -> Iterator[http.client.HTTPResponse]:
    """The beginning of an answer."""
    key = base64.b64encode(b"root:root").decode()
    connection = UnixConnection(host.socket)

    def answer() -> http.client.HTTPResponse | None:
        try:
            connection.request("GET", path, headers={"Authorization": f"Basic {key}"})
            return connection.getresponse()
        except (ConnectionError, FileNotFoundError):
            connection.close()
            return None

    try:
        yield wait_until(answer, what=f"an answer to {path}", host=host)
    finally:
        connection.close()


def test_an_export_is_whole_and_csv_that_fails_half_way_is_broken_off(serving: Host) -> None:
    slugs = ["acme", "o0", "o1", "o2", "o3", "o4"]
    with asked(serving, "/costs/organizations?format=parquet") as answer:
        assert (answer.status, answer.headers["Transfer-Encoding"]) == (200, None)
        assert pyarrow.parquet.read_table(io.BytesIO(answer.read())).column("organization").to_pylist() == slugs
    with asked(serving, "/breaking?format=parquet") as answer:
        assert answer.status == 503  # the database is gone
    with asked(serving, "/breaking?format=csv") as answer:
        assert (answer.status, answer.headers["Transfer-Encoding"]) == (200, "chunked")
        with pytest.raises(http.client.IncompleteRead) as broken:
            answer.read()
    assert b"\r\no1," in broken.value.partial
    assert b"\r\no2," not in broken.value.partial
    with asked(serving, "/costs/organizations?format=csv") as answer:  # the server goes on
        assert answer.headers["Transfer-Encoding"] == "chunked"
        assert [row["organization"] for row in csv.DictReader(io.StringIO(answer.read().decode()))] == slugs
