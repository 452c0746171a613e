"""TokenUsage: what one LLM call used, by the one counting convention of costtrack.

`input_tokens` and `output_tokens` are totals; all other classes are parts of one of the two. OpenAI and the
OpenTelemetry GenAI conventions count so. Anthropic's own `input_tokens` excludes cached tokens: the
extraction adds them at the edge.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from costtrack.exceptions import InvalidUsage

MAX_TOKENS = 10**12
"""No call has more tokens than this; it keeps sums of millions of calls inside 64 bits."""

INPUT_PARTS = ("cache_read_tokens", "cache_write_tokens", "cache_write_1h_tokens", "input_audio_tokens")
OUTPUT_PARTS = ("reasoning_tokens", "output_audio_tokens")

_set = object.__setattr__


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

        Written out, and with one test for the common case: every metered call waits for it.
        """
        _set(
            self,
            "__dict__",
            {
                "input_tokens": input_tokens,
                "output_tokens": output_tokens,
                "cache_read_tokens": cache_read_tokens,
                "cache_write_tokens": cache_write_tokens,
                "cache_write_1h_tokens": cache_write_1h_tokens,
                "input_audio_tokens": input_audio_tokens,
                "reasoning_tokens": reasoning_tokens,
                "output_audio_tokens": output_audio_tokens,
            },
        )
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
            self._refuse()

    def _refuse(self) -> None:
        """Raise InvalidUsage for the first field that is not acceptable."""
        for name in TOKEN_FIELDS:
            count = getattr(self, name)
            if type(count) is not int:
                raise InvalidUsage(name, count, "a whole number of tokens")
            if not 0 <= count <= MAX_TOKENS:
                seen = count if abs(count) < 10**60 else "an integer of over 60 digits"
                raise InvalidUsage(name, seen, f"a whole number from 0 to {MAX_TOKENS:,}")
        self._check_parts("input_tokens", INPUT_PARTS)
        self._check_parts("output_tokens", OUTPUT_PARTS)

    def _check_parts(self, whole_name: str, part_names: tuple[str, ...]) -> None:
        whole = getattr(self, whole_name)
        running = 0
        for name in part_names:
            part = getattr(self, name)
            running += part
            if running > whole:
                raise InvalidUsage(
                    name, part, f"at most {whole} ({whole_name}, which includes {', '.join(part_names)})"
                )

    @property
    def total_tokens(self) -> int:
        """Input plus output."""
        return self.input_tokens + self.output_tokens


TOKEN_FIELDS: tuple[str, ...] = tuple(field.name for field in fields(TokenUsage))
