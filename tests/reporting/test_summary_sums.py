"""The parts of a summary add up to the whole, and each is what a plain sum in Python makes of the same usage."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from costtrack.aggregation import fold_pending
from costtrack.domain.periods import DayRange
from costtrack.models import DailyCostSummary, Organization
from costtrack.reporting.costs import summaries_of
from costtrack.reporting.figures import Figures
from costtrack.reporting.summary import Granularity, SummaryQuestion, cost_summary
from tests.reporting.booked import agent, organization

pytestmark = pytest.mark.django_db

DAYS = DayRange(date(2023, 10, 28), date(2023, 12, 9))
"""Six weeks with the ends of two months in them."""
DIMENSIONS = ("organization", "project", "agent", "sprint", "workflow", "endpoint", "provider", "model")
SLUGS = st.sampled_from(["", "a", "b"])
CALL = st.fixed_dictionaries(
    {
        "day": st.integers(0, 41).map(lambda offset: DAYS.start + timedelta(days=offset)),
        "organization": st.sampled_from(["acme", "globex"]),
        "owner": st.sampled_from(["", "a/b", "a/c", "b/b"]),
        "sprint": SLUGS,
        "workflow": SLUGS,
        "endpoint": SLUGS,
        "provider": SLUGS,
        "model": SLUGS,
        "calls": st.integers(-3, 9),
        "input_tokens": st.integers(0, 10**6),
        "cost_usd": st.integers(-(10**11), 10**12).map(lambda nano: Decimal(nano).scaleb(-9)),
        "is_folded": st.booleans(),
    }
)


def name_of(call: dict[str, Any], dimension: str) -> str:
    """How the call is shown, said once more in other words."""
    if dimension in ("project", "agent"):
        path = call["owner"].split("/")[0] if dimension == "project" else call["owner"]
        return f"{call['organization']}/{path}" if path else "(none)"
    if dimension == "model":
        return call["model"] or call["provider"] or "llm_tokens"
    return call[dimension] or "(none)"


def part_of(day: date, days: DayRange, granularity: Granularity | None) -> date:
    first = {
        None: days.start,
        Granularity.DAY: day,
        Granularity.WEEK: day - timedelta(days=day.isoweekday() - 1),
        Granularity.MONTH: date(day.year, day.month, 1),
    }
    return max(days.start, first[granularity])


def booked(calls: list[dict[str, Any]]) -> None:
    """The calls as summaries of a pending or folded grain."""
    owners = {one.slug: one for one in Organization.objects.all()}
    for is_folded in (True, False):
        rows = []
        for call in calls:
            if call["is_folded"] is is_folded:
                owner = owners[call["organization"]]
                named = agent(owner, call["owner"]) if call["owner"] else None
                values = {name: call[name] for name in call if name not in ("organization", "owner", "is_folded")}
                project = None if named is None else named.project
                rows.append(
                    DailyCostSummary(
                        grain="pending",
                        organization=owner,
                        project=project,
                        agent=named,
                        resource_type="llm_tokens",
                        **values,
                    )
                )
        DailyCostSummary.all_grains.bulk_create(rows)
        if is_folded:
            fold_pending()


def summed(calls: Iterable[dict[str, Any]]) -> tuple[int, int, Decimal]:
    listed = list(calls)
    return (
        sum(call["calls"] for call in listed),
        sum(call["input_tokens"] for call in listed),
        sum((call["cost_usd"] for call in listed), Decimal(0)),
    )


def told(figures: Figures) -> tuple[int, int, Decimal]:
    return figures.calls, figures.input_tokens, figures.cost_usd


@given(
    calls=st.lists(CALL, max_size=25),
    group_by=st.lists(st.sampled_from(DIMENSIONS), max_size=2, unique=True).map(tuple),
    granularity=st.sampled_from([None, *Granularity]),
    limit=st.integers(1, 4),
    edges=st.lists(st.integers(8, 42), min_size=2, max_size=2, unique=True).map(sorted),
    is_compared=st.booleans(),
)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_groups_and_others_add_up_to_the_total_and_all_of_it_is_what_was_booked(
    calls: list[dict[str, Any]],
    group_by: tuple[str, ...],
    granularity: Granularity | None,
    limit: int,
    edges: list[int],
    is_compared: bool,
) -> None:
    days = DayRange(*(DAYS.start + timedelta(days=edge) for edge in edges))
    before = DayRange(DAYS.start, days.start)
    inside = [call for call in calls if days.start <= call["day"] < days.end]
    earlier = [call for call in calls if call["day"] < days.start] if is_compared else []
    groups: defaultdict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
    for call in inside + earlier:
        groups[tuple(name_of(call, dimension) for dimension in group_by)].append(call)

    def of_period(listed: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [call for call in listed if call["day"] >= days.start]

    order = sorted(groups, key=lambda names: (-summed(of_period(groups[names]))[2], names))
    with transaction.atomic():
        for slug in ("acme", "globex"):
            organization(slug)
        booked(calls)
        question = SummaryQuestion(
            days=days,
            group_by=group_by,
            granularity=granularity,
            limit=limit,
            previous=before if is_compared else None,
        )
        summary = cost_summary(question, summaries_of(question.span, by=group_by))
        transaction.set_rollback(True)
    expected_groups = order[:limit] if group_by else []
    left_out = order[limit:] if group_by else []
    assert [one.names for one in summary.groups] == expected_groups
    assert (summary.other is None) is (not left_out)
    both = [*zip(summary.groups, [groups[names] for names in expected_groups], strict=True)]
    if summary.other is not None:
        both.append((summary.other, [call for names in left_out for call in groups[names]]))
    for one, listed in [*both, (summary.total, inside + earlier)]:
        assert told(one.figures) == summed(of_period(listed))
        if one.previous is not None:
            assert told(one.previous) == summed(call for call in listed if call["day"] < days.start)
        assert (one.previous is not None) is is_compared
        for part, figures in zip(summary.parts, one.parts, strict=True):
            in_part = [call for call in of_period(listed) if part_of(call["day"], days, granularity) == part.start]
            assert told(figures) == summed(in_part)
    if both and group_by:
        for index in range(3):
            assert sum(told(one.figures)[index] for one, _ in both) == told(summary.total.figures)[index]
