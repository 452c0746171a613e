"""An organization's own rates: made, ended, deleted while unused; what stands in the way is said."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from costtrack.exceptions import RateConflict
from costtrack.metering.ledger import record_events
from costtrack.models import Organization, Rate, RateTier, ResourceUsage
from costtrack.models.rates import PRICE_FIELDS
from costtrack.pricing.own_rates import create_own_rate, delete_own_rate, end_own_rate
from costtrack.pricing.ratebook import current_ratebook, forget_rates
from tests.factories import NOON, make_event, make_organization, make_rate
from tests.test_concurrency import at_once

pytestmark = pytest.mark.django_db

LATER = NOON + timedelta(days=1)


@pytest.fixture
def acme(db: None) -> Organization:
    return make_organization()


def create(organization: Organization, **fields: Any) -> Rate:
    """Acme pays 2 and 10 USD per million for what costs everybody 3 and 15."""
    values: dict[str, Any] = {
        "provider": "openai",
        "model": "test-model",
        "effective_from": NOON,
        "input_usd_per_million": Decimal(2),
        "output_usd_per_million": Decimal(10),
        **fields,
    }
    return create_own_rate(organization, **values)


def problems(error: pytest.ExceptionInfo[ValidationError]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = error.value.message_dict
    return found


def costs() -> list[Decimal | None]:
    return list(ResourceUsage.objects.order_by("id").values_list("cost_usd", flat=True))


def call(at: datetime = NOON, **fields: Any) -> None:
    """1000 input and 100 output tokens, unless the fields say otherwise; priced as after a commit."""
    forget_rates()
    record_events([make_event(**{"occurred_at": at, **fields})])


def test_it_wins_over_the_global_one_from_its_beginning_on(acme: Organization) -> None:
    make_rate()
    create(acme, effective_from=LATER)
    call(LATER - timedelta(seconds=1))
    call(LATER)
    # 1000 x 3 + 100 x 15 = 4500 per million; 1000 x 2 + 100 x 10 = 3000 per million
    assert costs() == [Decimal("0.0045"), Decimal("0.003")]


def test_in_41_one_that_begins_in_the_past_leaves_what_is_recorded_alone(acme: Organization) -> None:
    make_rate()
    call()
    create(acme, effective_from=NOON - timedelta(days=9))
    call()
    assert costs() == [Decimal("0.0045"), Decimal("0.003")]


def test_this_process_prices_with_it_once_it_is_committed(
    acme: Organization, django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    def price() -> Decimal | None:
        found = current_ratebook().find(
            model="test-model", provider="openai", organization_id=acme.pk, at=LATER + timedelta(days=9)
        )
        return None if found is None else found.rate.prices.input_usd_per_million

    make_rate()
    assert price() == 3
    with django_capture_on_commit_callbacks(execute=True):
        rate = create(acme)
    assert price() == 2
    with django_capture_on_commit_callbacks(execute=True):
        ended = end_own_rate(rate, ends_at=LATER)
    assert price() is None
    with django_capture_on_commit_callbacks(execute=True):
        delete_own_rate(ended)
        delete_own_rate(rate)
    assert price() == 3


def test_other_processes_notice_each_write_when_they_look_again(
    acme: Organization, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the writes came from elsewhere: nothing tells this process of them."""
    settings.COSTTRACK = {**settings.COSTTRACK, "RATE_CACHE_SECONDS": 0}
    monkeypatch.setattr("costtrack.pricing.own_rates.forget_rates", lambda: None)
    books = [current_ratebook()]
    rate = create(acme)
    books.append(current_ratebook())
    ended = end_own_rate(rate, ends_at=LATER)
    books.append(current_ratebook())
    delete_own_rate(ended)
    books.append(current_ratebook())
    assert [len(book.rates) for book in books] == [0, 1, 2, 1]


@pytest.mark.django_db(transaction=True)
def test_of_those_that_make_the_same_rate_at_once_one_does() -> None:
    acme = make_organization()

    def make() -> None:
        create(acme)

    errors = at_once(*[make] * 4)
    assert [type(error) for error in errors] == [RateConflict] * 3
    assert Rate.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_rate_that_is_deleted_while_it_is_used_goes_before_it_or_stands() -> None:
    rate = create(make_organization())

    def delete() -> None:
        delete_own_rate(rate)

    def use() -> None:
        record_events([make_event()])

    errors = [type(error) for error in at_once(delete, use)]
    if Rate.objects.exists():
        assert (errors, costs()) == ([RateConflict], [Decimal("0.003")])
    else:
        assert (errors, costs()) == ([], [None])


