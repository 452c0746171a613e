"""Rates: which is in force, what may be edited, how another follows, and that bad input is a form error."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from costtrack.models import Agent, Organization, Rate, RateTier
from costtrack.pricing.ratebook import current_ratebook
from costtrack.pricing.validity import with_end
from tests.admin.rows import adding, changing, deleting, form_of, gpt_4, listing, new_rate, page, use

pytestmark = pytest.mark.django_db


def told(response: Any) -> str:
    return " ".join(str(message) for message in get_messages(response.wsgi_request))


def found(browser: Client, **query: str) -> list[Rate]:
    return list(browser.get(listing("rate"), query).context["cl"].result_list)


@pytest.fixture
def series(acme: Organization) -> dict[str, Rate]:
    """Three rates of everyone, one after another, and one of Acme's own, which ends none of them."""
    return {
        "ended": gpt_4(),
        "now": gpt_4(effective_from=datetime(2025, 1, 1, tzinfo=UTC)),
        "future": gpt_4(effective_from=datetime(2199, 1, 1, tzinfo=UTC)),
        "own": gpt_4(organization=acme, effective_from=datetime(2024, 6, 1, tzinfo=UTC)),
    }


def test_a_rate_ends_where_the_next_of_its_key_begins(series: dict[str, Rate]) -> None:
    other_tier = gpt_4(service_tier="batch", effective_from=datetime(2024, 7, 1, tzinfo=UTC))
    ends = {rate.pk: rate.ends_at for rate in with_end(Rate.objects.all())}  # type: ignore[attr-defined]

    assert ends == {
        series["ended"].pk: datetime(2025, 1, 1, tzinfo=UTC),
        series["now"].pk: datetime(2199, 1, 1, tzinfo=UTC),
        series["future"].pk: None,
        series["own"].pk: None,
        other_tier.pk: None,
    }


def test_rates_are_filtered_by_their_validity(browser: Client, series: dict[str, Rate]) -> None:
    assert set(found(browser, validity="now")) == {series["now"], series["own"]}
    assert found(browser, validity="future") == [series["future"]]
    assert found(browser, validity="ended") == [series["ended"]]
    assert len(found(browser, validity="nonsense")) == 4


def test_the_list_takes_as_many_queries_for_many_rates_as_for_one(
    browser: Client, acme: Organization, django_assert_num_queries: Callable[..., Any]
) -> None:
    gpt_4()
    page(browser, listing("rate"))
    with django_assert_num_queries(9) as counted:
        page(browser, listing("rate"))
    for number in range(20):
        gpt_4(model=f"gpt-{number + 5}", organization=acme)
    with django_assert_num_queries(len(counted)):
        page(browser, listing("rate"))


def test_an_unused_rate_can_be_changed_with_its_tiers(browser: Client) -> None:
    rate = gpt_4()
    tier = rate.tiers.create(above_input_tokens=200_000, input_usd_per_million=Decimal(60))
    sent = form_of(browser, changing(rate), **{"input_usd_per_million": "31.5", "tiers-0-input_usd_per_million": "63"})

    assert browser.post(changing(rate), sent).status_code == 302

    rate.refresh_from_db()
    tier.refresh_from_db()
    assert rate.input_usd_per_million == Decimal("31.5")
    assert tier.input_usd_per_million == Decimal(63)


def test_a_used_rate_cannot_be_changed_or_deleted(browser: Client, agent: Agent) -> None:
    rate = gpt_4()
    rate.tiers.create(above_input_tokens=200_000, input_usd_per_million=Decimal(60))
    sent = form_of(browser, changing(rate), **{"tiers-0-input_usd_per_million": "1"})
    use(agent, rate=rate)
    Rate.objects.update(is_used=True)

    shown = page(browser, changing(rate))
    assert 'name="input_usd_per_million"' not in shown
    assert 'name="tiers-0-input_usd_per_million"' not in shown
    assert browser.post(changing(rate), sent).status_code == 403
    for response in (browser.get(deleting(rate)), browser.post(deleting(rate), {"post": "yes"})):
        assert response.headers["Location"] == listing("rate")
        assert "A used rate stands" in told(response)
    many = browser.post(listing("rate"), {"action": "delete_selected", "_selected_action": str(rate.pk), "post": "yes"})
    assert "protected" in many.content.decode()
    assert RateTier.objects.get().input_usd_per_million == Decimal(60)


