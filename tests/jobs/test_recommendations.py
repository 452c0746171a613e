"""The job that looks for what would cost less, and what it keeps."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
import time_machine
from django.db import IntegrityError, transaction

from costtrack.jobs.recommendations import look_for_recommendations
from costtrack.models import FoundRecommendations, JobRun, Organization
from costtrack.reporting.recommendations.found import found_recommendations
from tests.factories import make_organization
from tests.reporting.booked import book

pytestmark = pytest.mark.django_db
NIGHT = datetime(2023, 11, 17, 2, 52, tzinfo=UTC)


@pytest.fixture
def acme() -> Organization:
    """An organization whose two failed calls of the 16th cost 5 dollars each."""
    acme = make_organization()
    for _ in range(2):
        book(acme, "5", outcome="error", errors=1)
    return acme


def test_what_is_found_of_each_organization_is_kept_until_the_next_time(acme: Organization) -> None:
    globex = Organization.objects.create(slug="globex", timezone="Pacific/Kiritimati")  # 14 hours ahead
    assert found_recommendations(acme) is None
    with time_machine.travel(NIGHT, tick=False):
        assert look_for_recommendations() == 2
    found, of_globex = found_recommendations(acme), found_recommendations(globex)
    assert found is not None
    assert of_globex is not None
    assert (found.at, found.days.start, found.days.end) == (NIGHT, date(2023, 10, 19), date(2023, 11, 18))
    # Only that the calls failed: 5 + 5.
    assert [(one["kind"], one["saving_usd"], one["calls"]) for one in found.recommendations] == [("failures", "10", 2)]
    assert (of_globex.recommendations, of_globex.days.end) == ([], date(2023, 11, 18))

    book(acme, "7", outcome="error", errors=1)
    later = datetime(2023, 11, 17, 12, tzinfo=UTC)
    with time_machine.travel(later, tick=False):
        assert look_for_recommendations() == 2
    found, of_globex = found_recommendations(acme), found_recommendations(globex)
    assert found is not None
    assert of_globex is not None
    assert (found.at, found.recommendations[0]["saving_usd"]) == (later, "17")
    assert of_globex.days.end == date(2023, 11, 19)  # there it is the 18th
    assert FoundRecommendations.objects.count() == 2
    assert JobRun.objects.get(name="find_recommendations").finished_at == later


def test_the_database_refuses_days_that_end_before_they_begin_and_a_second_row(acme: Organization) -> None:
    values = {"organization": acme, "start": date(2023, 11, 2), "found_at": NIGHT, "found": []}
    with pytest.raises(IntegrityError), transaction.atomic():
        FoundRecommendations.objects.create(**values, end=date(2023, 11, 2))
    FoundRecommendations.objects.create(**values, end=date(2023, 11, 3))
    with pytest.raises(IntegrityError), transaction.atomic():
        FoundRecommendations.objects.create(**values, end=date(2023, 11, 4))
