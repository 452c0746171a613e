"""The rates at a date: which are shown, whose, since when and until when, and how old the prices are."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.test import Client

from costtrack.dashboard import rates as rates_page
from costtrack.models import Organization, Rate, RateTier
from tests.api.callers import person
from tests.dashboard.reading import opened
from tests.factories import make_rate
from tests.reporting.booked import book, organization

pytestmark = pytest.mark.django_db
DASH = "–"  # noqa: RUF001
NOVEMBER_10 = datetime(2023, 11, 10, tzinfo=UTC)


def shown(client: Client, **query: str) -> list[str]:
    """The model, input price and state of each rate on the page."""
    page = opened(client, "rates/", **query)
    return [f"{row[0]} {row[2]}" for row in page.by_id("ct-rates").rows] if page.has("ct-rates") else []


def test_the_rates_of_what_was_used_are_those_in_force_now_or_on_the_date_that_is_asked_for(
    viewer: Client, acme: Organization
) -> None:
    book(acme, "1", provider="openai")
    make_rate("gpt-4", per_million=("30", "60"))
    make_rate("gpt-4", per_million=("10", "30"), effective_from=NOVEMBER_10)
    make_rate("gpt-4", per_million=("5", "15"), effective_from=datetime(2023, 12, 1, tzinfo=UTC))
    make_rate("unused")
    assert shown(viewer) == ["gpt-4 openai $10"]
    assert shown(viewer, as_of="2023-11-09") == ["gpt-4 openai $30"]
    assert shown(viewer, as_of="2023-11-10") == ["gpt-4 openai $10"]
    assert shown(viewer, dates="all") == [
        "gpt-4 ended openai $30",
        "gpt-4 openai $10",
        "gpt-4 begins later openai $5",
    ]
    assert shown(viewer, dates="all", as_of="2023-12-01")[1:] == ["gpt-4 ended openai $10", "gpt-4 openai $5"]
    assert shown(viewer, models="all") == ["gpt-4 openai $10", "unused openai $3"]
    assert shown(viewer, models="all", model="NUS") == ["unused openai $3"]


def test_a_line_tells_every_price_and_what_it_is_of(viewer: Client, acme: Organization) -> None:
    rate = make_rate(
        "gpt-4",
        organization=acme,
        service_tier="batch",
        effective_from=NOVEMBER_10,
        cache_read_usd_per_million=Decimal("0.3"),
        cache_write_usd_per_million=Decimal("3.75"),
        request_usd=Decimal("0.01"),
        source="contract",
        source_version="7",
    )
    RateTier.objects.create(rate=rate, above_input_tokens=200_000, input_usd_per_million=Decimal(6))
    Rate.objects.create(
        provider="", model="A100", organization=acme, resource_type="gpu_seconds", unit_price_usd=Decimal("0.0007")
    )
    Rate.objects.create(provider="openai", model="gone", organization=acme)
    assert opened(viewer, "rates/").by_id("ct-rates").rows == [
        ["A100 gpu_seconds any provider", "acme", DASH, DASH, DASH, "$0.0007 per unit", "ever", DASH, "manual"],
        [
            "gone openai",
            "acme",
            DASH,
            DASH,
            DASH,
            "no price: withdrawn",
            "ever",
            DASH,
            "manual",
        ],
        [
            "gpt-4 batch openai",
            "acme",
            "$3",
            "$0.3",
            "$15",
            "cache write $3.75 $0.01 per call above 200,000 input tokens: input $6",
            "10 Nov 2023, 00:00",
            DASH,
            "contract 7",
        ],
    ]


def test_a_date_is_the_organization_s_own(acme: Organization) -> None:
    berlin = organization("berlin", timezone="Europe/Berlin")
    vera = person("vera", roles={berlin: "viewer"})
    book(berlin, "1", provider="openai")
    make_rate("gpt-4", per_million=("30", "60"))
    make_rate("gpt-4", per_million=("10", "30"), effective_from=datetime(2023, 11, 9, 23, 30, tzinfo=UTC))
    assert shown(vera, as_of="2023-11-10") == ["gpt-4 openai $30"]  # the tenth begins at 23:00 UTC there
    assert shown(vera, as_of="2023-11-11") == ["gpt-4 openai $10"]


def test_the_rates_of_another_organization_are_not_shown(viewer: Client, acme: Organization) -> None:
    globex = organization("globex")
    book(globex, "1", provider="openai")
    make_rate("gpt-4", organization=globex)
    make_rate("gpt-4")
    assert shown(viewer) == []  # acme used nothing
    page = opened(viewer, "rates/", models="all", dates="all")
    assert [row[1] for row in page.by_id("ct-rates").rows] == ["everyone"]


def test_pages_of_rates_reach_each_one_once(
    viewer: Client, acme: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rates_page, "PAGE_SIZE", 2)
    for name, since in (("b", 1), ("a", 2), ("a", 1), ("c", 1), ("b", 2)):
        make_rate(name, effective_from=datetime(2023, since, 1, tzinfo=UTC))
    page, seen = opened(viewer, "rates/", models="all", dates="all"), []
    while True:
        seen += [f"{row[0].split()[0]} {row[6].split()[1]}" for row in page.by_id("ct-rates").rows]
        following = [link for link in page.all("a") if link.attributes.get("rel") == "next"]
        if not following:
            break
        page = opened(viewer, following[0].attributes["href"].removeprefix("/costs/"))
    assert seen == ["a Jan", "a Feb", "b Jan", "b Feb", "c Jan"]


def test_prices_that_nobody_has_loaded_for_half_a_year_are_a_warning(viewer: Client, acme: Organization) -> None:
    def tile() -> tuple[str, bool]:
        one = opened(viewer, "rates/").by_id("ct-loaded")
        return one.text, "ct-tile-warning" in one.attributes["class"]

    assert tile() == (f"Prices loaded {DASH} none was loaded yet", False)
    make_rate()  # by hand
    make_rate("own", organization=acme, source="contract")
    assert tile() == (f"Prices loaded {DASH} none was loaded yet", False)
    make_rate("loaded", source="genai-prices")
    Rate.objects.filter(source="genai-prices").update(updated_at=datetime(2023, 5, 20, 13, tzinfo=UTC))
    assert tile() == ("Prices loaded 20 May 2023 179 days ago", False)
    Rate.objects.filter(source="genai-prices").update(updated_at=datetime(2023, 5, 20, 12, tzinfo=UTC))
    text, is_warning = tile()
    assert text.startswith("Prices loaded 20 May 2023 180 days ago: older than 180 days.")
    assert is_warning


def test_a_model_that_has_a_rate_by_now_is_not_to_be_given_one(superuser: Client, acme: Organization) -> None:
    book(acme, None, provider="openai")
    book(acme, None, provider="openai", model="gpt-5")
    make_rate("gpt-4")
    make_rate("gpt-5", organization=acme)
    organization("globex")

    def todo(**query: str) -> dict[str, str]:
        return {row[0]: row[5] for row in opened(superuser, "rates/", **query).by_id("ct-unpriced-models").rows}

    assert todo(organization="acme") == {"gpt-4": "Has a rate now", "gpt-5": "Has a rate now"}
    assert todo() == {"gpt-4": "Has a rate now", "gpt-5": "Add a rate"}  # acme's own is not everyone's


def test_where_no_rate_is_like_that_the_next_step_is_said(viewer: Client, acme: Organization) -> None:
    make_rate("unused")
    page = opened(viewer, "rates/", as_of="2023-11-10")
    link = page.by_id("ct-no-rates").one("a").attributes["href"]
    assert link == "/costs/rates/?as_of=2023-11-10&models=all"
    assert opened(viewer, link.removeprefix("/costs/")).has("ct-rates")
    assert "manage.py load_rates" in opened(viewer, "rates/", models="all", model="none").by_id("ct-no-rates").text


def test_what_is_asked_stays_in_the_form_and_in_the_export(superuser: Client, acme: Organization) -> None:
    page = opened(superuser, "rates/", organization="acme", as_of="2023-11-10", model="gpt", dates="all")
    given = {one.attributes["name"]: one.attributes["value"] for one in page.by_id("ct-filter").all("input")}
    assert given == {"organization": "acme", "as_of": "2023-11-10", "model": "gpt"}
    chosen = [one.text for one in page.by_id("ct-filter").all("option") if "selected" in one.attributes]
    assert chosen == ["In use, and own", "All dates"]


@pytest.mark.parametrize(
    ("query", "models"),
    [({}, ["new"]), ({"as_of": "2023-11-09"}, ["old"]), ({"as_of": "2023-11-09", "dates": "all"}, ["new", "old"])],
)
def test_the_export_has_the_rates_of_the_date(
    superuser: Client, acme: Organization, query: dict[str, str], models: list[str]
) -> None:
    make_rate("gpt-4", source="old")
    make_rate("gpt-4", source="new", effective_from=NOVEMBER_10)
    page = opened(superuser, "rates/", organization="acme", **query)
    answer = superuser.get(page.one(class_="ct-exports").all("a")[0].attributes["href"])
    lines = b"".join(answer.streaming_content).decode().splitlines()  # type: ignore[attr-defined]
    assert sorted(line.split(",")[-2] for line in lines[1:]) == models


@pytest.mark.parametrize(
    "query", ["as_of=16.11.2023", "as_of=9001-01-01", "models=mine", "dates=x", "cursor=x", "model=" + 201 * "x"]
)
def test_what_is_no_question_is_refused(viewer: Client, acme: Organization, query: str) -> None:
    name = query.partition("=")[0]
    text = viewer.get(f"/costs/rates/?{query}").content.decode()
    assert f"{name}: got " in text
