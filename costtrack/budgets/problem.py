"""A refused call as a problem document (RFC 9457), for whoever answers over HTTP."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from costtrack.exceptions import BudgetExceeded, CallRefused

CONTENT_TYPE = "application/problem+json"
_WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])")


def problem_of(error: CallRefused) -> dict[str, Any]:
    """What JSON can say of a refusal: figures as texts, times as ISO 8601, null where there is none.

    `type` tells the three kinds apart: urn:costtrack:budget-exceeded, :unknown-worst-case, :budget-unavailable. Only
    the first one has figures. `status` is the response's: 402, or 503 where asking again makes sense.
    """
    words = _WORDS.sub(" ", type(error).__name__).lower()
    problem: dict[str, Any] = {
        "type": f"urn:costtrack:{words.replace(' ', '-')}",
        "title": words.capitalize(),
        "status": error.status,
        "detail": str(error),
        "budget": error.budget,
        "organization": error.organization,
    }
    if isinstance(error, BudgetExceeded):
        problem["scope"] = dict(error.scope)
        problem["metric"] = error.metric
        problem |= {name: _text(value) for name, value in error.figures.items()}
        problem["resets_at"] = error.resets_at.isoformat() if error.resets_at else None
    return problem


def _text(value: Decimal | None) -> str | None:
    return None if value is None else f"{value.normalize():f}"
