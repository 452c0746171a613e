"""Exports: all rows of an answer, as CSV that is streamed or as a Parquet file."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from tempfile import TemporaryFile
from typing import Any

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import FileResponse, StreamingHttpResponse
from django.utils.http import content_disposition_header
from rest_framework.exceptions import NotAcceptable
from rest_framework.renderers import BaseRenderer, JSONRenderer

from costtrack.api.base import CostView
from costtrack.api.renderers import CsvRenderer, ParquetRenderer, TableRenderer
from costtrack.conf import settings
from costtrack.reporting.columns import Column
from costtrack.reporting.csv_rows import csv_header, csv_rows
from costtrack.reporting.parquet_file import ParquetMissing, write_parquet
from costtrack.reporting.read_limit import limited_reading

BLOCK_BYTES = 1 << 16
UNSAFE = re.compile(r"[^A-Za-z0-9_]+")
"""What no name of a file should have, on any system."""


class ExportView(CostView):
    """A base for what is answered as a table, too: GET with `?format=csv` or `parquet`, or the Accept header."""

    renderer_classes = (JSONRenderer, CsvRenderer, ParquetRenderer)

    def get_renderers(self) -> list[BaseRenderer]:
        """Of what is read; an answer to what is sent is JSON."""
        renderers = super().get_renderers()
        return renderers if self.request.method in ("GET", "HEAD") else renderers[:1]

    @property
    def is_export(self) -> bool:
        """Whether a table is asked for."""
        return isinstance(self.request.accepted_renderer, TableRenderer)

    def exported(
        self,
        columns: Sequence[Column],
        chunks: Iterable[Sequence[Any]],
        *,
        headers: Mapping[str, str] | None = None,
    ) -> StreamingHttpResponse:
        """All rows of the chunks in the format that is asked for.

        The first chunk is read before the answer begins, so that an error is told as any other. CSV that fails later is
        broken off; of Parquet nothing is sent before all is written.
        """
        following = iter(chunks)
        first = next(following, ())
        if self.request.method == "HEAD":
            response = self._streamed(iter(()))
        elif isinstance(self._table, CsvRenderer):
            begin = csv_header(columns) + csv_rows(columns, first, zone=self.zone)
            response = self._streamed(chain([begin], (csv_rows(columns, rows, zone=self.zone) for rows in following)))
        else:
            response = self._parquet(columns, chain([first], following))
        for name, value in (headers or {}).items():
            response[name] = value
        return response

    def _streamed(self, parts: Iterator[bytes]) -> StreamingHttpResponse:
        return StreamingHttpResponse(
            _each_awaited(parts) if self._is_async else parts,
            content_type=self._table.content_type,
            headers={"Content-Disposition": content_disposition_header(True, self.file_name)},
        )

    def _parquet(self, columns: Sequence[Column], chunks: Iterable[Sequence[Any]]) -> FileResponse:
        file = TemporaryFile()  # noqa: SIM115 - the response closes it
        try:
            write_parquet(columns, chunks, file)
        except BaseException as error:
            file.close()
            if isinstance(error, ParquetMissing):
                raise NotAcceptable(str(error)) from error
            raise
        file.seek(0)
        response = FileResponse(
            file, as_attachment=True, filename=self.file_name, content_type=self._table.content_type
        )
        if self._is_async:
            response.streaming_content = _each_awaited(iter(partial(file.read, BLOCK_BYTES), b""))
        return response

    @property
    def file_name(self) -> str:
        """costtrack-usage-acme-2026-11-26.csv: of which route, of which organization if of one, of which day."""
        route = self.request.resolver_match
        named = [one.slug for one in self.organizations] if len(self.organizations) == 1 else []
        words = ["costtrack", str(route.url_name) if route else "list", *named, self.today.isoformat()]
        stem = "-".join(UNSAFE.sub("-", word).strip("-") for word in words)
        return f"{stem}.{self._table.format}"

    @property
    def _table(self) -> TableRenderer:
        renderer = self.request.accepted_renderer
        assert isinstance(renderer, TableRenderer)
        return renderer

    @property
    def _is_async(self) -> bool:
        """Whether an event loop sends the answer. Django would first read all of what is not made for it."""
        return isinstance(self.request._request, ASGIRequest)


def limited_chunks(chunks: Iterator[Sequence[Any]]) -> Iterator[Sequence[Any]]:
    """The chunks, each read in a transaction of its own that may take as long as any reader's."""
    while True:
        with limited_reading(settings.database):
            rows = next(chunks, None)
        if rows is None:
            return
        yield rows


async def _each_awaited(parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    """The parts, each made on the thread that the view ran on, which has its connections."""
    step = sync_to_async(lambda: next(parts, None))
    while (part := await step()) is not None:
        yield part
