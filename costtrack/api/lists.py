"""Lists: rows of the caller's organizations, filtered, in pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from costtrack.api.base import CostView
from costtrack.api.filters import CostFilterSet
from costtrack.api.pages import Key, page_of
from costtrack.reporting.columns import Column, column_shape
from costtrack.reporting.parameters import parse_count

PAGE_SIZE = 100
MAX_PAGE_SIZE = 1000


class ListView(CostView):
    """A base for lists. GET answers {"results": [...], "next": the next page's address or null}.

    Parameters: `cursor`, `page_size` (1 to 1,000, default 100), organization, and those of the filter set.
    """

    parameters = ("cursor", "page_size")
    filters: ClassVar[type[CostFilterSet]]
    columns: ClassVar[Sequence[Column]]
    """What each row shows, here and in exports."""
    key: ClassVar[Key] = Key(("id",))
    """The order: unique, so that no row is skipped or repeated."""

    @property
    def known_parameters(self) -> tuple[str, ...]:
        """Those of the filters, too."""
        return (*super().known_parameters, *self.filters.names())

    def rows(self) -> QuerySet[Any]:
        """All rows that the caller may see, of the organization that is asked for. In no order: the key makes it."""
        raise NotImplementedError  # each list says what its rows are

    def matching_rows(self) -> QuerySet[Any]:
        """Those of them that the filters let through."""
        for name in self.filters.names():
            self.parameter(name)  # at most one value
        return self.filters(self.request.query_params, queryset=self.rows(), request=self.request).matching()

    def get(self, request: Request) -> Response:
        """One page."""
        text = self.parameter("page_size")
        size = PAGE_SIZE if text is None else parse_count("page_size", text, low=1, high=MAX_PAGE_SIZE)
        page = page_of(self.matching_rows(), self.key, cursor=self.parameter("cursor"), size=size)
        here = request.build_absolute_uri()
        return Response(
            {
                "results": [column_shape(self.columns, row, zone=self.zone) for row in page.rows],
                "next": None if page.next_cursor is None else replace_query_param(here, "cursor", page.next_cursor),
            }
        )
