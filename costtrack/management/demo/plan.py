"""The demo's plan, and a run of it that reads more than was planned: to look at how far it drifted."""

from __future__ import annotations

from decimal import Decimal
from random import Random

from costtrack import attribute, record_plan, usage_run
from costtrack.conf import settings
from costtrack.management.demo.live import SONNET, summarize
from costtrack.management.demo.world import demo_organizations
from costtrack.models import UsageRun
from costtrack.reporting.plan_line import plan_variance_line
from costtrack.reporting.variance import variances_of

PAPERS = 3
"""Summarized by the plan; the run adds one, and reviews them."""


def plan_and_run(seed: int) -> None:
    """Record a plan of two workflows, and make a run of it: inside, calls are metered as everywhere."""
    chance = Random(f"{seed}/plan")
    with attribute(organization="demo-biotech", project="literature", agent="summarizer"):
        plan = record_plan(
            "literature-review",
            selected_count=PAPERS,
            selection={"papers": ["biorxiv-101", "biorxiv-102", "biorxiv-103"]},
            filters={"field": "oncology"},
            max_calls=10,
            cost_cap=Decimal("0.50"),
            provider="anthropic",
            model=SONNET,
            workflows=[
                {
                    "workflow_id": "summarize",
                    "estimated_calls": PAPERS,
                    "prompt_words_estimate": 15_000,
                    "estimated_completion_tokens": 2_400,
                },
                {
                    "workflow_id": "compare",
                    "estimated_calls": 1,
                    "estimated_prompt_tokens": 8_000,
                    "estimated_completion_tokens": 1_000,
                },
            ],
        )
        with usage_run(plan=plan) as run:
            with run.workflow("summarize") as workflow, workflow.stage("read"):
                for _ in range(PAPERS + 1):
                    summarize(chance, model=SONNET)
            with run.workflow("compare") as workflow, workflow.stage("write"):
                summarize(chance, model=SONNET)


def demo_variance_lines() -> list[str]:
    """How far the demo's runs drifted, a line each."""
    runs = UsageRun.objects.using(settings.database).filter(
        organization__in=demo_organizations(using=settings.database)
    )
    return [plan_variance_line(one) for one in variances_of(list(runs.select_related("organization").order_by("id")))]
