"""`GET summary`: what a period cost, by dimension, in parts of it, beside the period before."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from costtrack.models import DailyCostSummary
from tests.api.callers import ROOT
from tests.api.summaries import NOVEMBER, ask, costs
from tests.reporting.booked import agent, book, organization, void

pytestmark = pytest.mark.django_db

ZEROS: dict[str, Any] = {
    "cost": "0",
    "calls": 0,
    "errors": 0,
    "unpriced_calls": 0,
    "input_tokens": 0,
    "output_tokens": 0,
    "total_tokens": 0,
    "cache_read_tokens": 0,
    "cache_write_tokens": 0,
    "cache_write_1h_tokens": 0,
    "input_audio_tokens": 0,
    "output_audio_tokens": 0,
    "reasoning_tokens": 0,
    "cost_reported": "0",
    "cost_estimated": "0",
    "saving": "0",
    "avg_latency_ms": None,
}


@pytest.mark.parametrize("slash", ["", "/"])
def test_the_whole_answer(superuser: Client, slash: str) -> None:
    acme = organization()
    book(acme, "0.06", input_tokens=1000, output_tokens=500, latency_ms=301, errors=1, saving_usd=Decimal("0.01"))
    book(acme, "0.002", model="gpt-3.5-turbo", input_tokens=10, output_tokens=5, cost_source="reported")
    book(acme, None, day=date(2023, 11, 17), model="mystery", input_tokens=7)
    book(acme, "0.031", day=date(2023, 11, 15), input_tokens=200)
    book(acme, "8", day=date(2023, 11, 18))
    book(acme, "9", day=date(2023, 11, 13))
    question = {"from": "2023-11-16", "to": "2023-11-18", "group_by": "model"}
    more = {"granularity": "day", "compare": "previous", "limit": "2"}
    response = superuser.get(f"{ROOT}summary{slash}", {**question, **more})
    gpt_4 = {
        **ZEROS,
        "cost": "0.06",
        "calls": 1,
        "errors": 1,
        "input_tokens": 1000,
        "output_tokens": 500,
        "total_tokens": 1500,
        "cost_estimated": "0.06",
        "saving": "0.01",
        "avg_latency_ms": "301",
    }
    gpt_3 = {
        **ZEROS,
        "cost": "0.002",
        "calls": 1,
        "input_tokens": 10,
        "output_tokens": 5,
        "total_tokens": 15,
        "cost_reported": "0.002",
    }
    mystery = {**ZEROS, "cost": None, "calls": 1, "unpriced_calls": 1, "input_tokens": 7, "total_tokens": 7}
    sums = {"errors": 1, "cost_reported": "0.002", "cost_estimated": "0.06", "saving": "0.01"}
    before = {
        **ZEROS,
        "cost": "0.031",
        "calls": 1,
        "input_tokens": 200,
        "total_tokens": 200,
        "cost_estimated": "0.031",
    }
    assert response.json() == {
        "period_start": "2023-11-16T00:00:00+00:00",
        "period_end": "2023-11-18T00:00:00+00:00",
        "granularity": "day",
        "group_by": ["model"],
        # 0.06 + 0.002; 1,000 + 10 + 7; one call was timed: 301
        "total": {
            **sums,
            **{name: ZEROS[name] for name in ZEROS if name not in sums},
            "cost": "0.062",
            "calls": 3,
            "unpriced_calls": 1,
            "input_tokens": 1017,
            "output_tokens": 505,
            "total_tokens": 1522,
            "avg_latency_ms": "301",
        },
        "previous": {
            "period_start": "2023-11-14T00:00:00+00:00",
            "period_end": "2023-11-16T00:00:00+00:00",
            **before,
        },
        # 0.062 - 0.031 = 0.031; 0.031 / 0.031 = 1
        "change": {"cost": "0.031", "ratio": "1"},
        "groups": [
            {"model": "gpt-4", **gpt_4, "previous": before},
            {"model": "gpt-3.5-turbo", **gpt_3, "previous": ZEROS},
        ],
        "other": {**mystery, "previous": ZEROS},
        "buckets": [
            {
                "start": "2023-11-16T00:00:00+00:00",
                "end": "2023-11-17T00:00:00+00:00",
                **gpt_4,
                "cost": "0.062",
                "calls": 2,
                "input_tokens": 1010,
                "output_tokens": 505,
                "total_tokens": 1515,
                "cost_reported": "0.002",
                "avg_latency_ms": "301",
                "groups": [gpt_4, gpt_3],
                "other": ZEROS,
            },
            {
                "start": "2023-11-17T00:00:00+00:00",
                "end": "2023-11-18T00:00:00+00:00",
                **mystery,
                "groups": [ZEROS, ZEROS],
                "other": mystery,
            },
        ],
    }
    assert list(response.json()["total"]) == list(ZEROS)
    assert response["Costtrack-Unpriced-Calls"] == "1"


def test_the_amount_is_told_where_it_is_of_one_resource_type(superuser: Client) -> None:
    acme = organization()
    book(acme, "1", amount=1500)
    book(acme, "2", amount=Decimal("0.5"), model="", resource_type="gpu_hours")
    book(acme, "0.25", amount=3, model="", resource_type="storage")
    assert "amount" not in ask(superuser)["total"]
    assert "amount" not in ask(superuser, group_by="model")["groups"][0]
    by_type = ask(superuser, group_by="resource_type", granularity="month", limit="2")
    assert [group["amount"] for group in by_type["groups"]] == ["0.5", "1500"]
    (bucket,) = by_type["buckets"]
    assert [group["amount"] for group in bucket["groups"]] == ["0.5", "1500"]
    for mixed in (by_type["total"], by_type["other"], bucket, bucket["other"]):
        assert mixed["amount"] is None
    of_one = ask(superuser, resource_type="gpu_hours", group_by="model", granularity="month")
    for told in (of_one["total"], of_one["groups"][0], of_one["buckets"][0]):
        assert told["amount"] == "0.5"


def test_only_the_figures_that_are_asked_for_are_told_in_that_order(superuser: Client) -> None:
    book(organization(), "1", input_tokens=3, output_tokens=4, latency_ms=100)
    answer = ask(superuser, figures="total_tokens,cost,avg_latency_ms", group_by="model", granularity="month")
    told = {"total_tokens": 7, "cost": "1", "avg_latency_ms": "100"}
    assert answer["total"] == told
    assert list(answer["total"]) == list(told)
    assert answer["groups"] == [{"model": "gpt-4", **told, "previous": None}]
    assert answer["buckets"][0]["groups"] == [told]


def test_a_void_and_a_fold_change_the_answer_as_they_should(superuser: Client) -> None:
    acme = organization()
    book(acme, "1", input_tokens=10)
    row = book(acme, "2", input_tokens=20, model="b")
    question: dict[str, Any] = {"group_by": "model", "granularity": "day", "compare": "previous"}
    before = ask(superuser, **question)
    assert before["total"]["cost"] == "3"
    call_command("aggregate_costs", verbosity=0)
    assert not DailyCostSummary.all_grains.filter(grain="pending").exists()
    assert ask(superuser, **question) == before
    void(row)
    after = ask(superuser, **question)
    assert (after["total"]["cost"], after["total"]["calls"], after["total"]["input_tokens"]) == ("1", 1, 10)
    assert costs(after, "model") == [("gpt-4", "1"), ("b", "0")]


def test_a_summary_takes_five_queries_however_much_there_is(superuser: Client, django_assert_num_queries: Any) -> None:
    acme = organization()
    question = {**NOVEMBER, "organization": "acme", "group_by": "agent,project", "granularity": "day"}
    more = {"compare": "previous", "project": "p1", "limit": "3"}
    for number in range(20):
        bot = agent(acme, f"p1/a{number}")
        book(acme, "1", agent=bot, project=bot.project, day=date(2023, 11, 1 + number))
    # The session, the user, the organization, its zones, the sums.
    with django_assert_num_queries(5):
        superuser.get(ROOT + "summary", {"organization": "acme"})
    with django_assert_num_queries(6):  # and whether there is such a project
        answer = superuser.get(ROOT + "summary", {**question, **more}).json()
    assert answer["total"]["cost"] == "20"
