"""A rate that was wrong from its beginning: the right one takes its place, and what is booked stays until told."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command

from costtrack.aggregation import verify_books
from costtrack.metering.ledger import record_events
from costtrack.metering.reprice import repricings
from costtrack.models import Rate, RateTier, ResourceUsage
from costtrack.pricing import corrected_rates
from costtrack.pricing.ratebook import forget_rates
from tests.factories import NOON, make_event, make_organization, make_rate, summed

pytestmark = pytest.mark.django_db
NOVEMBER = {"start": date(2026, 11, 1), "end": date(2026, 12, 1)}
DAYS = ["--from", "2026-11-01", "--to", "2026-11-30"]


@pytest.fixture
def wrong() -> Rate:
    """A rate from eleven o'clock on, and another one from one o'clock on; a call of noon was priced by it."""
    make_organization()
    rate = make_rate(effective_from=NOON - timedelta(hours=1))
    make_rate(per_million=("9", "9"), effective_from=NOON + timedelta(hours=1))
    record_events([make_event()])
    return rate


def correct_rate(rate: Rate, **changes: Any) -> Rate:
    """The rates are read anew when a transaction commits; a test's own never does."""
    right = corrected_rates.correct_rate(rate, **changes)
    forget_rates()
    return right


def test_the_right_rate_holds_where_the_wrong_one_did_and_no_longer(wrong: Rate) -> None:
    right = correct_rate(wrong, input_usd_per_million=Decimal(1))
    assert right.effective_from == wrong.effective_from + timedelta(microseconds=1)
    assert (right.input_usd_per_million, right.output_usd_per_million, right.source) == (1, 15, "manual")
    booked = record_events([make_event(), make_event(occurred_at=NOON + timedelta(hours=1))])
    # after the correction 1000 x 1 + 100 x 15 = 2500 per million, by the next rate 1100 x 9 = 9900
    assert [one.cost_usd for one in booked] == [Decimal("0.0025"), Decimal("0.0099")]
    assert ResourceUsage.objects.earliest("id").cost_usd == Decimal("0.0045")
    wrong.refresh_from_db()
    assert (wrong.input_usd_per_million, wrong.is_used) == (3, True)


def test_the_difference_is_shown_first_and_booked_with_reason_and_author(wrong: Rate, capsys: Any) -> None:
    call_command("correct_rate", str(wrong.pk), "--price", "input_usd_per_million=1", "--source", "invoice")
    assert f"corrects rate {wrong.pk}" in capsys.readouterr().out
    forget_rates()
    call_command("reprice_usage", *DAYS, "--dry-run")
    assert "$0.004500       $0.002500  -$0.002000" in capsys.readouterr().out
    assert ResourceUsage.objects.count() == 1
    call_command("reprice_usage", *DAYS, "--apply", "--reason", "wrong rate", "--author", "mary")
    original, adjustment = ResourceUsage.objects.order_by("id")
    assert (original.cost_usd, original.rate_id) == (Decimal("0.0045"), wrong.pk)
    assert (adjustment.kind, adjustment.cost_usd, adjustment.reason) == ("adjustment", Decimal("-0.002"), "wrong rate")
    assert adjustment.metadata == {"repriced": True, "author": "mary"}
    assert adjustment.rate is not None
    assert (adjustment.rate.source, adjustment.rate.is_used) == ("invoice", True)
    assert list(repricings(**NOVEMBER)) == []
    assert summed(sum(row.cost_usd or 0 for row in ResourceUsage.objects.all())) == Decimal("0.0025")
    assert verify_books() == []


def test_without_an_author_the_systems_user_is_it(wrong: Rate, monkeypatch: pytest.MonkeyPatch) -> None:
    correct_rate(wrong, input_usd_per_million=Decimal(1))
    monkeypatch.setenv("LOGNAME", "operator")
    call_command("reprice_usage", *DAYS, "--apply", "--reason", "wrong rate")
    assert ResourceUsage.objects.get(kind="adjustment").metadata == {"repriced": True, "author": "operator"}


