"""No two keys are the same: not of two threads, of a process and its children, or of a machine and its copy."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from costtrack.metering import fresh_keys
from costtrack.metering.fresh_keys import fresh_key
from tests.metering.forked_keys import KEYS

ROOT = Path(__file__).resolve().parents[2]


def test_a_key_is_short_and_plain() -> None:
    key = fresh_key(1_795_177_815_123_456_789)
    assert key.isascii()
    assert key.isprintable()
    assert "1795177815123456789-" in key
    assert len(key) <= 16 + 19 + 1 + 20


def test_threads_have_keys_of_their_own_at_the_same_instant() -> None:
    switch = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as executor:
            made = executor.map(lambda _: [fresh_key(1) for _ in range(2000)], range(8))
            keys = [key for some in made for key in some]
    finally:
        sys.setswitchinterval(switch)
    assert len(set(keys)) == len(keys) == 16_000


def test_a_machine_and_its_copy_have_keys_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """They have the same memory, so the same random bits and the same next number; their clocks go on."""
    monkeypatch.setattr(fresh_keys, "_next_number", lambda: 7)
    assert fresh_key(1) == fresh_key(1) != fresh_key(2)


@pytest.mark.parametrize("way", ["os", "c", "fork", "spawn", "forkserver"])
def test_processes_have_keys_of_their_own_at_the_same_instant(way: str) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "tests.metering.forked_keys", way],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "project.settings"},
        timeout=120,
        check=True,
    )
    keys = told.stdout.split()
    assert len(set(keys)) == len(keys) == 5 * KEYS  # the parent twice, three others
