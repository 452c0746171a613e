"""Asking for budgets."""

from __future__ import annotations

from typing import Any

from django.test import Client

from tests.api.callers import ROOT

DAY: dict[str, Any] = {"period": "day", "enforcement": "hard", "limit": "50"}


def asked(client: Client, method: str, path: str, body: Any = None, *, status: int = 200) -> Any:
    """The answer, parsed; None where it has no body."""
    sent = {} if body is None else {"data": body, "content_type": "application/json"}
    answer = getattr(client, method)(ROOT + path, **sent)
    assert answer.status_code == status, answer.content
    if status >= 400:
        assert answer["Content-Type"] == "application/problem+json"
    return answer.json() if answer.content else None
