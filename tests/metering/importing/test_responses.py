"""Usage from responses in rows: what cannot be read rejects the row, so that a mended one counts once."""

from __future__ import annotations

from typing import Any

import pytest

from costtrack.metering.importing.columns import ColumnTranslator
from costtrack.metering.importing.records import Draft, Record

NOON = "2025-03-01T12:00:00Z"


def drafted(**row: Any) -> Draft:
    (draft,) = ColumnTranslator({}).drafts([Record(1, b"", {"occurred_at": NOON, "model": "gpt-4o"} | row)])
    return draft


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"usage": {"prompt_tokens": 1.5, "completion_tokens": 2}}, "usage.prompt_tokens: got 1.5, expected a whole"),
        ({"usage": {"prompt_tokens": "1,000"}}, "usage.prompt_tokens: got '1,000', expected a whole number of tokens."),
        ({"usage": {"prompt_tokens": -1}}, "usage.prompt_tokens: got -1, "),
        ({"usage": {"prompt_tokens": 9, "completion_tokens": True}}, "usage.completion_tokens: got true, "),
        (
            {"usage": {"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": "4k"}}},
            "usage.prompt_tokens_details.cached_tokens: got '4k', ",
        ),
        ({"response": {"usage": {"input_tokens": "many"}}}, "response.usage.input_tokens: got 'many', "),
        ({"response": {"usageMetadata": {"promptTokenCount": 0.5}}}, "response.usage.promptTokenCount: got 0.5, "),
        ({"response": {"prompt_eval_count": 1.5, "eval_count": 3}}, "response: prompt_eval_count is 1.5."),
        ({"response": {"usage": {"tokens_in": 5}}}, 'response.usage: got {"tokens_in":5}, expected an object with'),
        ({"usage": {"tokens_in": 5}}, 'usage: got {"tokens_in":5}, expected an object with a provider\'s token counts'),
        ({"usage": [5]}, "usage: got [5], "),
        ({"usage": "1,000"}, "usage: got '1,000', "),
        ({"usage": '{"prompt_tokens": "x"}'}, "usage.prompt_tokens: got 'x', "),
        ({"usage": {"prompt_tokens": 1, "cost": "cheap", "is_byok": False}}, "usage: cost: got 'cheap', expected"),
    ],
)
def test_a_figure_that_cannot_be_read_rejects_its_row_and_is_named(row, reason):
    assert drafted(**row).problem.startswith(reason)


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"usage": None},
        {"usage": {}},
        {"usage": {"prompt_tokens": None}},
        {"response": {"choices": []}},
        {"response": "a text"},
    ],
)
def test_a_row_without_any_figure_is_a_call_whose_usage_is_missing(row):
    draft = drafted(**row)
    assert draft.problem == ""
    assert "input_tokens" not in draft.fields


@pytest.mark.parametrize(
    "row", [{"resource_type": "gpu_seconds", "amount": 3}, {"cost_usd": "0.01"}, {"resource_type": "api_call"}]
)
def test_a_row_that_says_otherwise_what_it_used_may_have_any_usage(row):
    assert drafted(usage={"percent": 93}, **row).problem == ""


def test_a_row_that_names_its_tokens_itself_may_have_any_usage():
    assert drafted(input_tokens=7, usage={"prompt_tokens": "1,000"}).fields["input_tokens"] == 7


def test_the_usage_may_stand_beside_a_response_without_one_and_be_written_as_text():
    draft = drafted(response={"model": "gpt-4o-2024-08-06", "choices": []}, usage='{"prompt_tokens": 10}')
    assert (draft.problem, draft.fields["input_tokens"]) == ("", 10)


def test_figures_that_contradict_one_another_are_mended_and_count_as_an_estimate():
    draft = drafted(usage={"prompt_tokens": 10, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 12}})
    assert (draft.problem, draft.fields["cache_read_tokens"], draft.fields["is_estimated"]) == ("", 10, True)
    assert "is_estimated" not in drafted(usage={"prompt_tokens": 10}).fields


def test_a_cost_in_an_unknown_currency_is_no_reason_to_reject():
    assert drafted(usage={"prompt_tokens": 10, "cost": 3}).problem == ""
