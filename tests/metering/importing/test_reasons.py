"""Reasons are written for people with a file, not for people with Python."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from costtrack.exceptions import InvalidUsage
from costtrack.metering.importing.reasons import reason_of


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        (None, "f is empty, expected x."),
        ("", "f is empty, expected x."),
        (datetime(2027, 3, 1, 12, 5, tzinfo=UTC), "f: got 2027-03-01T12:05:00+00:00, expected x."),
        (Decimal("-0.10"), "f: got -0.10, expected x."),
        (True, "f: got true, expected x."),
        ({"a": [None]}, 'f: got {"a":[null]}, expected x.'),
        (["y" * 100], f'f: got ["{"y" * 75}..., expected x.'),
        ("many", "f: got 'many', expected x."),
        (1.5, "f: got 1.5, expected x."),
    ],
)
def test_a_reason_shows_what_the_file_holds(seen, reason):
    assert reason_of(InvalidUsage("f", seen, "x")) == reason
