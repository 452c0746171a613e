"""An open page renews its content: it asks with the last ETag, and gets a 304 while nothing has changed."""

from __future__ import annotations

import time_machine
from django.test import Client

from costtrack.models import Organization
from tests.dashboard.everything import world
from tests.dashboard.reading import ROOT, document, opened
from tests.reporting.booked import book

PART = {"Costtrack-Part": "content"}
LIVE = ("", "budgets/", "alerts/", "health/")


def test_the_part_is_what_the_page_shows(superuser: Client) -> None:
    world("acme")
    for path in LIVE[:3]:
        part = superuser.get(ROOT + path, headers=PART)
        assert part.status_code == 200
        assert "<html" not in part.content.decode()
        page = superuser.get(ROOT + path)
        assert part.content.decode() in page.content.decode()
        assert document(part.content.decode()).text == document(page.content.decode()).by_id("ct-live").text


def test_what_the_client_has_is_a_304_that_tells_the_time(superuser: Client) -> None:
    one = world("acme")
    for path in (*LIVE[:3], *one.paths.values()):
        first = superuser.get(ROOT + path, headers=PART)
        with time_machine.travel("2023-11-16T12:00:59Z", tick=False):
            again = superuser.get(ROOT + path, headers={**PART, "If-None-Match": first["ETag"]})
        assert (again.status_code, again.content) == (304, b""), path
        assert again["Costtrack-As-Of"].startswith("16 Nov 2023, 12:00")
        assert again["Costtrack-Open-Alerts"] == "1"
        assert again["ETag"] == first["ETag"]


def test_new_usage_is_told(superuser: Client) -> None:
    one = world("acme")
    first = superuser.get(ROOT, headers=PART)
    book(one.organization, "3")
    again = superuser.get(ROOT, headers={**PART, "If-None-Match": first["ETag"]})
    assert again.status_code == 200
    assert "$8.00" in document(again.content.decode()).by_id("ct-tile-month").text  # 5 + 3


def test_a_full_page_has_no_etag_and_differs_from_its_part(superuser: Client) -> None:
    world("acme")
    page = superuser.get(ROOT)
    assert "ETag" not in page
    assert "Costtrack-Part" in page["Vary"]


def test_pages_say_how_often_they_renew_themselves(superuser: Client) -> None:
    one = world("acme")
    for path in (*LIVE, one.paths["budget"], one.paths["project"]):
        page = opened(superuser, path)
        assert page.by_id("ct-live").attributes["data-seconds"] == "15"
        assert [script.attributes["src"] for script in page.all("script")] == ["/static/costtrack/live.js"]
    for path in ("usage/", "resources/", "rates/", "mine/", "plans/", "recommendations/", one.paths["usage-row"]):
        page = opened(superuser, path)
        assert "data-seconds" not in page.by_id("ct-live").attributes
        assert page.all("script") == []


def test_who_is_logged_out_is_sent_to_the_login(superuser: Client) -> None:
    Organization.objects.create(slug="acme")
    superuser.logout()
    assert superuser.get(ROOT, headers=PART).status_code == 302
