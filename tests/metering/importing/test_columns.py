"""Columns fill fields: by name, by --map, by dotted path, from a provider's response."""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import orjson
import pytest

from costtrack.metering.importing.columns import ColumnTranslator, parse_column_options
from costtrack.metering.importing.csv_records import CsvRecords
from costtrack.metering.importing.errors import UnusableMapping
from costtrack.metering.importing.json_records import JsonRecords
from costtrack.metering.importing.records import Record
from costtrack.metering.importing.source import Source

NOON = "2025-03-01T12:00:00Z"


def csv_drafts(content: str, columns: Mapping[str, str] | None = None, *, zone: str = "UTC"):
    records = CsvRecords(Source(io.BytesIO(content.encode()), name="calls.csv"))
    sample = list(records)
    translator = ColumnTranslator(columns or {}, zone=ZoneInfo(zone))
    translator.check(records.columns, sample)
    return list(translator.drafts(sample))


def json_drafts(*rows: object, columns: Mapping[str, str] | None = None):
    content = b"\n".join(orjson.dumps(row) for row in rows)
    sample = list(JsonRecords(Source(io.BytesIO(content), name="calls.jsonl")))
    translator = ColumnTranslator(columns or {})
    translator.check(None, sample)
    return list(translator.drafts(sample))


def test_columns_of_a_fields_name_fill_it_and_empty_cells_fill_nothing():
    (draft,) = csv_drafts(
        "occurred_at,input_tokens,output_tokens,model,agent,cost_usd,latency_ms,tags,other\n"
        f'{NOON},374,44.0,gpt-4o,,0.10,12.4,"{{""team"": ""search""}}",x\n'
    )
    assert draft.problem == ""
    assert draft.fields == {
        "occurred_at": datetime(2025, 3, 1, 12, tzinfo=UTC),
        "input_tokens": 374,
        "output_tokens": 44,
        "model": "gpt-4o",
        "cost_usd": Decimal("0.10"),
        "latency_ms": 12,
        "tags": {"team": "search"},
    }


def test_a_mapped_column_wins_over_one_of_the_fields_name():
    (draft,) = csv_drafts(f"when,amount,occurred_at\n{NOON},3,never\n", {"occurred_at": "when"})
    assert draft.fields["occurred_at"] == datetime(2025, 3, 1, 12, tzinfo=UTC)


def test_the_zone_of_naive_times_can_be_given():
    (draft,) = csv_drafts("occurred_at,amount\n2025-03-01 12:00:00,1\n", zone="America/New_York")
    assert draft.fields["occurred_at"] == datetime(2025, 3, 1, 17, tzinfo=UTC)


def test_dotted_paths_reach_nested_keys():
    (draft,) = json_drafts(
        {"occurred_at": NOON, "usage": {"prompt_tokens": 7}, "call": {"who": {"name": "ann"}}},
        columns={"input_tokens": "usage.prompt_tokens", "user": "call.who.name"},
    )
    assert (draft.fields["input_tokens"], draft.fields["user"]) == (7, "ann")


def test_a_key_with_a_dot_in_its_own_name_is_found_too():
    (draft,) = json_drafts({"occurred_at": NOON, "llm.tokens": 7}, columns={"input_tokens": "llm.tokens"})
    assert draft.fields["input_tokens"] == 7


def test_a_path_that_only_some_rows_have_is_fine_where_it_is_missing():
    drafts = json_drafts(
        {"occurred_at": NOON, "n": 1},
        {"occurred_at": NOON, "n": 2, "who": "ann"},
        columns={"input_tokens": "n", "user": "who"},
    )
    assert [draft.fields.get("user") for draft in drafts] == [None, "ann"]


def test_a_field_that_no_first_record_has_is_still_read_from_later_ones():
    translator = ColumnTranslator({})
    translator.check(None, [Record(1, b"", problem="not JSON")])
    (draft,) = translator.drafts([Record(2, b"", {"occurred_at": NOON, "input_tokens": 5})])
    assert draft.fields["input_tokens"] == 5


