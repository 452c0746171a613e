"""A line of a segment gives the event back, and tells when it is not what was written."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costtrack.domain.events import Attribution, UsageEvent
from costtrack.domain.tokens import TokenUsage
from costtrack.metering.spool.encoding import DamagedRecord, decode, encode
from tests.factories import make_event

FULL = UsageEvent(
    idempotency_key="key-1",
    key_from_provider=True,
    occurred_at=datetime(2026, 11, 20, 12, 30, 15, 123456, tzinfo=UTC),
    attribution=Attribution(
        organization="acme",
        project="website",
        agent="writer",
        sprint="s-1",
        workflow="w",
        stage="draft",
        thread_id="t-1",
        request_id="r-1",
        entity_type="hypothesis",
        entity_id="h-1",
        endpoint="summarize",
        customer="c-1",
        user="7",
        run="run-1",
        tags={"team": "x"},
    ),
    resource_type="llm_tokens",
    amount=Decimal("1300"),
    tokens=TokenUsage(
        input_tokens=1000,
        output_tokens=300,
        cache_read_tokens=100,
        cache_write_tokens=50,
        cache_write_1h_tokens=25,
        input_audio_tokens=5,
        reasoning_tokens=200,
        output_audio_tokens=10,
    ),
    provider="openai",
    gateway="openrouter",
    model="gpt-4o",
    service_tier="batch",
    reported_cost_usd=Decimal("0.000000000001"),
    latency_ms=250,
    outcome="error",
    error_type="RateLimitError",
    error_message="slow down",
    is_estimated=True,
    usage_missing=True,
    saving_usd=Decimal("-0.5"),
    saving_kind="cache",
    saving_basis="full price",
    metadata={"temperature": 0.2, "nested": {"list": [1, None, "ü"]}},
    hold_id="0123456789abcdef0123456789abcdef",
    hold_leases="00112233445566778899aabbccddeeff=10000000",
)


def test_every_field_comes_back() -> None:
    line = encode(FULL, 1_700_000_000_123)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    spooled = decode(line[:-1])
    assert spooled.event == FULL
    assert spooled.spooled_ms == 1_700_000_000_123


def test_defaults_come_back() -> None:
    event = make_event()
    assert decode(encode(event, 0)[:-1]).event == event


@given(text=st.text(max_size=200), amount=st.decimals(min_value=0, max_value=10**11, places=12))
def test_any_text_and_any_amount_come_back_exactly(text: str, amount: Decimal) -> None:
    clean = text.encode("utf-8", "replace").decode()
    event = make_event(key="k", error_message=clean, metadata={"said": clean}, amount=amount)
    line = encode(event, 1)
    assert line.count(b"\n") == 1
    back = decode(line[:-1]).event
    assert (back.error_message, back.metadata, back.amount) == (clean, {"said": clean}, amount)


@given(position=st.integers(min_value=0, max_value=400), bit=st.integers(min_value=0, max_value=7))
def test_a_line_with_one_flipped_bit_is_damaged(position: int, bit: int) -> None:
    line = bytearray(encode(FULL, 1)[:-1])
    line[position % len(line)] ^= 1 << bit
    with pytest.raises(DamagedRecord) as damage:
        decode(bytes(line))
    assert damage.value.raw == bytes(line)


@given(length=st.integers(min_value=0, max_value=600))
def test_a_line_that_was_cut_off_is_damaged(length: int) -> None:
    line = encode(FULL, 1)[:-1]
    with pytest.raises(DamagedRecord):
        decode(line[: min(length, len(line) - 1)])


@pytest.mark.parametrize("body", [b"{}", b"[]", b"[1]", b'"text"', b"null", b"[1,2,3]", b"not json"])
def test_a_right_checksum_over_something_else_is_damaged_too(body: bytes) -> None:
    from zlib import crc32

    with pytest.raises(DamagedRecord, match="can not be read"):
        decode(b"%08x %b" % (crc32(body), body))


FIRST_FORMAT = [
    b'd09f54fc [1764000000123,{"resource_type":"llm_tokens","metadata":{},"occurred_at":"2026-11-20T12:30:15.123456'
    b'+00:00","model":"gpt-4o","provider":"openai","attribution":{"tags":{},"organization":"acme","project":"search"},'
    b'"idempotency_key":"k-1","tokens":{"input_tokens":1000,"output_tokens":300},"amount":"1300"}]',
    b'641b99c9 [1764000000123,{"resource_type":"gpu_seconds","metadata":{},"occurred_at":"2026-11-20T12:00:00+00:00",'
    b'"saving_usd":"-0.500000000000","attribution":{"tags":{}},"idempotency_key":"k-2","amount":"0.25"}]',
]


def test_lines_of_the_first_format_are_read() -> None:
    tokens, gpu = (decode(line).event for line in FIRST_FORMAT)
    assert tokens == UsageEvent(
        idempotency_key="k-1",
        occurred_at=datetime(2026, 11, 20, 12, 30, 15, 123456, tzinfo=UTC),
        attribution=Attribution(organization="acme", project="search"),
        resource_type="llm_tokens",
        amount=Decimal(1300),
        tokens=TokenUsage(input_tokens=1000, output_tokens=300),
        provider="openai",
        model="gpt-4o",
    )
    assert (gpu.amount, gpu.saving_usd) == (Decimal("0.25"), Decimal("-0.5"))


def test_an_amount_that_is_not_the_tokens_in_all_comes_back_as_it_was() -> None:
    """People mend dead letters by hand."""
    event = make_event(1000, 300, amount=Decimal(7))
    assert decode(encode(event, 1)[:-1]).event.amount == 7


@pytest.mark.parametrize("time", [10**30, "yesterday", None, [1]])
def test_a_line_with_no_time_is_damaged(time: object) -> None:
    from zlib import crc32

    spooled_ms, values = orjson.loads(FIRST_FORMAT[0][9:])
    body = json.dumps([spooled_ms, {**values, "occurred_at": time}]).encode()
    with pytest.raises(DamagedRecord, match="can not be read"):
        decode(b"%08x %b" % (crc32(body), body))


def test_a_line_of_a_later_version_with_more_fields_is_read() -> None:
    from zlib import crc32

    body = orjson.dumps([*orjson.loads(encode(FULL, 5)[9:-1]), "a field of tomorrow"])
    assert decode(b"%08x %b" % (crc32(body), body)).event == FULL
