"""`GET usage/{id}`: one row of the ledger, with its corrections and the arithmetic of its cost."""

from __future__ import annotations

from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from costtrack.api.base import CostView
from costtrack.api.ids import id_in
from costtrack.metering.corrections import booked_cost
from costtrack.reporting.cost_arithmetic import cost_arithmetic
from costtrack.reporting.ledger_rows import ledger_rows
from costtrack.reporting.usage_columns import RELATED
from costtrack.reporting.usage_shapes import usage_shape
from costtrack.reporting.zones import reporting_zone

MOST_CORRECTIONS = 100
"""So many are shown, the first ones; `GET usage?corrects=ID` lists all."""


class UsageRecordView(CostView):
    """One usage record or correction: its columns, what corrects it, its net cost, and how its cost came about.

    404 for one that is not there, or that the caller may not read. Parameter: organization.
    """

    def get(self, request: Request, usage_id: str) -> Response:
        """As it was recorded, and as it stands now."""
        rows = ledger_rows(organizations=self.organizations, owner=self.owner).select_related(*RELATED)
        key = id_in(usage_id)
        usage = None if key is None else rows.filter(id=key).first()
        if usage is None:
            raise NotFound(f"usage: got {usage_id[:50]!r}, expected the id of a usage record.")
        corrections = rows.filter(organization=usage.organization, day=usage.day, corrects_id=usage.pk).order_by("id")
        shown = list(corrections[: MOST_CORRECTIONS + 1])
        is_all = len(shown) <= MOST_CORRECTIONS
        shape = usage_shape(
            usage,
            corrections=shown[:MOST_CORRECTIONS],
            net_cost_usd=booked_cost([usage, *(shown if is_all else corrections)]),
            arithmetic=cost_arithmetic(usage),
            zone=reporting_zone(usage.organization),
        )
        return Response(shape)
