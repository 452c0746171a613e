"""A live gunicorn with two workers: whichever is asked, the metrics are of both."""

from __future__ import annotations

import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from costtrack.metering.ledger import record_events
from tests.exits.processes import SECONDS, Host, UnixConnection
from tests.factories import make_event, make_organization, make_rate
from tests.integrations.prometheus.scraped import Samples, samples_in, value

pytestmark = pytest.mark.django_db(transaction=True)

WORKERS = 2


@pytest.fixture
def host() -> Iterator[Host]:
    folder = Path(tempfile.mkdtemp(prefix="costtrack-metrics-", dir="/tmp"))  # a socket's path must be short
    (folder / "metrics").mkdir()
    host = Host(folder=folder)
    yield host
    host.kill()
    shutil.rmtree(folder, ignore_errors=True)


def serve(host: Host) -> Any:
    options = ("--bind", f"unix:{host.socket}", "--workers", WORKERS)
    return host.start(
        "gunicorn",
        "tests.exits.servers:wsgi",
        *options,
        "--config",
        "python:tests.integrations.prometheus.gunicorn_conf",
        DJANGO_SETTINGS_MODULE="tests.integrations.prometheus.site",
        PROMETHEUS_MULTIPROC_DIR=str(host.folder / "metrics"),
    )


def scraped(host: Host) -> Samples:
    request = UnixConnection(host.socket)
    try:
        request.request("GET", "/metrics", headers={"Authorization": "Bearer a-token-for-the-tests"})
        answered = request.getresponse()
        text = answered.read().decode()
    finally:
        request.close()
    assert answered.status == 200, text
    return samples_in(text)


def test_whichever_worker_is_asked_the_metrics_are_of_both_and_of_those_before_them(host: Host) -> None:
    make_rate()
    make_organization()
    record_events([make_event(occurred_at=datetime.now(UTC)) for _ in range(3)])
    master = serve(host)
    asked: list[int] = []
    deadline = time.monotonic() + SECONDS
    while len(set(asked)) < WORKERS:
        assert time.monotonic() < deadline, host.said()
        asked.append(host.get("/pid"))
    labels = {"method": "GET", "endpoint": "pid", "status": 200}
    for _ in range(2 * WORKERS):
        found = scraped(host)
        assert value(found, "api_requests_total", **labels) == len(asked)
        assert value(found, "api_request_latency_seconds_count", method="GET", endpoint="pid") == len(asked)
        assert value(found, "api_active_requests") == 1  # the scrape
        spent = value(
            found, "api_cost_usd_total", organization="acme", project="", provider="openai", model="test-model"
        )
        assert spent == pytest.approx(0.0135, abs=1e-9)  # 3 x 0.0045
        assert value(found, "costtrack_collect_failures", part="requests") == 0
    master.send_signal(signal.SIGHUP)  # other workers; what the ones before have counted stays
    while (last := host.get("/pid")) in asked:
        asked.append(last)
        assert time.monotonic() < deadline, host.said()
    found = scraped(host)
    assert value(found, "api_requests_total", **labels) == len(asked) + 1
    assert value(found, "api_active_requests") == 1
    assert host.end_of(master, signal.SIGTERM) == 0
