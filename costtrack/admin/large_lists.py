"""Lists by day that open on the newest month where showing all dates would read millions of rows."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from costtrack.admin.bases import AnyModel, ReadOnlyAdmin
from costtrack.admin.day_list import MONTH, YEAR, DayChangeList, chosen_key, first_and_last_day
from costtrack.admin.paginator import estimated_rows
from costtrack.admin.scoping import person_of

LARGE = 1_000_000
"""Rows from which on a table is large. Below it, all dates are shown within a second."""


class LargeListAdmin(ReadOnlyAdmin[AnyModel]):
    """A read-only screen of rows with a `day`, of which there may be millions."""

    def reads_all_dates(self, asked: set[str]) -> bool:
        """Whether a list with these parameters, none of them a date, reads rows of all dates; the subclass knows."""
        raise NotImplementedError

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[DayChangeList]:
        """The list whose date links cost nothing."""
        return DayChangeList

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The list; the newest month of it where it is large and would read all dates."""
        rows = self.get_queryset(request)
        # How much the whole site holds is told to superusers only: it changes with the usage of other organizations.
        held = estimated_rows(self.model, using=rows.db) if person_of(request).is_superuser else None
        asked = {name for name, value in request.GET.items() if value}
        reads_all = YEAR not in asked and "e" not in asked and self.reads_all_dates(asked)
        if reads_all and (rows.order_by().values("pk")[:LARGE].count() if held is None else held) >= LARGE:
            last = first_and_last_day(request, organization=chosen_key(request.GET.get("organization")))[1]
            if last is not None:
                narrowed = request.GET.copy()
                narrowed[YEAR], narrowed[MONTH] = str(last.year), str(last.month)
                text = _("There are many rows, so this list shows one month at a time; choose another one above it.")
                self.message_user(request, text, messages.INFO)
                return redirect(f"{request.path}?{narrowed.urlencode()}")
        shown = "" if held is None else f"{held:,}"
        return super().changelist_view(request, {"rows_held": shown, **(extra_context or {})})
