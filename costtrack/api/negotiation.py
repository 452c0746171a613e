"""Which of a view's formats is answered: whatever the host's other views do, these follow query and Accept header."""

from __future__ import annotations

from collections.abc import Iterable

from rest_framework.exceptions import NotAcceptable, NotFound
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from costtrack.reporting.parameters import InvalidParameter, shorten


class Negotiation(DefaultContentNegotiation):
    """REST framework's, but that a format which the query names is answered whatever the Accept header says.

    REST framework wants the header to allow it, too: a client that always asks for JSON would never get CSV.
    """

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """The renderer and its media type. Raises NotFound for a format that it has not, NotAcceptable for none.

        InvalidParameter for an empty one, and for several: REST framework would take none of them, or the last.
        """
        name = self.settings.URL_FORMAT_OVERRIDE or ""
        asked = request.query_params.getlist(name)
        if len(asked) > 1 or asked == [""]:
            raise InvalidParameter(name, asked, "one format, or no such parameter")
        chosen: tuple[BaseRenderer, str]
        try:
            chosen = super().select_renderer(request, renderers, format_suffix)
        except NotAcceptable:
            if not asked:
                raise
            first = self.filter_renderers(renderers, asked[0])[0]
            chosen = first, first.media_type
        return chosen

    def filter_renderers(self, renderers: Iterable[BaseRenderer], format: str) -> list[BaseRenderer]:
        """Those of a format."""
        known = list(renderers)
        found = [renderer for renderer in known if renderer.format == format]
        if not found:
            expected = " or ".join(str(renderer.format) for renderer in known)
            raise NotFound(f"format: got {shorten(format, length=40)!r}, expected {expected}.")
        return found
