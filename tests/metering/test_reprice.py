from __future__ import annotations

import json
import threading
from datetime import date
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.db.models import Q

from costtrack.aggregation import verify_books
from costtrack.domain.tokens import TokenUsage
from costtrack.exceptions import InvalidCorrection
from costtrack.management.commands import reprice_usage
from costtrack.metering.corrections import adjust_usage, void_usage
from costtrack.metering.ledger import record_events
from costtrack.metering.reprice import apply_repricing, repricings
from costtrack.models import DailyCostSummary, ResourceUsage
from tests.factories import NOON, make_event, make_organization, make_rate

pytestmark = pytest.mark.django_db
DAYS = {"start": date(2026, 11, 1), "end": date(2026, 12, 1)}


@pytest.fixture(autouse=True)
def acme() -> None:
    make_organization()


def unpriced_calls() -> int:
    return sum(summary.unpriced_calls for summary in DailyCostSummary.objects.all())


def test_a_rate_that_arrives_prices_what_waited_for_it() -> None:
    [result] = record_events([make_event()])
    assert (result.cost_usd, unpriced_calls()) == (None, 1)
    assert list(repricings(**DAYS)) == []
    make_rate()
    [found] = repricings(**DAYS, unpriced_only=True)
    assert (found.booked_usd, found.cost_usd, found.difference_usd) == (None, Decimal("0.0045"), Decimal("0.0045"))
    row = apply_repricing(found, reason="rate arrived")
    assert (row.kind, row.calls, row.cost_usd, row.reason) == ("adjustment", 0, Decimal("0.0045"), "rate arrived")
    assert unpriced_calls() == 0
    assert list(repricings(**DAYS)) == []
    assert verify_books() == []


def test_a_following_rate_that_begins_in_the_past_shows_its_difference_and_rewrites_nothing() -> None:
    make_rate()
    record_events([make_event()])
    make_rate(per_million=("1", "5"), effective_from=NOON.replace(hour=0))
    [found] = repricings(**DAYS)
    # 1000 x 1 + 100 x 5 = 1500 per million against 4500
    assert (found.booked_usd, found.cost_usd, found.difference_usd) == (
        Decimal("0.0045"),
        Decimal("0.0015"),
        Decimal("-0.003"),
    )
    apply_repricing(found, reason="contract from the 20th")
    assert ResourceUsage.objects.get(kind="usage").cost_usd == Decimal("0.0045")
    assert sum(row.cost_usd or 0 for row in ResourceUsage.objects.all()) == Decimal("0.0015")
    assert list(repricings(**DAYS)) == []


def test_credits_and_charges_that_somebody_decided_on_stay() -> None:
    make_rate()
    record_events([make_event(), make_event(key="charged"), make_event(key="mended")])
    credited, charged, mended = ResourceUsage.objects.order_by("id")
    adjust_usage(credited, reason="goodwill", cost_usd="-0.001")
    adjust_usage(charged, reason="support", cost_usd="0.01")
    # 200 tokens out too many: 200 x 15 = 3,000 per million; that follows from the tokens
    adjust_usage(mended, reason="counted twice", cost_usd="0.003", output_tokens=200)
    assert list(repricings(**DAYS)) == []
    make_rate(per_million=("1", "5"), effective_from=NOON.replace(hour=0))
    for found in list(repricings(**DAYS)):
        apply_repricing(found, reason="contract from the 20th")
    assert list(repricings(**DAYS)) == []
    net = {
        row.id: sum(one.cost_usd or 0 for one in ResourceUsage.objects.filter(Q(id=row.id) | Q(corrects_id=row.id)))
        for row in (credited, charged, mended)
    }
    # 1000 x 1 + 100 x 5 = 1,500 per million, with -0.001 and 0.01; 1000 x 1 + 300 x 5 = 2,500 per million
    assert list(net.values()) == [Decimal("0.0005"), Decimal("0.0115"), Decimal("0.0025")]
    assert verify_books() == []


def test_a_credit_of_more_than_the_new_price_leaves_0() -> None:
    make_rate()
    record_events([make_event()])
    adjust_usage(ResourceUsage.objects.get(), reason="goodwill", cost_usd="-0.004")
    make_rate(per_million=("1", "5"), effective_from=NOON.replace(hour=0))
    [found] = repricings(**DAYS)
    assert (found.booked_usd, found.cost_usd) == (Decimal("0.0005"), Decimal(0))
    apply_repricing(found, reason="contract from the 20th")
    assert list(repricings(**DAYS)) == []


def test_reported_costs_and_voided_usage_are_never_repriced() -> None:
    record_events([make_event(reported_cost_usd=Decimal(1))])
    [voided] = record_events([make_event()])
    void_usage(voided.usage_id or 0, reason="test")
    make_rate()
    assert list(repricings(**DAYS)) == []


def test_usage_that_a_late_price_has_reached_is_unpriced_no_more() -> None:
    record_events([make_event()])
    make_rate()
    [late] = repricings(**DAYS, unpriced_only=True)
    apply_repricing(late, reason="rate arrived")
    make_rate(per_million=("1", "5"), effective_from=NOON.replace(hour=0))
    assert list(repricings(**DAYS, unpriced_only=True)) == []
    # 1000 x 1 + 100 x 5 = 1500 per million
    assert [(one.booked_usd, one.cost_usd) for one in repricings(**DAYS)] == [(Decimal("0.0045"), Decimal("0.0015"))]


