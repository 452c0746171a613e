"""build_event: what it accepts, cleans and refuses; event_after_call: nothing makes it raise."""

from __future__ import annotations

import enum
import math
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson
import pytest
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from costtrack.domain.tokens import TokenUsage
from costtrack.exceptions import InvalidUsage
from costtrack.metering import events
from costtrack.metering.attribution import NOT_GIVEN
from costtrack.metering.context import attribute
from costtrack.metering.events import build_event, event_after_call

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def after_call(**fields: Any) -> Any:
    return event_after_call(fields, NOT_GIVEN, now=NOW)  # type: ignore[arg-type]


def test_the_amount_of_tokens_is_their_total() -> None:
    event = build_event(now=NOW, model="gpt-4o", input_tokens=1000, output_tokens=500, cache_read_tokens=None)
    assert event.tokens == TokenUsage(input_tokens=1000, output_tokens=500)
    assert event.amount == Decimal(1500)
    assert (event.resource_type, event.occurred_at, event.usage_missing) == ("llm_tokens", NOW, False)


COUNTS = st.one_of(
    st.none(), st.integers(-2, 12), st.sampled_from([True, False, 2.0, 2.5, 10**11, 10**11 + 1, 2**70, "3"])
)
TEXTS = st.one_of(st.none(), st.text(max_size=5), st.sampled_from(["gpt-4o", " x ", "p" * 101, "m" * 201, 7, b"x"]))


@given(
    model=TEXTS,
    provider=TEXTS,
    input_tokens=COUNTS,
    output_tokens=COUNTS,
    cache_read_tokens=COUNTS,
    latency_ms=st.one_of(COUNTS, st.sampled_from([10**12, 10**12 + 1, 1.4, math.inf])),
)
def test_the_usual_fields_are_met_before_a_call_as_after_one(**fields: Any) -> None:
    """Before a call they have a way of their own, which is short where they are plain."""
    after = after_call(**fields)
    if set(after.metadata.get("_problems", ())) - {"the input count is missing, taken as 0"}:
        with pytest.raises(InvalidUsage):
            build_event(now=NOW, **fields)
        return
    before = build_event(now=NOW, **fields)
    said = [{**vars(event), "idempotency_key": "k", "tokens": vars(event.tokens)} for event in (before, after)]
    assert said[0] == said[1]
    assert list(map(type, vars(before.tokens).values())) == [int] * len(vars(before.tokens))


@given(model=TEXTS, provider=TEXTS, clean=st.sampled_from(["", " ", "x\u00ad", "m" * 101, "m" * 199 + " n", "a\nb"]))
def test_a_text_that_was_met_before_is_met_the_same_way(model: Any, provider: Any, clean: str) -> None:
    for given_model, given_provider in ((model, provider), (clean, clean)):
        said: dict[str, Any] = {"model": given_model, "provider": given_provider, "input_tokens": 1, "output_tokens": 2}
        after = after_call(**said)
        for _ in range(2):
            event = build_event(now=NOW, **said)
            assert (event.model, event.provider) == (after.model, after.provider)
            # What came out clean is at once taken as it is.
            again = build_event(now=NOW, **said | {"model": event.model, "provider": event.provider})
            assert (again.model, again.provider) == (event.model, event.provider)


PLAIN = {"model": "gpt-4o", "provider": "openai", "input_tokens": 10, "output_tokens": 5, "cache_read_tokens": 2}
BAD = {
    "input_tokens": [-1, True, 1.5, 10**11 + 1, 1, "ten"],  # 1 is less than its cached part
    "output_tokens": [-1, False, 10**11 + 1, math.nan],
    "cache_read_tokens": [-1, True, 11, math.inf],
    "latency_ms": [-1, True, 10**12 + 1, math.nan, "soon"],
}


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, values in BAD.items() for value in values])
def test_one_bad_figure_among_plain_ones_is_refused_although_the_others_were_met_before(field: str, value: Any) -> None:
    for _ in range(2):
        assert build_event(**PLAIN).amount == 15
        with pytest.raises(InvalidUsage):
            build_event(**PLAIN | {field: value})
    rounded = build_event(**PLAIN, latency_ms=1.4)
    assert (rounded.latency_ms, build_event(**PLAIN, latency_ms=0).latency_ms) == (1, 0)


