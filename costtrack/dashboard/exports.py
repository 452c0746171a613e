"""Links to the exports of the REST API, where the site serves that."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlencode

from django.urls import NoReverseMatch, reverse
from rest_framework.settings import api_settings


class Export(NamedTuple):
    """One link."""

    label: str
    href: str


def export_links(route: str, query: Mapping[str, str | None]) -> list[Export]:
    """A link for each format that the route has; none where the host has not mounted it."""
    choose_format = api_settings.URL_FORMAT_OVERRIDE
    try:
        path = reverse(f"costtrack_api:{route}")
    except NoReverseMatch:
        return []
    if not choose_format:
        return []
    given = {name: value for name, value in query.items() if value}
    formats = [("CSV", "csv"), *([("Parquet", "parquet")] if importlib.util.find_spec("pyarrow") else [])]
    return [Export(label, f"{path}?{urlencode({**given, choose_format: name})}") for label, name in formats]
