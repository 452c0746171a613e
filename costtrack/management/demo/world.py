"""The demo's organizations and the prices of their own."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from django.db.models import QuerySet

from costtrack.management.demo import biotech, retail
from costtrack.management.demo.budgets import create_budgets
from costtrack.management.demo.workload import Workload
from costtrack.models import Organization, Rate
from costtrack.pricing.ratebook import forget_rates

SOURCE = "costtrack_demo"
"""The source of the rates that the demo makes."""
UNFINISHED = " (unfinished)"
"""Ends an organization's name while its traffic is not all there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOrganization:
    """One organization of the demo."""

    slug: str
    name: str
    timezone: str
    """East of Greenwich: then a local day has always begun when UTC's has."""
    team: str
    unit_prices: tuple[tuple[str, str, str, Decimal], ...]
    """(resource type, provider, model, USD per unit)."""
    workloads: tuple[Workload, ...]


ORGANIZATIONS = (
    DemoOrganization(
        slug="demo-biotech",
        name="Demo Biotech (Berlin)",
        timezone="Europe/Berlin",
        team="research",
        unit_prices=(
            ("gpu_seconds", biotech.GPU_PROVIDER, biotech.GPU_MODEL, Decimal("0.000525")),  # 1.89 USD an hour
            ("api_call", "pubmed", "*", Decimal(0)),
            ("api_call", "patent-search", "*", Decimal("0.04")),
        ),
        workloads=biotech.WORKLOADS,
    ),
    DemoOrganization(
        slug="demo-retail",
        name="Demo Retail (Kolkata)",
        timezone="Asia/Kolkata",
        team="commerce",
        unit_prices=(
            ("gpu_seconds", retail.GPU_PROVIDER, retail.GPU_MODEL, Decimal("0.000225")),  # 0.81 USD an hour
            ("api_call", "order-lookup", "*", Decimal("0.0005")),
        ),
        workloads=retail.WORKLOADS,
    ),
)


def demo_organizations(*, using: str) -> QuerySet[Organization]:
    """What the demo has made, and nothing else."""
    return Organization.objects.using(using).filter(is_demo=True)


def is_unfinished(*, using: str) -> bool:
    """Whether a run was killed in the middle."""
    return demo_organizations(using=using).filter(name__endswith=UNFINISHED).exists()


def finish_organizations(*, using: str) -> None:
    """All their traffic is there."""
    for one in ORGANIZATIONS:
        demo_organizations(using=using).filter(slug=one.slug).update(name=one.name)


def create_organizations(*, using: str) -> None:
    """The organizations with their own rates and budgets. Projects and agents appear when they are first used."""
    for one in ORGANIZATIONS:
        organization = Organization.objects.using(using).create(
            slug=one.slug, name=one.name + UNFINISHED, timezone=one.timezone, is_demo=True
        )
        for resource_type, provider, model, unit_price_usd in one.unit_prices:
            Rate.objects.using(using).create(
                organization=organization,
                resource_type=resource_type,
                provider=provider,
                model=model,
                unit_price_usd=unit_price_usd,
                source=SOURCE,
            )
        create_budgets(organization, using=using)
    forget_rates()
