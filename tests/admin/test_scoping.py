"""Staff see the rows of their organizations and no other, on every screen and by every way that leads to one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import time_machine
from django.db import transaction
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from costtrack.admin import large_lists, paginator
from costtrack.models import Organization, Rate
from tests.admin.rows import adding, changing, deleting, listing, page
from tests.admin.scoped import (
    OF_THE_SITE,
    Asked,
    answer,
    everything_asked,
    own_rate,
    rows_of_everything,
    screens,
    staff,
)
from tests.factories import NOON

pytestmark = pytest.mark.django_db

ROLES = ("viewer", "manager", "admin")


@pytest.fixture(autouse=True)
def now() -> Iterator[None]:
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def ours() -> dict[str, Model]:
    """Acme's rows, and a price that is everybody's."""
    own_rate(None)
    return rows_of_everything("acme")


def asked_of_everybody_s() -> Iterator[Asked]:
    """What can be asked of the price that is everybody's."""
    row = Rate.objects.get(organization=None)
    yield from (("get", address, {}) for address in (changing(row), deleting(row)))
    yield "get", adding("rate"), {"follow": str(row.pk)}
    yield "post", deleting(row), {"post": "yes"}
    for action in ("delete_selected", "follow"):
        yield "post", listing("rate"), {"action": action, "_selected_action": str(row.pk), "post": "yes"}


def stored(rows: Mapping[str, Model]) -> dict[str, Any]:
    """The rows as the database has them."""
    return {name: type(row)._base_manager.filter(pk=row.pk).values().first() for name, row in rows.items()}


@pytest.mark.parametrize("role", ROLES)
def test_no_screen_shows_staff_of_one_organization_anything_of_another(ours: dict[str, Model], role: str) -> None:
    clerk = staff(acme=role)
    with transaction.atomic():
        theirs = rows_of_everything("globex")
        Rate.objects.update(is_used=True)  # everybody's too, by globex alone
        before = stored(theirs)
        asked = [*everything_asked(ours, theirs), *asked_of_everybody_s()]
        beside = [answer(clerk, one) for one in asked]
        assert stored(theirs) == before
        transaction.set_rollback(True)
    assert not Organization.objects.filter(slug="globex").exists()
    Rate.objects.filter(organization=None).update(is_used=False)
    clerk.cookies.pop("messages", None)
    alone = [answer(clerk, one) for one in asked]
    for one, there, without in zip(asked, beside, alone, strict=True):
        said = str(one[2].values())
        assert there == without, one
        assert "globex" in said or "globex" not in there[2], one
        assert there[0] in (200, 302, 400, 403), one


@pytest.mark.parametrize("role", ROLES)
def test_a_row_of_another_organization_is_answered_as_one_that_is_not_there(ours: dict[str, Model], role: str) -> None:
    theirs = rows_of_everything("globex")
    clerk = staff(acme=role)
    for name, row in theirs.items():
        for address in (changing(row), reverse(f"admin:costtrack_{name}_history", args=[row.pk])):
            response = clerk.get(address)
            assert (response.status_code, response.headers["Location"]) == (302, reverse("admin:index")), name
    for name, row in ours.items():
        if name not in OF_THE_SITE:
            page(clerk, changing(row))


@pytest.mark.parametrize("role", ROLES)
def test_every_list_shows_staff_the_rows_of_their_organization(ours: dict[str, Model], role: str) -> None:
    theirs = rows_of_everything("globex")
    clerk = staff(acme=role)
    for name, row in ours.items():
        found = clerk.get(listing(name)).context["cl"].queryset
        assert (row in found) == (name not in OF_THE_SITE), name
        assert theirs[name] not in found, name


def test_prices_that_are_everybody_s_are_seen_but_not_whether_they_are_used(ours: dict[str, Model]) -> None:
    Rate.objects.filter(organization=None).update(is_used=True)
    clerk = staff(acme="admin")
    everybody_s = Rate.objects.get(organization=None)
    assert "everybody-model" in page(clerk, listing("rate"))
    assert "30" in page(clerk, changing(everybody_s))
    for address in (listing("rate"), changing(everybody_s), changing(ours["rate"])):
        assert "is_used" not in page(clerk, address)
    assert clerk.get(listing("rate"), {"is_used__exact": "1"}).status_code == 400


def test_a_superuser_sees_every_organization(browser: Client, ours: dict[str, Model]) -> None:
    theirs = rows_of_everything("globex")
    for name, row in theirs.items():
        assert row in browser.get(listing(name)).context["cl"].queryset, name
        page(browser, changing(row))
    assert "is_used" in page(browser, listing("rate"))


def test_two_memberships_show_two_organizations(ours: dict[str, Model]) -> None:
    theirs = rows_of_everything("globex")
    rows_of_everything("initech")
    clerk = staff(acme="viewer", globex="viewer")
    for name, row in ours.items():
        text = page(clerk, listing(name))
        assert "initech" not in text, name
        found = set(clerk.get(listing(name)).context["cl"].queryset)
        assert ({row, theirs[name]} <= found) == (name not in OF_THE_SITE), name


def test_staff_without_a_membership_see_nothing(ours: dict[str, Model]) -> None:
    stranger = staff()
    for name, row in ours.items():
        for address in (listing(name), adding(name), changing(row), deleting(row)):
            assert stranger.get(address).status_code == 403, address
    assert "costtrack" not in page(stranger, reverse("admin:index")).lower().replace("costtrack/admin.css", "")


def test_a_membership_that_is_taken_away_shows_nothing_any_more(ours: dict[str, Model]) -> None:
    clerk = staff(acme="viewer")
    page(clerk, listing("budget"))
    Organization.objects.get().memberships.all().delete()
    assert clerk.get(listing("budget")).status_code == 403


def test_django_s_permissions_hold_besides_the_role(ours: dict[str, Model]) -> None:
    clerk = staff(acme="admin")
    clerk.get(listing("rate")).wsgi_request.user.user_permissions.clear()
    assert {clerk.get(listing(name)).status_code for name in screens()} == {403}


def test_how_much_others_use_changes_no_large_list(ours: dict[str, Model], monkeypatch: pytest.MonkeyPatch) -> None:
    rows_of_everything("globex")
    clerk = staff(acme="viewer")
    monkeypatch.setattr(large_lists, "LARGE", 4)  # acme has 3 rows of each, both have 6
    asked = {"resourceusage": {"provider": "acme-maker"}, "dailycostsummary": {}}
    assert [clerk.get(listing(name), query).status_code for name, query in asked.items()] == [200, 200]
    monkeypatch.setattr(large_lists, "LARGE", 2)
    opened = [clerk.get(listing(name), query).headers["Location"] for name, query in asked.items()]
    assert all("day__year=2029&day__month=12" in address for address in opened)
    monkeypatch.setattr(paginator, "MOST_ROWS_LISTED", 1)
    of_acme = page(clerk, listing("dailycostsummary"), organization=str(ours["organization"].pk))
    assert "More rows match; the newest 1 are listed." in of_acme
    assert "The ledger holds" not in page(clerk, listing("resourceusage"))


@pytest.mark.parametrize(("name", "queries"), [("agent", 9), ("budget", 11), ("rate", 12), ("resourceusage", 17)])
def test_a_list_asks_as_much_for_two_organizations_as_for_one(
    ours: dict[str, Model], name: str, queries: int, django_assert_num_queries: Callable[..., Any]
) -> None:
    rows_of_everything("globex")
    for clerk in (staff("one", acme="viewer"), staff("two", acme="viewer", globex="viewer")):
        page(clerk, listing(name))
        with django_assert_num_queries(queries):
            page(clerk, listing(name))
