"""The ledger's rows: listed, and one with its corrections and the arithmetic of its cost."""

from __future__ import annotations

from typing import Any

from costtrack.api.ids import LARGEST_ID
from costtrack.api.openapi.columns import page, row
from costtrack.api.openapi.costs import EDGE
from costtrack.api.openapi.described import Component, Operation, json_answer
from costtrack.api.openapi.parameters import parameter
from costtrack.api.openapi.values import (
    AN_INSTANT,
    COST,
    DECIMAL,
    INSTANT,
    INTEGER,
    TEXT,
    about,
    by_name,
    list_of,
    nullable,
    record,
)
from costtrack.api.usage import UsageRecordsView
from costtrack.api.usage_detail import MOST_CORRECTIONS, UsageRecordView
from costtrack.reporting.tags import LONGEST_NAME, LONGEST_VALUE
from costtrack.reporting.usage_columns import USAGE_COLUMNS

AN_ID = {"type": "integer", "minimum": 0, "maximum": LARGEST_ID}
A_TAG = {
    "type": "string",
    "pattern": rf"^[^=\u0000]{{1,{LONGEST_NAME}}}=[^\u0000]{{1,{LONGEST_VALUE}}}$",
    "examples": ["team=research"],
}
USAGE = row(
    "UsageRecord",
    USAGE_COLUMNS,
    data={"tags": by_name(TEXT), "metadata": {"type": "object"}},
    text="A row of the ledger. An unpriced one has no `cost_usd`: it is null, never 0.",
)
RATE = Component(
    "PricedRate",
    record(
        {
            "id": INTEGER,
            "provider": TEXT,
            "model": TEXT,
            "service_tier": TEXT,
            "effective_from": INSTANT,
            "source": TEXT,
            "source_version": TEXT,
        },
        description="The rate that priced it.",
    ),
)
TOKEN_LINE = record({"token_class": TEXT, "tokens": INTEGER, "usd_per_million": DECIMAL, "cost_usd": DECIMAL})
UNIT_LINE = record({"resource_type": TEXT, "amount": DECIMAL, "unit_price_usd": DECIMAL, "cost_usd": DECIMAL})
ARITHMETIC = Component(
    "CostArithmetic",
    record(
        {
            "reason": about(nullable(TEXT), "Why nothing adds up to its cost, in words; null: the rest does."),
            "rate": nullable(RATE),
            "above_input_tokens": about(nullable(INTEGER), "The tier whose prices hold; null: the rate's own do."),
            "lines": list_of(TOKEN_LINE),
            "units": nullable(UNIT_LINE),
            "request_usd": about(nullable(DECIMAL), "What the call itself costs, on top."),
            "total_usd": nullable(DECIMAL),
        },
        description="What adds up to the record's cost.",
    ),
)
USAGE_FIELDS: dict[str, Any] = {
    **USAGE.part["properties"],
    "corrections": about(list_of(USAGE, maxItems=MOST_CORRECTIONS), "The first ones; `corrects` lists all."),
    "net_cost_usd": about(COST, "What it and all its corrections cost together; null while that is unpriced."),
    "arithmetic": ARITHMETIC,
}

OPERATIONS = (
    Operation(
        view=UsageRecordsView,
        id="list_usage",
        tag="usage",
        answers={200: page("UsageRecordPage", USAGE, "Usage and corrections, the newest first.")},
        query={
            "from": parameter("from", EDGE, "The first day, or the local midnight that it begins at."),
            "to": parameter("to", EDGE, "The first day after the period, or its midnight."),
            "occurred_from": parameter("occurred_from", AN_INSTANT, "The first instant."),
            "occurred_to": parameter("occurred_to", AN_INSTANT, "The first instant after."),
            "tag": parameter("tag", A_TAG, "Only usage with this tag, as NAME=VALUE."),
            "corrects": parameter("corrects", AN_ID, "Only corrections of the usage with this id."),
        },
    ),
    Operation(
        view=UsageRecordView,
        id="get_usage",
        tag="usage",
        answers={200: json_answer("The record.", Component("UsageRecordDetail", record(USAGE_FIELDS)))},
        path={"usage_id": parameter("usage_id", AN_ID, "The record's `id`.", place="path")},
    ),
)
