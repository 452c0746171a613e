"""A list without page numbers: links to the rows before and after those that are shown, however many there are.

A page number is an OFFSET, which walks over every row before it, and the number of pages is a count, which reads all.
A page after a given row is one descent in the index on `id`, so one deep in the ledger costs as much as the first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import QuerySet
from django.db.models.expressions import Combinable
from django.http import HttpRequest
from django.utils.translation import gettext

from costtrack.admin.bases import Paginator
from costtrack.admin.day_list import DayChangeList, chosen_key

OLDER, NEWER = "older", "newer"
"""Parameters: the rows that were recorded before the one of that id, or after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageLinks:
    """The ways from a page; "" where there is none."""

    newest: str
    newer: str
    older: str


class KeysetChangeList(DayChangeList):
    """Django's list in the order of `-id`, a page at a time; filters, dates and the search are kept in its links."""

    page_links: PageLinks

    def get_filters(self, request: HttpRequest) -> Any:
        """Django's; where the page begins is no filter, and links to other questions begin at the newest row."""
        self._edges = {name: self._edge(name) for name in (OLDER, NEWER) if name in self.params}
        if len(self._edges) > 1:
            raise IncorrectLookupParameters
        for name in self._edges:
            del self.params[name], self.filter_params[name]
        return super().get_filters(request)

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[str | Combinable]:
        """By id, whatever the address asks for: another order has no index."""
        return ["-id"]

    def get_results(self, request: HttpRequest) -> None:
        """The rows of the page; nothing is counted, so what Django calls the count is that of the page."""
        rows, is_newest, has_older = self._page()
        self.page_links = PageLinks(
            newest="" if is_newest else self.get_query_string(),
            newer="" if is_newest or not rows else self.get_query_string({NEWER: rows[0].pk}),
            older=self.get_query_string({OLDER: rows[-1].pk}) if has_older else "",
        )
        self.result_list = rows
        self.result_count = self.full_result_count = len(rows)
        self.show_full_result_count, self.show_admin_actions = False, True
        self.can_show_all = self.multi_page = False
        self.paginator = Paginator(rows, self.list_per_page)

    @property
    def shown_rows(self) -> str:
        """The first and the last of the page: `#240 to #141`; "" of none."""
        ends = dict.fromkeys(row.pk for row in (*self.result_list[:1], *self.result_list[-1:]))
        return gettext(" to ").join(f"#{key}" for key in ends)

    def _page(self) -> tuple[list[Any], bool, bool]:
        """Its rows, whether they are the newest, and whether there are older ones; a row more is read to know."""
        size = self.list_per_page
        if NEWER in self._edges:
            upwards = list(self.queryset.filter(id__gt=self._edges[NEWER]).order_by("id")[: size + 1])
            if len(upwards) > size:
                return upwards[:size][::-1], False, True
        elif OLDER in self._edges:
            older = list(self.queryset.filter(id__lt=self._edges[OLDER])[: size + 1])
            return older[:size], False, len(older) > size
        newest = list(self.queryset[: size + 1])
        return newest[:size], True, len(newest) > size

    def _edge(self, name: str) -> int:
        key = chosen_key(self.params[name])
        if not key:
            raise IncorrectLookupParameters
        return key
