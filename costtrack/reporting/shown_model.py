"""What stands for the model of usage: a tool has none, but its name, which is stored as the provider."""

from __future__ import annotations

from django.db.models import F, Value
from django.db.models.functions import Coalesce, NullIf

from costtrack.models import DailyCostSummary, ResourceUsage
from costtrack.reporting.wording import NO_NAME

SHOWN_BY = ("model", "provider", "resource_type")
"""The first of these that is not empty."""

SHOWN_MODEL = Coalesce(*(NullIf(F(column), Value("")) for column in SHOWN_BY), Value(NO_NAME))
"""For queries of summaries and ledger rows, which then sum equal names up."""


def shown_model(row: DailyCostSummary | ResourceUsage) -> str:
    """The same of one row."""
    return next(filter(None, (str(getattr(row, column)) for column in SHOWN_BY)), NO_NAME)
