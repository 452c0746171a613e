"""A list that breaks while it is exported."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import OperationalError

from costtrack.api.organizations import OrganizationsView


class BreakingView(OrganizationsView):
    """The organizations, one at a time, until the database is away."""

    max_page_size = 1

    def lines(self, rows: Sequence[Any]) -> Sequence[Any]:
        """Raises OperationalError for the third."""
        if rows[0].slug == "o2":
            raise OperationalError("server closed the connection unexpectedly")
        return rows