def test_a_rate_is_corrected_again_and_the_last_correction_holds(wrong: Rate) -> None:
    correct_rate(wrong, input_usd_per_million=Decimal(1))
    correct_rate(wrong, input_usd_per_million=Decimal(2))
    [found] = repricings(**NOVEMBER)
    assert found.cost_usd == Decimal("0.0035")  # 1000 x 2 + 100 x 15


def test_the_same_correction_again_makes_no_other_rate(wrong: Rate) -> None:
    first = correct_rate(wrong, input_usd_per_million=Decimal(1))
    assert correct_rate(wrong, input_usd_per_million=Decimal(1)) == first
    other = correct_rate(wrong, input_usd_per_million=Decimal(2))
    assert correct_rate(wrong, input_usd_per_million=Decimal(1)).pk not in (first.pk, other.pk)
    tiers = [{"above_input_tokens": 900, "input_usd_per_million": Decimal(5)}]
    assert correct_rate(wrong, tiers=tiers) == correct_rate(wrong, tiers=tiers)
    assert Rate.objects.count() == 2 + 4


def test_tiers_stay_or_are_corrected_too(wrong: Rate) -> None:
    RateTier.objects.using("default").create(
        rate=make_rate("long-model"), above_input_tokens=500, input_usd_per_million=Decimal(6)
    )
    forget_rates()
    record_events([make_event(model="long-model")])
    long = Rate.objects.get(model="long-model")
    same = correct_rate(long, output_usd_per_million=Decimal(10))
    assert [tier.input_usd_per_million for tier in same.tiers.all()] == [6]
    other = correct_rate(long, tiers=[{"above_input_tokens": 900, "input_usd_per_million": Decimal(5)}])
    assert [(tier.above_input_tokens, tier.input_usd_per_million) for tier in other.tiers.all()] == [(900, 5)]
    # 1000 x 5 + 100 x 15 = 6500 per million
    assert [one.cost_usd for one in repricings(**NOVEMBER, model="long-model")] == [Decimal("0.0065")]


def test_an_organizations_own_rate_is_corrected_for_it_alone(wrong: Rate) -> None:
    other = make_organization("other")
    own = make_rate(organization=other)
    right = correct_rate(own, input_usd_per_million=Decimal(1))
    assert right.organization == other
    assert list(repricings(**NOVEMBER)) == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({}, "input_usd_per_million"),
        ({"input_usd_per_million": Decimal(3)}, "input_usd_per_million"),
        ({"input_usd_per_million": Decimal(-1)}, "input_usd_per_million"),
        ({"input_usd_per_million": Decimal("1e-7")}, "input_usd_per_million"),
        ({"input_usd_per_million": None, "output_usd_per_million": None}, "input_usd_per_million"),
        ({"source": "a\nb", "input_usd_per_million": Decimal(1)}, "source"),
    ],
)
def test_what_is_no_price_or_changes_nothing_is_refused(wrong: Rate, changes: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        correct_rate(wrong, **changes)
    assert list(refused.value.message_dict) == [field]
    assert Rate.objects.count() == 2


def test_which_rate_it_is_about_does_not_change(wrong: Rate) -> None:
    with pytest.raises(TypeError, match="model"):
        correct_rate(wrong, model="other")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["1000000", "--price", "input_usd_per_million=1"], "There is no rate 1000000"),
        (["{}", "--price", "colour=1"], "got 'colour=1', expected NAME=USD"),
        (["{}", "--price", "input_usd_per_million"], "expected NAME=USD"),
        (["{}", "--price", "input_usd_per_million=cheap"], "expected a number"),
        (["{}", "--price", "input_usd_per_million=3"], "The prices are what they were"),
    ],
)
def test_the_command_explains_bad_arguments(wrong: Rate, arguments: list[str], problem: str) -> None:
    with pytest.raises(CommandError, match=problem):
        call_command("correct_rate", *(argument.format(wrong.pk) for argument in arguments))


def test_showing_and_booking_exclude_one_another(wrong: Rate) -> None:
    with pytest.raises(CommandError, match="not allowed with argument"):
        call_command("reprice_usage", *DAYS, "--dry-run", "--apply")
