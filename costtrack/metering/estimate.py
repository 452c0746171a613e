"""What a call used where its provider did not say: estimated from the text that was sent and that arrived.

A stream that is left early, breaks, or ends without a usage chunk was worked for and is charged all the same. Billed
as 0 it would be a hole in every budget; left unpriced it would be a hole in every sum. So the part that is known is
priced, and the row says that it is an estimate (`is_estimated`), how it was made (`metadata["estimated"]`), and what
it does not cover (`metadata["_problems"]`). What a provider told stays as it was told; where nothing at all is known
the usage is missing: unpriced, never 0.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import replace
from typing import TYPE_CHECKING

from costtrack.domain.tokens import MAX_TOKENS, TokenUsage
from costtrack.extraction import ArrivedText, Extracted, text_length

if TYPE_CHECKING:
    from costtrack.metering.observed_response import ObservedResponse

CHARACTERS_PER_TOKEN = 4
"""OpenAI's rule of thumb for English text (help.openai.com/en/articles/4936856, "What are tokens and how to count
them?"). Other languages and code have fewer, down to one: there the estimate is low."""

UNKNOWN_INPUT = "the input is not known: its tokens are not in the estimate"
_NOTHING_FOUND = Extracted()
_NOTHING_ARRIVED = ArrivedText()
_NO_TOKENS = TokenUsage()


class GivenInput:
    """What a call was given to read. Its text is counted only when it must be, and let go when the call is over."""

    __slots__ = ("_characters", "_values")

    def __init__(self, *values: object) -> None:
        """Prompts, messages, definitions of tools. A list counts as long as it is now: it may grow by the answer."""
        self._values = [(value, len(value) if isinstance(value, list) else 0) for value in values]
        self._characters: int | None = None

    @property
    def characters(self) -> int | None:
        """Of all its text. None = not known: there was none, or it has been let go."""
        if self._values:
            values, self._values = self._values, []
            count = 0
            try:
                for value, size in values:
                    count += text_length(value[:size] if isinstance(value, list) else value)
            except Exception:  # whatever the caller's objects do, metering must go on
                count = 0
            self._characters = count or None
        return self._characters

    def let_go(self) -> None:
        """Keep nothing but the number, if it was asked for."""
        self._values = []


def needs_estimate(response: ObservedResponse, *, was_cut_off: bool) -> bool:
    """Whether the provider has not told, or not to the end, what this response used.

    That is a stream without final counts, or a call that was cut off before any response. A whole response without
    usage is none: what it is about is not known.
    """
    found, arrived = response.found or _NOTHING_FOUND, response.arrived
    told = found.tokens
    if arrived is None:
        return told is None and was_cut_off
    if told is None or (arrived.is_any and not arrived.has_usage):
        return True
    if not told.output_tokens and told.input_tokens and arrived.characters and not found.is_adjusted:
        return True
    return response.ended_early and not found.finish_reason


def with_estimate(
    response: ObservedResponse, *, said: Container[str], was_cut_off: bool, is_sole: bool
) -> ObservedResponse:
    """The response with what can be estimated filled in; unchanged if nothing needs to be, or nothing is known.

    `said` names the counts that the caller has given. Output tokens are the characters that arrived over
    CHARACTERS_PER_TOKEN, rounded up, at least 1 if anything arrived; a larger count that the provider told on the way
    wins. Input tokens are those that were told, else by the same rule from the input that was given, else 0 and noted.
    If calls inside this one were metered (not `is_sole`), a response that tells no usage may well be theirs, and
    nothing is estimated: it would be charged twice.
    """
    found, arrived = response.found or _NOTHING_FOUND, response.arrived or _NOTHING_ARRIVED
    told = found.tokens
    if "tokens" in said or not needs_estimate(response, was_cut_off=was_cut_off) or (told is None and not is_sole):
        return response
    tokens, made, problems = told or _NO_TOKENS, [], found.problems
    if "input_tokens" not in said and not tokens.input_tokens:
        characters = response.input.characters if response.input else None
        if characters is not None:
            tokens = replace(tokens, input_tokens=_tokens_of(characters))
            made.append(f"input from {characters:,} characters")
        elif told is None and not arrived.characters:
            return response
        else:
            problems = (*problems, UNKNOWN_INPUT)
    output_tokens = max(_tokens_of(arrived.characters), int(arrived.is_any))
    if "output_tokens" not in said and output_tokens > tokens.output_tokens:
        reasoning = max(tokens.reasoning_tokens, _tokens_of(arrived.reasoning_characters))
        tokens = replace(
            tokens,
            output_tokens=output_tokens,
            reasoning_tokens=min(reasoning, output_tokens - tokens.output_audio_tokens),
        )
        made.append(f"output from {arrived.characters:,} characters")
    if not made:
        return response
    return response._replace(found=replace(found, tokens=tokens, problems=problems), estimate=", ".join(made))


def _tokens_of(characters: int) -> int:
    return min(-(-characters // CHARACTERS_PER_TOKEN), MAX_TOKENS)
