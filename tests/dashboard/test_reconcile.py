"""The page of invoices: a file is sent, compared with the books of one organization, and not kept."""

from __future__ import annotations

from datetime import date

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from costtrack.dashboard import reconcile
from costtrack.models import Organization
from costtrack.reporting import invoice_file
from tests.api.callers import person
from tests.dashboard.reading import ROOT, Element, document
from tests.reporting.booked import book, organization

pytestmark = pytest.mark.django_db
DASH = "–"  # noqa: RUF001
TEXT = "date,model,cost_usd\n2023-11-01,gpt-4,10\n2023-11-02,gpt-4,4\n2023-11-02,o3,0.5\n"


@pytest.fixture(autouse=True)
def acme(acme: Organization) -> Organization:
    book(acme, "9.75", day=date(2023, 11, 1), provider="openai")
    book(acme, "4", day=date(2023, 11, 2), provider="openai")
    book(acme, "2", day=date(2023, 11, 2), provider="openai", model="o1")
    book(acme, None, day=date(2023, 11, 2), provider="openai", model="new")
    book(acme, "6", day=date(2023, 11, 3), provider="openai")
    return acme


def send(
    client: Client, text: str = TEXT, /, *, query: str = "?organization=acme", answers: int = 200, **fields: str
) -> Element:
    file = SimpleUploadedFile("invoice.csv", text.encode(), content_type="text/csv")
    answer = client.post(f"{ROOT}reconcile/{query}", {"provider": "openai", "invoice": file, **fields})
    assert answer.status_code == answers, answer.content[-2000:]
    assert answer["Cache-Control"] == "private, no-store"
    return document(answer.content.decode())


def test_the_differences_are_shown_by_model_and_by_day(viewer: Client) -> None:
    page = send(viewer)
    assert [page.by_id(f"ct-{name}").text for name in ("invoiced", "metered", "difference", "unpriced")] == [
        "$14.50",
        "$15.75",  # 9.75 + 4 + 2
        "-$1.25",
        "1",
    ]
    assert page.by_id("ct-models").rows == [
        ["o1 only metered", DASH, "$2.00", "-$2.00", DASH, "1"],
        ["o3 only invoiced", "$0.50", DASH, "+$0.50", "+100.00 %", "0"],
        ["gpt-4", "$14.00", "$13.75", "+$0.25", "+1.79 %", "2"],
        ["new only metered 1 unpriced", DASH, "unpriced", "$0.00", DASH, "1"],
    ]
    assert page.by_id("ct-models").one("tfoot").text == "Total $14.50 $15.75 -$1.25 -8.62 % 4"
    assert page.by_id("ct-lines").rows == [
        ["1 Nov 2023", "gpt-4", "$10.00", "$9.75", "+$0.25", "+2.50 %"],
        ["2 Nov 2023", "gpt-4", "$4.00", "$4.00", "$0.00", "+0.00 %"],
        ["2 Nov 2023", "new only metered 1 unpriced", DASH, "unpriced", "$0.00", DASH],
        ["2 Nov 2023", "o1 only metered", DASH, "$2.00", "-$2.00", DASH],
        ["2 Nov 2023", "o3 only invoiced", "$0.50", DASH, "+$0.50", "+100.00 %"],
    ]


def test_a_longer_period_has_the_days_that_the_invoice_does_not_name(viewer: Client) -> None:
    page = send(viewer, first="2023-11-01", last="2023-11-03")
    assert page.by_id("ct-lines").rows[-1][:4] == ["3 Nov 2023", "gpt-4 only metered", DASH, "$6.00"]
    fields = {one.attributes["name"]: one.attributes.get("value") for one in page.by_id("ct-invoice").all("input")}
    assert (fields["provider"], fields["first"], fields["last"]) == ("openai", "2023-11-01", "2023-11-03")


def test_of_many_lines_those_with_the_largest_differences_are_shown(
    viewer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile, "LINES_SHOWN", 2)
    page = send(viewer)
    assert [row[:2] for row in page.by_id("ct-lines").rows] == [
        ["2 Nov 2023", "o1 only metered"],
        ["2 Nov 2023", "o3 only invoiced"],
    ]
    assert "3 more have smaller ones" in page.text


def test_where_nothing_was_metered_the_providers_that_were_used_are_told(viewer: Client) -> None:
    page = send(viewer, provider="opnai")
    assert page.by_id("ct-unmetered").text == "Nothing of opnai was metered in these days, but of: openai."


def test_bad_lines_are_told_with_their_numbers(viewer: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = f"{TEXT}2023-11-03,gpt-4,much\n3.11.2023,gpt-4,1\n"
    page = send(viewer, bad, answers=400)
    assert [row[0] for row in page.by_id("ct-problems").rows] == ["5", "6"]
    assert page.by_id("ct-problems").rows[0][1] == "cost_usd: got 'much', expected a number."
    assert not page.has("ct-reconciled")
    monkeypatch.setattr(reconcile, "PROBLEMS_SHOWN", 1)
    assert "And 1 more." in send(viewer, bad, answers=400).text
    monkeypatch.setattr(invoice_file, "MAX_BYTES", 20)
    assert "longer than 20 bytes" in send(viewer, answers=400).by_id("ct-problems").text


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"provider": " "}, "provider: got '', expected who sent the invoice"),
        ({"provider": "x" * 201}, "provider: got "),
        ({"invoice": ""}, "invoice: got 'no file', expected a CSV file"),
        ({"first": "1.11.2023"}, "first: got '1.11.2023', expected a date"),
        ({"last": "2023-10-31"}, "last: got '2023-10-31', expected a last day on or after the first"),
        (
            {"first": "2000-01-01"},
            "last: got '2023-11-02', expected a last day on or after the first, and at most 1,100",
        ),
        ({"first": "2023-11-02"}, "date: got '2023-11-01', expected days from 2023-11-02"),
    ],
)
def test_what_can_not_be_compared_says_why(viewer: Client, fields: dict[str, str], said: str) -> None:
    assert said in send(viewer, answers=400, **fields).by_id("ct-fault").text


def test_only_who_may_see_the_organization_s_costs_may_compare(superuser: Client) -> None:
    organization("globex")
    stranger = person("gus", roles={Organization.objects.get(slug="globex"): "admin"})
    answer = send(stranger, answers=404)
    assert "9.75" not in answer.text
    own = send(stranger, query="")
    assert own.by_id("ct-metered").text == DASH  # globex' own, which used nothing
    assert (
        send(superuser, query="", answers=404).by_id("ct-problem").text == "organization: name the one that was billed."
    )
    choices = document(superuser.get(f"{ROOT}reconcile/").content.decode())
    hrefs = [link.attributes["href"] for link in choices.one(class_="ct-links").all("a")]
    assert hrefs == ["/costs/reconcile/?organization=acme", "/costs/reconcile/?organization=globex"]
    assert Client().post(f"{ROOT}reconcile/").status_code == 302


def test_it_needs_the_session_s_token(viewer: Client) -> None:
    viewer.handler.enforce_csrf_checks = True
    assert viewer.post(f"{ROOT}reconcile/", {"provider": "openai"}).status_code == 403


def test_the_form_offers_the_providers_that_were_used_and_says_what_a_file_is(viewer: Client) -> None:
    page = document(viewer.get(f"{ROOT}reconcile/").content.decode())
    assert [one.attributes["value"] for one in page.by_id("ct-providers").all("option")] == ["openai"]
    assert "date,model,cost_usd" in page.by_id("ct-empty").text
    assert "Days are those of UTC" in page.by_id("ct-empty").text
    assert not page.has("ct-reconciled")
