"""Who sees what: what nobody grants is not there."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import get_resolver

from costtrack.dashboard.urls import urlpatterns
from costtrack.models import AlertAction
from tests.api.callers import person
from tests.dashboard.everything import LISTS, World, world
from tests.dashboard.reading import ROOT, opened

pytestmark = pytest.mark.django_db

NO_ROW = 2**63 - 1
PAST_EVERY_ROW = 10**30


@pytest.fixture
def acme(db: None) -> World:
    return world("acme")


@pytest.fixture
def globex(db: None) -> World:
    return world("globex", cost="7")


def test_every_route_is_tested(acme: World) -> None:
    named = {pattern.name for pattern in urlpatterns}
    assert named == {*LISTS, *acme.paths, "acknowledge", "test-channel", "look", "events", "health"}
    assert any(str(one.pattern) == "costs/" for one in get_resolver().url_patterns)


def test_one_has_to_be_logged_in(acme: World) -> None:
    for path in [*LISTS.values(), *acme.paths.values(), "health/"]:
        answer = Client().get(ROOT + path, {"period": "7d"})
        assert answer.status_code == 302
        assert answer["Location"].startswith("/admin/login/?next=/costs/" + path), answer["Location"]
        assert "period%3D7d" in answer["Location"]


def test_after_logging_in_nobody_lands_on_what_only_takes_a_post(acme: World) -> None:
    answer = Client().post(f"{ROOT}alerts/{acme.alert.pk}/acknowledge/")
    assert (answer.status_code, answer["Location"]) == (302, "/admin/login/?next=/costs/")


def test_who_belongs_to_no_organization_is_told_what_to_do(acme: World) -> None:
    for path in [*LISTS.values(), *acme.paths.values()]:
        page = opened(person(f"p{len(path)}-{path}"), path, answers=403)
        assert "belong to no organization" in page.by_id("ct-problem").text
        assert "acme" not in page.text


def test_a_member_of_one_organization_sees_nothing_of_another(acme: World, globex: World) -> None:
    client = person("mary", roles={acme.organization: "admin"})
    for path in [*LISTS.values(), *acme.paths.values()]:
        for query in ({}, {"organization": "acme"}):
            text = opened(client, path, **query).text
            assert "globex" not in text, path
    for path in (*LISTS.values(), *globex.paths.values()):
        missing = opened(client, path, answers=404, organization="globex")
        unknown = opened(
            client,
            path.replace(path.split("/")[-2], str(NO_ROW)) if path in globex.paths.values() else path,
            answers=404,
            organization="nobody",
        )
        assert missing.one("h1").text == unknown.one("h1").text == "There is no such page"


def test_a_foreign_id_is_answered_as_one_that_does_not_exist(acme: World, globex: World) -> None:
    client = person("mary", roles={acme.organization: "admin"})
    for name, path in globex.paths.items():
        stem = path.split("/")[0]
        foreign = client.get(ROOT + path)
        for number in (NO_ROW, PAST_EVERY_ROW):
            missing = client.get(f"{ROOT}{stem}/{number}/")
            assert (foreign.status_code, missing.status_code) == (404, 404), name
            assert foreign.content == missing.content, name


def test_a_superuser_sees_all_and_each(acme: World, globex: World, superuser: Client) -> None:
    page = opened(superuser, group_by="organization")
    assert [row[:2] for row in page.by_id("ct-by-organization").rows] == [
        ["globex 1 unpriced", "$7.00"],
        ["acme 1 unpriced", "$5.00"],
    ]
    assert [link.text for link in page.by_id("ct-organizations").all("a")] == ["All organizations", "acme", "globex"]
    one = opened(superuser, organization="acme")
    assert one.one("h1").text == "acme"
    assert "globex" not in one.by_id("ct-live").text
    for path in (*acme.paths.values(), *globex.paths.values()):
        opened(superuser, path)


def test_who_belongs_to_two_sees_both_and_no_third(acme: World, globex: World) -> None:
    world("initech")
    client = person("mary", roles={acme.organization: "viewer", globex.organization: "manager"})
    for path in LISTS.values():
        assert "initech" not in opened(client, path).text
    assert "acme-message" in opened(client, "alerts/").text
    assert "globex-message" in opened(client, "alerts/").text


def test_an_alert_is_acknowledged_by_managers_of_its_organization(acme: World, globex: World) -> None:
    client = person("mary", roles={acme.organization: "viewer", globex.organization: "manager"})
    page = opened(client, "alerts/")
    assert not page.has(f"ct-acknowledge-{acme.alert.pk}")
    button = page.by_id(f"ct-acknowledge-{globex.alert.pk}")
    assert client.post(f"{ROOT}alerts/{acme.alert.pk}/acknowledge/").status_code == 403
    answer = client.post(button.attributes["formaction"], {"next": "/costs/alerts/?state=open"})
    assert (answer.status_code, answer["Location"]) == (302, "/costs/alerts/?state=open")
    acme.alert.refresh_from_db()
    globex.alert.refresh_from_db()
    assert (acme.alert.state, globex.alert.state) == ("open", "acknowledged")
    assert AlertAction.objects.get().by.username == "mary"  # type: ignore[union-attr]


def test_a_foreign_alert_is_not_there_to_be_acknowledged(acme: World, globex: World) -> None:
    client = person("mary", roles={acme.organization: "admin"})
    assert client.post(f"{ROOT}alerts/{globex.alert.pk}/acknowledge/").status_code == 404
    assert AlertAction.objects.count() == 0


def test_the_machine_s_health_is_superusers(acme: World, superuser: Client) -> None:
    client = person("mary", roles={acme.organization: "admin"})
    assert "superusers" in opened(client, "health/", answers=403).by_id("ct-problem").text
    assert "Health" not in opened(client).one("nav", class_="ct-nav").text
    assert "Health" in opened(superuser, "health/").one("nav", class_="ct-nav").text