def test_provider_and_model_are_stored_as_all_rates_have_them(acme: Organization) -> None:
    for number, (provider, model) in enumerate([("OpenAI", "GPT-4o"), ("", "openai/gpt-4o")]):
        rate = create(acme, provider=provider, model=model, effective_from=NOON + timedelta(hours=number))
        assert (rate.provider, rate.model, rate.organization) == ("openai", "gpt-4o", acme)
    with pytest.raises(RateConflict, match=f"Rate {rate.pk} is of this provider"):
        create(acme, provider="open_ai", model="Gpt-4o", effective_from=NOON + timedelta(hours=1))


def test_one_of_the_same_key_and_beginning_is_refused_and_nothing_of_it_stays(acme: Organization) -> None:
    first = create(acme)
    with pytest.raises(RateConflict, match=r"begins at 2026-11-20T12:00:00\+00:00 already"):
        create(acme, tiers=[{"above_input_tokens": 9, "input_usd_per_million": Decimal(1)}])
    assert list(Rate.objects.all()) == [first]
    assert not RateTier.objects.exists()
    make_rate(effective_from=NOON)
    for other in ({"organization": make_organization("globex")}, {"service_tier": "batch"}, {"effective_from": LATER}):
        create(other.pop("organization", acme), **other)  # type: ignore[arg-type]


def test_tiers_are_stored_with_it(acme: Organization) -> None:
    rate = create(acme, tiers=[{"above_input_tokens": 500, "input_usd_per_million": Decimal("2.5")}])
    for tokens in (501, 500):
        call(input_tokens=tokens, output_tokens=0)
    assert costs() == [Decimal("0.0012525"), Decimal("0.001")]  # 501 x 2.5, 500 x 2 per million
    assert rate.tiers.get().above_input_tokens == 500


ONE = {"above_input_tokens": 9, "input_usd_per_million": Decimal(1)}


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"model": ""}, {"model"}),
        ({"model": "x" * 201}, {"model"}),
        ({"model": "a\nb"}, {"model"}),
        ({"provider": "x" * 101, "source": "\u202e"}, {"provider", "source"}),
        ({"resource_type": ""}, {"resource_type"}),
        ({"service_tier": "express"}, {"service_tier"}),
        ({"aliases": [""]}, {"aliases"}),
        ({"aliases": ["gpt-4o", "a\tb"]}, {"aliases"}),
        ({"aliases": "gpt"}, {"aliases"}),
        ({"effective_from": datetime(2026, 1, 1)}, {"effective_from"}),
        ({"effective_from": datetime(1969, 12, 31, tzinfo=UTC)}, {"effective_from"}),
        ({"effective_from": datetime(9000, 1, 1, tzinfo=UTC)}, {"effective_from"}),
        ({"effective_from": "yesterday"}, {"effective_from"}),
        (
            {"output_usd_per_million": Decimal(-1), "request_usd": Decimal(-1)},
            {"output_usd_per_million", "request_usd"},
        ),
        ({"input_usd_per_million": Decimal("NaN")}, {"input_usd_per_million"}),
        ({"input_usd_per_million": Decimal("1e-7")}, {"input_usd_per_million"}),
        ({"input_usd_per_million": Decimal(10**9)}, {"input_usd_per_million"}),
        ({"unit_price_usd": Decimal(10**9)}, {"unit_price_usd"}),
        ({"tiers": [ONE, {**ONE, "input_usd_per_million": Decimal(-1)}]}, None),
        ({"tiers": [{"input_usd_per_million": Decimal(1)}]}, {"tiers[0].above_input_tokens"}),
        ({"input_usd_per_million": None, "output_usd_per_million": None}, {"input_usd_per_million"}),
        (
            {"input_usd_per_million": None, "output_usd_per_million": None, "unit_price_usd": Decimal(1)},
            {"unit_price_usd"},
        ),
        ({"resource_type": "api_call"}, {"unit_price_usd"}),
    ],
)
def test_what_is_wrong_is_named_by_its_field_and_nothing_is_stored(
    acme: Organization, fields: dict[str, Any], wrong: set[str] | None
) -> None:
    with pytest.raises(ValidationError) as error:
        create(acme, **fields)
    assert problems(error).keys() == (wrong or {"tiers[1].above_input_tokens", "tiers[1].input_usd_per_million"})
    assert not Rate.objects.exists()


