"""The ledger's list: its filters, its search, and that it asks for nothing that reads every row."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.test import Client

from costtrack.models import Agent, Organization, Rate, ResourceUsage
from tests.admin.rows import MARCH_3, gpt_4, listing, page, summarize, use

pytestmark = pytest.mark.django_db

LEDGER = "costtrack_resourceusage"


def found(browser: Client, **query: str) -> list[ResourceUsage]:
    return list(browser.get(listing("resourceusage"), query).context["cl"].result_list)


@pytest.fixture
def others(agent: Agent) -> Agent:
    """The agent other/labs/writer, with one failed, unpriced call in April."""
    organization = Organization.objects.create(slug="other")
    writer = organization.projects.create(slug="labs").agents.create(slug="writer")
    april = {"day": date(2026, 4, 2), "provider": "mistral", "resource_type": "api_call"}
    use(
        writer,
        **april,
        **{"occurred_at": datetime(2026, 4, 2, tzinfo=UTC), "outcome": "error", "errors": 1},
        **{"cost_usd": None, "cost_source": "unpriced", "unpriced_calls": 1, "customer": "c-7", "run": "r-1"},
        thread_id="thread-9",
    )
    summarize(writer, **april)
    return writer


def test_each_filter_finds_its_rows(browser: Client, agent: Agent, others: Agent) -> None:
    ours = ResourceUsage.objects.get(agent=agent)
    theirs = ResourceUsage.objects.get(agent=others)

    assert found(browser) == [theirs, ours]
    for query in (
        {"organization": str(agent.project.organization.pk)},
        {"project": str(agent.project.pk)},
        {"agent": str(agent.pk)},
        {"provider": "openai"},
        {"resource_type": "llm_tokens"},
        {"cost_source__exact": "estimated"},
        {"outcome__exact": "success"},
        {"day__year": "2026", "day__month": "3"},
        {"day__year": "2026", "day__month": "3", "day__day": "3"},
    ):
        assert found(browser, **query) == [ours], query
    assert found(browser, day__year="2025") == []
    assert found(browser, kind__exact="void") == []


@pytest.mark.parametrize("term", ["thread-9", "c-7", "r-1", " thread-9 "])
def test_the_search_finds_a_conversation_a_customer_and_a_run(browser: Client, others: Agent, term: str) -> None:
    assert [row.agent for row in found(browser, q=term)] == [others]


def test_the_search_finds_a_row_by_its_id_and_no_part_of_a_text(browser: Client, agent: Agent, others: Agent) -> None:
    ours = ResourceUsage.objects.get(agent=agent)

    assert found(browser, q=str(ours.pk)) == [ours]
    assert found(browser, q="thread") == []
    assert found(browser, q="9" * 30) == []
    assert len(found(browser, q="")) == 2


def test_the_filters_offer_what_is_known_level_by_level(browser: Client, agent: Agent, others: Agent) -> None:
    Rate.objects.create(provider="anthropic", model="claude", is_used=True)
    Rate.objects.create(provider="cohere", model="command")

    def offered(**query: str) -> dict[str, list[str]]:
        specs = browser.get(listing("resourceusage"), query).context["cl"].filter_specs
        return {
            spec.parameter_name: [str(title) for _, title in spec.lookup_choices]
            for spec in specs
            if hasattr(spec, "lookup_choices") and hasattr(spec, "parameter_name")
        }

    assert offered() == {
        "organization": ["Acme", "other"],
        "provider": ["anthropic", "mistral", "openai"],
        "resource_type": ["api_call", "llm_tokens"],
    }
    assert offered(organization=str(agent.project.organization.pk))["project"] == ["search"]
    assert "agent" not in offered(organization=str(agent.project.organization.pk))
    assert offered(project=str(others.project.pk))["project"] == ["labs"]
    assert offered(project=str(others.project.pk))["agent"] == ["writer"]
    assert offered(agent=str(others.pk))["agent"] == ["writer"]


def test_another_organization_ends_the_choice_of_a_project(browser: Client, agent: Agent, others: Agent) -> None:
    mine = agent.project.organization

    text = page(browser, listing("resourceusage"), organization=str(mine.pk), project=str(agent.project.pk))

    assert f'href="?organization={others.project.organization.pk}"' in text
    assert f'href="?organization={mine.pk}"' in text


@pytest.mark.parametrize(
    "query",
    [
        {"organization": "x"},
        {"project": "9" * 30},
        {"agent": "-1"},
        {"provider": "\x00"},
        {"provider": "'; --"},
        {"day__year": "0"},
        {"day__year": "9999"},
        {"day__year": "9999", "day__month": "12"},
        {"day__year": "2026", "day__month": "13"},
        {"day__year": "x"},
        {"kind__exact": "\x00"},
        {"q": "\x00"},
        {"p": "99999"},
        {"id": "x"},
    ],
)
def test_a_mistyped_address_is_no_server_error(browser: Client, agent: Agent, query: dict[str, str]) -> None:
    response = browser.get(listing("resourceusage"), query, follow=True)

    assert response.status_code == 200


def test_the_date_links_go_down_and_up(browser: Client, agent: Agent, others: Agent) -> None:
    def links(**query: str) -> tuple[str | None, list[str]]:
        shown = browser.get(listing("resourceusage"), query).context["cl"].day_links
        return shown.back and shown.back["title"], [choice["title"] for choice in shown.choices]

    assert links() == (None, ["March 2026", "April 2026"])
    assert links(day__year="2026") == ("All dates", ["March 2026", "April 2026"])
    assert links(day__year="2025") == ("All dates", ["2026"])
    back, days = links(day__year="2026", day__month="4")
    assert (back, days) == ("2026", ["April 1", "April 2"])
    assert links(day__year="2026", day__month="4", day__day="2") == ("April 2026", ["April 2"])
    summarize(agent, day=date(2024, 12, 31))
    assert links() == (None, ["2024", "2025", "2026"])
    assert links(day__year="2024") == ("All dates", ["December 2024", "2025", "2026"])
    assert links(organization=str(others.project.organization.pk)) == (None, ["April 2"])
    assert 'href="?day__year=2025"' in page(browser, listing("resourceusage"))


def test_without_usage_there_are_no_date_links(browser: Client) -> None:
    assert browser.get(listing("resourceusage")).context["cl"].day_links.choices == []


def test_money_and_tokens_are_written_for_people(browser: Client, agent: Agent) -> None:
    use(agent, input_tokens=1_234_567, cost_usd=Decimal("0.0000125"), rate=gpt_4(), day=MARCH_3)

    text = page(browser, listing("resourceusage"))

    assert '<span class="costtrack-figure">1,234,567</span>' in text
    # Half-even at six places: 12.5 millionths are 12.
    assert '<span class="costtrack-figure">$0.000012</span>' in text
    assert '<span class="costtrack-figure">$0.060000</span>' in text


@pytest.mark.parametrize("model", ["resourceusage", "dailycostsummary"])
def test_a_tool_is_listed_by_its_name(browser: Client, agent: Agent, model: str) -> None:
    tool = {"model": "", "provider": "pubmed", "resource_type": "api_call"}
    use(agent, **tool)
    summarize(agent, **tool)
    assert '<td class="field-used">pubmed</td>' in page(browser, listing(model))
