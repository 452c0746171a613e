"""Rates in and out of files, the models that have none, and what was in force on a day."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from costtrack.models import Agent, Organization, Rate
from tests.admin.rows import adding, gpt_4, listing, page, summarize
from tests.admin.scoped import staff

pytestmark = pytest.mark.django_db
IMPORT = "admin:costtrack_rate_import"
HEADER = "model,provider,input_usd_per_million,output_usd_per_million"


def send(browser: Client, text: str | bytes, name: str = "ours.csv", **fields: str) -> Any:
    data = text.encode() if isinstance(text, str) else text
    answer = browser.post(reverse(IMPORT), {"file": SimpleUploadedFile(name, data), "check": "", **fields})
    assert answer.status_code == 200
    return answer


def confirm(browser: Client, answer: Any) -> Any:
    """Send what the page holds once it has been looked through."""
    checked = answer.context["checked"]
    organization = checked["organization"]
    sent = {"text": checked["text"], "name": checked["name"], "organization": organization.pk if organization else ""}
    return browser.post(reverse(IMPORT), {**sent, "load": ""}, follow=True)


def test_a_file_is_looked_through_before_it_is_loaded(browser: Client) -> None:
    gpt_4()
    answer = send(browser, f"{HEADER}\ngpt-4,openai,30,60\ngpt-9,openai,1.5,6\n")
    report = answer.context["report"]
    assert (report.created, report.changed, report.unchanged, report.is_dry_run) == (1, 0, 1, True)
    assert Rate.objects.count() == 1
    done = confirm(browser, answer)
    assert [str(message) for message in done.context["messages"]] == ["Loaded: 1 new, 0 changed, 1 unchanged."]
    new = Rate.objects.get(model="gpt-9")
    assert (new.input_usd_per_million, new.source, new.organization) == (Decimal("1.5"), "ours.csv", None)


def test_what_is_wrong_is_told_by_line_and_nothing_is_loaded(browser: Client) -> None:
    answer = send(browser, f"{HEADER}\ngpt-9,openai,-1,6\ngpt-8,openai,1,2\ngpt-7,openai,NaN,2\n")
    assert [line for line, _ in answer.context["problems"]] == [2, 4]
    assert "is negative" in answer.context["problems"][0][1]
    assert "Mend these lines" in answer.content.decode()
    assert not Rate.objects.exists()


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("ours.txt", "x", "ends in none of .csv"),
        ("ours.csv", b"\xff\xfe", "is not UTF-8"),
        ("ours.csv", b"", "The submitted file is empty."),
        ("ours.csv", "a,b\n1,2\n", "does not know the columns a, b"),
        ("ours.yaml", "rates: [", "Nothing was loaded"),
        ("ours.csv", f"{HEADER},tiers\ngpt-9,openai,1,2,nonsense\n", "has tiers that are no JSON"),
    ],
)
def test_no_file_is_a_server_error(browser: Client, name: str, text: str | bytes, said: str) -> None:
    assert said in send(browser, text, name).content.decode()
    assert not Rate.objects.exists()


def test_without_a_file_it_says_to_choose_one(browser: Client) -> None:
    assert "Choose a file." in browser.post(reverse(IMPORT), {"check": ""}).content.decode()


def test_an_export_can_be_sent_back(browser: Client, acme: Organization) -> None:
    rate = gpt_4(aliases=["gpt-four"], cache_read_usd_per_million=Decimal("0.5"))
    rate.tiers.create(above_input_tokens=200_000, input_usd_per_million=Decimal("60.25"))
    gpt_4(model="@cf/meta", provider="")
    gpt_4(model="a100", resource_type="gpu_seconds", input_usd_per_million=None, output_usd_per_million=None,
          unit_price_usd=Decimal("0.0006"))  # fmt: skip
    gpt_4(model="gone", input_usd_per_million=None, output_usd_per_million=None)
    keys = [str(one.pk) for one in Rate.objects.all()]
    answer = browser.post(listing("rate"), {"action": "export", "_selected_action": keys})
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    text = answer.getvalue().decode()
    assert "'@cf/meta" in text
    report = send(browser, text).context["report"]
    assert (report.created, report.changed, report.unchanged) == (0, 0, 4)
    own = send(browser, text, organization=str(acme.pk))
    assert own.context["report"].created == 4
    confirm(browser, own)
    copied = Rate.objects.get(organization=acme, model="gpt-4")
    assert (copied.aliases, copied.effective_from, copied.cache_read_usd_per_million) == (
        ["gpt-four"],
        rate.effective_from,
        Decimal("0.5"),
    )
    (tier,) = copied.tiers.all()
    assert (tier.above_input_tokens, tier.input_usd_per_million) == (200_000, Decimal("60.25"))


def test_staff_import_prices_of_their_own_organizations_only(acme: Organization) -> None:
    other = Organization.objects.create(slug="globex")
    clerk = staff(acme="admin")
    text = f"{HEADER}\ngpt-9,openai,1,2\n"
    for organization in ("", str(other.pk)):
        assert send(clerk, text, organization=organization).context["report"] is None
    confirm(clerk, send(clerk, text, organization=str(acme.pk)))
    assert Rate.objects.get().organization == acme


def test_who_may_add_no_rate_may_import_none(acme: Organization) -> None:
    assert staff(acme="manager").get(reverse(IMPORT)).status_code == 403


@time_machine.travel(datetime(2026, 3, 10, tzinfo=UTC), tick=False)
def test_models_without_a_rate_are_listed_with_the_form_of_one(browser: Client, agent: Agent) -> None:
    missing = reverse("admin:costtrack_rate_missing")
    assert "has a price" in page(browser, missing)
    summarize(agent, model="gpt-9", calls=7, unpriced_calls=5, cost_usd=Decimal(0))
    summarize(agent, model="", provider="pubmed", resource_type="api_call", unpriced_calls=1)
    summarize(agent, model="old", unpriced_calls=9, day=date(2025, 3, 3))
    answer = browser.get(missing)
    found = [(one["usage"].model, one["usage"].unpriced_calls) for one in answer.context["lines"]]
    assert found == [("gpt-9", 5), ("", 1)]
    assert "Calls that told no usage are among them" in answer.content.decode()
    assert answer.context["lines"][1]["href"].startswith(f"{adding('rate')}?provider=pubmed&model=%2A&")
    form = browser.get(answer.context["lines"][0]["href"]).context["adminform"].form
    assert (form["provider"].value(), form["model"].value(), form["resource_type"].value()) == (
        "openai",
        "gpt-9",
        "llm_tokens",
    )


@time_machine.travel(datetime(2026, 3, 10, tzinfo=UTC), tick=False)
@pytest.mark.parametrize(("organization", "is_seen"), [("acme", True), ("globex", False)])
def test_staff_see_the_models_of_their_own_organizations_only(agent: Agent, organization: str, is_seen: bool) -> None:
    Organization.objects.create(slug="globex")
    summarize(agent, model="gpt-9", unpriced_calls=5)
    seen = page(staff(**{organization: "viewer"}), reverse("admin:costtrack_rate_missing"))
    assert ("gpt-9" in seen) is is_seen
    assert "New rate" not in seen


def test_an_instant_in_the_query_string_is_no_server_error(browser: Client) -> None:
    assert "gpt-9" in page(browser, f"{adding('rate')}?model=gpt-9&effective_from=nonsense")


def test_rates_of_a_day_are_those_that_priced_then(browser: Client) -> None:
    first, second = gpt_4(), gpt_4(effective_from=datetime(2025, 1, 1, tzinfo=UTC))

    def found(**query: str) -> list[Rate]:
        return list(browser.get(listing("rate"), query).context["cl"].result_list)

    assert found(as_of="2024-12-31") == [first]
    assert found(as_of="2025-01-01") == [second]
    assert found(as_of="2023-01-01") == []
    kept = page(browser, f"{listing('rate')}?as_of=2025-01-01&service_tier=standard")
    assert '<input type="hidden" name="service_tier" value="standard">' in kept
    for day in ("nonsense", "2025-02-30", "\x00", "0001-01-01"):
        assert browser.get(listing("rate"), {"as_of": day}).status_code in (200, 302)
