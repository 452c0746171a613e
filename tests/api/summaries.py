"""Asking for summaries."""

from __future__ import annotations

from typing import Any

from django.test import Client

from costtrack.models import Agent, Project
from tests.api.callers import ROOT
from tests.reporting.booked import agent, book, organization

NOVEMBER = {"from": "2023-11-01", "to": "2023-12-01"}
DIMENSIONS = ("project", "agent", "sprint", "workflow", "endpoint", "provider", "model", "resource_type")


def ask(client: Client, **question: Any) -> Any:
    """The summary of November 2023, unless the question names another period."""
    response = client.get(ROOT + "summary", {**NOVEMBER, **question})
    assert response.status_code == 200, response.content
    return response.json()


def costs(answer: Any, dimension: str) -> list[tuple[str, str | None]]:
    """Each group's name and cost."""
    return [(group[dimension], group["cost"]) for group in answer["groups"]]


def use_everything(slug: str = "acme", *, scale: int = 1) -> None:
    """Usage of a new organization with every dimension, without any, and of different ones; no two costs are equal."""
    owner = organization(slug)
    bot = agent(owner, "web/bot")
    ops = Project.objects.create(organization=owner, slug="ops")
    critic = Agent.objects.create(project=ops, slug="critic/2")
    full = {"sprint": "s1", "workflow": "w1", "provider": "openai"}
    book(owner, str(1 * scale), agent=bot, project=bot.project, **full)
    book(owner, str(2 * scale), agent=critic, project=ops, model="claude", endpoint="draft", amount=3)
    book(owner, str(4 * scale), model="", provider="pubmed", resource_type="api_call", endpoint="")
    book(owner, str(8 * scale), model="", resource_type="", endpoint="(none)", project=bot.project)
    book(owner, str(16 * scale), model="pubmed", provider="us-nih", workflow="w2")
