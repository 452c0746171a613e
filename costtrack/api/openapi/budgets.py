"""Budgets: what they say, how they stand, who changed them."""

from __future__ import annotations

from typing import Any

from django.db.models import CharField, Model

from costtrack.api.budget_columns import CHANGE_COLUMNS, COLUMNS
from costtrack.api.budget_input import MAX_NOTE
from costtrack.api.budget_standing import LONGEST_SUBJECT, BudgetsStatusView, BudgetStatusView
from costtrack.api.budgets import BudgetChangesView, BudgetsView, BudgetView
from costtrack.api.lists import PAGE_SIZE
from costtrack.api.openapi.columns import page, row
from costtrack.api.openapi.described import JSON, Answer, Body, Component, Link, Operation, json_answer
from costtrack.api.openapi.ledger import AN_ID
from costtrack.api.openapi.parameters import count, parameter
from costtrack.api.openapi.values import (
    A_NAME,
    FLAG,
    INT64,
    about,
    by_name,
    choice,
    list_of,
    nullable,
    record,
)
from costtrack.domain.budget_periods import BudgetPeriod
from costtrack.domain.budget_rules import TEXT_SCOPE, BudgetMetric, Enforcement, Expiry, Per, Unavailable, Unpriced
from costtrack.models import Budget
from costtrack.reporting.budget_shapes import STATUS_COLUMNS
from costtrack.reporting.parameters import MAX_TEXT

BUDGET = row("Budget", COLUMNS)
SCOPE = by_name({"type": "string"}, "What it is about, with its subject; projects and agents by their slugs.")
BUDGET_STATUS = row(
    "BudgetStatus",
    STATUS_COLUMNS,
    data={"scope": SCOPE},
    text="How a budget stands in its current period; figures are in its metric.",
)
CHANGE = row("BudgetChange", CHANGE_COLUMNS, data={"before": {"type": "object"}, "after": {"type": "object"}})
LOCATION = Component(
    "Location",
    {"description": "The address of what was made.", "required": True, "schema": {"type": "string", "format": "uri"}},
    "headers",
)

TEXT_OR_NUMBER = {"type": ["string", "integer"], **INT64}
LINE = {**TEXT_OR_NUMBER, "maxLength": MAX_TEXT, "pattern": r"^[^\u0000-\u001f\u007f-\u00a0]*$"}
NOTE = {**TEXT_OR_NUMBER, "maxLength": MAX_NOTE, "pattern": r"^[^\u0000]*$"}
LIMIT_DIGITS = 18
LIMIT = {
    "anyOf": [
        {"type": "number", "minimum": 0, "exclusiveMaximum": 10**LIMIT_DIGITS},
        {"type": "string", "pattern": rf"^[0-9]{{1,{LIMIT_DIGITS}}}(\.[0-9]{{1,12}})?$"},
        {"type": "null"},
    ]
}


def line(model: type[Model], name: str) -> dict[str, Any]:
    """A text that fits the column."""
    field = model._meta.get_field(name)
    assert isinstance(field, CharField)
    return {**LINE, "maxLength": field.max_length}