def test_the_texts_that_are_remembered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    known: set[str] = {""}
    monkeypatch.setattr(events, "_known_models", known)
    monkeypatch.setattr(events, "MAX_KNOWN", 3)
    for number in range(5):
        for _ in range(2):
            event = build_event(model=f"model-{number}", input_tokens=1, output_tokens=2)
            assert event.model == f"model-{number}"
    assert known == {"", "model-0", "model-1"}


def test_an_event_without_a_time_has_the_clocks() -> None:
    for _ in range(2):  # the second one is made at once
        before = datetime.now(UTC)
        event = build_event(model="gpt-4o", input_tokens=1, output_tokens=2)
        assert before <= event.occurred_at <= datetime.now(UTC)


def test_tokens_of_zero_are_known_and_no_tokens_are_missing_usage() -> None:
    assert not build_event(now=NOW, input_tokens=0).usage_missing
    assert build_event(now=NOW, model="gpt-4o").usage_missing
    assert not build_event(now=NOW, model="gpt-4o", reported_cost_usd="0.5").usage_missing
    assert not build_event(now=NOW, model="gpt-4o", outcome="error").usage_missing


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"input_tokens": -1}, "input_tokens"),
        ({"input_tokens": True}, "input_tokens"),
        ({"input_tokens": 1.5}, "input_tokens"),
        ({"input_tokens": math.nan}, "input_tokens"),
        ({"input_tokens": 2**63}, "input_tokens"),
        ({"input_tokens": 10**5000}, "input_tokens"),
        ({"input_tokens": 5, "cache_read_tokens": 6}, "cache_read_tokens"),
        ({"input_tokens": -1, "output_tokens": 5}, "input_tokens"),
        ({"input_tokens": 5, "output_tokens": -1}, "output_tokens"),
        ({"input_tokens": 10**11 + 1, "output_tokens": 5}, "input_tokens"),
        ({"input_tokens": 5, "output_tokens": 10**11 + 1}, "output_tokens"),
        ({"input_tokens": 5, "output_tokens": 5, "cache_read_tokens": -1}, "cache_read_tokens"),
        ({"input_tokens": 5, "output_tokens": 5, "cache_read_tokens": False}, "cache_read_tokens"),
        ({"resource_type": "gpu_seconds"}, "amount"),
        ({"resource_type": "gpu_seconds", "amount": Decimal("NaN")}, "amount"),
        ({"resource_type": "gpu_seconds", "amount": "Infinity"}, "amount"),
        ({"resource_type": "gpu_seconds", "amount": -1}, "amount"),
        ({"resource_type": "gpu_seconds", "amount": 10**12}, "amount"),
        ({"resource_type": "gpu_seconds", "amount": "999999999999.9999999999999"}, "amount"),
        ({"resource_type": ""}, "resource_type"),
        ({"input_tokens": 1, "amount": 2}, "amount"),
        ({"reported_cost_usd": math.nan}, "cost_usd"),
        ({"reported_cost_usd": "-0.01"}, "cost_usd"),
        ({"latency_ms": -1}, "latency_ms"),
        ({"latency_ms": math.inf}, "latency_ms"),
        ({"latency_ms": 10**5000}, "latency_ms"),
        ({"outcome": "maybe"}, "outcome"),
        ({"idempotency_key": "k" * 256}, "idempotency_key"),
        ({"idempotency_key": "a\x00b"}, "idempotency_key"),
        ({"metadata": ["no", "mapping"]}, "metadata"),
        ({"tags": "no mapping"}, "tags"),
        ({"entity": "h-1"}, "entity"),
        ({"saving_usd": math.nan}, "saving_usd"),
        ({"occurred_at": datetime(2026, 11, 20, 12)}, "occurred_at"),
        ({"occurred_at": datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))}, "occurred_at"),
        ({"occurred_at": datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-12)))}, "occurred_at"),
        ({"occurred_at": datetime(1969, 12, 31, tzinfo=UTC)}, "occurred_at"),
        ({"occurred_at": NOW + timedelta(seconds=301)}, "occurred_at"),
        ({"occurred_at": "2026-11-20"}, "occurred_at"),
    ],
)
def test_what_is_not_acceptable_is_refused_by_name_before_a_call_and_noted_after_one(
    fields: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidUsage) as refused:
        build_event(now=NOW, **fields)
    assert refused.value.field == field
    if field in ("tags", "entity") or fields == {"resource_type": "gpu_seconds"}:
        return  # attribution is checked before every call; an amount may only be missing after one
    event = after_call(**fields)
    assert event.metadata["_problems"][0].startswith(field)


