"""How budgets stand in their running periods, over REST: what is spent, held and left, and until when."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from costtrack.api.base import CostView
from costtrack.api.budget_columns import BudgetFilters
from costtrack.api.budgets import OneBudgetView
from costtrack.api.lists import ListView
from costtrack.reporting.budget_shapes import STATUS_COLUMNS, budget_shape
from costtrack.reporting.budgets import budgets_within, standing_of
from costtrack.reporting.pages import Key
from costtrack.reporting.parameters import parse_text

LONGEST_SUBJECT = 401
A_SUBJECT = f"a thread, agent ... as answers write it: a text of 1 to {LONGEST_SUBJECT} characters without NUL"
SUBJECTS_IN_LISTS = 10
"""Of a budget for each thread, agent ... so many are shown among other budgets."""


def subject_of(view: CostView) -> str | None:
    """The subject that is asked for; None: all."""
    text = view.parameter("subject")
    return None if text is None else parse_text("subject", text, expected=A_SUBJECT, longest=LONGEST_SUBJECT)


class BudgetsStatusView(ListView):
    """How the budgets stand that the caller may read, oldest first. Parameters: subject, and those of the list.

    A budget with one counter for each of something has a line for each of the ten dearest; with `subject` one, if that
    used or held anything in the period. `page_size` (1 to 100) counts budgets, not lines.
    """

    parameters = (*ListView.parameters, "subject")
    max_page_size = 100
    filters = BudgetFilters
    columns = STATUS_COLUMNS
    key = Key(("id",), is_descending=False)

    def rows(self) -> QuerySet[Any]:
        """Those of the organizations, or of the key's owner; of one subject those that have several."""
        rows = budgets_within(self.organizations, owner=self.owner)
        return rows if subject_of(self) is None else rows.exclude(per="")

    def lines(self, rows: Sequence[Any]) -> Sequence[Any]:
        """How they stand now."""
        return standing_of(rows, subject=subject_of(self), only_used=True, now=timezone.now(), limit=SUBJECTS_IN_LISTS)


class BudgetStatusView(OneBudgetView):
    """How one budget stands. Parameters: subject, organization.

    One line; of a budget with one counter for each of something a line for each of the 100 dearest, or for the
    `subject` that is asked for, also if it used nothing yet.
    """

    parameters = ("subject",)

    def get(self, request: Request, budget_id: str) -> Response:
        """Its lines."""
        statuses = standing_of([self.budget], subject=subject_of(self), now=timezone.now())
        return Response({"results": [budget_shape(one, zone=self.zone) for one in statuses]})
