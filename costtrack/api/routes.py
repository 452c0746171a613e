"""Routes that work with and without a slash at their end, and are told, reversed and described without."""

from __future__ import annotations

from typing import Any

from django.urls import URLPattern
from django.urls.resolvers import RoutePattern
from rest_framework.views import APIView


class EitherWay(RoutePattern):
    """What `path` makes of a route, but for one slash more at the end of what is asked for."""

    def match(self, path: str) -> tuple[str, tuple[Any, ...], dict[str, Any]] | None:
        """As if the slash were not there."""
        return super().match(path.removesuffix("/"))


def route(path: str, view: type[APIView], *, name: str) -> URLPattern:
    """As Django's `path`, for a view class of the API. Give the path without a slash at its end."""
    return URLPattern(EitherWay(path, name=name, is_endpoint=True), view.as_view(), name=name)
