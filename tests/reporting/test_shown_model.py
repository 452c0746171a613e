from __future__ import annotations

import pytest

from costtrack.models import DailyCostSummary, ResourceUsage
from costtrack.reporting.shown_model import SHOWN_MODEL, shown_model
from tests.reporting.booked import book, organization

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("model", "provider", "resource_type", "shown"),
    [
        ("gpt-4", "openai", "llm_tokens", "gpt-4"),
        ("", "pubmed", "api_call", "pubmed"),
        ("", "", "gpu_seconds", "gpu_seconds"),
        ("", "", "", "(none)"),
    ],
)
def test_queries_and_rows_show_the_same(model: str, provider: str, resource_type: str, shown: str) -> None:
    row = book(organization(), "1", model=model, provider=provider, resource_type=resource_type)
    assert shown_model(row) == shown_model(DailyCostSummary.objects.get()) == shown
    for rows in (ResourceUsage.objects, DailyCostSummary.objects):
        assert rows.values_list(SHOWN_MODEL, flat=True).get() == shown
