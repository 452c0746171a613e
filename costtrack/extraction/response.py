"""`extract`: what one response, of any provider and any SDK, tells about its usage."""

from __future__ import annotations

from typing import Any

from costtrack.domain.frozen import frozen_from
from costtrack.extraction.counts import UsageReader, shown
from costtrack.extraction.extracted import Extracted
from costtrack.extraction.fields import may_have, read, read_first
from costtrack.extraction.locate import Located, locate
from costtrack.extraction.openai_usage import read_total
from costtrack.extraction.origin import (
    choose_model,
    finish_reason_of,
    is_of_litellm,
    litellm_call_id_of,
    provider_of,
    reported_model,
    response_id_of,
)
from costtrack.extraction.reported_cost import COSTS, reported_cost_of
from costtrack.extraction.service_tier import service_tier_of

_NO_OUTPUT = ("data", "results", "embeddings", "embedding")
"""What holds the vectors of an embedding, or the scores of a rerank: services whose total is all input."""


def extract(response: object, *, provider: str = "", model: str = "") -> Extracted:
    """Tokens, model, id and cost of a response given as dict or object. Never raises on what a provider sent.

    `provider` and `model` are the caller's: his provider wins over the body's, the body's model over his, except
    on Bedrock. Only the fields needed are read, never prompts or completions.
    """
    return frozen_from(Extracted, found_in(response, locate(response), provider=provider, model=model))


def found_in(response: object, located: Located | None, *, provider: str, model: str) -> dict[str, Any]:
    """The fields of what `extract` finds; `located` is where the usage is."""
    body = located.body if located else response
    usage = located.usage if located else None
    provider = provider or provider_of(response, located)
    chosen_model = choose_model(reported=reported_model(response, body), given=model, provider=provider)
    reader = UsageReader(model=chosen_model)
    tokens = located.read_tokens(located.usage, reader) if located else None
    if located and located.read_tokens is read_total and not _has_no_output(body):
        reader.adjust("only total_tokens is told: all of it is taken as input")
    problems = reader.problems
    if tokens is None and not problems:
        unread = read(response, "usage")
        if unread is not None:
            problems.append(f"usage is {shown(unread)} and holds no token count")
    cost = None
    if may_have(usage, COSTS):
        cost, cost_problem = reported_cost_of(response, body, usage, provider=provider)
        if cost_problem:
            problems.append(cost_problem)
    of_litellm = is_of_litellm(response)
    return {
        "tokens": tokens,
        "model": chosen_model,
        "provider": provider,
        "response_id": response_id_of(response, body),
        "litellm_call_id": litellm_call_id_of(response) if of_litellm else "",
        "is_of_litellm": of_litellm,
        "reported_cost_usd": cost,
        "service_tier": service_tier_of(body, usage)
        or (service_tier_of(response, None) if body is not response else ""),
        "finish_reason": finish_reason_of(body) or (finish_reason_of(response) if body is not response else ""),
        "is_adjusted": reader.is_adjusted,
        "problems": tuple(problems),
    }


def _has_no_output(body: object) -> bool:
    """Whether the body is of an embedding or a rerank. DashScope has those in an `output`."""
    return read_first(body, *_NO_OUTPUT) is not None or read_first(read(body, "output"), *_NO_OUTPUT) is not None