def test_a_difference_is_not_booked_for_tokens_that_were_corrected_since() -> None:
    [result] = record_events([make_event()])
    make_rate()
    [stale] = repricings(**DAYS)
    adjust_usage(result.usage_id or 0, reason="half of them", input_tokens=-500)
    with pytest.raises(InvalidCorrection, match="corrected meanwhile"):
        apply_repricing(stale, reason="rate arrived")
    [found] = repricings(**DAYS)
    # 500 x 3 + 100 x 15 = 3000 per million
    assert apply_repricing(found, reason="rate arrived").cost_usd == Decimal("0.003")
    assert verify_books() == []


@pytest.mark.django_db(transaction=True)
def test_two_that_book_the_same_difference_at_once_book_it_once() -> None:
    record_events([make_event()])
    make_rate()
    [found] = repricings(**DAYS)
    begin, outcomes = threading.Barrier(2), []

    def work() -> None:
        begin.wait()
        try:
            apply_repricing(found, reason="rate arrived")
            outcomes.append("booked")
        except (InvalidCorrection, OperationalError) as problem:  # SQLite, with its one writer, may say "locked"
            outcomes.append(type(problem).__name__)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("booked") == 1
    assert [row.cost_usd for row in ResourceUsage.objects.filter(kind="adjustment")] == [Decimal("0.0045")]
    assert verify_books() == []


def test_what_was_booked_before_it_broke_off_is_not_booked_again(monkeypatch) -> None:
    record_events([make_event(), make_event(), make_event()])
    make_rate()
    left = iter([True, True])

    def breaks_off(repricing, **said):
        if not next(left, False):
            raise ConnectionError("the database went away")
        return apply_repricing(repricing, **said)

    command = ["reprice_usage", "--from", "2026-11-01", "--to", "2026-11-30", "--apply", "--reason", "rate", "--json"]
    monkeypatch.setattr(reprice_usage, "apply_repricing", breaks_off)
    with pytest.raises(ConnectionError):
        call_command(*command)
    assert ResourceUsage.objects.filter(kind="adjustment").count() == 2
    monkeypatch.undo()
    for _ in range(2):
        call_command(*command)
    rows = ResourceUsage.objects.filter(kind="adjustment")
    assert [row.cost_usd for row in rows] == [Decimal("0.0045")] * 3
    assert verify_books() == []


def test_the_command_shows_first_and_books_only_when_told(capsys) -> None:
    record_events([make_event(), make_event()])
    make_rate()
    days = ["--from", "2026-11-01", "--to", "2026-11-30"]
    call_command("reprice_usage", *days)
    shown = capsys.readouterr().out
    assert "$0.009000" in shown
    assert "unpriced" in shown
    assert "Nothing was changed" in shown
    assert unpriced_calls() == 2
    call_command("reprice_usage", *days, "--apply", "--reason", "rate arrived", "--json")
    report = json.loads(capsys.readouterr().out)
    assert (report["applied"], report["without_rate"], report["usages_looked_at"]) == (2, [], 2)
    assert report["without_usage"] == []
    assert report["models"] == [
        {
            "provider": "openai",
            "model": "test-model",
            "usages": 2,
            "unpriced": 2,
            "booked_usd": "0",
            "cost_usd": "0.009",
            "difference_usd": "0.009",
        }
    ]
    call_command("reprice_usage", *days)
    assert "Nothing else would cost anything else" in capsys.readouterr().out
    call_command("reprice_usage", *days, "--model", "tset-model")
    assert "No usage matches" in capsys.readouterr().out


def test_the_command_names_what_has_no_rate_yet(capsys) -> None:
    record_events([make_event(model="house-model"), make_event(model="house-model")])
    call_command("reprice_usage", "--from", "2026-11-01", "--to", "2026-11-30", "--unpriced-only")
    out = capsys.readouterr().out
    assert "Still without a rate" in out
    assert "house-model: 2" in out
    assert "usage," not in out


def test_the_command_tells_calls_that_told_no_usage_apart_from_those_without_a_rate(capsys) -> None:
    make_rate()
    nothing = {"tokens": TokenUsage(), "amount": Decimal(0), "usage_missing": True}
    record_events([make_event(**nothing), make_event(**nothing), make_event(model="house-model")])
    command = ["reprice_usage", "--from", "2026-11-01", "--to", "2026-11-30"]
    call_command(*command)
    assert capsys.readouterr().out == (
        "Still without a rate, and so without a cost; load one with `manage.py load_rates FILE`:\n"
        "  openai house-model: 1\n"
        "Told no usage, so that no rate can price them; pass their tokens on:\n"
        "  openai test-model: 2\n"
        "Nothing else would cost anything else by the rates known now.\n"
    )
    call_command(*command, "--json")
    report = json.loads(capsys.readouterr().out)
    assert report["without_usage"] == [{"provider": "openai", "model": "test-model", "usages": 2}]
    assert report["without_rate"] == [{"provider": "openai", "model": "house-model", "usages": 1}]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--apply"], "needs --reason"),
        (["--organization", "nobody"], "no organization 'nobody'"),
        (["--to", "2026-10-01"], "lies before"),
    ],
)
def test_the_command_explains_bad_arguments(arguments: list[str], problem: str) -> None:
    with pytest.raises(CommandError, match=problem):
        call_command("reprice_usage", "--from", "2026-11-01", "--to", "2026-11-30", *arguments)