def test_both_edges_of_the_time_window_are_in() -> None:
    latest = NOW + timedelta(seconds=300)
    assert build_event(now=NOW, occurred_at=latest).occurred_at == latest
    first = datetime(1970, 1, 1, tzinfo=timezone(timedelta(hours=14)))
    assert build_event(now=NOW, occurred_at=first).occurred_at == datetime(1969, 12, 31, 10, tzinfo=UTC)
    with override_settings(COSTTRACK={"MAX_FUTURE_SECONDS": 86400}):
        build_event(now=NOW, occurred_at=NOW + timedelta(days=1))


def test_an_amount_is_rounded_only_past_12_decimals() -> None:
    exact = build_event(now=NOW, resource_type="gpu_seconds", amount="0.123456789012")
    assert exact.amount == Decimal("0.123456789012")
    rounded = build_event(now=NOW, resource_type="gpu_seconds", amount="0.1234567890125")
    assert rounded.amount == Decimal("0.123456789012")
    assert build_event(now=NOW, resource_type="gpu_seconds", amount=0.1).amount == Decimal("0.1")


def test_an_api_call_is_one_if_it_succeeded_and_none_if_it_failed() -> None:
    assert build_event(now=NOW, resource_type="api_call").amount == 1
    assert build_event(now=NOW, resource_type="api_call", amount=3).amount == 3
    assert build_event(now=NOW, resource_type="api_call", amount=3, outcome="error").amount == 0


def test_texts_become_one_clean_line_of_their_columns_length() -> None:
    event = build_event(
        now=NOW,
        model="  gpt\x00-4o\nline\u202e two\x1b[31m ",
        error_message="x" * 600,
        endpoint="e" * 300,
        customer=42,
        thread_id=UUID(int=7),
        user=enum.Enum("Role", {"ADMIN": "admin"})["ADMIN"],
        provider="\ud800openai",
    )
    assert event.model == "gpt-4o line two[31m"
    assert (len(event.error_message), len(event.attribution.endpoint)) == (500, 200)
    assert event.attribution.customer == "42"
    assert event.attribution.thread_id == "00000000-0000-0000-0000-000000000007"
    assert event.attribution.user == "admin"
    assert event.provider == "openai"


def test_an_organization_that_is_too_long_is_not_cut_down_to_a_real_one() -> None:
    assert len(build_event(now=NOW, organization="o" * 101).attribution.organization) == 101


def test_a_text_that_cannot_be_had_is_refused_and_after_a_call_left_out() -> None:
    class Silent:
        def __str__(self) -> str:
            raise RuntimeError("no text")

    with pytest.raises(InvalidUsage, match="model"):
        build_event(now=NOW, model=Silent())
    event = after_call(model=Silent(), input_tokens=3)
    assert (event.model, event.tokens.input_tokens) == ("", 3)


def test_a_key_is_kept_as_it_is_and_without_one_each_event_has_its_own() -> None:
    assert build_event(now=NOW, idempotency_key=" k 1 ").idempotency_key == " k 1 "
    assert build_event(now=NOW, idempotency_key=0).idempotency_key == "0"
    assert build_event(now=NOW).idempotency_key != build_event(now=NOW).idempotency_key
    assert len(build_event(now=NOW, idempotency_key="k" * 255).idempotency_key) == 255


