"""The pages of all organizations together: their figures are sums of the site, for who is granted everything."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from costtrack.aggregation import fold_pending
from costtrack.models import Agent, DailyCostSummary, Membership, Organization
from tests.api.callers import person
from tests.dashboard.reading import ROOT, Element, opened, tile
from tests.reporting.booked import agent, book, organization

pytestmark = pytest.mark.django_db

MOST_QUERIES = 20


@pytest.fixture(params=["pending", "folded"])
def globex(request: pytest.FixtureRequest, bot: Agent) -> Organization:
    """Beside acme, which has spent 60 USD this month: 5 USD of tokens, and an hour of a GPU for 2.50."""
    globex = organization("globex")
    book(globex, "5", model="claude", provider="anthropic")
    book(globex, "2.5", resource_type="gpu_seconds", model="A100", amount=Decimal(3600))
    if request.param == "folded":
        fold_pending()
    return globex


def make_many(count: int = 20) -> None:
    Organization.objects.bulk_create([Organization(slug=f"o{number}") for number in range(count)])


def costs(page: Element, dimension: str) -> list[tuple[str, str]]:
    return [(row[0], row[1]) for row in page.by_id(f"ct-by-{dimension}").rows]


def test_all_together_are_the_sums_of_each(superuser: Client, globex: Organization) -> None:
    page = opened(superuser)
    assert tile(page, "month").startswith("Month to date $67.50")  # 60 + 5 + 2.50
    assert tile(page, "calls") == "Calls 6 1 error, 16.7 %"
    assert costs(page, "model") == [
        ("claude", "$35.00"),  # 30 of acme, 5 of globex
        ("gpt-4", "$30.00"),
        ("A100", "$2.50"),
        ("mystery 1 unpriced", "unpriced"),
    ]
    assert costs(page, "organization") == [("acme 1 unpriced", "$60.00"), ("globex", "$7.50")]
    assert costs(opened(superuser, model="claude"), "organization") == [("acme", "$30.00"), ("globex", "$5.00")]


def test_a_member_of_several_sees_these_and_no_other(
    superuser: Client, acme: Organization, globex: Organization
) -> None:
    book(organization("initech"), "100", model="claude", provider="anthropic")
    member = person("mia", roles={acme: "viewer", globex: "viewer"})
    for _ in ("pending", "folded"):
        page = opened(member)
        assert tile(page, "month").startswith("Month to date $67.50")
        assert costs(page, "model")[0] == ("claude", "$35.00")
        assert costs(page, "organization") == [("acme 1 unpriced", "$60.00"), ("globex", "$7.50")]
        assert opened(member, "rates/").text.count("mystery") == 1
        assert opened(member, "resources/").by_id("ct-types").rows[0][3] == "$2.50"
        assert tile(opened(superuser), "month").startswith("Month to date $167.50")
        fold_pending()


def test_a_member_of_every_organization_is_no_superuser(acme: Organization, globex: Organization) -> None:
    fold_pending()
    DailyCostSummary.all_grains.filter(grain="site").update(cost_usd=1000)  # nothing else may be told by it
    member = person("mia", roles={acme: "viewer", globex: "viewer"})
    assert tile(opened(member), "month").startswith("Month to date $67.50")


def test_of_many_organizations_projects_and_agents_are_for_their_own_pages(
    superuser: Client, globex: Organization
) -> None:
    make_many()
    page = opened(superuser)
    assert [page.has(f"ct-by-{name}") for name in ("organization", "provider", "project", "agent")] == [
        True,
        True,
        False,
        False,
    ]
    assert costs(page, "provider") == [("anthropic", "$35.00"), ("openai", "$30.00"), ("(none)", "$2.50"), VLLM]
    refused = superuser.get(f"{ROOT}?group_by=project")
    assert refused.status_code == 400
    assert "model, provider, organization; the others on the page of one organization" in refused.content.decode()
    assert opened(superuser, group_by="project", organization="acme").has("ct-by-project")
    resources = opened(superuser, "resources/")
    assert resources.by_id("ct-owners-heading").text == "By organization"
    assert resources.by_id("ct-owners").rows == [["globex gpu_seconds", "1 hour", "$2.50"]]
    [link] = resources.by_id("ct-owners").all("a")
    assert link.attributes["href"] == "/costs/resources/?organization=globex&period=mtd"
    assert opened(superuser, link.attributes["href"].removeprefix(ROOT)).by_id("ct-owners-heading").text == "By agent"


def test_of_many_organizations_one_s_own_usage_is_looked_for_where_one_belongs(
    superuser: Client, acme: Organization, globex: Organization
) -> None:
    root = get_user_model().objects.get(username="root")
    book(acme, "3", user=str(root.pk))
    book(globex, "4", user=str(root.pk))
    assert opened(superuser, "mine/").by_id("ct-my-cost").text == "$7.00"
    make_many()
    page = opened(superuser, "mine/")
    assert page.by_id("ct-my-cost").text == "$0.00"
    assert page.by_id("ct-own").text.startswith("Of none: the ledgers of 22 organizations are not searched")
    Membership.objects.create(user=root, organization=globex, role="viewer")
    page = opened(superuser, "mine/")
    assert page.by_id("ct-my-cost").text == "$4.00"
    assert page.by_id("ct-own").text.startswith("Of globex, which you belong to or have a key of: ")
    assert opened(superuser, "mine/", organization="acme").by_id("ct-my-cost").text == "$3.00"


VLLM = ("vllm 1 unpriced", "unpriced")


def test_up_to_twenty_organizations_their_projects_and_agents_are_ranked(
    superuser: Client, globex: Organization
) -> None:
    make_many(18)
    assert costs(opened(superuser), "project") == [("acme/web 1 unpriced", "$60.00"), ("(none)", "$7.50")]
    assert opened(superuser, "resources/").by_id("ct-owners").rows == [["(none) gpu_seconds", "1 hour", "$2.50"]]


@pytest.mark.parametrize("count", [0, 30])
def test_no_page_of_all_takes_more_than_twenty_queries(superuser: Client, globex: Organization, count: int) -> None:
    make_many(count)
    book(globex, "1", agent=(writer := agent(globex, "site/writer")), project=writer.project)
    paths = ["", "resources/", "rates/", "usage/", "budgets/", "alerts/", "plans/", "recommendations/", "mine/"]
    grouped = ["organization", "model", "provider", *([] if count else ["project", "agent", "endpoint"])]
    for path in (*paths, "health/", *(f"?group_by={name}&model=claude" for name in grouped)):
        with CaptureQueriesContext(connection) as captured:
            assert superuser.get(ROOT + path).status_code == 200
        assert len(captured) <= MOST_QUERIES, (path, len(captured))


def test_a_page_of_all_asks_for_no_organization_s_own_sums_but_to_rank_them(
    superuser: Client, globex: Organization
) -> None:
    fold_pending()
    make_many()
    with CaptureQueriesContext(connection) as captured:
        opened(superuser)
    read = [one["sql"] for one in captured if "costtrack_dailycostsummary" in one["sql"]]
    grains = sorted(sql.partition('"grain" IN (')[2].partition(",")[0].strip("'") for sql in read)
    # By model, the month, the forecast, by provider; and by organization.
    assert grains == ["org", "site", "site", "site", "site"]
