"""Calls that failed and cost money all the same; a retry that then succeeded was paid besides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from costtrack.domain.events import Outcome
from costtrack.domain.money import EXACT, plain
from costtrack.reporting.recommendations.asked import GROUPED_BY, LEAST_SAVING, NOTHING, Asked, Place, place_of, where
from costtrack.reporting.recommendations.recommendation import Confidence, Recommendation, RecommendationKind
from costtrack.reporting.what_if.cuts import Cuts
from costtrack.reporting.what_if.ledger_calls import ledger_calls
from costtrack.reporting.wording import counted, one_line, usd_text

SHOWN_ERRORS = 3
NO_ERROR_TYPE = "an error without a type"


@dataclass(slots=True)
class _Failed:
    cost: Decimal = NOTHING
    errors: Counter[str] = field(default_factory=Counter)
    """Calls that cost something, by the error's type."""


def costly_failures(asked: Asked) -> Iterator[Recommendation]:
    """One for each project, agent, endpoint and model, or tool, of which failed calls have a cost."""
    rows = asked.ledger.filter(outcome=Outcome.ERROR)
    places: dict[Place, _Failed] = {}
    for calls in ledger_calls(rows, Cuts(), group_by={**GROUPED_BY, "error_type": "error_type"}):
        if calls.booked_usd > 0:
            failed = places.setdefault(place_of(calls), _Failed())
            failed.cost = EXACT.add(failed.cost, calls.booked_usd)
            failed.errors[str(calls.names[-1] or NO_ERROR_TYPE)] += calls.calls
    for place, failed in places.items():
        if failed.cost >= LEAST_SAVING:
            yield _recommended(asked, place, failed)


def _recommended(asked: Asked, place: Place, failed: _Failed) -> Recommendation:
    count = failed.errors.total()
    ordered = sorted(failed.errors.items(), key=lambda one: (-one[1], one[0]))
    shown = ", ".join(f"{one_line(name)} ({number:,})" for name, number in ordered[:SHOWN_ERRORS])
    return Recommendation(
        kind=RecommendationKind.FAILURES,
        title=f"Look why calls{where(place)} to {one_line(place[4] or place[3])} fail after they have used something",
        explanation=(
            f"{counted(count, 'failed call')} cost {usd_text(failed.cost)}, which is all of the saving. "
            f"Most often: {shown}. What a retry cost that then succeeded is not in it."
        ),
        condition="If the failures can be avoided, or end before anything is used.",
        confidence=Confidence.HIGH,
        scope=asked.scope(place),
        calls=count,
        cost_usd=plain(failed.cost),
        saving_usd=plain(failed.cost),
    )
