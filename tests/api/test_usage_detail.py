"""`GET usage/{id}`: one record, what corrects it, what that leaves, and how its cost came about."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from costtrack.api import usage_detail
from costtrack.metering.corrections import adjust_usage, void_usage
from costtrack.metering.ledger import record_events
from costtrack.metering.reprice import apply_repricing, repricings
from costtrack.models import Organization, ResourceUsage
from tests.api.callers import NO_ROW, ROOT, person, robot
from tests.factories import NOON, make_event, make_organization, make_rate
from tests.reporting.booked import agent, book

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme(db: None) -> Organization:
    return make_organization()


def record(**fields: Any) -> int:
    """The id of its row."""
    [result] = record_events([make_event(**fields)])
    assert result.usage_id is not None
    return result.usage_id


def detail(client: Client, key: object) -> dict[str, Any]:
    answer = client.get(f"{ROOT}usage/{key}")
    assert answer.status_code == 200, answer.content
    shape: dict[str, Any] = answer.json()
    return shape


def test_a_record_has_its_columns_and_the_arithmetic_of_its_cost(acme: Organization) -> None:
    rate = make_rate(source="a list", source_version="7", request_usd=Decimal("0.01"))
    key = record(input_tokens=10_000, output_tokens=500, cache_read_tokens=8_000)
    client = robot(acme)
    shape = detail(client, key)
    arithmetic = shape.pop("arithmetic")
    assert (shape.pop("corrections"), shape.pop("net_cost_usd")) == ([], "0.0475")
    [row] = client.get(ROOT + "usage").json()["results"]
    assert shape == row
    # 2,000 x 3 + 8,000 x 3 (the input price: there is no other) + 500 x 15 = 37,500 per million, and a cent on top.
    assert shape["cost_usd"] == "0.0475"
    assert arithmetic == {
        "reason": None,
        "rate": {
            "id": rate.pk,
            "provider": "openai",
            "model": "test-model",
            "service_tier": "standard",
            "effective_from": "1970-01-01T00:00:00+00:00",
            "source": "a list",
            "source_version": "7",
        },
        "above_input_tokens": None,
        "lines": [
            {"token_class": "input", "tokens": 2000, "usd_per_million": "3", "cost_usd": "0.006"},
            {"token_class": "cache_read", "tokens": 8000, "usd_per_million": "3", "cost_usd": "0.024"},
            {"token_class": "output", "tokens": 500, "usd_per_million": "15", "cost_usd": "0.0075"},
        ],
        "units": None,
        "request_usd": "0.01",
        "total_usd": "0.0475",
    }


def test_the_threshold_of_a_tier_is_told(acme: Organization) -> None:
    make_rate().tiers.create(above_input_tokens=200_000, input_usd_per_million=Decimal(6))
    arithmetic = detail(robot(acme), record(input_tokens=200_001, output_tokens=0))["arithmetic"]
    assert (arithmetic["above_input_tokens"], arithmetic["total_usd"]) == (200_000, "1.200006")


def test_units_are_told_with_their_price(acme: Organization) -> None:
    make_rate("h100", "gpu", resource_type="gpu_seconds", unit_price_usd=Decimal("0.001"))
    gpu: dict[str, Any] = {"provider": "gpu", "model": "h100", "resource_type": "gpu_seconds"}
    shape = detail(robot(acme), record(input_tokens=0, output_tokens=0, amount=Decimal("2710.5"), **gpu))
    assert shape["arithmetic"]["lines"] == []
    assert shape["arithmetic"]["units"] == {
        "resource_type": "gpu_seconds",
        "amount": "2710.5",
        "unit_price_usd": "0.001",
        "cost_usd": "2.7105",
    }
    assert shape["arithmetic"]["total_usd"] == shape["cost_usd"] == "2.7105"


def test_a_cost_without_arithmetic_says_why_in_words(acme: Organization) -> None:
    arithmetic = detail(robot(acme), record(reported_cost_usd=Decimal("0.07")))["arithmetic"]
    assert arithmetic == {
        "reason": "The provider reported this cost.",
        "rate": None,
        "above_input_tokens": None,
        "lines": [],
        "units": None,
        "request_usd": None,
        "total_usd": None,
    }


def test_corrections_are_listed_and_what_they_leave_is_the_net_cost(acme: Organization) -> None:
    make_rate()
    key, other = record(), record()
    rebate = adjust_usage(key, cost_usd="-0.0005", reason="rebate")
    fee = adjust_usage(key, cost_usd="0.001", reason="fee")
    void_usage(other, reason="sent twice")
    shape = detail(robot(acme), key)
    told = [(row["id"], row["kind"], row["corrects"], row["cost_usd"], row["reason"]) for row in shape["corrections"]]
    assert told == [
        (rebate.pk, "adjustment", key, "-0.0005", "rebate"),
        (fee.pk, "adjustment", key, "0.001", "fee"),
    ]
    assert (shape["cost_usd"], shape["net_cost_usd"]) == ("0.0045", "0.005")  # 0.0045 - 0.0005 + 0.001
    assert detail(robot(acme), other)["net_cost_usd"] == "0"
    correction = detail(robot(acme), rebate.pk)
    assert (correction["corrections"], correction["net_cost_usd"]) == ([], "-0.0005")
    assert correction["arithmetic"]["reason"].startswith("A correction")


def test_a_late_price_brings_the_net_cost(acme: Organization) -> None:
    key = record()
    before = detail(robot(acme), key)
    assert (before["cost_usd"], before["net_cost_usd"]) == (None, None)
    assert before["arithmetic"]["reason"].startswith("No price was known.")
    make_rate()
    day = NOON.date()
    [late] = repricings(start=day, end=day + timedelta(days=1))
    apply_repricing(late, reason="a late price")
    after = detail(robot(acme), key)
    assert (after["cost_usd"], after["net_cost_usd"]) == (None, "0.0045")
    assert [row["unpriced_calls"] for row in after["corrections"]] == [-1]


def test_of_very_many_corrections_the_first_are_shown_and_all_are_counted(
    acme: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage_detail, "MOST_CORRECTIONS", 2)
    make_rate()
    key = record()
    made = [adjust_usage(key, cost_usd="0.1", reason=f"fee {number}").pk for number in range(4)]
    shape = detail(robot(acme), key)
    assert [row["id"] for row in shape["corrections"]] == made[:2]
    assert shape["net_cost_usd"] == "0.4045"  # 0.0045 + 4 x 0.1


NO_IDS = ["x", "0", "-1", "+1", "1.0", "1e3", "007", "%201", "1%00", "٣", str(NO_ROW), str(2**63), "9" * 400, "null"]


@pytest.mark.parametrize("key", NO_IDS)
def test_what_is_no_id_is_answered_as_one_that_is_not_there(acme: Organization, key: str) -> None:
    book(acme, "1")
    answer = robot(acme).get(f"{ROOT}usage/{key}")
    assert answer.status_code == 404
    assert answer["Content-Type"] == "application/problem+json"
    detail = answer.json()["detail"]
    assert detail.startswith("usage: got '")
    assert detail.endswith("', expected the id of a usage record.")
    assert len(detail) < 120


def refusal(client: Client, key: int) -> tuple[int, str]:
    """What the answer says, without the id."""
    answer = client.get(f"{ROOT}usage/{key}")
    return answer.status_code, answer.json()["detail"].replace(str(key), "N")


def test_az_01_a_foreign_record_is_answered_as_one_that_is_not_there(acme: Organization) -> None:
    make_rate()
    globex = make_organization("globex")
    theirs = record(attribution={"organization": "globex"})
    void = void_usage(theirs, reason="sent twice").pk
    unknown = (404, "usage: got 'N', expected the id of a usage record.")
    for client in (robot(acme), person(roles={acme: "admin"})):
        assert [refusal(client, key) for key in (theirs, void, NO_ROW)] == [unknown] * 3
        with_theirs = client.get(f"{ROOT}usage/{theirs}", {"organization": "globex"})
        assert with_theirs.status_code == 404
    assert detail(robot(globex), theirs)["net_cost_usd"] == "0"


def test_of_several_organizations_the_one_that_is_asked_for_has_to_have_it(acme: Organization) -> None:
    globex = make_organization("globex")
    ours = book(acme, "1").pk
    both = person(roles={acme: "viewer", globex: "viewer"})
    assert [both.get(f"{ROOT}usage/{ours}", {"organization": slug}).status_code for slug in ("acme", "globex")] == [
        200,
        404,
    ]


def test_a_key_of_an_agent_reads_its_own_records_alone(acme: Organization) -> None:
    writer, editor = agent(acme, "website/writer"), agent(acme, "website/editor")
    mine, theirs = (book(acme, "1", project=one.project, agent=one).pk for one in (writer, editor))
    unknown = (404, "usage: got 'N', expected the id of a usage record.")
    assert detail(robot(acme, owner=writer), mine)["agent"] == "writer"
    assert refusal(robot(acme, owner=writer), theirs) == unknown
    assert detail(robot(acme, owner=writer.project), theirs)["agent"] == "editor"
    assert refusal(robot(acme, owner=agent(acme, "app/writer").project), mine) == unknown


def test_a_record_takes_as_many_queries_with_many_corrections_as_with_one(
    acme: Organization, django_assert_num_queries: Any
) -> None:
    make_rate()
    key = record(attribution={"project": "website", "agent": "writer"})
    client = robot(acme)
    detail(client, key)  # notes when the key was used last
    for _ in range(3):
        adjust_usage(key, cost_usd="0.1", reason="fee")
        # The key with its organization; the record; its corrections; the rate and its tiers; the zone.
        with django_assert_num_queries(6):
            detail(client, key)


def test_instants_are_told_in_the_zone_of_the_record_s_organization(superuser: Client) -> None:
    kolkata, acme = make_organization("kolkata", timezone="Asia/Kolkata"), make_organization()
    assert detail(superuser, book(kolkata, "1").pk)["occurred_at"] == "2023-11-16T17:30:00+05:30"
    assert detail(superuser, book(acme, "1").pk)["occurred_at"] == "2023-11-16T12:00:00+00:00"


def test_what_metadata_say_is_data_and_nothing_else(acme: Organization) -> None:
    metadata = {"net_cost_usd": "0", "__proto__": {"id": 1}, "<script>": "</script>", "list": [None, 1, "\u202e"]}
    row = book(acme, "1", metadata=metadata, thread_id="<img src=x>")
    shape = detail(robot(acme), row.pk)
    assert (shape["metadata"], shape["net_cost_usd"], shape["thread_id"]) == (metadata, "1", "<img src=x>")
    assert ResourceUsage.objects.count() == 1