@pytest.mark.parametrize(
    "fields",
    [
        {"input_usd_per_million": Decimal(0), "output_usd_per_million": None},
        {"input_usd_per_million": None, "output_usd_per_million": None, "tiers": [ONE]},
        {"input_usd_per_million": None, "output_usd_per_million": None, "request_usd": Decimal("0.01")},
        {"resource_type": "api_call", "unit_price_usd": Decimal("0.01")},
        {"resource_type": "gpu_seconds", "request_usd": Decimal(0)},
        {"effective_from": datetime(1970, 1, 1, tzinfo=UTC)},
        {"input_usd_per_million": Decimal("999999999.999999"), "request_usd": Decimal("999999999.999999999999")},
    ],
)
def test_one_price_is_enough(acme: Organization, fields: dict[str, Any]) -> None:
    rate = create(acme, **fields)
    assert Rate.objects.get() == rate


def test_after_its_end_the_model_has_no_price_for_the_organization(acme: Organization) -> None:
    make_rate()
    make_organization("globex")
    rate = create(acme, aliases=["test-model-latest"], source="contract")
    ended = end_own_rate(rate, ends_at=LATER)
    for at in (LATER - timedelta(seconds=1), LATER):
        call(at)
    call(LATER, attribution={"organization": "globex"})
    assert costs() == [Decimal("0.003"), None, Decimal("0.0045")]
    assert (ended.effective_from, ended.organization, ended.aliases) == (LATER, acme, ["test-model-latest"])
    assert (ended.source, ended.is_used) == ("contract", False)
    assert {getattr(ended, name) for name in (*PRICE_FIELDS, "request_usd", "unit_price_usd")} == {None}
    create(acme, effective_from=LATER + timedelta(days=1))
    call(LATER + timedelta(days=1))
    assert costs()[-1] == Decimal("0.003")


def test_a_service_tier_that_ended_is_priced_by_the_standard_rate(acme: Organization) -> None:
    create(acme)
    end_own_rate(create(acme, service_tier="batch", input_usd_per_million=Decimal(1)), ends_at=LATER)
    for at in (NOON, LATER):
        call(at, service_tier="batch")
    assert costs() == [Decimal("0.002"), Decimal("0.003")]  # 1000 x 1 + 100 x 10, 1000 x 2 + 100 x 10 per million


def test_an_end_that_can_not_be_is_refused(acme: Organization) -> None:
    rate = create(acme)
    for wrong in (NOON, NOON - timedelta(1), datetime(2027, 1, 1), datetime(9999, 1, 1, tzinfo=UTC)):
        with pytest.raises(ValidationError) as error:
            end_own_rate(rate, ends_at=wrong)
        assert problems(error).keys() == {"ends_at"}
    follower = create(acme, effective_from=LATER)
    for late in (LATER, LATER + timedelta(1)):
        with pytest.raises(RateConflict, match=f"rate {follower.pk} follows it from 2026-11-21"):
            end_own_rate(rate, ends_at=late)
    ended = end_own_rate(rate, ends_at=LATER - timedelta(hours=1))  # a gap before the one that follows
    with pytest.raises(RateConflict, match="has no price"):
        end_own_rate(ended, ends_at=LATER)
    assert Rate.objects.count() == 3


def test_a_used_rate_stands_and_is_ended_instead(acme: Organization) -> None:
    rate = create(acme)
    call()
    with pytest.raises(RateConflict, match="End it, or let another one follow it"):
        delete_own_rate(rate)
    end_own_rate(rate, ends_at=LATER)
    rate.refresh_from_db()
    assert rate.is_used


def test_usage_that_comes_first_is_refused_by_the_database(acme: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a batch had used the rate after it was looked at."""
    rate = create(acme)
    call()
    monkeypatch.setattr("costtrack.pricing.own_rates._locked", lambda looked_at, *, using: looked_at)
    assert not rate.is_used
    with pytest.raises(RateConflict, match="has priced usage"):
        delete_own_rate(rate)
    assert Rate.objects.filter(pk=rate.pk).exists()


def test_an_unused_one_goes_with_its_tiers_and_the_one_before_holds_on(acme: Organization) -> None:
    create(acme)
    wrong = create(acme, effective_from=LATER, input_usd_per_million=Decimal(200), tiers=[ONE])
    delete_own_rate(wrong)
    call(LATER)
    assert costs() == [Decimal("0.003")]
    assert not RateTier.objects.exists()
    for gone in (lambda: delete_own_rate(wrong), lambda: end_own_rate(wrong, ends_at=LATER + timedelta(1))):
        with pytest.raises(Rate.DoesNotExist):
            gone()
