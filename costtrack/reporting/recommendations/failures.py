"""Calls that failed and cost money all the same, those that were tried again apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from django.db.models import Case, DateTimeField, Exists, ExpressionWrapper, OuterRef, Q, Value, When
from django.db.models.expressions import Combinable

from costtrack.domain.events import Outcome, UsageKind
from costtrack.domain.money import EXACT, plain
from costtrack.domain.periods import DayRange
from costtrack.reporting.ledger_rows import ledger_rows
from costtrack.reporting.recommendations.asked import GROUPED_BY, LEAST_SAVING, NOTHING, Asked, Place, place_of, where
from costtrack.reporting.recommendations.recommendation import Confidence, Recommendation, RecommendationKind
from costtrack.reporting.what_if.cuts import Cuts
from costtrack.reporting.what_if.ledger_calls import ledger_calls
from costtrack.reporting.wording import counted, one_line, usd_text

RETRY_WITHIN = timedelta(minutes=10)
"""From the beginning of a call that failed to that of its retry: as long as the SDKs of OpenAI and Anthropic wait for
an answer by default (their READMEs, 2026-11)."""
SHOWN_ERRORS = 3
NO_ERROR_TYPE = "an error without a type"


@dataclass(slots=True)
class _Failed:
    cost: Decimal = NOTHING
    errors: Counter[str] = field(default_factory=Counter)
    """Calls that cost something, by the error's type."""

    def add(self, calls: int, cost: Decimal, *, error: str) -> None:
        """So many calls."""
        self.cost = EXACT.add(self.cost, cost)
        self.errors[error] += calls


def costly_failures(asked: Asked) -> Iterator[Recommendation]:
    """Of each project, agent, endpoint and model, or tool: the failed calls that have a cost, and those tried again."""
    failing = [one for one in asked.traffic if one.figures.errors]
    if not failing:
        return
    rows = asked.ledger.filter(
        outcome=Outcome.ERROR,
        endpoint__in={one.endpoint for one in failing},
        model__in={one.model for one in failing},
    )
    groups: dict[str, str | Combinable] = {**GROUPED_BY, "is_retried": _is_retried(asked), "error_type": "error_type"}
    places: dict[tuple[Place, bool], _Failed] = {}
    for calls in ledger_calls(rows, Cuts(), group_by=groups):
        *_, is_retried, error = calls.names
        if calls.booked_usd > 0:
            failed = places.setdefault((place_of(calls), bool(is_retried)), _Failed())
            failed.add(calls.calls, calls.booked_usd, error=str(error or NO_ERROR_TYPE))
    for (place, was_retried), failed in places.items():
        if failed.cost >= LEAST_SAVING:
            yield _retried(asked, place, failed) if was_retried else _recommended(asked, place, failed)


def _is_retried(asked: Asked) -> Case:
    """Whether another call to the same model followed soon, of the same endpoint and the same thread or entity."""
    days = DayRange(asked.days.start, asked.days.end + timedelta(days=1))
    same = ("endpoint", "resource_type", "provider", "model")
    soon = ExpressionWrapper(OuterRef("occurred_at") + RETRY_WITHIN, output_field=DateTimeField())
    following = ledger_rows(organizations=[asked.organization], days=days).filter(
        **{name: OuterRef(name) for name in same},
        kind=UsageKind.USAGE,
        occurred_at__gt=OuterRef("occurred_at"),
        occurred_at__lte=soon,
    )
    # The indexes of threads and of entities leave out the rows without any.
    of_thread = following.filter(~Q(thread_id=""), thread_id=OuterRef("thread_id"))
    of_entity = following.filter(~Q(entity_id=""), entity_type=OuterRef("entity_type"), entity_id=OuterRef("entity_id"))
    is_retried = Q(cost_usd__gt=0) & (Q(~Q(thread_id=""), Exists(of_thread)) | Q(~Q(entity_id=""), Exists(of_entity)))
    return Case(When(is_retried, then=Value(1)), default=Value(0))


def _most_often(failed: _Failed) -> str:
    ordered = sorted(failed.errors.items(), key=lambda one: (-one[1], one[0]))
    return ", ".join(f"{one_line(name)} ({number:,})" for name, number in ordered[:SHOWN_ERRORS])


def _recommended(asked: Asked, place: Place, failed: _Failed) -> Recommendation:
    count = failed.errors.total()
    return Recommendation(
        kind=RecommendationKind.FAILURES,
        title=f"Look why calls{where(place)} to {one_line(place[4] or place[3])} fail after they have used something",
        explanation=(
            f"{counted(count, 'failed call')} cost {usd_text(failed.cost)}, which is all of the saving. "
            f"Most often: {_most_often(failed)}. Calls that were tried again are not among them."
        ),
        condition="If the failures can be avoided, or end before anything is used.",
        confidence=Confidence.HIGH,
        scope=asked.scope(place),
        calls=count,
        cost_usd=plain(failed.cost),
        saving_usd=plain(failed.cost),
    )


def _retried(asked: Asked, place: Place, failed: _Failed) -> Recommendation:
    count, minutes = failed.errors.total(), RETRY_WITHIN // timedelta(minutes=1)
    return Recommendation(
        kind=RecommendationKind.RETRIES,
        title=f"Let calls{where(place)} to {one_line(place[4] or place[3])} succeed the first time",
        explanation=(
            f"{counted(count, 'failed call')} cost {usd_text(failed.cost)}, which is all of the saving, and each was "
            f"followed within {minutes} minutes by another call to the same model, of the same endpoint and the same "
            f"thread or entity. What that one cost is not in it. Most often: {_most_often(failed)}."
        ),
        condition=(
            "If the first call can be made to succeed, or to end before anything is used: longer time limits, smaller "
            "requests, no retries of what stays wrong. That the second call is a retry is told by when and where it "
            "was made: somebody who asks something else looks the same."
        ),
        confidence=Confidence.MEDIUM,
        scope=asked.scope(place),
        calls=count,
        cost_usd=plain(failed.cost),
        saving_usd=plain(failed.cost),
    )
