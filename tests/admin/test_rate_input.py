"""Bad input to the form of a rate is an error beside its field, never a server error."""

from __future__ import annotations

from html import unescape

import pytest
from django.test import Client

from costtrack.models import Organization, Rate
from tests.admin.rows import adding, new_rate, page

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("input_usd_per_million", "-1"),
        ("input_usd_per_million", "NaN"),
        ("input_usd_per_million", "Infinity"),
        ("output_usd_per_million", "free"),
        ("cache_read_usd_per_million", "0.0000001"),
        ("cache_read_usd_per_million", "1e11"),
        ("reasoning_usd_per_million", "1e9"),
        ("request_usd", "999999999999.999999999999"),
        ("request_usd", "-0.01"),
        ("unit_price_usd", "-0.01"),
        ("aliases", '"gpt-4"'),
        ("aliases", '{"gpt-4": 1}'),
        ("aliases", '["gpt-4", 5]'),
        ("aliases", '[""]'),
        ("aliases", '["gpt-4\\u0000"]'),
        ("aliases", "[gpt-4"),
        ("model", ""),
        ("service_tier", "express"),
        ("effective_from_0", "yesterday"),
    ],
)
def test_bad_input_is_an_error_beside_its_field(browser: Client, field: str, value: str) -> None:
    response = browser.post(adding("rate"), new_rate(browser, **{field: value}))

    assert response.status_code == 200
    assert field.removesuffix("_0") in response.context["adminform"].form.errors
    assert not Rate.objects.exists()


def test_a_negative_price_of_a_tier_is_an_error_beside_its_field(browser: Client) -> None:
    tier = {"tiers-TOTAL_FORMS": "1", "tiers-0-above_input_tokens": "200000", "tiers-0-input_usd_per_million": "-1"}

    response = browser.post(adding("rate"), new_rate(browser, **tier))

    assert "input_usd_per_million" in response.context["inline_admin_formsets"][0].formset.errors[0]


def test_two_tiers_with_one_threshold_are_a_form_error(browser: Client) -> None:
    tiers = {"tiers-TOTAL_FORMS": "2", "tiers-0-above_input_tokens": "200000", "tiers-1-above_input_tokens": "200000"}

    response = browser.post(adding("rate"), new_rate(browser, **tiers))

    assert response.context["inline_admin_formsets"][0].formset.total_error_count() > 0
    assert not Rate.objects.exists()


@pytest.mark.parametrize("own", [False, True])
def test_two_rates_of_one_key_and_beginning_are_a_form_error(browser: Client, acme: Organization, own: bool) -> None:
    organization = str(acme.pk) if own else ""
    sent = new_rate(browser, organization=organization)

    assert browser.post(adding("rate"), sent).status_code == 302
    assert browser.post(adding("rate"), sent).context["adminform"].form.errors == {
        "__all__": [
            "There is a rate of this provider, model, tier and window from that moment already; "
            "choose another effective_from."
        ]
    }
    assert Rate.objects.count() == 1


def test_no_aliases_are_an_empty_list(browser: Client) -> None:
    for number, empty in enumerate(("", "null", "[]")):
        assert browser.post(adding("rate"), new_rate(browser, model=f"gpt-{number}", aliases=empty)).status_code == 302

    assert list(Rate.objects.values_list("aliases", flat=True)) == [[], [], []]


@pytest.mark.parametrize(
    ("provider", "model"), [("OpenAI", "GPT-4o"), ("openai", "gpt-4o"), ("open_ai", "gpt-4o"), ("", "OpenAI/GPT-4o")]
)
def test_two_spellings_of_one_provider_and_model_are_one_rate(browser: Client, provider: str, model: str) -> None:
    sent = new_rate(browser, provider=provider, model=model, aliases='["GPT-4o-Latest"]')
    assert browser.post(adding("rate"), sent).status_code == 302
    rate = Rate.objects.get()
    assert (rate.provider, rate.model, rate.aliases) == ("openai", "gpt-4o", ["gpt-4o-latest"])

    again = browser.post(adding("rate"), new_rate(browser, provider="openai", model="gpt-4o"))

    assert again.context["adminform"].form.errors
    assert Rate.objects.count() == 1


def test_a_unit_price_alone_does_not_price_tokens(browser: Client) -> None:
    alone = {"input_usd_per_million": "", "unit_price_usd": "0.01"}

    errors = browser.post(adding("rate"), new_rate(browser, **alone)).context["adminform"].form.errors

    assert errors == {
        "unit_price_usd": ["llm_tokens have prices per 1,000,000 tokens. A unit price is for another resource type."]
    }
    for good in ({**alone, "resource_type": "api_call"}, {"unit_price_usd": "0.01"}):
        assert browser.post(adding("rate"), new_rate(browser, **good)).status_code == 302


def test_the_form_shows_how_aliases_are_written(browser: Client) -> None:
    assert 'as a JSON list: ["a", "b"]' in unescape(page(browser, adding("rate")))
