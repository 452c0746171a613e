"""What a period cost, by dimensions and in parts of it."""

from __future__ import annotations

from typing import Any

from costtrack.api.openapi.columns import value_of
from costtrack.api.openapi.costs import EDGE, HEADERS
from costtrack.api.openapi.described import JSON, Answer, Component, Operation
from costtrack.api.openapi.parameters import count, parameter, several
from costtrack.api.openapi.values import COST, DECIMAL, INSTANT, TEXT, about, list_of, nullable, record
from costtrack.api.summary import GROUPS, MAX_DIMENSIONS, MAX_GROUPS, SummaryView
from costtrack.reporting.summary import GROUPINGS, Granularity
from costtrack.reporting.summary_figures import ALWAYS_SHOWN, SHOWN_FIGURES

GRANULARITIES = {"type": "string", "enum": list(Granularity)}
FIGURE_FIELDS = {name: value_of(shown.column) for name, shown in SHOWN_FIGURES.items()}
"""Those that are asked for, by default all but `amount`."""
OPTIONAL = tuple(FIGURE_FIELDS)
FIGURES = Component("SummaryFigures", record(FIGURE_FIELDS, optional=OPTIONAL))
NAMES: dict[str, Any] = {name: TEXT for name in GROUPINGS}
PREVIOUS = {"previous": about(nullable(FIGURES), "In the period before; null: it is not asked for.")}
GROUP = Component(
    "SummaryGroup",
    record(
        {**NAMES, **FIGURE_FIELDS, **PREVIOUS},
        optional=(*NAMES, *OPTIONAL),
        description="A group, with the names of the dimensions that are asked for.",
    ),
)
OTHERS = Component(
    "SummaryOther",
    record({**FIGURE_FIELDS, **PREVIOUS}, optional=OPTIONAL, description="All groups past the limit, summed up."),
)
EDGES = {"period_start": INSTANT, "period_end": about(INSTANT, "Exclusive.")}
BUCKET = Component(
    "SummaryBucket",
    record(
        {
            "start": INSTANT,
            "end": about(INSTANT, "Exclusive."),
            **FIGURE_FIELDS,
            "groups": about(list_of(FIGURES), "In the order of the answer's groups."),
            "other": nullable(FIGURES),
        },
        optional=OPTIONAL,
        description="A part of the period.",
    ),
)
SUMMARY = Component(
    "Summary",
    record(
        {
            **EDGES,
            "granularity": nullable(Component("SummaryGranularity", GRANULARITIES)),
            "group_by": list_of(Component("SummaryDimension", {"type": "string", "enum": list(GROUPINGS)})),
            "total": FIGURES,
            "previous": nullable(Component("SummaryPrevious", record({**EDGES, **FIGURE_FIELDS}, optional=OPTIONAL))),
            "change": nullable(
                Component(
                    "SummaryChange",
                    record({"cost": COST, "ratio": about(nullable(DECIMAL), "By the cost of the period before.")}),
                )
            ),
            "groups": list_of(GROUP),
            "other": nullable(OTHERS),
            "buckets": {
                "anyOf": [list_of(BUCKET), {"type": "null"}],
                "description": "null: no granularity is asked for.",
            },
        }
    ),
)

OPERATIONS = (
    Operation(
        view=SummaryView,
        id="get_summary",
        tag="costs",
        answers={
            200: Answer(about="The summary.", content={JSON: SUMMARY}, headers=HEADERS),
        },
        query={
            "from": parameter("from", EDGE, "The first day, or its midnight; by default that of the last day's month."),
            "to": parameter("to", EDGE, "The first day after the period, or its midnight; by default tomorrow."),
            "group_by": several("group_by", GROUPINGS, "What the groups are.", most=MAX_DIMENSIONS),
            "granularity": parameter("granularity", GRANULARITIES, "How long the parts of the period are."),
            "compare": parameter(
                "compare", {"type": "string", "enum": ["previous"]}, "Beside it the period before, of the same length."
            ),
            "limit": parameter(
                "limit", count(1, MAX_GROUPS, GROUPS), "How many groups; with many buckets fewer can be asked for."
            ),
            "figures": several(
                "figures",
                tuple(SHOWN_FIGURES),
                f"Which figures; by default all {len(ALWAYS_SHOWN)} but `amount`.",
                most=len(SHOWN_FIGURES),
            ),
        },
    ),
)
