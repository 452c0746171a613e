"""Pages that are buttons: something is done, and a page shown that tells of it."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase

from costtrack.dashboard.pages import Page


class ActionPage(Page):
    """POST only, with the session's CSRF token; who may do it is asked of the one that does."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Do it, and go to the page that it answers."""
        return HttpResponseRedirect(self.done())

    def done(self) -> str:
        """Do it; the address of the page to go to. Raises NotAllowed and Http404."""
        raise NotImplementedError  # each action says