def test_a_provider_response_in_a_row_gives_its_usage_by_our_convention():
    # Anthropic counts cached tokens apart: 10 + 90 read = 100 input tokens.
    (draft,) = json_drafts(
        {
            "occurred_at": NOON,
            "response": {
                "id": "msg_1",
                "type": "message",
                "model": "claude-sonnet-4-5-20250929",
                "usage": {"input_tokens": 10, "cache_read_input_tokens": 90, "output_tokens": 5},
            },
        }
    )
    fields = draft.fields
    assert (fields["input_tokens"], fields["cache_read_tokens"], fields["output_tokens"]) == (100, 90, 5)
    assert (fields["model"], fields["provider"]) == ("claude-sonnet-4-5-20250929", "anthropic")


def test_the_usage_of_a_response_alone_is_enough_and_a_rows_own_model_stands():
    (draft,) = json_drafts(
        {
            "occurred_at": NOON,
            "model": "gpt-4o",
            "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
        }
    )
    assert (draft.fields["input_tokens"], draft.fields["output_tokens"], draft.fields["model"]) == (10, 5, "gpt-4o")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("yesterday,1,2", "occurred_at: got 'yesterday', expected an ISO 8601 time"),
        (",1,2", "occurred_at is empty, expected the time of the call."),
        (f"{NOON},many,2", "input_tokens: got 'many', expected a number"),
        (f"{NOON},1.5,2", "input_tokens: got '1.5', expected a whole number"),
    ],
)
def test_a_bad_cell_rejects_its_row_and_names_the_field(row, reason):
    (draft,) = csv_drafts(f"occurred_at,input_tokens,output_tokens\n{row}\n")
    assert draft.problem.startswith(reason)


def test_an_unknown_field_is_refused_with_the_known_ones():
    with pytest.raises(UnusableMapping, match=r"'tokens_in' is no field.*occurred_at, input_tokens"):
        parse_column_options(["tokens_in=ContextTokens"])


@pytest.mark.parametrize("options", [["model"], ["model="], ["model=a", "model=b"]])
def test_a_mapping_that_says_nothing_or_two_things_is_refused(options):
    with pytest.raises(UnusableMapping, match="--map"):
        parse_column_options(options)


def test_options_are_split_at_the_first_equals_sign():
    assert parse_column_options(["model = a=b", "user=u"]) == {"model": "a=b", "user": "u"}


def test_a_column_that_does_not_exist_is_refused_with_those_that_do():
    with pytest.raises(UnusableMapping, match=r"Column 'Tokens' does not exist; the file has: 'occurred_at', 'amount'"):
        csv_drafts(f"occurred_at,amount\n{NOON},1\n", {"input_tokens": "Tokens"})


def test_a_path_that_no_first_record_has_is_refused_with_those_they_have():
    with pytest.raises(UnusableMapping, match=r"'usage\.promt'.*'occurred_at', 'usage\.prompt'"):
        json_drafts({"occurred_at": NOON, "usage": {"prompt": 1}}, columns={"input_tokens": "usage.promt"})


def test_a_used_column_that_appears_twice_is_refused_and_an_unused_one_is_not():
    with pytest.raises(UnusableMapping, match="Column 'amount' appears twice"):
        csv_drafts(f"occurred_at,amount,amount\n{NOON},1,2\n")
    assert len(csv_drafts(f"occurred_at,amount,x,x\n{NOON},1,2,3\n")) == 1


def test_without_a_time_or_a_usage_column_nothing_is_imported():
    with pytest.raises(UnusableMapping, match=r"No column gives occurred_at.*'TIMESTAMP', 'amount'"):
        csv_drafts(f"TIMESTAMP,amount\n{NOON},1\n")
    with pytest.raises(UnusableMapping, match=r"No column says what was used.*'model', 'occurred_at'"):
        csv_drafts(f"occurred_at,model\n{NOON},m\n")
    with pytest.raises(UnusableMapping, match="No column says what was used"):
        json_drafts({"occurred_at": NOON, "model": "m"})
