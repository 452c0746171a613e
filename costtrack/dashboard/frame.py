"""What stands around a page's content: the way to the other pages, and to the same page of another organization."""

from __future__ import annotations

from collections.abc import Sequence

from costtrack.dashboard.addresses import Choice, address
from costtrack.models import Organization

NAVIGATION = (
    ("overview", "Overview"),
    ("budgets", "Budgets"),
    ("alerts", "Alerts"),
    ("usage", "Usage"),
    ("resources", "Resources"),
    ("plans", "Plans"),
    ("rates", "Rates"),
    ("reconcile", "Invoices"),
    ("recommendations", "Savings"),
    ("mine", "My usage"),
)
OF_SUPERUSERS = (("health", "Health"),)


def navigation(current: str, *, slug: str | None, is_superuser: bool) -> list[Choice]:
    """The pages; of the organization that is asked for, if one is."""
    items = [*NAVIGATION, *(OF_SUPERUSERS if is_superuser else ())]
    return [
        Choice(label=label, href=address(name, organization=slug), is_current=name == current) for name, label in items
    ]


def organization_choices(name: str, granted: Sequence[Organization], *, current: Organization | None) -> list[Choice]:
    """The page of each organization, and of all; nothing to choose where there is one."""
    if len(granted) < 2:
        return []
    path = address(name)
    chosen = [
        Choice(label=str(one), href=f"{path}?organization={one.slug}", is_current=one == current) for one in granted
    ]
    return [Choice(label="All organizations", href=path, is_current=current is None), *chosen]
