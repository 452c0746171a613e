"""What `check_budgets` prints, ends and clears away."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db.models import QuerySet

from costtrack.budgets.changes import change_budget
from costtrack.metering.ledger import record_events
from costtrack.models import Budget, BudgetCounter, Hold, Organization
from tests.budgets.asked import hold, make_budget
from tests.factories import NOON, make_event, make_organization, make_rate

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def at_noon() -> Iterator[None]:
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def acme(db: None) -> Organization:
    make_rate()
    return make_organization(timezone="Europe/Berlin")


def check(*arguments: str) -> str:
    out = StringIO()
    call_command("check_budgets", *arguments, stdout=out)
    return out.getvalue()


def checked(*arguments: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(check("--json", *arguments))
    return answer


def test_it_prints_a_table_of_all_budgets(acme: Organization) -> None:
    make_budget(acme, "0.01", name="day", period="day")
    make_budget(acme, "0.004", name="small", enforcement="soft", period="total")
    make_budget(acme, None, name="calls", metric="calls", period="month")
    make_budget(acme, "100000", name="talks", metric="tokens", per="thread")
    make_budget(acme, "5", name="unused", per="customer")
    resting = make_budget(acme, "5", name="lazy", per="agent")
    change_budget(resting, is_active=False)
    record_events([make_event(attribution={"thread_id": "t1"})])  # 0.0045 USD, 1,100 tokens
    hold("0.002", tokens=20_000, thread_id="t1")

    lines = [line.rstrip() for line in check().splitlines()]
    # Berlin's day has 13 of its 24 hours behind it: 0.0045 x 24 / 13 = 0.0083; 1,100 x 24 / 13 = 2,031
    assert lines[0] == "acme (times in Europe/Berlin)"
    assert lines[1].split() == [
        "budget", "of", "it", "spent", "held", "limit", "left", "forecast", "enforced", "resets", "state"
    ]  # fmt: skip
    assert [line.split()[:2] for line in lines[2:6]] == [
        ["[####++....]", "day"],
        ["[##########>", "small"],
        ["calls", "1"],
        ["[++........]", "talks"],
    ]
    assert lines[2].split()[2:] == (
        "45 % $0.004500 $0.002000 $0.01 $0.003500 $0.008308 hard 2026-11-21 00:00 ok".split()
    )
    assert lines[3].split()[2:] == "112 % $0.004500 $0.00 $0.004000 $0.00 - soft never over".split()
    assert lines[4].split()[1:6] == ["1", "calls", "1", "unlimited", "-"]
    assert lines[5].split()[1:9] == ["talks", "t1", "1", "%", "1,100", "tokens", "20,000", "100,000"]
    assert lines[6:] == [
        "unused: no customer has used anything in this period.",
        "lazy: it rests.",
        "",
        "1 outstanding hold, the oldest 0 minutes old.",
    ]


def test_it_names_how_many_subjects_it_left_out(acme: Organization) -> None:
    make_budget(acme, per="thread")
    record_events([make_event(attribution={"thread_id": f"t{number:03d}"}) for number in range(103)])
    lines = check().splitlines()
    assert sum(" t0" in line or " t1" in line for line in lines) == 100
    assert [line.strip() for line in lines if "more" in line] == ["and 3 more"]
    assert len(checked()["budgets"]) == 100
    assert checked()["budgets"][0]["other_subjects"] == 3


def test_it_ends_what_has_expired_and_clears_away_what_is_over(acme: Organization) -> None:
    make_budget(acme, "10", per="thread")
    hold("0.5", ttl=timedelta(seconds=-60), thread_id="t1")
    record_events([make_event(attribution={"thread_id": "t1"})])
    with time_machine.travel(NOON - timedelta(days=40)):
        old = make_event(occurred_at=NOON - timedelta(days=40), attribution={"thread_id": "t1"})
        record_events([old])
    assert BudgetCounter.objects.count() == 2
    text = check()
    assert "Ended 1 hold that had expired." in text
    assert "Cleared away 1 counter of periods and threads that are over, and 0 holds that ended long ago." in text
    assert "Nothing is held right now." in text
    assert (BudgetCounter.objects.get().held, Hold.objects.get().state) == (0, "expired")
    assert check().endswith("Nothing is held right now.\n")


def test_json_has_exact_figures(acme: Organization) -> None:
    budget = make_budget(acme, "0.01", model="test-model")
    record_events([make_event()])
    granted = hold("0.002", model="test-model")
    assert granted is not None
    assert checked() == {
        "budgets": [
            {
                "budget_id": budget.pk,
                "budget": str(budget),
                "organization": "acme",
                "scope": {"model": "test-model"},
                "subject": "",
                "metric": "cost_usd",
                "enforcement": "hard",
                "period": "day",
                "state": "ok",
                "limit": "0.01",
                "spent": "0.0045",
                "held": "0.002",
                "leased": "0",
                "remaining": "0.0035",
                "percent": "45",
                "overrun": "0",
                "forecast": "0.008307692308",  # 0.0045 x 24 / 13
                "forecast_method": "run rate: what is spent / the share of the period that has passed",
                "period_start": "2026-11-19T23:00:00+00:00",
                "resets_at": "2026-11-20T23:00:00+00:00",
                "shadow_refusals": 0,
                "other_subjects": 0,
            }
        ],
        "outstanding_holds": {
            "count": 1,
            "oldest": [
                {
                    "id": str(granted.hold_id),
                    "state": "held",
                    "organization": "acme",
                    "about": {"model": "test-model"},
                    "amounts": [
                        {
                            "budget_id": budget.pk,
                            "budget": str(budget),
                            "subject": "",
                            "metric": "cost_usd",
                            "amount": "0.002",
                        }
                    ],
                    "admitted_at": "2026-11-20T12:00:00+00:00",
                    "age_seconds": 0,
                    "expires_at": granted.expires_at.isoformat() if granted.expires_at else None,
                    "is_expired": False,
                    "is_unpriced": False,
                }
            ],
        },
        "swept": 0,
        "pruned": {"charges_ended": 0, "counters": 0, "holds": 0},
        "alerts": 0,
    }


def test_one_organization_is_shown_alone(acme: Organization) -> None:
    make_budget(acme, name="ours")
    make_budget(make_organization("other"), name="theirs")
    assert ("ours" in check(), "theirs" in check()) == (True, True)
    assert ("ours" in check("--organization", "acme"), "theirs" in check("--organization", "acme")) == (True, False)
    assert [one["budget"] for one in checked("--organization", "other")["budgets"]] == ["theirs"]


def test_without_budgets_it_says_how_to_make_one_and_that_works(acme: Organization) -> None:
    text = check("--organization", "acme")
    assert text.startswith("There are no budgets of 'acme' yet. Make one in the admin, under Budgets, or in Python:")
    code = "\n".join(line.strip() for line in text.splitlines() if line.startswith("  "))
    exec(code)
    budget = acme.budgets.get()
    assert (budget.period, budget.enforcement, budget.limit) == ("month", "soft", Decimal(100))
    assert "There are no budgets" not in check()


def test_no_budgets_at_all() -> None:
    assert check().startswith("There are no budgets yet. Make one in the admin")
    assert checked()["budgets"] == []


@pytest.mark.parametrize("slug", ["nobody", "a\x00b"])
def test_an_organization_that_does_not_exist_is_said_with_those_that_do(acme: Organization, slug: str) -> None:
    with pytest.raises(CommandError, match=r"does not exist. Known ones: acme\."):
        check("--organization", slug)


def test_names_of_callers_can_not_break_the_table(acme: Organization) -> None:
    budget = make_budget(acme, per="thread")
    QuerySet(Budget).filter(pk=budget.pk).update(name="evil\nline\x1b[31m")
    record_events([make_event(attribution={"thread_id": "x" * 200})])
    lines = check().splitlines()
    assert any("evil line" in line and len(line) < 170 for line in lines)
    assert "\x1b" not in "".join(lines)
