"""What a schema can not say: the failures of schemathesis that are none, each with its reason.

Schemathesis takes a request for good if it fits the schema, and wants it answered; for bad if it does not, and wants it
refused. All other checks hold without exception.
"""

from __future__ import annotations

import ast
import re
import threading
from typing import Any

import schemathesis
from schemathesis.core.failures import AcceptedNegativeData, Failure
from schemathesis.openapi.checks import RejectedPositiveData

REFUSED_FOR = {
    "a cursor is one that a page gave": r"cursor: got .*, expected the cursor of a page's `next`",
    "an edge is a midnight of the zone": r"(from|to|period_start|period_end): got .* a local midnight",
    "a period ends after it begins": r"(to|period_end|occurred_to): got .*, expected an? (day|instant) after",
    "a summary is of ten years at most": r"(from|to): got .*, expected a day 1 to 3,660 days",
    "a summary has 1,100 buckets at most": r"granularity: got .*, expected one of which the period has at most",
    "with more buckets there are fewer groups": r"limit: got .*, expected a whole number from 1 to \d+",
    "units of several types do not add up": r"figures: got .*, expected no amount, unless resource_type",
    "an export has no pages": r"(cursor|page_size): got .*, expected no such parameter: an export has all rows",
    "data stands in JSON": r"data: got 'true', expected that format=json",
    "an organization is one that is granted": r"organization: got .*, expected the slug of an organization",
    "a part is no larger than its whole": r"\w+: got .*, expected at most \d+ \(\w+, which includes",
    "the amount of tokens is their number": r"amount: got .*, expected \d+ \(input plus output tokens\)",
    "other resources have an amount": r"amount.*, expected a number: how many",
    "an event says what was used": r"event: got 'nothing that was used', expected at least one of",
    "usage is neither old nor of the future": r"occurred_at: got .*, expected (a time at most|a year from)",
    "a number is of ordinary size": r"\w+: got .*, expected a number of ordinary size",
    "a model has a rate": r"target_model: got .*, expected the id of a model that has a rate",
    "a provider is that of a model": r"target_\w+: got .*, expected target_model with it",
    "a key is one that is not used up": r".* Give another idempotency_key",
}
"""Of what fits the schema: what is refused all the same, by the words of the 400."""
FIELDS_THAT_DEPEND = {
    "organization": "it is one that is granted",
    "project": "it is one of the organization's",
    "agent": "it is one of the project's",
    "limit": "there is one, or none at all is asked for",
    "resource_type": "a budget of units has one",
    "entity_type": "an entity's id has one",
    "model": "a rate of tokens has one",
    "input_usd_per_million": "a rate has a price",
    "unit_price_usd": "tokens have other prices",
    "effective_from": "it is a year from 1970 to 8999",
    "ends_at": "it is after the beginning",
    "aliases": "none of them is blank",
    "tiers": "their thresholds differ",
    "estimated_total_tokens": "the prompt tokens are in it",
    "estimated_cost_usd": "it is below 1e12, also where it is worked out",
    "name": "it is not blank",
    "cost_cap": "it is of ordinary size",
    "cost_per_1k_tokens": "the same",
    "selection": "it has no NUL, and is not too deep",
    "filters": "the same",
    "workflows": "each is there once",
    "window_start": "it comes with its end",
    "window_end": "it comes with its start",
}
"""Fields of a body that may be refused though each by itself fits the schema."""
ON_ONE_LINE = re.compile(r".* text on one line, without control characters\.")
"""Which characters can be printed Unicode says, and no pattern that all readers of patterns know."""

_parse, _one_at_a_time = ast.parse, threading.RLock()


def parse_alone(*arguments: Any, **options: Any) -> Any:
    """CPython 3.11.7 raises SystemError if two threads parse at once (gh-106905): Hypothesis does, to name lambdas."""
    with _one_at_a_time:
        return _parse(*arguments, **options)


ast.parse = parse_alone


@schemathesis.hook
def filter_failure(context: Any, failure: Failure, case: Any, response: Any) -> bool:
    """Whether it is one."""
    if isinstance(failure, RejectedPositiveData):
        return not _is_refused_for_a_reason(response)
    if isinstance(failure, AcceptedNegativeData):
        return not _is_told_of_a_rejected_event(response)
    return True


def _is_refused_for_a_reason(response: Any) -> bool:
    problem = response.json()
    if response.status_code == 402:  # a budget has no room: that is what it is for
        return True
    if errors := problem.get("errors"):
        return all(
            name.partition("[")[0] in FIELDS_THAT_DEPEND or all(map(ON_ONE_LINE.match, problems))
            for name, problems in errors.items()
        )
    detail = problem["detail"].removeprefix("Nothing was booked. ")
    detail = re.sub(r"^Of the first of [0-9,]+: ", "", detail)
    return response.status_code == 400 and any(re.match(words, detail) for words in REFUSED_FOR.values())


def _is_told_of_a_rejected_event(response: Any) -> bool:
    # Of a list the sound events are booked, and the answer says which one is not: its status can not.
    return response.status_code == 202 and response.json()["rejected"] > 0
