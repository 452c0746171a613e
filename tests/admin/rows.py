"""The smallest valid rows that the screens show, and what a page says."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from html.parser import HTMLParser
from typing import Any

from django.test import Client
from django.urls import reverse

from costtrack.models import Agent, DailyCostSummary, Rate, ResourceUsage

MARCH_3 = date(2026, 3, 3)


def use(agent: Agent, **fields: Any) -> ResourceUsage:
    """A call of 1,000 input and 500 output tokens for 0.06 USD on March 3rd."""
    return ResourceUsage.objects.create(
        **{
            "organization": agent.project.organization,
            "project": agent.project,
            "agent": agent,
            "day": MARCH_3,
            "occurred_at": datetime(2026, 3, 3, 12, tzinfo=UTC),
            "recorded_at": datetime(2026, 3, 3, 12, 1, tzinfo=UTC),
            "resource_type": "llm_tokens",
            "provider": "openai",
            "model": "gpt-4",
            "input_tokens": 1000,
            "output_tokens": 500,
            "amount": Decimal(1500),
            "cost_usd": Decimal("0.06"),
            "cost_source": "estimated",
            **fields,
        }
    )


def summarize(agent: Agent, **fields: Any) -> DailyCostSummary:
    """The pending summary of such a call."""
    return DailyCostSummary.all_grains.create(
        **{
            "grain": "pending",
            "organization": agent.project.organization,
            "project": agent.project,
            "agent": agent,
            "day": MARCH_3,
            "provider": "openai",
            "model": "gpt-4",
            "resource_type": "llm_tokens",
            "calls": 1,
            "input_tokens": 1000,
            "output_tokens": 500,
            "cost_usd": Decimal("0.06"),
            "cost_estimated_usd": Decimal("0.06"),
            **fields,
        }
    )


def gpt_4(**fields: Any) -> Rate:
    """30 and 60 USD per million, from 2024 on."""
    return Rate.objects.create(
        **{
            "provider": "openai",
            "model": "gpt-4",
            "effective_from": datetime(2024, 1, 1, tzinfo=UTC),
            "input_usd_per_million": Decimal(30),
            "output_usd_per_million": Decimal(60),
            **fields,
        }
    )


def listing(model: str) -> str:
    """The address of a model's list."""
    return reverse(f"admin:costtrack_{model}_changelist")


def adding(model: str) -> str:
    """The address where one is added."""
    return reverse(f"admin:costtrack_{model}_add")


def changing(obj: Any) -> str:
    """The address where `obj` is shown or changed."""
    return reverse(f"admin:costtrack_{obj._meta.model_name}_change", args=[obj.pk])


def deleting(obj: Any) -> str:
    """The address where `obj` is deleted."""
    return reverse(f"admin:costtrack_{obj._meta.model_name}_delete", args=[obj.pk])


def page(browser: Client, address: str, **query: str) -> str:
    """What a page that opens says."""
    response = browser.get(address, query)
    assert response.status_code == 200, (response.status_code, response.headers)
    return response.content.decode()


def form_of(browser: Client, address: str, **changes: Any) -> dict[str, str]:
    """What a browser would send back if only `changes` were made to the form at `address`."""
    form = FormReader()
    form.feed(page(browser, address))
    return form.sent | changes


def new_rate(browser: Client, **changes: str) -> dict[str, str]:
    """What is sent to add a rate of gpt-4."""
    named = {"provider": "openai", "model": "gpt-4", "input_usd_per_million": "30"}
    return form_of(browser, adding("rate"), **{**named, **changes})


class FormReader(HTMLParser):
    """Collects what the fields of a page would send."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: dict[str, str] = {}
        self._select = self._textarea = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name, value = given.get("name") or "", given.get("value") or ""
        if "__prefix__" in name:
            name = ""
        if tag == "select":
            self._select = name
        elif tag == "option" and self._select and (self._select not in self.sent or "selected" in given):
            self.sent[self._select] = value
        elif tag == "textarea":
            self._textarea = name
        elif tag == "input" and name and given.get("type") not in ("submit", "button"):
            if given.get("type") != "checkbox":
                self.sent[name] = value
            elif "checked" in given:
                self.sent[name] = value or "on"

    def handle_data(self, data: str) -> None:
        if self._textarea:
            self.sent[self._textarea] = self.sent.get(self._textarea, "") + data.lstrip()

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._select = ""
        elif tag == "textarea":
            self._textarea = ""
