"""All operations, by the view and the method."""

from __future__ import annotations

from collections.abc import Mapping

from costtrack.api.openapi import (
    account,
    alerts,
    budgets,
    costs,
    entities,
    events,
    forecast,
    holds,
    ledger,
    otlp,
    owners,
    plans,
    rates,
    reports,
    summary,
    what_if,
)
from costtrack.api.openapi.described import Operation

SUBJECTS = (
    summary,
    costs,
    reports,
    forecast,
    what_if,
    entities,
    ledger,
    events,
    otlp,
    holds,
    budgets,
    plans,
    alerts,
    rates,
    owners,
    account,
)
OPERATIONS: Mapping[tuple[type, str], Operation] = {
    (one.view, one.method): one for subject in SUBJECTS for one in subject.OPERATIONS
}
"""A method that a view has, and that is not here, is a warning of `manage.py spectacular`."""
