"""Lists: rows of the caller's organizations, filtered, in pages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from costtrack.api.exports import ExportView, limited_chunks
from costtrack.api.filters import CostFilterSet
from costtrack.reporting.columns import Column, column_shape
from costtrack.reporting.pages import Key, Place, chunks_of, page_of
from costtrack.reporting.parameters import InvalidParameter, parse_count

PAGE_SIZE = 100
MAX_PAGE_SIZE = 1000


class ListView(ExportView):
    """A base for lists. GET answers {"results": [...], "next": the next page's address or null}; exports have all rows.

    Parameters: `cursor`, `page_size` (1 to 1,000, default 100), organization, and those of the filter set.
    """

    parameters: ClassVar[tuple[str, ...]] = ("cursor", "page_size")
    max_page_size: ClassVar[int] = MAX_PAGE_SIZE
    filters: ClassVar[type[CostFilterSet]]
    columns: ClassVar[Sequence[Column]]
    """What each row shows, here and in exports."""
    key: ClassVar[Key] = Key(("id",))
    """The order: unique, so that no row is skipped or repeated."""

    @property
    def known_parameters(self) -> tuple[str, ...]:
        """Those of the filters, too; where a list takes POST, that has neither."""
        return (*super().known_parameters, *(() if self.is_write else self.filters.names()))

    def rows(self) -> QuerySet[Any]:
        """All rows that the caller may see, of the organization that is asked for. In no order: the key makes it."""
        raise NotImplementedError  # each list says what its rows are

    @cached_property
    def filter_set(self) -> CostFilterSet:
        """What is asked of the rows."""
        for name in self.filters.names():
            self.parameter(name)  # at most one value
        return self.filters(self.request.query_params, queryset=self.rows(), request=self.request)

    def matching_rows(self) -> QuerySet[Any]:
        """Those of them that the filters let through."""
        return self.filter_set.matching(organizations=self.organizations, owner=self.owner)

    def horizon(self, after: Place | None, size: int) -> Place | None:
        """How far a page looks: in short lists as far as it needs to."""
        return None

    def lines(self, rows: Sequence[Any]) -> Sequence[Any]:
        """What is shown of some rows, with values for the columns: the rows themselves, or what tells of them."""
        return rows

    def reading(self) -> AbstractContextManager[None]:
        """Of an export each chunk is read by itself: no transaction lasts as long as its client takes."""
        return nullcontext() if self.is_export else super().reading()

    def chunks(self) -> Iterator[Sequence[Any]]:
        """The lines of all matching rows, as many at a time as the largest page has. Raises InvalidParameter."""
        for name in ("cursor", "page_size"):
            if (text := self.parameter(name)) is not None:
                raise InvalidParameter(name, text, "no such parameter: an export has all rows")
        chunks = chunks_of(self.matching_rows(), self.key, size=self.max_page_size, horizon=self.horizon)
        return limited_chunks(map(self.lines, chunks))

    def get(self, request: Request) -> HttpResponseBase:
        """One page, or all rows as a table."""
        if self.is_export:
            return self.exported(self.columns, self.chunks())
        text = self.parameter("page_size")
        size = PAGE_SIZE if text is None else parse_count("page_size", text, low=1, high=self.max_page_size)
        rows, cursor = self.matching_rows(), self.parameter("cursor")
        page = page_of(rows, self.key, cursor=cursor, size=size, horizon=self.horizon)
        here = request.build_absolute_uri()
        return Response(
            {
                "results": [column_shape(self.columns, line, zone=self.zone) for line in self.lines(page.rows)],
                "next": None if page.next_cursor is None else replace_query_param(here, "cursor", page.next_cursor),
            }
        )
