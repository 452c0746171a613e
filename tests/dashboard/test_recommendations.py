"""The page of savings: as they were found last, by the job or because somebody asked for it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

import costtrack
from costtrack.budgets.holds import sweep_expired
from costtrack.jobs.recommendations import look_for_recommendations
from costtrack.models import FoundRecommendations, Hold, Organization, Rate
from costtrack.pricing.ratebook import forget_rates
from tests.budgets.asked import make_budget
from tests.dashboard.reading import ROOT, document, opened
from tests.factories import NOON, make_rate
from tests.reporting.booked import book
from tests.reporting.recommendations.habits import book_calls

pytestmark = pytest.mark.django_db
LOOK = f"{ROOT}recommendations/look/?organization=acme"


def test_recommendations_are_of_one_organization(superuser: Client, acme: Organization) -> None:
    Organization.objects.create(slug="globex")
    page = opened(superuser, "recommendations/")
    links = [link.attributes["href"] for link in page.by_id("ct-live").all("a")]
    assert links == ["/costs/recommendations/?organization=acme", "/costs/recommendations/?organization=globex"]


def test_until_somebody_has_looked_the_page_says_who_does(viewer: Client, manager: Client, acme: Organization) -> None:
    book(acme, "5", outcome="error", errors=1)
    page = opened(viewer, "recommendations/")
    assert "manage.py find_recommendations" in page.by_id("ct-empty").text
    assert not page.has("ct-look")
    assert opened(manager, "recommendations/").by_id("ct-look").text == "Look now"


def test_what_the_job_found_is_shown_until_it_looks_again(viewer: Client, acme: Organization) -> None:
    for _ in range(2):
        book(acme, "5", outcome="error", errors=1)
    look_for_recommendations()
    with time_machine.travel("2023-11-17T11:00:00Z", tick=False):
        page = opened(viewer, "recommendations/")
        text = page.by_id("ct-recommendations").text
        assert "Saving $10.00 in 30 days" in text
        assert "2 failed calls cost $10.00" in text
        assert "Endpoint chat" in text
        assert "Model gpt-4" in text
        assert "Cost now $10.00" in text
        assert "From what was used from 18 Oct 2023 to 16 Nov 2023, found on 16 Nov 2023, 12:00" in page.text
        FoundRecommendations.objects.update(found=[])
        assert "nothing would clearly have cost less" in opened(viewer, "recommendations/").by_id("ct-empty").text


def test_a_manager_looks_at_once(manager: Client, acme: Organization) -> None:
    book(acme, "5", outcome="error", errors=1)
    button = opened(manager, "recommendations/").by_id("ct-look")
    assert (button.attributes["formaction"], button.attributes["form"]) == (LOOK, "ct-act")
    answer = manager.post(LOOK)
    assert (answer.status_code, answer["Location"]) == (302, "/costs/recommendations/?organization=acme")
    page = opened(manager, "recommendations/")
    assert "Saving $5.00" in page.by_id("ct-recommendations").text
    assert page.by_id("ct-look").text == "Look again"


def test_looking_is_for_managers_of_that_organization(
    viewer: Client, manager: Client, superuser: Client, acme: Organization
) -> None:
    Organization.objects.create(slug="globex")
    answer = viewer.post(LOOK)
    assert answer.status_code == 403
    assert "for the managers" in document(answer.content.decode()).text
    assert manager.post(LOOK.replace("acme", "globex")).status_code == 404
    assert superuser.post(f"{ROOT}recommendations/look/").status_code == 404
    assert manager.get(LOOK).status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(get_user_model().objects.get(username="mary"))
    assert strict.post(LOOK).status_code == 403
    assert not FoundRecommendations.objects.exists()


@pytest.mark.parametrize("is_kept", [False, True])
def test_the_page_takes_few_queries_whatever_there_is_to_tell(
    superuser: Client, viewer: Client, acme: Organization, is_kept: bool
) -> None:
    with time_machine.travel(NOON, tick=True):
        of_every_kind(acme)
        for number in range(12):
            Organization.objects.create(slug=f"o{number}")
        if is_kept:
            look_for_recommendations()
        for client, name in ((superuser, "root"), (viewer, "vera")):
            client.force_login(get_user_model().objects.get(username=name))  # three years later
            with CaptureQueriesContext(connection) as captured:
                page = opened(client, "recommendations/", organization="acme")
            assert len(captured) <= 6, "\n".join(one["sql"] for one in captured)
        kinds = {fact.text for fact in page.all("dd")}
        told = {"cheaper model", "prompt caching", "batch", "failures", "idle reservations", "near limit"}
        assert (kinds & told) == (told if is_kept else set())


def of_every_kind(acme: Organization) -> None:
    """Usage, budgets and a hold of which each rule has something to say."""
    make_rate("gpt-9", per_million=("3", "15"), cache_read_usd_per_million=Decimal("0.3"))
    make_rate("gpt-9", per_million=("1.5", "7.5"), service_tier="batch")
    make_rate("gpt-9-mini", per_million=("1", "4"))
    Rate.objects.create(model="a100", resource_type="gpu_seconds", unit_price_usd=Decimal("0.0005"))
    forget_rates()
    make_budget(acme, "100000", metric="amount", resource_type="gpu_seconds")
    make_budget(acme, "0.3", period="month", enforcement="soft", per="agent")
    job = {"organization": "acme", "project": "fold", "agent": "trainer", "resource_type": "gpu_seconds"}
    with costtrack.reserve("fold", amount=3600, model="a100", **job) as hold:
        Hold.objects.filter(pk=hold.id).update(expires_at=NOON - timedelta(seconds=1))
        sweep_expired(using="default")
    book_calls(24, 4096, 100, model="gpt-9")
    book_calls(4, 1000, 500, model="gpt-9", outcome="error")
