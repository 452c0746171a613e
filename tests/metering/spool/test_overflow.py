"""When the spool can not take an event, it goes another way, loudly; and when events reach the disk itself."""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction

import costtrack
from costtrack.metering import spool
from costtrack.metering.spool.running import _here
from costtrack.models import ResourceUsage
from tests.factories import make_organization, make_rate
from tests.metering.spool.spooling import CALL, hold_up_the_flusher, wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def acme(spool_dir: Path) -> None:
    make_rate()
    make_organization()


def test_an_unwritable_directory_is_written_around_with_a_loud_word(
    tmp_path: Path, settings: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    settings.COSTTRACK = {"TRANSPORT": "spool", "SPOOL_DIR": tmp_path / "file" / "spool"}
    monkeypatch.setattr(_here(), "unusable_until", 0.0)
    monkeypatch.setattr("costtrack.metering.spooled._warn_at", 0.0)
    usage = costtrack.record_usage(**CALL)
    assert (usage.status, ResourceUsage.objects.get().cost_usd) == ("recorded", Decimal("0.0045"))
    assert "The spool can not be used" in caplog.text
    assert "is written to the database at once" in caplog.text
    monkeypatch.setattr(_here(), "unusable_until", 0.0)


def test_a_full_spool_writes_at_once_with_a_loud_word_and_a_counter(
    spool_dir: Path, settings: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.COSTTRACK = {**settings.COSTTRACK, "SPOOL_MAX_BYTES": 1 << 20}
    monkeypatch.setattr("costtrack.metering.spooled._warn_at", 0.0)
    spool_dir.mkdir(mode=0o700)
    (spool_dir / "1-1-a.segment").write_bytes(b"x" * (1 << 20))
    assert costtrack.record_usage(**CALL).status == "recorded"
    assert ResourceUsage.objects.count() == 1
    running = spool.running()
    assert running is not None
    assert running.counters.in_this_process()["overflows"] == 1
    assert "has reached 1,048,576 bytes (SPOOL_MAX_BYTES)" in caplog.text


@pytest.mark.parametrize("policy", ["interval", "always"])
def test_a_policy_of_fsync_syncs(policy: str, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    real = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda descriptor: (synced.append(descriptor), real(descriptor))[1])
    settings.COSTTRACK = {**settings.COSTTRACK, "SPOOL_FSYNC": policy}
    with transaction.atomic():
        hold_up_the_flusher()
        costtrack.record_usage(**CALL)
        costtrack.record_usage(**CALL)
        if policy == "always":
            assert len(synced) == 2
        else:
            wait_until(lambda: len(synced) > 0)
