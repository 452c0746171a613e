"""From a provider's figures to a valid TokenUsage: absurd ones are refused or clamped, and named."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from costtrack.domain.tokens import INPUT_PARTS, MAX_TOKENS, OUTPUT_PARTS, TokenUsage
from costtrack.exceptions import InvalidUsage
from costtrack.extraction.fields import read

NO_INPUT = "the input count is missing, taken as 0"
"""Noted where only an output is told."""
_LONGEST_NUMBER = 24


class UsageReader:
    """Reads the counts of one usage object and remembers what was wrong with them.

    A count that is missing (None) is no problem. A whole that is absurd makes the usage unusable: then `tokens`
    gives None. An absurd part counts as 0, and the result is adjusted.
    """

    __slots__ = ("is_adjusted", "is_unusable", "model", "problems")

    def __init__(self, *, model: str = "") -> None:
        self.model = model
        """The model's id, for the one format whose meaning depends on it."""
        self.problems: list[str] = []
        self.is_adjusted = False
        self.is_unusable = False

    def whole(self, source: object, *names: str) -> int | None:
        """The first of these fields that is there, as a count; None if none is, or if it is absurd."""
        return None if source is None else self._count(source, names, is_part=False)

    def part(self, source: object, *names: str) -> int:
        """The same for a part of a whole; 0 if none of the fields is there, or if it is absurd."""
        return 0 if source is None else self._count(source, names, is_part=True) or 0

    def adjust(self, problem: str) -> None:
        """Notes that a figure had to be mended."""
        self.is_adjusted = True
        self.problems.append(problem)

    def tokens(self, input_tokens: int | None, output_tokens: int | None, **parts: int) -> TokenUsage | None:
        """A valid TokenUsage of these totals and parts, or None if there is none to be had.

        A part above what its whole has left is clamped to that, in the order of TokenUsage's fields. A missing
        output is 0 (embeddings have none); so is a missing input, but that is noted.
        """
        if self.is_unusable or (input_tokens is None and output_tokens is None):
            return None
        if input_tokens is None:
            self.adjust(NO_INPUT)
            input_tokens = 0
        output_tokens = output_tokens or 0
        if max(input_tokens, output_tokens) > MAX_TOKENS:
            self.problems.append(f"more than {MAX_TOKENS:,} tokens")
            return None
        try:
            return TokenUsage(input_tokens=input_tokens, output_tokens=output_tokens, **parts)
        except InvalidUsage:  # a part is larger than its whole
            self._clamp(parts, INPUT_PARTS, input_tokens, "input_tokens")
            self._clamp(parts, OUTPUT_PARTS, output_tokens, "output_tokens")
        return TokenUsage(input_tokens=input_tokens, output_tokens=output_tokens, **parts)

    def _clamp(self, parts: dict[str, int], names: tuple[str, ...], whole: int, whole_name: str) -> None:
        room = whole
        for name in names:
            count = parts.get(name, 0)
            if count > room:
                self.adjust(f"{name} {count} is more than is left of {whole_name} {whole}, taken as {room}")
                parts[name] = count = room
            room -= count

    def _count(self, source: object, names: tuple[str, ...], *, is_part: bool) -> int | None:
        for name in names:
            value = read(source, name)
            if value is None:
                continue
            if type(value) is int and 0 <= value <= MAX_TOKENS:
                return value
            count = whole_number(value)
            if count is not None:
                return count
            if is_part:
                self.adjust(f"{name} is {shown(value)}, taken as 0")
            else:
                self.is_unusable = True
                self.problems.append(f"{name} is {shown(value)}")
            return None
        return None


def whole_number(value: object) -> int | None:
    """A count from 0 to MAX_TOKENS given as 12, 12.0, Decimal(12) or "12"; None for anything else."""
    if type(value) is int:
        return value if 0 <= value <= MAX_TOKENS else None
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return int(value) if 0 <= value <= MAX_TOKENS else None
    if isinstance(value, str) and len(value) <= _LONGEST_NUMBER:
        try:
            value = Decimal(value)
        except InvalidOperation:
            return None
    if isinstance(value, float):
        value = Decimal(value)
    if isinstance(value, Decimal) and value.is_finite() and 0 <= value <= MAX_TOKENS:
        count = int(value)
        return count if count == value else None
    return None


def shown(value: object) -> str:
    """A refused figure, short enough for a problem text; of anything but a figure only its type."""
    if isinstance(value, (bool, float)) or (isinstance(value, int) and abs(value) < 10**30):
        return repr(value)
    if isinstance(value, str):
        return repr(value[:_LONGEST_NUMBER])
    return f"of type {type(value).__name__}"
