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
    holds,
    ledger,
    owners,
    rates,
    summary,
)
from costtrack.api.openapi.described import Operation

SUBJECTS = (summary, costs, entities, ledger, events, holds, budgets, alerts, rates, owners, account)
OPERATIONS: Mapping[tuple[type, str], Operation] = {
    (one.view, one.method): one for subject in SUBJECTS for one in subject.OPERATIONS
}
"""A method that a view has, and that is not here, is a warning of `manage.py spectacular`."""
