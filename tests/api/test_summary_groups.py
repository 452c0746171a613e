"""Groups and filters of `GET summary`: what one says, the other takes."""

from __future__ import annotations

import uuid
from datetime import date
from decimal import Decimal

import pytest
from django.test import Client

from costtrack.models import DailyCostSummary
from tests.api.callers import ROOT, person
from tests.api.summaries import DIMENSIONS, ask, use_everything
from tests.reporting.booked import agent, organization

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_what_a_group_says_can_be_asked_for(superuser: Client, dimension: str) -> None:
    use_everything("acme")
    use_everything("globex", scale=100)
    answer = ask(superuser, group_by=dimension)
    assert len(answer["groups"]) >= 2
    for group in answer["groups"]:
        asked = ask(superuser, **{dimension: group[dimension]})
        assert asked["total"]["cost"] == group["cost"], group[dimension]
        assert asked["total"]["calls"] == group["calls"]


@pytest.mark.parametrize(
    ("question", "cost"),
    [
        ({"project": "web"}, "909"),  # (1 + 8) x 101
        ({"project": "acme/web"}, "9"),
        ({"project": "(none)"}, "2020"),  # (4 + 16) x 101
        ({"project": "web", "organization": "globex"}, "900"),
        ({"agent": "bot"}, "101"),
        ({"agent": "globex/web/bot"}, "100"),
        ({"agent": "critic/2"}, "202"),
        ({"agent": "acme/ops/critic/2"}, "2"),
        ({"agent": "(none)"}, "2828"),  # (4 + 8 + 16) x 101
        ({"model": "pubmed"}, "2020"),  # what has no model is called by its provider
        ({"model": "pubmed", "provider": "pubmed"}, "404"),
        ({"model": "(none)"}, "808"),
        ({"model": "gpt-4", "sprint": "s1", "workflow": "w1", "endpoint": "chat"}, "101"),
        ({"endpoint": "(none)"}, "1212"),  # (4 + 8) x 101: one is called so, the other is not called anything
        ({"sprint": "s2"}, "0"),
    ],
)
def test_filters(superuser: Client, question: dict[str, str], cost: str) -> None:
    use_everything("acme")
    use_everything("globex", scale=100)
    assert ask(superuser, **question)["total"]["cost"] == cost


A_PROJECT = "expected a project that exists, by its slug or as organization/project"
AN_AGENT = "expected an agent that exists, by its slug or as organization/project/agent"


@pytest.mark.parametrize("path", ["summary", "forecast", "what-if"])
@pytest.mark.parametrize(
    ("question", "detail"),
    [
        ({"project": "WEB"}, f"project: got 'WEB', {A_PROJECT}. GET projects lists them."),
        ({"project": "acme/web/bot"}, f"project: got 'acme/web/bot', {A_PROJECT}. GET projects lists them."),
        ({"agent": "web/bot"}, f"agent: got 'web/bot', {AN_AGENT}. GET agents lists them."),
        (
            {"project": "web", "agent": "bots"},
            f"agent: got 'bots', {AN_AGENT} in the project 'web'. GET agents lists them.",
        ),
        (
            {"project": "acme/ops", "agent": "bot"},
            f"agent: got 'bot', {AN_AGENT} in the project 'acme/ops'. GET agents lists them.",
        ),
        (
            {"project": "(none)", "agent": "bot"},
            f"agent: got 'bot', {AN_AGENT} in the project '(none)'. GET agents lists them.",
        ),
        (
            {"project": "acme/web", "organization": "globex"},
            f"project: got 'acme/web', {A_PROJECT}. GET projects lists them.",
        ),
    ],
)
def test_an_owner_who_is_not_there_is_a_404_and_no_0(
    superuser: Client, path: str, question: dict[str, str], detail: str
) -> None:
    use_everything("acme")
    use_everything("globex", scale=100)
    answer = superuser.get(ROOT + path, question)
    assert (answer.status_code, answer.json()["detail"]) == (404, detail)


@pytest.mark.parametrize("path", ["summary", "forecast", "what-if"])
def test_an_owner_who_used_nothing_is_there(superuser: Client, path: str) -> None:
    agent(organization("acme"), "web/bot")
    for question in ({"project": "web"}, {"agent": "acme/web/bot"}, {"project": "(none)", "agent": "(none)"}):
        assert superuser.get(ROOT + path, question).status_code == 200


def test_groups_have_a_name_for_each_dimension(superuser: Client) -> None:
    use_everything()
    answer = ask(superuser, group_by="agent,endpoint", figures="cost")
    assert answer["groups"] == [
        {"agent": "(none)", "endpoint": "chat", "cost": "16", "previous": None},
        {"agent": "(none)", "endpoint": "(none)", "cost": "12", "previous": None},
        {"agent": "acme/ops/critic/2", "endpoint": "draft", "cost": "2", "previous": None},
        {"agent": "acme/web/bot", "endpoint": "chat", "cost": "1", "previous": None},
    ]
    assert answer["total"] == {"cost": "31"}


def test_the_grain_with_the_fewest_rows_answers_what_it_can(superuser: Client) -> None:
    # The grains never differ; here they do, to tell which of them was read.
    acme = organization()
    for grain, cost in {"agent": "1", "project": "2", "model": "4", "org": "8", "site": "16"}.items():
        owner = None if grain == "site" else acme
        fields = {"organization": owner, "day": date(2023, 11, 16), "cost_usd": Decimal(cost)}
        DailyCostSummary.all_grains.create(grain=grain, dimensions_hash=uuid.uuid4(), **fields)
    viewer = person("vera", roles={acme: "viewer"})

    def read(client: Client) -> dict[str, tuple[str, str]]:
        return {
            name: (
                ask(client, group_by=name)["total"]["cost"],
                ask(client, **{name: "(none)"})["total"]["cost"],
            )
            for name in DIMENSIONS
        }

    fine = {name: ("1", "1") for name in ("agent", "sprint", "workflow")}
    fine |= {name: ("2", "2") for name in ("project", "endpoint")}
    # Everything there is belongs to a superuser; what an organization has, to its members.
    assert read(superuser) == {**fine, **{name: ("16", "16") for name in ("provider", "model", "resource_type")}}
    assert read(viewer) == {**fine, "model": ("4", "4"), "provider": ("8", "8"), "resource_type": ("8", "8")}
    assert ask(superuser, group_by="organization")["total"]["cost"] == "8"
    assert [ask(one)["total"]["cost"] for one in (superuser, viewer)] == ["16", "8"]


def test_the_limit_is_a_hundred_unless_asked_and_groups_stay_aligned(superuser: Client) -> None:
    acme = organization()
    rows = [
        DailyCostSummary(
            grain="pending", organization=acme, day=date(2023, 11, 1), model=f"m{number:03}", cost_usd=number
        )
        for number in range(1, 103)
    ]
    DailyCostSummary.all_grains.bulk_create(rows)
    answer = ask(superuser, group_by="model", granularity="month", figures="cost")
    assert [group["cost"] for group in answer["groups"]] == [str(number) for number in range(102, 2, -1)]
    assert answer["other"]["cost"] == "3"  # 1 + 2
    (bucket,) = answer["buckets"]
    assert [one["cost"] for one in bucket["groups"]] == [group["cost"] for group in answer["groups"]]
    assert (bucket["cost"], answer["total"]["cost"]) == ("5253", "5253")  # 102 x 103 / 2
    assert len(ask(superuser, group_by="model", limit="1000")["groups"]) == 102
