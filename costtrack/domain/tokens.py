"""TokenUsage: what one LLM call used, by the one counting convention of costtrack.

`input_tokens` and `output_tokens` are totals; all other classes are parts of one of the two. OpenAI and the
OpenTelemetry GenAI conventions count so. Anthropic's own `input_tokens` excludes cached tokens: the
extraction adds them at the edge.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from costtrack.domain.frozen import frozen_from
from costtrack.exceptions import InvalidUsage

MAX_TOKENS = 10**11
"""No call has more tokens than this; it keeps sums of millions of calls inside 64 bits."""

INPUT_PARTS = ("cache_read_tokens", "cache_write_tokens", "cache_write_1h_tokens", "input_audio_tokens")
OUTPUT_PARTS = ("reasoning_tokens", "output_audio_tokens")


@dataclass(frozen=True, kw_only=True, init=False)
class TokenUsage:
    """Tokens of one call; every figure is an int >= 0, default 0.

    The input parts do not overlap and together never exceed `input_tokens`; the same holds for the output
    parts and `output_tokens`. Otherwise InvalidUsage names the field.
    """

    input_tokens: int = 0
    """All input tokens, cached and cache-written ones included."""
    output_tokens: int = 0
    """All output tokens, reasoning and audio included."""
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    """Written to a cache that lives 5 minutes."""
    cache_write_1h_tokens: int = 0
    """Written to a cache that lives 1 hour; not counted in `cache_write_tokens`."""
    input_audio_tokens: int = 0
    """Audio input that did not come from a cache."""
    reasoning_tokens: int = 0
    output_audio_tokens: int = 0

    def __init__(
        self,
        *,
        input_tokens: int = 0,
        output_tokens: int = 0,
        cache_read_tokens: int = 0,
        cache_write_tokens: int = 0,
        cache_write_1h_tokens: int = 0,
        input_audio_tokens: int = 0,
        reasoning_tokens: int = 0,
        output_audio_tokens: int = 0,
    ) -> None:
        """Refuse whatever is no whole number from 0 to MAX_TOKENS, and a part above its whole.

        Written out, and with one test for the common case: every metered call waits for it. Parts of 0 are left to
        the class, as in `frozen_from`.
        """
        is_fine = (
            type(input_tokens)
            is type(output_tokens)
            is type(cache_read_tokens)
            is type(cache_write_tokens)
            is type(cache_write_1h_tokens)
            is type(input_audio_tokens)
            is type(reasoning_tokens)
            is type(output_audio_tokens)
            is int
            and cache_read_tokens >= 0
            and cache_write_tokens >= 0
            and cache_write_1h_tokens >= 0
            and input_audio_tokens >= 0
            and cache_read_tokens + cache_write_tokens + cache_write_1h_tokens + input_audio_tokens <= input_tokens
            and input_tokens <= MAX_TOKENS
            and reasoning_tokens >= 0
            and output_audio_tokens >= 0
            and reasoning_tokens + output_audio_tokens <= output_tokens <= MAX_TOKENS
        )
        if not is_fine:
            _refuse(
                input_tokens=input_tokens,
                output_tokens=output_tokens,
                cache_read_tokens=cache_read_tokens,
                cache_write_tokens=cache_write_tokens,
                cache_write_1h_tokens=cache_write_1h_tokens,
                input_audio_tokens=input_audio_tokens,
                reasoning_tokens=reasoning_tokens,
                output_audio_tokens=output_audio_tokens,
            )
        values = {"input_tokens": input_tokens, "output_tokens": output_tokens}
        if cache_read_tokens:
            values["cache_read_tokens"] = cache_read_tokens
        if cache_write_tokens:
            values["cache_write_tokens"] = cache_write_tokens
        if cache_write_1h_tokens:
            values["cache_write_1h_tokens"] = cache_write_1h_tokens
        if input_audio_tokens:
            values["input_audio_tokens"] = input_audio_tokens
        if reasoning_tokens:
            values["reasoning_tokens"] = reasoning_tokens
        if output_audio_tokens:
            values["output_audio_tokens"] = output_audio_tokens
        object.__setattr__(self, "__dict__", values)

    @property
    def total_tokens(self) -> int:
        """Input plus output."""
        return self.input_tokens + self.output_tokens


def plain_usage(input_tokens: object, output_tokens: object, cache_read_tokens: object) -> TokenUsage | None:
    """A TokenUsage of the counts that nearly every call has; None if one of them is absent or needs a closer look.

    Without `__init__`, which costs three times as much: every metered call waits for it.
    """
    if (
        type(input_tokens) is int
        and type(output_tokens) is int
        and 0 <= input_tokens <= MAX_TOKENS
        and 0 <= output_tokens <= MAX_TOKENS
    ):
        values = {"input_tokens": input_tokens, "output_tokens": output_tokens}
        if cache_read_tokens is None:
            return frozen_from(TokenUsage, values)
        if type(cache_read_tokens) is int and 0 <= cache_read_tokens <= input_tokens:
            if cache_read_tokens:
                values["cache_read_tokens"] = cache_read_tokens
            return frozen_from(TokenUsage, values)
    return None


TOKEN_FIELDS: tuple[str, ...] = tuple(field.name for field in fields(TokenUsage))


def _refuse(**counts: int) -> None:
    """Raise InvalidUsage for the first field that is not acceptable."""
    for name, count in counts.items():
        if type(count) is not int:
            raise InvalidUsage(name, count, "a whole number of tokens")
        if not 0 <= count <= MAX_TOKENS:
            seen = count if abs(count) < 10**60 else "an integer of over 60 digits"
            raise InvalidUsage(name, seen, f"a whole number from 0 to {MAX_TOKENS:,}")
    for whole_name, part_names in (("input_tokens", INPUT_PARTS), ("output_tokens", OUTPUT_PARTS)):
        running = 0
        for name in part_names:
            running += counts[name]
            if running > counts[whole_name]:
                parts = f"{whole_name}, which includes {', '.join(part_names)}"
                raise InvalidUsage(name, counts[name], f"at most {counts[whole_name]} ({parts})")
