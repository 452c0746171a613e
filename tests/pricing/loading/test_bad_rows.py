"""A rate file is refused with every bad row, counted as rows, in plain words."""

from __future__ import annotations

from textwrap import dedent

import pytest

from costtrack.exceptions import RateFileError
from costtrack.pricing.loading.files import read_drafts
from costtrack.pricing.loading.rows import FileDefaults


def refused(text: str, file_format: str = "yaml") -> RateFileError:
    """What reading a text raises."""
    with pytest.raises(RateFileError) as caught:
        read_drafts(dedent(text), file_format=file_format, defaults=FileDefaults())
    return caught.value


def test_yaml_entries_of_another_shape_are_reported_with_all_other_bad_rows() -> None:
    found = refused("""\
        rates:
          negative: {prompt_per_1k: -1}
          listed: [1, 2]
          text: cheap
          good: {prompt_per_1k: 1}
          good: {prompt_per_1k: -2}
          double: {prompt_per_1k: 1, prompt_per_1k: 2}
          ? [a, b]
          : {prompt_per_1k: 1}
          word: {prompt_per_1k: cheap}
        """).problems
    assert found == [
        (2, "prompt_per_1k is negative (-1)"),
        (3, "is no mapping of prices"),
        (4, "is no mapping of prices"),
        (
            6,
            "good stands twice, first in line 5; a list of rates takes a model twice; prompt_per_1k is negative (-2)",
        ),
        (7, "has a key twice"),
        (8, "has no model id before its prices"),
        (10, "prompt_per_1k is 'cheap', expected a number"),
    ]


def test_entries_of_a_yaml_list_that_are_no_mapping_are_reported_with_the_others() -> None:
    found = refused("rates:\n  - gpt-4\n  - {model: a, prompt_per_1k: -1}\n  - [1]\n").problems
    assert [line for line, _ in found] == [2, 3, 4]


def test_csv_rows_with_too_many_or_too_few_cells_are_reported_with_all_other_bad_rows() -> None:
    found = refused("model,provider,input_per_1k\na,openai,1\nb,openai\nc,openai,1,2\nd,openai,-1\ne\n", "csv").problems
    assert found == [
        (3, "has 2 cell(s), the header 3"),
        (4, "has 4 cell(s), the header 3"),
        (5, "input_per_1k is negative (-1)"),
        (6, "has 1 cell(s), the header 3"),
    ]


def test_a_csv_file_that_ends_within_quotes_still_reports_the_rows_before() -> None:
    found = refused('model,input_per_1k\na,-1\n"b,1\n', "csv").problems
    assert [line for line, _ in found] == [2, 3]
    assert "is no CSV" in found[1][1]


def test_bad_rows_are_counted_as_rows_however_much_is_wrong_with_one() -> None:
    error = refused("""\
        rates:
          a: {prompt_per_1k: -1, completion_per_1k: cheap}
          b:
            prompt_per_1k: -1
            completion_per_1k: -2
          c: {prompt_per_1k: -3}
        """)
    assert str(error).splitlines() == [
        "Nothing was loaded: 3 bad row(s).",
        "  line 2: prompt_per_1k is negative (-1); completion_per_1k is 'cheap', expected a number",
        "  line 4: prompt_per_1k is negative (-1); line 5: completion_per_1k is negative (-2)",
        "  line 6: prompt_per_1k is negative (-3)",
    ]


def test_bad_litellm_entries_are_counted_once_each() -> None:
    text = '{"a": {"input_cost_per_token": -1, "output_cost_per_token": NaN},\n "b": 5}'
    assert [line for line, _ in refused(text, "litellm").problems] == [1, 2]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (".nan", "is NaN, expected a finite number"),
        (".inf", "is Infinity, expected a finite number"),
        ("-0.00000002", "is negative (-0.00000002)"),
        ("[1.5, 2.5]", "is a list, expected a number"),
        ("{a: 1}", "is a mapping, expected a number"),
        ("1e50", "is '1e50', expected a number of ordinary size"),
        ("9" * 5000, f"is {'9' * 60}..., expected a number of ordinary size"),
        ("'" + "x" * 99 + "'", f"is '{'x' * 60}...', expected a number of at most 60 characters"),
    ],
)
def test_bad_values_are_shown_as_the_file_has_them(value: str, said: str) -> None:
    (problem,) = refused(f"rates:\n  a: {{prompt_per_1k: {value}}}\n").problems
    assert problem == (2, f"prompt_per_1k {said}")


def test_a_price_with_too_many_decimals_is_shown_without_exponent() -> None:
    (problem,) = refused("rates:\n  a: {request_usd: 0.0000000000001}\n").problems
    assert problem[1].startswith("request_usd is 0.0000000000001, expected below 1e12 USD")


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ('effective_from: "' + "2" * 300 + '"', "effective_from is longer than 200 characters"),
        ('source: "a\\0b"', "source has a NUL"),
    ],
)
def test_texts_that_cannot_be_stored_are_reported(entry: str, said: str) -> None:
    assert refused(f"rates:\n  a: {{prompt_per_1k: 1, {entry}}}\n").problems == [(2, said)]


@pytest.mark.parametrize(
    ("text", "file_format"), [("rates: {}\n", "yaml"), ("rates: []\n", "yaml"), ("model\n", "csv"), ("{}", "litellm")]
)
def test_a_file_without_rates_is_an_error(text: str, file_format: str) -> None:
    assert refused(text, file_format).problems == [(1, "The file holds no rates.")]


def test_a_unit_price_without_a_resource_type_is_refused() -> None:
    (problem,) = refused('rates:\n  "*": {provider: pubmed, unit_price_usd: 0.01}\n').problems
    assert problem == (2, "unit_price_usd needs a resource_type such as api_call: llm_tokens have prices of tokens")