def test_after_a_call_a_key_too_long_is_hashed_so_that_it_still_counts_once() -> None:
    first, again, other = (after_call(idempotency_key=key) for key in ("k" * 300, "k" * 300, "k" * 301))
    assert first.idempotency_key == again.idempotency_key != other.idempotency_key
    assert len(first.idempotency_key) <= 255


def test_without_a_usable_whole_the_usage_is_missing_never_free() -> None:
    event = after_call(model="gpt-4o", input_tokens=-5, output_tokens=7)
    assert event.usage_missing
    assert event.is_estimated
    assert event.tokens == TokenUsage(output_tokens=7)


@pytest.mark.parametrize("build", [lambda **fields: build_event(now=NOW, **fields), after_call])
def test_an_output_without_its_input_is_priced_and_flagged(build: Any) -> None:
    half = build(model="gpt-4o", output_tokens=7, reasoning_tokens=2)
    assert (half.tokens, half.is_estimated, half.usage_missing) == (
        TokenUsage(output_tokens=7, reasoning_tokens=2),
        True,
        False,
    )
    assert half.metadata == {"_problems": ["the input count is missing, taken as 0"]}
    whole = [
        build(model="gpt-4o", input_tokens=0, output_tokens=7),
        build(model="text-embedding-3-small", input_tokens=7),
        build(model="gpt-4o", output_tokens=7, reported_cost_usd="0.5"),
        build(resource_type="gpu_seconds", amount=1, output_tokens=7),
        build(model="gpt-4o", tokens=TokenUsage(output_tokens=7)),
    ]
    assert [(event.is_estimated, event.metadata) for event in whole] == [(False, {})] * 5


def test_a_part_above_its_whole_is_left_out_after_a_call_and_the_whole_stays() -> None:
    event = after_call(input_tokens=5, cache_read_tokens=6, output_tokens=2)
    assert event.tokens == TokenUsage(input_tokens=5, output_tokens=2)
    assert not event.usage_missing
    assert event.is_estimated
    assert event.metadata["_problems"] == [
        "cache_read_tokens: got 6, expected at most 5 (input_tokens, which includes cache_read_tokens, "
        "cache_write_tokens, cache_write_1h_tokens, input_audio_tokens)."
    ]


def test_tags_are_texts_and_at_most_fifty() -> None:
    event = build_event(now=NOW, tags={**{f"k{n}": n for n in range(60)}, "\x00": "nameless"})
    assert len(event.attribution.tags) == 50
    assert event.attribution.tags["k0"] == "0"
    long = build_event(now=NOW, tags={"k" * 300: "v" * 300}).attribution.tags
    assert [(len(name), len(text)) for name, text in long.items()] == [(100, 200)]


def test_an_unknown_field_is_an_error_that_names_the_known_ones() -> None:
    with pytest.raises(TypeError, match=r"'projekt'.*organization, project, agent"):
        build_event(now=NOW, projekt="x")  # type: ignore[call-arg]


def test_the_context_fills_what_the_caller_left_out() -> None:
    with attribute(project="p", agent="a", tags={"a": "1", "b": "1"}):
        event = build_event(now=NOW, agent="b", tags={"b": "2"})
    assert (event.attribution.project, event.attribution.agent) == ("p", "b")
    assert event.attribution.tags == {"a": "1", "b": "2"}


@pytest.mark.parametrize(
    ("given", "tier"), [("", "standard"), ("default", "standard"), ("AUTO", "standard"), ("Flex", "flex")]
)
def test_the_default_tiers_are_the_standard_one(given: str, tier: str) -> None:
    assert build_event(now=NOW, service_tier=given).service_tier == tier


def test_problems_never_make_an_event_that_is_no_json() -> None:
    event = after_call(metadata={"a": 1}, latency_ms="x" * 500, model=object())
    assert orjson.dumps(event.metadata)


def test_a_service_tier_without_prices_of_its_own_is_noted() -> None:
    event = build_event(now=NOW, model="gpt-4o", input_tokens=1, service_tier="bacth")
    assert event.metadata["_problems"] == ["service_tier 'bacth' has no prices of its own: priced as standard"]
    assert "_problems" not in build_event(now=NOW, model="gpt-4o", input_tokens=1, service_tier="Batch").metadata
