"""Spans of one call are one call, and spans of several are several."""

from __future__ import annotations

from typing import Any

import pytest

from costtrack.domain.tokens import TokenUsage
from costtrack.extraction.spans import Span, calls_of
from tests.extraction.spans.spans import CHAT_ID, CURRENT, LEGACY, OPENINFERENCE, OPENLLMETRY, TRACE, make_span


def without_id(attributes: dict[str, Any], **more: Any) -> dict[str, Any]:
    rest = {name: value for name, value in attributes.items() if name not in ("gen_ai.response.id", "output.value")}
    return {**rest, **more}


def counted(input_tokens: int, output_tokens: int, **more: Any) -> dict[str, Any]:
    counts = {"gen_ai.usage.input_tokens": input_tokens, "gen_ai.usage.output_tokens": output_tokens}
    return {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o", **counts, **more}


def keys_of(*spans: Span) -> list[str]:
    return [call.key for call in calls_of(spans)]


def own_key(number: int) -> str:
    return f"otel:{TRACE}:{number:016x}"


def test_three_instrumentations_of_one_response_are_one_call_wherever_their_spans_are() -> None:
    (call,) = calls_of([make_span(1, attributes=LEGACY), make_span(2, attributes=OPENLLMETRY), make_span(3)])
    assert call.key == f"openai:{CHAT_ID}"
    # The legacy span came first, and does not know of cached tokens: the others do.
    assert call.found.tokens == TokenUsage(
        input_tokens=2000, output_tokens=300, cache_read_tokens=1500, reasoning_tokens=100
    )


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_nested_spans_of_one_call_are_one_call_though_only_one_of_them_has_an_id(order: tuple[int, ...]) -> None:
    spans = [
        make_span(1, attributes=without_id(OPENLLMETRY)),
        make_span(2, parent=1, attributes=CURRENT),
        make_span(3, parent=2, attributes=without_id(OPENINFERENCE)),
    ]
    assert keys_of(*(spans[number] for number in order)) == [f"openai:{CHAT_ID}"]


def test_nested_spans_without_any_id_are_one_call_by_their_counts() -> None:
    spans = [make_span(1, attributes=counted(10, 5)), make_span(2, parent=1, attributes=counted(10, 5))]
    assert keys_of(*spans) == [own_key(2)]


def test_a_span_that_is_no_call_may_stand_between_them() -> None:
    spans = [
        make_span(1, attributes=counted(10, 5)),
        make_span(2, parent=1, attributes={"http.request.method": "POST"}),
        make_span(3, parent=2, attributes=counted(10, 5)),
    ]
    assert keys_of(*spans) == [own_key(3)]


def test_an_outer_span_that_saw_no_answer_is_the_inner_ones_call() -> None:
    blind = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o"}
    assert keys_of(make_span(1, attributes=blind), make_span(2, parent=1)) == [f"openai:{CHAT_ID}"]


def test_an_inner_span_that_saw_no_answer_is_the_outer_ones_call() -> None:
    blind = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o"}
    (call,) = calls_of([make_span(1), make_span(2, parent=1, attributes=blind)])
    assert call.key == f"openai:{CHAT_ID}"
    assert call.found.tokens is not None
    assert call.found.tokens.input_tokens == 2000


def test_one_error_that_three_spans_tell_of_is_one() -> None:
    failed = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o", "error.type": "RateLimitError"}
    spans = [make_span(1, attributes=failed), make_span(2, parent=1, attributes=failed)]
    spans.append(make_span(3, parent=2, attributes={"openinference.span.kind": "LLM"}, is_error=True))
    (call,) = calls_of(spans)
    assert (call.failed, call.error_type) == (True, "RateLimitError")


def test_a_failed_attempt_inside_a_call_that_succeeded_is_a_call_of_its_own() -> None:
    failed = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o", "error.type": "APITimeoutError"}
    spans = [
        make_span(1, attributes=counted(10, 5)),
        make_span(2, parent=1, attributes=failed),
        make_span(3, parent=1, attributes=counted(10, 5)),
    ]
    assert [(call.key, call.failed) for call in calls_of(spans)] == [(own_key(2), True), (own_key(3), False)]


def test_an_answer_that_the_outer_span_could_not_parse_is_billed_as_the_success_that_it_was() -> None:
    outer = make_span(1, attributes=counted(10, 5, **{"error.type": "ValidationError"}), is_error=True)
    (call,) = calls_of([outer, make_span(2, parent=1, attributes=counted(10, 5))])
    assert not call.failed


def test_a_parent_that_sums_its_calls_up_is_not_billed_beside_them() -> None:
    spans = [
        make_span(1, attributes=counted(30, 11)),
        make_span(2, parent=1, attributes=counted(10, 5)),
        make_span(3, parent=1, attributes=counted(20, 6)),
    ]
    assert keys_of(*spans) == [own_key(2), own_key(3)]


def test_an_agent_around_its_calls_is_none_whatever_counts_it_has() -> None:
    agent = {**counted(30, 11), "gen_ai.operation.name": "invoke_agent"}
    spans = [make_span(1, attributes=agent), make_span(2, parent=1, attributes=counted(30, 11))]
    assert keys_of(*spans) == [own_key(2)]


def test_calls_with_other_counts_inside_one_another_are_several() -> None:
    spans = [make_span(1, attributes=counted(30, 11)), make_span(2, parent=1, attributes=counted(10, 5))]
    assert keys_of(*spans) == [own_key(1), own_key(2)]


def test_calls_with_ids_of_their_own_are_several_though_their_counts_are_equal() -> None:
    spans = [make_span(1), make_span(2, parent=1, attributes={**CURRENT, "gen_ai.response.id": "chatcmpl-" + "B" * 29})]
    assert keys_of(*spans) == [f"openai:{CHAT_ID}", "openai:chatcmpl-" + "B" * 29]


def test_siblings_with_equal_counts_and_no_ids_are_several() -> None:
    spans = [make_span(1, attributes=counted(10, 5)), make_span(2, attributes=counted(10, 5))]
    assert keys_of(*spans) == [own_key(1), own_key(2)]


def test_a_span_sent_twice_is_one() -> None:
    assert keys_of(make_span(1, attributes=counted(10, 5)), make_span(1, attributes=counted(10, 5))) == [own_key(1)]


def test_parents_in_a_circle_end() -> None:
    spans = [
        make_span(1, parent=2, attributes=counted(10, 5)),
        make_span(2, parent=1, attributes={}),
        make_span(3, parent=3, attributes=counted(20, 6)),
    ]
    assert keys_of(*spans) == [own_key(1), own_key(3)]


def test_two_calls_in_a_circle_are_booked() -> None:
    spans = [make_span(1, parent=2, attributes=counted(10, 5)), make_span(2, parent=1, attributes=counted(20, 6))]
    assert keys_of(*spans) == [own_key(1), own_key(2)]


def test_ten_thousand_spans_in_a_row_are_read_in_a_second() -> None:
    spans = [make_span(number, parent=number - 1, attributes=counted(number, 5)) for number in range(1, 10_001)]
    assert len(calls_of(spans)) == 10_000