LIMIT_FIELDS: dict[str, Any] = {
    "name": line(Budget, "name"),
    "limit": about(LIMIT, "0 refuses everything; null only for one that is unlimited."),
    "is_unlimited": about(FLAG, "It only counts."),
    "enforcement": choice("NewEnforcement", tuple(Enforcement)),
    "on_unpriced": choice("NewOnUnpriced", tuple(Unpriced)),
    "on_expiry": choice("NewOnExpiry", tuple(Expiry)),
    "on_unavailable": choice("NewOnUnavailable", tuple(Unavailable)),
    "is_active": about(FLAG, "One that rests neither counts nor refuses."),
    "note": about(NOTE, "Why: it stands in the history."),
}
NEW_FIELDS: dict[str, Any] = {
    "organization": about(LINE, "Its slug; needed where the caller manages several."),
    "project": about(LINE, "Its slug; none: any."),
    "agent": about(LINE, "Its slug, with its project; none: any."),
    **{name: line(Budget, name) for name in TEXT_SCOPE},
    "metric": choice("NewMetric", tuple(BudgetMetric)),
    "period": choice("NewPeriod", tuple(BudgetPeriod)),
    "per": choice("NewPer", tuple(Per), "Of what each has the limit for itself."),
    **LIMIT_FIELDS,
}
NEEDED = ("period",)
NEW_BUDGET = Component(
    "NewBudget",
    record(
        {name: schema if name in NEEDED else nullable(schema) for name, schema in NEW_FIELDS.items()},
        optional=tuple(name for name in NEW_FIELDS if name not in NEEDED),
        description="A limit, or `is_unlimited`; the tokens of each thread are 100,000 where neither is given. Without "
        "`enforcement` it is soft for a week or a month, with alerts at 80 and 100 % of its limit, else hard. "
        "null: not given.",
    ),
)
CHANGED_BUDGET = Component(
    "ChangedBudget",
    record(LIMIT_FIELDS, optional=tuple(LIMIT_FIELDS), description="What is not given stays as it is."),
)
A_BUDGET = {"limit": "50", "period": "day", "enforcement": "hard", "project": "website", "name": "A day"}
OF_A_THREAD = {"metric": "tokens", "per": "thread", "period": "total"}
PLACE = {"budget_id": parameter("budget_id", AN_ID, "The budget's `id`.", place="path")}
SUBJECT = parameter(
    "subject", {**A_NAME, "maxLength": LONGEST_SUBJECT}, "Which thread, agent ..., as answers write it."
)
WHAT_NEXT = {
    name: Link(id=name, parameters={"budget_id": "$response.body#/id"}, about=text)
    for name, text in (
        ("get_budget", "What it says."),
        ("change_budget", "Another limit."),
        ("delete_budget", "Away with it."),
        ("get_budget_status", "How it stands."),
        ("list_budget_changes", "Who changed it."),
    )
}

OPERATIONS = (
    Operation(
        view=BudgetsView,
        id="list_budgets",
        tag="budgets",
        answers={200: page("BudgetPage", BUDGET, "The budgets, oldest first.")},
    ),
    Operation(
        view=BudgetsView,
        method="POST",
        id="create_budget",
        tag="budgets",
        body=Body(
            content={JSON: NEW_BUDGET},
            examples={"fifty dollars a day": A_BUDGET, "100,000 tokens a thread": OF_A_THREAD},
        ),
        answers={
            201: Answer(about="It is there.", content={JSON: BUDGET}, headers={"Location": LOCATION}, links=WHAT_NEXT)
        },
    ),
    Operation(
        view=BudgetView, id="get_budget", tag="budgets", path=PLACE, answers={200: json_answer("The budget.", BUDGET)}
    ),
    Operation(
        view=BudgetView,
        method="PATCH",
        id="change_budget",
        tag="budgets",
        path=PLACE,
        body=Body(content={JSON: CHANGED_BUDGET}, examples={"more": {"limit": "80", "note": "A busy week."}}),
        answers={200: json_answer("The budget as it is now.", BUDGET)},
    ),
    Operation(
        view=BudgetView,
        method="DELETE",
        id="delete_budget",
        tag="budgets",
        path=PLACE,
        answers={204: Answer(about="It is gone.")},
    ),
    Operation(
        view=BudgetsStatusView,
        id="list_budget_statuses",
        tag="budgets",
        answers={200: page("BudgetStatusPage", BUDGET_STATUS, "How they stand.")},
        query={
            "subject": SUBJECT,
            "page_size": parameter(
                "page_size",
                count(1, BudgetsStatusView.max_page_size, min(PAGE_SIZE, BudgetsStatusView.max_page_size)),
                "How many budgets a page has at most.",
            ),
        },
    ),
    Operation(
        view=BudgetStatusView,
        id="get_budget_status",
        tag="budgets",
        path=PLACE,
        answers={
            200: json_answer("Its lines.", Component("BudgetStatuses", record({"results": list_of(BUDGET_STATUS)})))
        },
        query={"subject": SUBJECT},
    ),
    Operation(
        view=BudgetChangesView,
        id="list_budget_changes",
        tag="budgets",
        path=PLACE,
        answers={200: page("BudgetChangePage", CHANGE, "Its history, newest first.")},
    ),
)
