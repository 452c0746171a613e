"""Whom `GET summary` tells what."""

from __future__ import annotations

from typing import Any

import pytest

from costtrack.models import Organization
from tests.api.callers import ROOT, person, robot
from tests.api.summaries import DIMENSIONS, NOVEMBER, ask, costs
from tests.reporting.booked import agent, book, organization

pytestmark = pytest.mark.django_db


def test_a_viewer_reads_the_sum_of_their_organizations_and_no_other() -> None:
    for slug, cost in (("acme", "1"), ("globex", "2"), ("initech", "4")):
        book(organization(slug), cost)
    two = person(roles={one: "viewer" for one in Organization.objects.exclude(slug="initech")})
    answer = ask(two, group_by="organization")
    assert costs(answer, "organization") == [("globex", "2"), ("acme", "1")]
    assert answer["total"]["cost"] == "3"


def test_a_key_reads_its_project_or_agent_only() -> None:
    acme = organization()
    bot, critic, other = agent(acme, "web/bot"), agent(acme, "web/critic"), agent(acme, "ops/bot")
    for one, cost in ((bot, "1"), (critic, "2"), (other, "4")):
        book(acme, cost, agent=one, project=one.project, model=f"of-{one.project.slug}-{one.slug}")
    book(acme, "8", project=bot.project)
    book(acme, "16")
    of_project, of_agent = robot(acme, owner=bot.project), robot(acme, owner=bot)
    for question in ({}, {"group_by": "agent"}, {"group_by": "model", "granularity": "week"}, {"project": "web"}):
        assert ask(of_project, **question)["total"]["cost"] == "11"  # 1 + 2 + 8
        assert ask(of_agent, **question)["total"]["cost"] == "1"
    for question in ({"model": "of-ops-bot"}, {"project": "(none)"}):
        assert ask(of_project, **question)["total"]["cost"] == "0"
        assert ask(of_agent, **question)["total"]["cost"] == "0"
    for name, value in (("project", "ops"), ("agent", "acme/ops/bot"), ("agent", "acme/ops/unheard-of")):
        for client in (of_project, of_agent):
            answer = client.get(ROOT + "summary", {**NOVEMBER, name: value})
            assert (answer.status_code, answer.json()["detail"].partition(",")[0]) == (404, f"{name}: got '{value}'")
    critic_s = [client.get(ROOT + "summary", {"agent": "critic"}).status_code for client in (of_project, of_agent)]
    assert critic_s == [200, 404]
    assert costs(ask(of_agent, group_by="project"), "project") == [("acme/web", "1")]
    assert [name for name, _ in costs(ask(of_project, group_by="agent"), "agent")] == [
        "(none)",
        "acme/web/critic",
        "acme/web/bot",
    ]


def test_az_02_no_summary_changes_with_the_data_of_another_organization() -> None:
    acme = organization("acme", "Asia/Kolkata")
    bot = agent(acme, "web/bot")
    for model, cost in (("a", "1"), ("", "2"), ("b", None)):
        book(acme, cost, agent=bot, project=bot.project, model=model, sprint="s1", workflow="w", provider="p")
    client = person(roles={acme: "viewer"})
    questions: list[dict[str, Any]] = [
        *({"group_by": name, "granularity": "day", "compare": "previous"} for name in ("organization", *DIMENSIONS)),
        *({name: value} for name in ("project", "agent") for value in ("web", "bot", "theirs", "globex/web", "(none)")),
        {"agent": "globex/web/bot"},
        {"group_by": "model,agent", "limit": "1"},
        {},
    ]

    def answers() -> list[bytes]:
        return [client.get(ROOT + "summary", {**NOVEMBER, **question}).content for question in questions]

    before = answers()
    globex = organization("globex", "America/New_York")
    theirs = agent(globex, "theirs/theirs")
    for path in ("web/bot", "theirs/theirs"):
        one = agent(globex, path)
        book(globex, "64", agent=one, project=one.project, model="theirs", sprint="s1", workflow="w", provider="p")
        book(globex, None, agent=one, project=one.project)
    assert answers() == before
    assert theirs.slug == "theirs"
    for name, path in (("project", "{}"), ("project", "globex/{}"), ("agent", "{}"), ("agent", "globex/{}/{}")):
        foreign, unknown = (
            client.get(ROOT + "summary", {**NOVEMBER, name: path.format(slug, slug)}) for slug in ("theirs", "nobody")
        )
        assert (foreign.status_code, unknown.status_code) == (404, 404)
        assert foreign.content.replace(b"theirs", b"nobody") == unknown.content