def test_a_rate_that_is_used_while_its_form_is_sent_is_a_message(
    browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    rate = gpt_4()
    sent = form_of(browser, changing(rate), input_usd_per_million="1")
    Rate.objects.update(is_used=True)
    monkeypatch.setattr("costtrack.admin.rates.is_used", lambda rate: False)

    response = browser.post(changing(rate), sent)

    assert response.status_code == 302
    assert "Not done" in told(response)
    rate.refresh_from_db()
    assert rate.input_usd_per_million == Decimal(30)


def test_unused_rates_are_deleted_alone_and_together(browser: Client) -> None:
    rates = [gpt_4(), gpt_4(model="gpt-4o"), gpt_4(model="gpt-5")]
    rates[0].tiers.create(above_input_tokens=200_000)

    assert browser.post(deleting(rates[0]), {"post": "yes"}).status_code == 302
    chosen = {"_selected_action": [str(rate.pk) for rate in rates[1:]]}
    assert browser.post(listing("rate"), {"action": "delete_selected", "post": "yes", **chosen}).status_code == 302

    assert not Rate.objects.exists()


def test_a_used_rate_is_followed_by_one_with_its_prices_from_now(browser: Client, acme: Organization) -> None:
    rate = gpt_4(organization=acme, aliases=["gpt-4-0613"], source="genai-prices", source_version="1")
    rate.tiers.create(above_input_tokens=200_000, input_usd_per_million=Decimal(60))
    rate.tiers.create(above_input_tokens=500_000, input_usd_per_million=Decimal(90))
    Rate.objects.update(is_used=True)
    action = browser.post(listing("rate"), {"action": "follow", "_selected_action": str(rate.pk)})
    form = action.headers["Location"]

    assert form == reverse("admin:costtrack_rate_add") + f"?follow={rate.pk}"
    assert form in page(browser, changing(rate)).replace("&amp;", "&")
    assert Rate.objects.count() == 1
    with time_machine.travel(datetime(2026, 3, 3, 12, 30, 15, 7, tzinfo=UTC), tick=False):
        sent = form_of(browser, form, input_usd_per_million="25")
    assert browser.post(form, sent).status_code == 302

    follower = Rate.objects.get(is_used=False)
    assert follower.effective_from == datetime(2026, 3, 3, 12, 30, 15, tzinfo=UTC)
    assert (follower.model, follower.organization, follower.aliases) == ("gpt-4", acme, ["gpt-4-0613"])
    assert (follower.input_usd_per_million, follower.output_usd_per_million) == (Decimal(25), Decimal(60))
    assert (follower.source, follower.source_version) == ("manual", "")
    assert list(follower.tiers.values_list("above_input_tokens", "input_usd_per_million")) == [
        (200_000, Decimal(60)),
        (500_000, Decimal(90)),
    ]
    assert rate.tiers.count() == 2


def test_two_rates_cannot_be_followed_at_once(browser: Client, series: dict[str, Rate]) -> None:
    chosen = [str(rate.pk) for rate in series.values()]

    response = browser.post(listing("rate"), {"action": "follow", "_selected_action": chosen})

    assert "Choose one rate" in told(response)


@pytest.mark.parametrize("key", ["0", "-1", "x", "9" * 30, "²", "\x00"])
def test_following_a_rate_that_does_not_exist_is_a_new_rate(browser: Client, key: str) -> None:
    page(browser, adding("rate"), follow=key)


def test_a_saved_and_a_deleted_rate_change_what_this_process_prices_with(
    browser: Client, django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    def price() -> Decimal | None:
        match = current_ratebook().find(model="gpt-4", provider="openai", at=datetime(2026, 3, 3, tzinfo=UTC))
        return match.rate.prices.input_usd_per_million if match else None

    assert price() is None
    with django_capture_on_commit_callbacks(execute=True):
        browser.post(adding("rate"), new_rate(browser))
    assert price() == Decimal(30)
    with django_capture_on_commit_callbacks(execute=True):
        browser.post(deleting(Rate.objects.get()), {"post": "yes"})
    assert price() is None


@pytest.mark.parametrize(
    ("sent", "warning"),
    [
        ({}, "This rate has no price: gpt-4 is withdrawn, its usage is unpriced from 2026-03-03 12:30 UTC on."),
        (
            {"service_tier": "batch"},
            "This rate has no price: the batch tier of gpt-4 ends, "
            "its standard rate holds from 2026-03-03 12:30 UTC on.",
        ),
        ({"input_usd_per_million": "0"}, ""),
        ({"tiers-TOTAL_FORMS": "1", "tiers-0-above_input_tokens": "9", "tiers-0-input_usd_per_million": "1"}, ""),
    ],
)
def test_a_rate_without_any_price_is_said_to_withdraw_its_model(
    browser: Client, sent: dict[str, str], warning: str
) -> None:
    start = {"effective_from_0": "2026-03-03", "effective_from_1": "12:30:00", "input_usd_per_million": ""}

    response = browser.post(adding("rate"), new_rate(browser, **{**start, **sent}))

    assert response.status_code == 302
    warnings = [str(message) for message in get_messages(response.wsgi_request) if message.level_tag == "warning"]
    assert warnings == ([warning] if warning else [])


def test_a_rate_without_a_provider_is_titled_by_its_model() -> None:
    assert str(gpt_4(provider="", model="my-m")) == "my-m standard from 2024-01-01"
    assert str(gpt_4()) == "openai/gpt-4 standard from 2024-01-01"
