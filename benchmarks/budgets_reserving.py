"""The reservation that is measured: a cent, on a chain of three budgets, the list of which is in memory."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

CENT = Decimal("0.01")
WHO = {"thread_id": "t", "project": "web"}
BUDGETS = [
    {"name": "whole", "limit": "1000000"},
    {"name": "web", "project": "web", "limit": "1000000"},
    {"name": "each", "per": "thread", "limit": "1000000"},
]
_facts: dict[str, object] = {}
"""What budgets see of the call."""
_cent: Any = None
"""Its worst case."""


def begin(folder: str, *, makes_budgets: bool = False, **costtrack: object) -> None:
    """Set this process up: Django, a spool in `folder`, `costtrack` as settings, and the call."""
    import django

    django.setup()
    from django.conf import settings

    from costtrack.domain.budget_rules import Quantities
    from tests.faults.budget_acts import set_up
    from tests.faults.budget_calls import Call

    settings.DEBUG = False  # Django keeps every statement in memory otherwise
    kept = getattr(settings, "COSTTRACK", {})
    settings.COSTTRACK = {**kept, "TRANSPORT": "spool", "SPOOL_DIR": f"{folder}/spool", **costtrack}
    if makes_budgets:
        set_up(projects=["web"], budgets=BUDGETS)
    global _cent
    _facts.update(Call(name="benchmark", cost=CENT, who=WHO).facts())
    _cent = Quantities(cost_usd=CENT)


def reserve(_: object = None) -> None:
    """One reservation, from the list of budgets to the answer."""
    from costtrack.budgets.admission import reserve
    from costtrack.budgets.asking import Ask

    asked = Ask(
        hold_id=uuid4(),
        facts=_facts,
        worst=_cent,
        at=datetime.now(UTC),
        ttl=timedelta(hours=1),
        about={"call": "benchmark"},
    )
    granted = reserve("acme", lambda _: asked, flush=lambda: None)
    if granted is None or granted.hold_id is None:
        raise SystemExit("The benchmark's reservation found no budget.")


def leave() -> None:
    """End what runs behind it."""
    from django.db import connections

    from costtrack.budgets.known import forget_budgets

    forget_budgets()
    connections.close_all()
