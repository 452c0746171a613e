"""The formats that are not JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from rest_framework.renderers import BaseRenderer


class MarkdownRenderer(BaseRenderer):
    """Renders {"report": text} as that text."""

    media_type = "text/markdown"
    format = "md"
    charset = "utf-8"

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        """The text of the report."""
        return str(data["report"]).encode() if isinstance(data, Mapping) and "report" in data else b""


class HtmlRenderer(MarkdownRenderer):
    """Renders {"report": text}, the text being HTML, as a page."""

    media_type = "text/html"
    format = "html"


class TableRenderer(BaseRenderer):
    """A base for exports, which a view makes by itself, in pieces: `render` is asked for nothing but errors of ours."""

    content_type: ClassVar[str]
    """The header, with its parameters."""


class CsvRenderer(TableRenderer):
    """RFC 4180."""

    media_type = "text/csv"
    format = "csv"
    content_type = "text/csv; charset=utf-8; header=present"


class ParquetRenderer(TableRenderer):
    """Apache Parquet."""

    media_type = "application/vnd.apache.parquet"
    format = "parquet"
    content_type = "application/vnd.apache.parquet"
    charset = None
    render_style = "binary"
