"""The demo's budgets: a hard one of a day, soft ones of a month and of each conversation."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from costtrack.budgets.changes import create_budget
from costtrack.models import Organization

BUDGETS: tuple[tuple[str, dict[str, Any]], ...] = (
    (
        "demo-biotech",
        {
            "name": "GPU jobs, a day",
            "resource_type": "gpu_seconds",
            "limit": Decimal(25),
            "period": "day",
            "enforcement": "hard",
        },
    ),
    ("demo-retail", {"name": "Shop, a month", "limit": Decimal(20), "period": "month", "enforcement": "soft"}),
    (
        "demo-retail",
        {
            "name": "A conversation",
            "metric": "tokens",
            "limit": Decimal(100_000),
            "period": "day",
            "per": "thread",
            "enforcement": "soft",
        },
    ),
)
"""(slug of the organization, fields); generous enough that no call of the demo is refused."""


def create_budgets(organization: Organization, *, using: str) -> None:
    """Those of this organization, before its traffic."""
    for slug, fields in BUDGETS:
        if slug == organization.slug:
            create_budget(organization=organization, using=using, **fields)
