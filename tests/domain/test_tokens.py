from __future__ import annotations

import dataclasses

import pytest

from costtrack.domain.tokens import MAX_TOKENS, TOKEN_FIELDS, TokenUsage
from costtrack.exceptions import InvalidUsage

BAD_COUNTS = [-1, 1.0, "1", None, True, 2**63, 10**5000, -(10**5000), float("nan"), MAX_TOKENS + 1]


def test_parts_lie_within_their_whole() -> None:
    tokens = TokenUsage(
        input_tokens=100,
        output_tokens=50,
        cache_read_tokens=40,
        cache_write_tokens=30,
        cache_write_1h_tokens=20,
        input_audio_tokens=10,
        reasoning_tokens=45,
        output_audio_tokens=5,
    )
    assert tokens.total_tokens == 150


@pytest.mark.parametrize("name", TOKEN_FIELDS)
@pytest.mark.parametrize("bad", BAD_COUNTS, ids=range(len(BAD_COUNTS)))
def test_a_count_is_a_whole_number_that_some_call_could_have(name: str, bad: object) -> None:
    with pytest.raises(InvalidUsage) as caught:
        TokenUsage(**{name: bad})
    assert caught.value.field == name
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("whole", "part"),
    [
        ("input_tokens", "cache_read_tokens"),
        ("input_tokens", "cache_write_tokens"),
        ("input_tokens", "cache_write_1h_tokens"),
        ("input_tokens", "input_audio_tokens"),
        ("output_tokens", "reasoning_tokens"),
        ("output_tokens", "output_audio_tokens"),
    ],
)
def test_a_part_above_its_whole_is_refused(whole: str, part: str) -> None:
    TokenUsage(**{whole: 10, part: 10})
    with pytest.raises(InvalidUsage, match=whole) as caught:
        TokenUsage(**{whole: 10, part: 11})
    assert caught.value.field == part


def test_parts_together_never_exceed_their_whole() -> None:
    with pytest.raises(InvalidUsage, match="cache_write_tokens"):
        TokenUsage(input_tokens=10, cache_read_tokens=6, cache_write_tokens=5)
    with pytest.raises(InvalidUsage, match="output_audio_tokens"):
        TokenUsage(output_tokens=10, reasoning_tokens=6, output_audio_tokens=5)


def test_a_usage_never_changes() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        TokenUsage().input_tokens = 1  # type: ignore[misc]
