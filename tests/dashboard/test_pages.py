"""What holds of every page: well-formed, accessible, nothing inline, few queries, and no wrong address breaks it."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext

from costtrack.aggregation import fold_pending
from costtrack.models import Budget, Organization
from tests.api.callers import person
from tests.dashboard.everything import LISTS, World, world
from tests.dashboard.reading import ROOT, Element, document, opened

pytestmark = pytest.mark.django_db

MOST_QUERIES = 20
OF_ONE = ("recommendations", "reconcile")
"""The lists that ask of which organization, where there are several."""


@pytest.fixture
def acme(db: None) -> World:
    return world("acme")


@pytest.fixture
def pages(acme: World, superuser: Client) -> dict[str, Element]:
    """Every page, opened by a superuser."""
    world("globex", cost="7")
    of_one = {name: f"{LISTS[name]}?organization=acme" for name in OF_ONE}
    paths = {**LISTS, **acme.paths, "health": "health/", **{f"{name}-one": path for name, path in of_one.items()}}
    found = {name: document(superuser.get(ROOT + path).content.decode()) for name, path in paths.items()}
    return {**found, "problem": opened(superuser, answers=400, period="x")}


def test_no_page_needs_inline_script_or_style(pages: dict[str, Element]) -> None:
    for name, page in pages.items():
        for one in page.all():
            assert one.tag != "style", name
            assert not [key for key in one.attributes if key == "style" or key.startswith("on")], (name, one)
            if one.tag == "script":
                assert one.attributes["src"].startswith("/static/costtrack/"), name
                assert one.children == []
        sources = [one.attributes[key] for one in page.all() for key in ("src",) if key in one.attributes]
        sources += [one.attributes["href"] for one in page.all("link")]
        assert all(source.startswith("/static/") for source in sources), (name, sources)


def test_every_page_has_its_landmarks_one_heading_and_a_way_past_the_navigation(pages: dict[str, Element]) -> None:
    for name, page in pages.items():
        assert page.one("html").attributes["lang"] == "en"
        assert page.one("main").attributes["id"] == "ct-main"
        assert len(page.all("h1")) == 1, name
        assert page.one("head").one("title").text, name
        if name == "problem":
            continue
        assert page.one(class_="ct-skip").attributes["href"] == "#ct-main"
        labels = [one.attributes.get("aria-label") for one in page.all("nav")]
        assert None not in labels
        current = [one for one in page.one("nav", class_="ct-nav").all("a") if "aria-current" in one.attributes]
        assert len(current) == 1, name


def test_headings_go_down_without_a_gap(pages: dict[str, Element]) -> None:
    for name, page in pages.items():
        levels = [int(one.tag[1]) for one in page.all() if re.fullmatch("h[1-6]", one.tag)]
        assert levels[0] == 1, name
        assert all(after <= before + 1 for before, after in pairwise(levels)), (name, levels)


def test_every_picture_has_words_and_every_chart_a_table(pages: dict[str, Element]) -> None:
    pictures = [(name, one) for name, page in pages.items() for one in page.all("svg")]
    assert len(pictures) > 20
    for name, one in pictures:
        assert one.attributes["role"] == "img", name
        label = " ".join(one.attributes["aria-label"].split())
        assert label == one.all("title")[0].text != "", name
    figures = [one for page in pages.values() for one in page.all("figure")]
    assert len(figures) == 4  # of all, of a project, of an agent, of a budget
    for figure in figures:
        assert figure.one("details").one("table").rows
        assert figure.one("details").one("summary").text == "Show as a table"


def test_every_table_has_a_caption_and_named_cells(pages: dict[str, Element]) -> None:
    for name, page in pages.items():
        for table in page.all("table"):
            assert table.one("caption").text, name
            for head in table.all("th"):
                assert head.attributes["scope"] in ("row", "col"), name
            columns = len(table.one("thead").all("th"))
            for row in table.one("tbody").all("tr"):
                assert len([one for one in row.children if isinstance(one, Element)]) == columns, (name, row.text)


def test_every_control_has_a_label(pages: dict[str, Element]) -> None:
    for name, page in pages.items():
        labelled = [one for label in page.all("label") for one in label.all() if one.tag in ("input", "select")]
        controls = [
            one
            for one in page.all()
            if one.tag in ("input", "select") and one.attributes.get("type") not in ("hidden", "submit")
        ]
        assert all(any(one is other for other in labelled) for one in controls), name
        for link in page.all("a"):
            assert link.text or link.attributes.get("aria-label"), (name, link)


def test_no_page_takes_more_than_twenty_queries(acme: World, superuser: Client) -> None:
    world("globex")
    mary = person("mary", roles={acme.organization: "admin"})
    for number in range(12):
        Organization.objects.create(slug=f"o{number}")
    of_each = [*LISTS.values(), *acme.paths.values(), *(f"{LISTS[name]}?organization=acme" for name in OF_ONE)]
    grouped = [f"{path}?group_by=provider" for path in ("", acme.paths["project"])]
    for client, more in ((mary, []), (superuser, ["health/"])):
        for path in (*of_each, *grouped, *more):
            with CaptureQueriesContext(connection) as captured:
                assert client.get(ROOT + path).status_code == 200
            assert len(captured) <= MOST_QUERIES, (path, len(captured), [one["sql"] for one in captured])


def test_a_page_of_costs_reads_two_weeks_of_the_ledger_for_its_forecast_and_no_more(
    acme: World, superuser: Client
) -> None:
    fold_pending()
    # One that is unused in its period has no counter, and is looked up in the ledger.
    Budget.objects.all().delete_unrecorded()
    for path in ("", acme.paths["project"], acme.paths["agent"]):
        with CaptureQueriesContext(connection) as captured:
            superuser.get(ROOT + path)
        [of_forecast] = [one["sql"] for one in captured if "costtrack_resourceusage" in one["sql"]]
        assert all(edge in of_forecast for edge in ("2023-11-02", "2023-11-16"))


@pytest.mark.parametrize(
    "query",
    [
        "period=yesterday",
        "from=2023-13-01",
        "through=2023-11-01&from=2023-11-10",
        "group_by=customer",
        "model=" + 201 * "x",
        "model=a&model=b",
        "model=a%00",
        "colour=red",
        "organization=%00",
    ],
)
def test_what_can_not_be_shown_says_why(acme: World, superuser: Client, query: str) -> None:
    answer = superuser.get(f"{ROOT}?{query}")
    assert answer.status_code == 400
    parameter = query.partition("=")[0]
    assert document(answer.content.decode()).by_id("ct-problem").text.startswith(f"{parameter}: got ")


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("budgets/", "state=dead"),
        ("budgets/", "enforcement=mild"),
        ("budgets/", "cursor=x"),
        ("budgets/", "period=7d"),
        ("alerts/", "severity=awful"),
        ("alerts/", "state=x"),
        ("alerts/", "kind=x"),
        ("alerts/", "cursor=x"),
        ("usage/", "outcome=x"),
        ("usage/", "cost_source=x"),
        ("usage/", "cursor=x"),
        ("usage/", "tag=team"),
        ("usage/", "environment=" + 201 * "x"),
        ("", "tag=team=red"),  # summaries have no tags
        ("usage/", "period=x"),
        ("usage/", "model=" + 201 * "x"),
        ("plans/", "status=x"),
        ("plans/", "cursor=x"),
        ("rates/", "period=7d"),
        ("rates/", "as_of=x"),
        ("reconcile/", "provider=openai"),
        ("mine/", "user=2"),
    ],
)
def test_the_other_pages_refuse_what_they_do_not_know_too(
    acme: World, superuser: Client, path: str, query: str
) -> None:
    answer = superuser.get(f"{ROOT}{path}?{query}")
    assert answer.status_code == 400
    assert f"{query.partition('=')[0]}: got " in document(answer.content.decode()).by_id("ct-problem").text


def test_an_empty_field_of_a_form_is_not_asked_for(acme: World, superuser: Client) -> None:
    page = opened(superuser, "usage/", model="", outcome="", project="acme-web")
    assert len(page.by_id("ct-usage").rows) == 2


def test_text_that_people_and_callers_enter_is_shown_escaped(superuser: Client) -> None:
    evil = "<script>alert(1)</script>"
    one = world("acme")
    Organization.objects.update(name=evil)
    for field, row in (("name", one.budget), ("message", one.alert), ("name", one.agent), ("name", one.agent.project)):
        type(row)._base_manager.filter(pk=row.pk).update(**{field: evil})
    get_user_model().objects.update(username=evil)
    for path in (*LISTS.values(), *one.paths.values()):
        text = superuser.get(ROOT + path).content.decode()
        assert "<script>alert" not in text, path
        assert "&lt;script&gt;alert" in text, path


def test_no_page_is_kept_by_a_cache(acme: World, superuser: Client) -> None:
    for path in (*LISTS.values(), *acme.paths.values()):
        assert superuser.get(ROOT + path)["Cache-Control"] == "private, no-store"


def test_pages_are_read_only_but_for_acknowledging(acme: World, superuser: Client) -> None:
    for path in (*LISTS.values(), *acme.paths.values()):
        if path != LISTS["reconcile"]:  # it takes a file, and keeps nothing
            assert superuser.post(ROOT + path).status_code == 405
        assert superuser.head(ROOT + path).status_code == 200
    assert superuser.get(f"{ROOT}alerts/{acme.alert.pk}/acknowledge/").status_code == 405


def test_empty_pages_say_the_next_step(superuser: Client) -> None:
    Organization.objects.create(slug="acme")
    said = {
        path: opened(superuser, path).by_id("ct-empty").text for path in LISTS.values() if path != "recommendations/"
    }
    assert "manage.py costtrack_demo" in said[""]
    assert "POST budgets" in said["budgets/"]
    assert "manage.py load_default_alerts" in said["alerts/"]
    assert "manage.py costtrack_doctor" in said["usage/"]
    assert "costtrack.usage_run" in said["plans/"]
    assert "manage.py load_rates" in said["rates/"]
    assert "date,model,cost_usd" in said["reconcile/"]
    assert "costtrack.attribute(user=" in said["mine/"]


def test_a_site_without_any_organization_opens(superuser: Client) -> None:
    for path in (*LISTS.values(), "health/"):
        opened(superuser, path)


@override_settings(ROOT_URLCONF="tests.dashboard.elsewhere")
def test_it_may_be_mounted_anywhere_and_without_the_api(acme: World, superuser: Client) -> None:
    page = document(superuser.get("/deep/down/").content.decode())
    links = [one.attributes["href"] for one in page.all("a")]
    assert "/deep/down/budgets/" in links
    assert page.all(class_="ct-exports") == []
    assert page.by_id("ct-act").attributes["action"] == "/deep/down/alerts/"
