"""Reports of usage that came in by the one path that usage comes in by."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from costtrack.domain.periods import day_range
from costtrack.metering.corrections import adjust_usage, void_usage
from costtrack.metering.events import build_event
from costtrack.metering.ledger import record_events
from costtrack.models import Organization, ResourceUsage
from costtrack.reporting.conversations import conversation_totals
from costtrack.reporting.costs import costs_by
from costtrack.reporting.entities import entity_summary
from costtrack.reporting.markdown import markdown_report
from costtrack.reporting.report import ReportKind, cost_report
from costtrack.reporting.zones import reporting_zone
from tests.reporting.booked import organization

pytestmark = pytest.mark.django_db


def record(owner: Organization, at: str, cost: str | None) -> ResourceUsage:
    """A call of 1,000 tokens in and 500 out, in conversation t1 and for job 1."""
    event = build_event(
        organization=owner.slug,
        project="web",
        agent="bot",
        thread_id="t1",
        entity_type="job",
        entity_id="1",
        endpoint="generate",
        model="gpt-4" if cost else "mystery",
        provider="openai" if cost else "",
        occurred_at=datetime.fromisoformat(at),
        input_tokens=1000,
        output_tokens=500,
        reported_cost_usd=cost,
        now=datetime(2023, 12, 1, tzinfo=UTC),
    )
    [result] = record_events([event])
    return ResourceUsage.objects.get(pk=result.usage_id)


def test_a_day_of_25_hours_holds_its_25th_hour_and_corrections_land_on_it() -> None:
    # 2023-11-05 in New York lasts from 04:00 UTC to 05:00 UTC of the next day.
    acme = organization("acme", "America/New_York")
    record(acme, "2023-11-05T03:59:59+00:00", "100")
    record(acme, "2023-11-05T04:00:00+00:00", "1")
    record(acme, "2023-11-06T04:59:59+00:00", "2")
    record(acme, "2023-11-06T05:00:00+00:00", "200")
    record(acme, "2023-11-05T12:00:00+00:00", None)
    void_usage(record(acme, "2023-11-05T13:00:00+00:00", "50"), reason="a test")
    adjust_usage(
        record(acme, "2023-11-05T14:00:00+00:00", "4"),
        reason="billed less",
        cost_usd=Decimal("-0.5"),
        output_tokens=-100,
    )
    zone = reporting_zone(acme)
    report = cost_report(ReportKind.DAILY, date(2023, 11, 5), zone=zone, organization=acme)
    figures = report.breakdown.figures
    # 1 + 2 + (4 - 0.5) = 6.5 in 3 priced calls and an unpriced one; 4 x 1,500 - 100 = 5,900 tokens.
    assert (figures.cost_usd, figures.calls, figures.unpriced_calls) == (Decimal("6.5"), 4, 1)
    assert figures.total_tokens == 5900
    assert report.period_end.astimezone(UTC) - report.period_start.astimezone(UTC) == timedelta(hours=25)
    text = markdown_report(report)
    assert "- gpt-4: $6.50 (3 calls, 4,400 tokens)\n- mystery: unpriced (1 call, 1,500 tokens)\n" in text
    [agent] = costs_by("agent", day_range(report.days.start))
    assert (agent.name, agent.figures.cost_usd) == ("acme/web/bot", Decimal("6.5"))
    conversation, job = conversation_totals("t1"), entity_summary("job", "1")
    assert conversation is not None
    assert job is not None
    # The same, and what the days before and after cost.
    assert conversation.breakdown.figures.cost_usd == job.figures.cost_usd == Decimal("306.5")
    assert conversation.first_call_at == datetime(2023, 11, 5, 3, 59, 59, tzinfo=UTC)
    assert conversation.last_call_at == datetime(2023, 11, 6, 5, tzinfo=UTC)
