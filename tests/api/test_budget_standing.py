"""How budgets stand, over REST: figures worked by hand, one subject, several organizations, and nobody else's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client

from costtrack.domain.budget_forecast import RUN_RATE
from costtrack.metering.ledger import record_events
from costtrack.models import BudgetCounter, Organization, Project
from tests.api.callers import ROOT, person, robot
from tests.budgets.asked import hold, make_budget
from tests.factories import NOON, make_event, make_organization, make_rate

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def at_noon() -> Iterator[None]:
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def acme(db: None) -> Organization:
    make_rate()
    return make_organization()


@pytest.fixture
def viewer(acme: Organization) -> Client:
    return person("viewer", roles={acme: "viewer"})


def use(count: int = 1, **said: str) -> None:
    """That many calls of 0.0045 USD and 1,100 tokens."""
    record_events([make_event(attribution=said) for _ in range(count)])


def lines(client: Client, path: str = "budgets/status", *, status: int = 200, **question: str) -> Any:
    answer = client.get(ROOT + path, question)
    assert answer.status_code == status, answer.content
    return answer.json()["results"] if status == 200 else answer.json()


def test_it_says_everything_of_a_budget(acme: Organization, viewer: Client) -> None:
    budget = make_budget(acme, "0.01", name="October", model="test-model")
    use()
    hold("0.002", model="test-model")
    expected = {
        "budget_id": budget.pk,
        "budget": "October",
        "organization": "acme",
        "scope": {"model": "test-model"},
        "subject": "",
        "metric": "cost_usd",
        "enforcement": "hard",
        "period": "day",
        "state": "ok",
        "limit": "0.01",
        "spent": "0.0045",
        "held": "0.002",
        "leased": "0",
        "remaining": "0.0035",  # 0.01 - 0.0045 - 0.002
        "percent": "45",
        "overrun": "0",
        "forecast": "0.009",  # half of the day has passed
        "forecast_method": RUN_RATE,
        "period_start": "2026-11-20T00:00:00+00:00",
        "resets_at": "2026-11-21T00:00:00+00:00",
        "shadow_refusals": 0,
        "other_subjects": 0,
    }
    for slash in ("", "/"):
        assert lines(viewer, f"budgets/{budget.pk}/status{slash}") == [expected]
        assert viewer.get(f"{ROOT}budgets/status{slash}").json() == {"results": [expected], "next": None}


def test_periods_are_the_organization_s_and_told_in_its_zone() -> None:
    acme, kolkata = make_organization(), make_organization("kolkata", timezone="Asia/Kolkata")
    budget = make_budget(kolkata)
    make_budget(acme)
    client = person(roles={acme: "viewer", kolkata: "viewer"})
    edges = ("2026-11-20T00:00:00+05:30", "2026-11-21T00:00:00+05:30")

    def told(found: list[Any]) -> list[tuple[str, str]]:
        return [(one["period_start"], one["resets_at"]) for one in found]

    assert told(lines(client, f"budgets/{budget.pk}/status")) == [edges]
    assert told(lines(client, organization="kolkata")) == [edges]
    assert told(lines(client)) == [  # of several organizations, in the site's zone
        ("2026-11-19T18:30:00+00:00", "2026-11-20T18:30:00+00:00"),
        ("2026-11-20T00:00:00+00:00", "2026-11-21T00:00:00+00:00"),
    ]


def test_the_list_is_of_ones_organizations_filtered_and_in_pages(acme: Organization) -> None:
    globex, initech = make_organization("globex"), make_organization("initech")
    for number, owner in enumerate((acme, globex, initech, acme)):
        make_budget(owner, name=f"b{number}", period="month" if number else "day")
    client = person(roles={acme: "viewer", globex: "viewer"})
    assert [one["budget"] for one in lines(client)] == ["b0", "b1", "b3"]
    assert [one["budget"] for one in lines(client, organization="acme", period="month")] == ["b3"]
    first = client.get(ROOT + "budgets/status", {"page_size": "2"}).json()
    assert [one["budget"] for one in first["results"]] == ["b0", "b1"]
    last = client.get(first["next"]).json()
    assert ([one["budget"] for one in last["results"]], last["next"]) == (["b3"], None)
    lines(client, status=404, organization="initech")


def test_a_budget_for_each_thread_has_lines_of_the_dearest_and_how_many_others(
    acme: Organization, viewer: Client
) -> None:
    budget = make_budget(acme, per="thread", metric="tokens", limit="100000")
    for number in range(12):
        use(number + 1, thread_id=f"t{number}")
    found = lines(viewer)
    assert [(one["subject"], one["spent"], one["other_subjects"]) for one in found] == [
        (f"t{number}", str(1100 * (number + 1)), 2) for number in range(11, 1, -1)
    ]
    assert len(lines(viewer, f"budgets/{budget.pk}/status")) == 12


def test_one_subject_is_asked_for_as_it_is_written(acme: Organization, viewer: Client) -> None:
    each = {per: make_budget(acme, name=per, per=per) for per in ("thread", "customer", "project", "agent", "entity")}
    make_budget(acme, name="whole")
    site = {"project": "team/website", "agent": "writer"}
    use(2, **site, thread_id="website", customer="c1", entity_type="job", entity_id="42 b")
    use(project="website", thread_id="t2")
    asked = {
        "website": {"thread": "0.009", "project": "0.0045"},
        "c1": {"customer": "0.009"},
        "team/website": {"project": "0.009"},
        "team/website/writer": {"agent": "0.009"},
        "job 42 b": {"entity": "0.009"},
        "writer": {},
        "website/writer": {},
        "unheard-of": {},
    }
    for subject, expected in asked.items():
        assert {one["budget"]: one["spent"] for one in lines(viewer, subject=subject)} == expected, subject
        for per, spent in expected.items():
            (line,) = lines(viewer, f"budgets/{each[per].pk}/status", subject=subject)
            assert (line["subject"], line["spent"]) == (subject, spent)


def test_what_a_thread_that_is_new_has_left(acme: Organization, viewer: Client) -> None:
    budget = make_budget(acme, "2", per="thread")
    (line,) = lines(viewer, f"budgets/{budget.pk}/status", subject="fresh")
    assert (line["spent"], line["remaining"], line["state"]) == ("0", "2", "ok")
    assert lines(viewer, f"budgets/{budget.pk}/status") == lines(viewer, subject="fresh") == []
    whole = make_budget(acme)
    assert lines(viewer, f"budgets/{whole.pk}/status", subject="fresh") == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("subject", ""),
        ("subject", "\x00"),
        ("subject", "x" * 402),
        ("page_size", "101"),
        ("page_size", "0"),
        ("cursor", "x"),
        ("state", "over"),
        ("metric", "euros"),
    ],
)
def test_in_35_in_36_a_bad_parameter_is_a_400(acme: Organization, viewer: Client, name: str, value: str) -> None:
    assert lines(viewer, status=400, **{name: value})["parameter"] == name


def test_a_subject_of_nothing_but_slashes_is_looked_for_and_not_found(acme: Organization, viewer: Client) -> None:
    budget = make_budget(acme, per="agent")
    make_budget(acme, per="entity")
    for subject in ("/" * 401, "/", " ", "a/", "/a", " a", "a ", "\x1f", "a\x1fb"):
        assert lines(viewer, subject=subject) == []
        assert lines(viewer, f"budgets/{budget.pk}/status", subject=subject) == []


def test_az_02_nobody_else_s_figures_are_in_it(acme: Organization) -> None:
    mine, globex = make_budget(acme, per="agent"), make_organization("globex")
    use(project="website", agent="writer", thread_id="t1")
    clients = [person("viewer", roles={acme: "viewer"}), robot(acme)]
    paths = ("budgets/status", f"budgets/{mine.pk}/status")

    def answers() -> list[Any]:
        return [
            lines(client, path, **asked)
            for client in clients
            for path in paths
            for asked in ({}, {"subject": "website/writer"}, {"subject": "secret/spy"})
        ]

    before = answers()
    make_budget(globex, per="agent")
    make_budget(globex)
    for agent in ("writer", "spy"):
        use(3, organization="globex", project="website" if agent == "writer" else "secret", agent=agent)
    assert answers() == before
    assert [len(one) for one in before] == [1, 1, 0] * 4


def test_a_key_of_a_project_is_not_told_which_agents_others_have(acme: Organization) -> None:
    website, other = (Project.objects.create(organization=acme, slug=slug) for slug in ("website", "other"))
    budgets = [make_budget(acme, project=website, per=per) for per in ("agent", "project")]
    for project in (website, other):
        project.agents.create(slug="writer")
    key = robot(acme, owner=website)
    for subject, found in (("website/writer", 1), ("website", 1), ("other/writer", 0), ("other", 0), ("none/x", 0)):
        told = [line for one in budgets for line in lines(key, f"budgets/{one.pk}/status", subject=subject)]
        assert len(told) == found, subject


@pytest.mark.parametrize("has_counters", [True, False])
def test_many_budgets_of_many_organizations_take_as_many_queries_as_two(
    acme: Organization, django_assert_num_queries: Callable[..., Any], has_counters: bool
) -> None:
    client = person("root", is_superuser=True)

    def add(slug: str) -> None:
        owner = Organization.objects.filter(slug=slug).first() or make_organization(slug)
        project, _ = Project.objects.get_or_create(organization=owner, slug="website")
        for period in ("day", "month", "total"):
            make_budget(owner, period=period, project=project)
            make_budget(owner, period=period, per="agent")
            make_budget(owner, period=period, per="project")
        use(organization=slug, project="website", agent="writer")
        if not has_counters:
            BudgetCounter.objects.all().delete()

    def found(expected: int, *, queries: int) -> None:
        with django_assert_num_queries(queries):
            assert len(lines(client, page_size="100")) == expected

    # session, user, organizations, budgets, zones of the budgets, counters, the ledger where these are missing,
    # dearest subjects, projects and agents by name
    add("acme")
    add("globex")
    found(2 * (9 if has_counters else 3), queries=9 if has_counters else 8)
    for number in range(3):
        add(f"o{number}")
    found(5 * (9 if has_counters else 3), queries=9 if has_counters else 8)


def test_the_table_has_the_same_lines(acme: Organization, viewer: Client) -> None:
    make_budget(acme, "0.009", name="October")
    use()
    answer: Any = viewer.get(ROOT + "budgets/status", {"format": "csv"})
    header, line = b"".join(answer.streaming_content).decode().splitlines()
    told = dict(zip(header.split(","), line.split(","), strict=True))
    assert (told["budget"], told["spent"], told["remaining"], told["percent"]) == ("October", "0.0045", "0.0045", "50")


def test_another_day_begins_with_nothing(acme: Organization, viewer: Client) -> None:
    make_budget(acme, "0.0045")
    use()
    assert [(one["spent"], one["state"]) for one in lines(viewer)] == [("0.0045", "over")]
    with time_machine.travel(NOON + timedelta(days=1), tick=False):
        assert [(one["spent"], one["state"]) for one in lines(viewer)] == [("0", "ok")]
