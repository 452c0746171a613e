"""Exports, read as their readers do, and every list that has them."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from typing import Any

import pyarrow.parquet
from django.test import Client
from django.urls import reverse

from costtrack import record_plan, usage_run
from costtrack.api.lists import ListView
from costtrack.api.urls import urlpatterns
from costtrack.metering.corrections import void_usage
from costtrack.metering.ledger import record_events
from costtrack.models import BudgetAlert, Organization
from tests.api.callers import person
from tests.budgets.asked import hold, make_budget
from tests.factories import NOON, make_event, make_organization

LISTS = {
    str(pattern.name): sorted(pattern.pattern.converters)
    for pattern in urlpatterns
    if issubclass(pattern.callback.cls, ListView)
}
"""By the route's name: the parts of its path that are asked for."""
FORMULA = '=HYPERLINK("http://evil.example","=")'


def make_scene(organization: Organization) -> dict[str, Any]:
    """Calls with and without a price, one taken back, budgets, texts that look like formulas; the parts of paths."""
    about = {"organization": organization.slug, "project": "website", "agent": "writer", "thread_id": "-1", "run": "+2"}
    record_events([make_event(attribution={**about, "endpoint": FORMULA, "tags": {"a": "b"}}, metadata={"attempt": 3})])
    record_events([make_event(attribution=about, model="unheard-of")])
    (result,) = record_events([make_event(attribution=about)])
    assert result.usage_id is not None
    void_usage(result.usage_id, reason="@mistake")
    budget = make_budget(organization, "1", name=FORMULA)
    make_budget(organization, "1", name="threads", per="thread")
    hold("0.25", organization=organization.slug, thread_id="-1")
    BudgetAlert.objects.create(
        kind="unpriced", organization=organization, key="unheard-of", severity="warning", message="=1", raised_at=NOON
    )
    plan = record_plan("=plan", organization=organization.slug, estimated_calls=2)
    with usage_run(plan=plan, name="=run"):
        pass
    return {"budget_id": budget.pk}


def path_of(name: str, parts: dict[str, Any]) -> str:
    """The path of a list."""
    return reverse(f"costtrack_api:{name}", kwargs={part: parts[part] for part in LISTS[name]})


def read_all(client: Client, path: str, **question: str) -> list[dict[str, Any]]:
    """All rows of a list's pages."""
    rows: list[dict[str, Any]] = []
    address: str | None = path
    while address is not None:
        answer = client.get(address, question if address == path else None)
        assert answer.status_code == 200, answer.content
        rows += answer.json()["results"]
        address = answer.json()["next"]
    return rows


def read_csv(client: Client, path: str, **question: str) -> list[dict[str, str]]:
    """The rows of its CSV: names as the first line has them."""
    answer: Any = client.get(path, {"format": "csv", **question})
    assert answer.status_code == 200, answer.content
    return list(csv.DictReader(io.StringIO(answer.getvalue().decode(), newline=""), strict=True))


def read_parquet(client: Client, path: str, **question: str) -> list[dict[str, Any]]:
    """The rows of its Parquet file, decimals as JSON writes them."""
    answer: Any = client.get(path, {"format": "parquet", **question})
    assert answer.status_code == 200, answer.content
    return pyarrow.parquet.read_table(io.BytesIO(answer.getvalue())).to_pylist()


def as_decimal(value: Any) -> Decimal | None:
    """A figure of JSON as a number."""
    return None if value is None else Decimal(value)


def closed(answer: Any) -> Any:
    """An answer that is read to its end, as servers do."""
    for _ in answer:
        pass
    return answer


def organizations(count: int) -> Client:
    """A superuser, and that many organizations."""
    for number in range(count):
        make_organization(f"o{number}")
    return person("root", is_superuser=True)
