"""What else was used than tokens: by type, by what of it, by agent, by job; and what is held."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

import costtrack
from costtrack.dashboard.resource_words import reserved_line, unit_cost_text, used_text
from costtrack.models import Agent, Organization, Rate, ResourceUsage
from costtrack.pricing.ratebook import forget_rates
from costtrack.reporting.figures import Figures
from costtrack.reporting.reserved_use import ReservedUse
from tests.budgets.asked import hold, make_budget
from tests.dashboard.reading import opened
from tests.reporting.booked import book

pytestmark = pytest.mark.django_db
DASH = "–"  # noqa: RUF001


def use(owner: Agent, cost: str | None, amount: str, **fields: Any) -> ResourceUsage:
    """So many GPU seconds of an A100 by that agent."""
    values = {"resource_type": "gpu_seconds", "model": "A100", "amount": Decimal(amount), **fields}
    own = {"agent": owner, "project": owner.project}
    return book(owner.project.organization, cost, **own, **values)


def test_each_resource_is_told_in_its_unit_with_what_one_costs(viewer: Client, bot: Agent) -> None:
    use(bot, "2.5", "3600")
    use(bot, "5", "7200", model="H100", day=date(2023, 11, 2))
    use(bot, "0.3", "2", resource_type="api_call", model="", provider="pubmed")
    use(bot, None, "1", resource_type="api_call", model="", provider="maps", errors=1, outcome="error")
    use(bot, "7", "5", day=date(2023, 10, 31))  # the month before
    page = opened(viewer, "resources/")
    # 7.50 for 3 hours; of api_call one has no price, so what one costs is not known.
    assert page.by_id("ct-types").rows == [
        ["gpu_seconds", "3 hours", "$2.50 an hour", "$7.50", "2"],
        ["api_call 1 unpriced 1 failed", "3 calls", DASH, "$0.30", "2"],
    ]
    assert page.by_id("ct-types").one("tfoot").text == "Total $7.80"
    assert page.by_id("ct-kinds").rows == [
        ["H100 gpu_seconds", "2 hours", "$2.50 an hour", "$5.00"],
        ["A100 gpu_seconds", "1 hour", "$2.50 an hour", "$2.50"],
        ["pubmed api_call", "2 calls", "$0.15 a call", "$0.30"],
        ["maps api_call 1 unpriced 1 failed", "1 call", DASH, "unpriced"],
    ]
    [gpu, _] = page.by_id("ct-owners").rows
    assert gpu == ["web/bot gpu_seconds", "3 hours", "$7.50"]
    assert page.by_id("ct-owners").all("a")[0].attributes["href"] == f"/costs/agents/{bot.pk}/?period=mtd"
    href = page.by_id("ct-types").all("a")[0].attributes["href"]
    assert href == "/costs/usage/?organization=acme&resource_type=gpu_seconds&period=mtd"
    assert len(opened(viewer, href.removeprefix("/costs/")).by_id("ct-usage").rows) == 2


def test_jobs_are_listed_with_the_dearest_first(viewer: Client, bot: Agent) -> None:
    job = {"entity_type": "job"}
    use(bot, "1", "1440", entity_id="41", **job)
    use(bot, "4", "5760", entity_id="42", **job, at=datetime(2023, 11, 16, 9, 30, tzinfo=UTC))
    use(bot, "2", "2880", entity_id="42", **job, at=datetime(2023, 11, 16, 9, 45, tzinfo=UTC))
    book(bot.project.organization, "90", entity_id="42", **job)  # tokens
    jobs = opened(viewer, "resources/").by_id("ct-jobs")
    assert jobs.rows == [
        ["42 job", "gpu_seconds", "2.4 hours", "$6.00", "2", "16 Nov 2023, 09:45"],
        ["41 job", "gpu_seconds", "0.4 hours", "$1.00", "1", "16 Nov 2023, 12:00"],
    ]
    page = opened(viewer, jobs.all("a")[0].attributes["href"].removeprefix("/costs/"))
    assert [row[4].split()[0] for row in page.by_id("ct-usage").rows] == ["$2.000000", "$4.000000"]


def test_what_was_reserved_and_not_used_is_told_with_its_cost(viewer: Client, acme: Organization) -> None:
    Rate.objects.create(model="a100", resource_type="gpu_seconds", unit_price_usd=Decimal("0.0005"))
    forget_rates()
    make_budget(acme, "1000000", metric="amount", resource_type="gpu_seconds")
    job = {"organization": "acme", "resource_type": "gpu_seconds", "model": "a100"}
    costtrack.record_usage(amount=60, **{**job, "model": "h100"})
    assert "Nothing was used that had been reserved." in opened(viewer, "resources/").text
    with costtrack.reserve("fold", amount=7200, **job) as reservation:
        reservation.settle(amount=5400)
    costtrack.flush()
    # 1800 of 7200 seconds, at 0.0005
    assert opened(viewer, "resources/").by_id("ct-reserved").rows == [
        ["a100 gpu_seconds", "1", "2 hours", "1.5 hours", "75.0 %", "0.5 hours", "$0.90"]
    ]
    unknown = ReservedUse(resource_type="gpu_seconds", model="a100", held=Decimal(9), idle=Decimal(9), without_price=1)
    assert reserved_line(unknown)["cost"] == DASH


def test_what_is_held_is_listed_for_those_who_may_see_it(viewer: Client, superuser: Client, acme: Organization) -> None:
    budget = make_budget(acme, "10", name="gpus", period="total")
    assert "Nothing is reserved." in opened(viewer, "resources/").text
    hold("0.25", at=datetime(2023, 11, 16, 11, 55, tzinfo=UTC))
    page = opened(viewer, "resources/")
    [row] = page.by_id("ct-holds").rows
    assert row[0].startswith("test-model")
    assert row[2:4] == ["$0.25 of gpus", "16 Nov 2023, 11:55"]
    assert page.by_id("ct-holds").all("a")[0].attributes["href"] == f"/costs/budgets/{budget.pk}/"
    globex = Organization.objects.create(slug="globex")
    assert opened(superuser, "resources/").by_id("ct-holds").rows[0][1].startswith("acme")
    assert "Nothing is reserved." in opened(superuser, "resources/", organization=globex.slug).text


def test_nothing_but_tokens_says_the_next_step(viewer: Client, bot: Agent) -> None:
    page = opened(viewer, "resources/")
    assert "costtrack.record_usage(" in page.by_id("ct-empty").text
    assert not page.has("ct-jobs-heading")


@pytest.mark.parametrize(
    ("amount", "resource_type", "text"),
    [
        ("3600", "gpu_seconds", "1 hour"),
        ("1", "gpu_seconds", "0 hours"),
        ("90", "gpu_seconds", "0.02 hours"),  # 0.025, half-even
        ("4500000", "gpu_seconds", "1,250 hours"),
        ("-3600", "gpu_seconds", "-1 hours"),
        ("1", "web_search", "1 search"),
        ("1234.5", "pages", "1,234.5 units"),
    ],
)
def test_amounts_are_written_in_what_people_count(amount: str, resource_type: str, text: str) -> None:
    assert used_text(Decimal(amount), resource_type) == text


def test_what_one_costs_is_not_told_where_it_is_not_known() -> None:
    def told(amount: str, **figures: Any) -> str:
        return unit_cost_text(Figures(amount=Decimal(amount), cost_usd=Decimal(9), **figures), "web_search")

    assert told("3") == "$3.00 a search"
    assert told("3", unpriced_calls=1) == told("0") == told("-3") == DASH
