"""Rates over REST: everybody's and one's own are read; own ones are made, ended, deleted if unused."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.test.utils import modify_settings

from costtrack.metering.ledger import record_events
from costtrack.models import Organization, Rate, ResourceUsage
from costtrack.models.rates import FROM_EVER, PRICE_FIELDS
from costtrack.pricing.ratebook import forget_rates
from tests.api.callers import ROOT, person, robot
from tests.factories import NOON, make_event, make_organization, make_rate

pytestmark = pytest.mark.django_db

LATER = NOON + timedelta(days=1)
NO_PRICES = dict.fromkeys([*PRICE_FIELDS, "request_usd", "unit_price_usd"])
NEW: dict[str, Any] = {"model": "gpt-4o", "effective_from": "2026-11-20T12:00:00Z", "input_usd_per_million": "2.1"}


@pytest.fixture(autouse=True)
def at_noon() -> Iterator[None]:
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def acme(db: None) -> Organization:
    return make_organization()


@pytest.fixture
def admin(acme: Organization) -> Client:
    return person("mary", roles={acme: "admin"})


def asked(client: Client, method: str, path: str, body: Any = None, *, status: int = 200) -> Any:
    """The answer, parsed; None where it has no body."""
    sent = b"" if body is None else json.dumps(body)
    answer = client.generic(method.upper(), ROOT + path, sent, content_type="application/json")
    assert answer.status_code == status, answer.content
    if status >= 400:
        assert answer["Content-Type"] == "application/problem+json"
    return answer.json() if answer.content else None


def ids(client: Client, path: str = "rates") -> list[int]:
    return [row["id"] for row in asked(client, "get", path)["results"]]


# Read.


def test_a_rate_says_what_it_costs_since_when_and_until_when(acme: Organization, admin: Client) -> None:
    rate = make_rate(
        "gpt-4o",
        aliases=["chatgpt-4o"],
        organization=acme,
        effective_from=NOON,
        window_start=time(16, 30),
        window_end=time(0, 30),
        cache_read_usd_per_million=Decimal("0.000001"),
        request_usd=Decimal("0.01"),
        source="contract",
        source_version="2026-11",
    )
    rate.tiers.create(above_input_tokens=200_000, input_usd_per_million=Decimal("6.50"))
    make_rate("gpt-4o", organization=acme, effective_from=LATER, window_start=time(16, 30), window_end=time(0, 30))
    expected = {
        **NO_PRICES,
        "id": rate.pk,
        "organization": "acme",
        "provider": "openai",
        "model": "gpt-4o",
        "aliases": ["chatgpt-4o"],
        "resource_type": "llm_tokens",
        "service_tier": "standard",
        "effective_from": "2026-11-20T12:00:00+00:00",
        "ends_at": "2026-11-21T12:00:00+00:00",
        "window_start": "16:30:00",
        "window_end": "00:30:00",
        "input_usd_per_million": "3",
        "output_usd_per_million": "15",
        "cache_read_usd_per_million": "0.000001",
        "request_usd": "0.01",
        "tiers": [{"above_input_tokens": 200_000, **dict.fromkeys(PRICE_FIELDS), "input_usd_per_million": "6.5"}],
        "source": "contract",
        "source_version": "2026-11",
    }
    assert asked(admin, "get", f"rates/{rate.pk}") == expected
    assert asked(admin, "get", "rates?source=contract")["results"] == [expected]


def test_a_global_rate_has_no_organization_and_holds_all_day(admin: Client) -> None:
    rate = make_rate()
    found = asked(admin, "get", f"rates/{rate.pk}")
    assert (found["organization"], found["window_start"], found["window_end"]) == (None, None, None)
    assert (found["effective_from"], found["ends_at"]) == ("1970-01-01T00:00:00+00:00", None)


def test_a_later_rate_of_another_key_or_owner_ends_none(acme: Organization, admin: Client) -> None:
    rate = make_rate()
    others: list[dict[str, Any]] = [
        {"organization": acme},
        {"service_tier": "batch"},
        {"provider": "azure"},
        {"window_end": time(8)},
    ]
    for other in others:
        make_rate(**{"effective_from": LATER, **other})
    assert asked(admin, "get", f"rates/{rate.pk}")["ends_at"] is None


def test_the_list_has_everybody_s_rates_and_one_s_own_and_no_other(acme: Organization) -> None:
    globex, initech = make_organization("globex"), make_organization("initech")
    shared, own, theirs = make_rate(), make_rate(organization=acme), make_rate(organization=globex)
    make_rate(organization=initech)
    client = person(roles={acme: "viewer", globex: "viewer"})
    assert ids(client) == [theirs.pk, own.pk, shared.pk]
    assert ids(client, "rates?organization=acme") == [own.pk, shared.pk]
    assert ids(client, "rates?scope=own") == [theirs.pk, own.pk]
    assert ids(client, "rates?scope=global") == [shared.pk]
    assert ids(client, "rates?scope=own&organization=globex") == [theirs.pk]
    asked(client, "get", "rates?organization=initech", status=404)
    for kind in (None, acme.projects.create(slug="website")):
        assert ids(robot(acme, owner=kind)) == [own.pk, shared.pk]
    assert len(ids(person("root", is_superuser=True))) == 4


def test_az_01_a_rate_of_somebody_else_is_answered_as_one_that_is_not_there(acme: Organization) -> None:
    theirs = make_rate(organization=make_organization("globex"))
    client = person(roles={acme: "admin"})
    for key in (str(theirs.pk), str(theirs.pk + 1), "0", "x", "-1", "9" * 30, f"0{theirs.pk}"):
        for method, path in (("get", ""), ("delete", ""), ("post", "/end")):
            problem = asked(client, method, f"rates/{key}{path}", {} if method == "post" else None, status=404)
            assert problem["detail"] == f"rate: got {key!r}, expected the id of a rate."
    assert Rate.objects.get() == theirs


def test_az_02_rates_of_others_change_no_answer(acme: Organization) -> None:
    make_rate(organization=acme, effective_from=NOON)
    shared = make_rate()
    client = person(roles={acme: "viewer"})
    paths = ["rates", "rates?as_of=2026-11-21", "rates?model=test-model&page_size=1", f"rates/{shared.pk}"]
    before = [client.get(ROOT + path).content for path in paths]
    globex = make_organization("globex")
    for beginning in (FROM_EVER, NOON + timedelta(seconds=1)):
        make_rate(organization=globex, effective_from=beginning)
    Rate.objects.update(is_used=True)  # a global one by others' usage
    assert [client.get(ROOT + path).content for path in paths] == before
    assert "is_used" not in asked(client, "get", f"rates/{shared.pk}")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("provider=openai", {"old", "new", "batch"}),
        ("provider=azure", {"azure"}),
        ("provider=OpenAI", set()),
        ("model=other", {"azure"}),
        ("model=oth", set()),
        ("service_tier=batch", {"batch"}),
        ("resource_type=api_call", {"azure"}),
        ("source=new", {"new"}),
        ("as_of=2026-11-20", {"old", "azure"}),  # begins at noon in UTC: 17:30 in Kolkata
        ("as_of=2026-11-21", {"new", "batch", "azure"}),
        ("as_of=2026-11-20T11:59:59Z", {"old", "azure"}),
        ("as_of=2026-11-20T12:00:00Z", {"new", "batch", "azure"}),
        ("as_of=2026-11-20T17:30:00%2B05:30&service_tier=standard", {"new", "azure"}),
        ("as_of=2026-11-20T17:30:00+05:30&service_tier=standard", {"new", "azure"}),
        ("as_of=1971-01-02", {"old", "azure"}),
    ],
)
def test_the_list_is_filtered(query: str, found: set[str]) -> None:
    acme = make_organization(timezone="Asia/Kolkata")
    make_rate(source="old")
    make_rate(source="new", effective_from=NOON)
    make_rate(source="batch", effective_from=NOON, service_tier="batch")
    make_rate("other", "azure", source="azure", resource_type="api_call", organization=acme)
    client = person(roles={acme: "viewer"})
    assert {row["source"] for row in asked(client, "get", f"rates?{query}")["results"]} == found


def test_a_day_is_its_first_instant_in_the_zone_of_the_answer() -> None:
    # November 20th begins at 18:30 UTC of the 19th in Kolkata.
    rate = make_rate(effective_from=datetime(2026, 11, 19, 20, tzinfo=UTC))
    found = {
        zone: ids(person(zone, roles={make_organization(zone, timezone=name): "viewer"}), "rates?as_of=2026-11-20")
        for zone, name in (("kolkata", "Asia/Kolkata"), ("london", "Europe/London"))
    }
    assert found == {"kolkata": [], "london": [rate.pk]}


@pytest.mark.parametrize(
    "query",
    [
        *("scope=all", "scope=", "as_of=", "as_of=now", "as_of=2026-13-01", "as_of=2026-11-20T12:00:00", "as_of=%00"),
        *("as_of=0001-01-01T00:00:00%2B14:00", "as_of=9999-12-31", "as_of=9999-12-31T23:00:00-14:00"),
        *("as_of=2026-11-20&as_of=2026-11-21", "model=%00", "model=a&model=b", "is_used=true", "id=1", "cursor=x"),
        *("page_size=0", "page_size=1001", "provider="),
    ],
)
def test_in_35_in_36_a_bad_parameter_is_a_400(admin: Client, query: str) -> None:
    assert asked(admin, "get", f"rates?{query}", status=400)["parameter"] == query.partition("=")[0]


def test_pages_reach_each_rate_once(acme: Organization, admin: Client) -> None:
    made = [make_rate(f"m-{number}", organization=acme if number % 2 else None).pk for number in range(7)]
    for extra in ("", "&as_of=2026-11-20"):
        found, following = [], f"{ROOT}rates?page_size=3{extra}"
        while following:
            page = admin.get(following).json()
            found += [row["id"] for row in page["results"]]
            following = page["next"]
        assert found == made[::-1]


def test_as_many_queries_for_many_rates_as_for_one(
    acme: Organization, admin: Client, django_assert_num_queries: Callable[..., Any]
) -> None:
    def add(number: int) -> None:
        make_rate(f"m-{number}", organization=acme).tiers.create(above_input_tokens=9)

    add(0)
    with django_assert_num_queries(6):  # session, user, memberships, zones, rates, tiers
        assert len(ids(admin)) == 1
    for number in range(20):
        add(number + 1)
    for query in ("", "?as_of=2026-11-20"):
        with django_assert_num_queries(6):
            assert len(ids(admin, f"rates{query}")) == 21


# Made.


@pytest.mark.parametrize("slash", ["", "/"])
def test_an_admin_makes_an_own_rate_and_is_told_where_it_is(acme: Organization, admin: Client, slash: str) -> None:
    body = {
        **NEW,
        "provider": "OpenAI",
        "aliases": ["GPT-4o-Latest"],
        "service_tier": "batch",
        "window_start": "16:30",
        "output_usd_per_million": "8.500000",
        "request_usd": "0.000000000001",
        "tiers": [{"above_input_tokens": 200_000, "input_usd_per_million": "4.2"}],
        "source": "contract",
        "source_version": None,
    }
    answer = admin.post(ROOT + "rates" + slash, body, content_type="application/json")
    assert answer.status_code == 201, answer.content
    rate = Rate.objects.get()
    assert answer["Location"] == f"http://testserver/api/costs/rates/{rate.pk}"
    assert answer.json() == {
        **NO_PRICES,
        "id": rate.pk,
        "organization": "acme",
        "provider": "openai",
        "model": "gpt-4o",
        "aliases": ["gpt-4o-latest"],
        "resource_type": "llm_tokens",
        "service_tier": "batch",
        "effective_from": "2026-11-20T12:00:00+00:00",
        "ends_at": None,
        "window_start": "16:30:00",
        "window_end": "00:00:00",
        "input_usd_per_million": "2.1",
        "output_usd_per_million": "8.5",
        "request_usd": "0.000000000001",
        "tiers": [{"above_input_tokens": 200_000, **dict.fromkeys(PRICE_FIELDS), "input_usd_per_million": "4.2"}],
        "source": "contract",
        "source_version": "",
    }
    assert admin.get(answer["Location"]).json() == answer.json()


def test_another_resource_has_a_unit_price(admin: Client) -> None:
    body = {"model": "*", "provider": "tavily", "resource_type": "api_call", "unit_price_usd": "0.008"}
    made = asked(admin, "post", "rates", {**body, "effective_from": "1970-01-01T00:00:00Z"}, status=201)
    assert {name: made[name] for name in body} == body


def test_a_new_rate_prices_what_comes_and_leaves_what_is_recorded(acme: Organization, admin: Client) -> None:
    make_rate()
    record_events([make_event()])
    new = {**NEW, "provider": "openai", "model": "test-model", "effective_from": "2026-11-01T00:00:00Z"}
    asked(admin, "post", "rates", {**new, "output_usd_per_million": "10"}, status=201)
    forget_rates()
    record_events([make_event()])
    # 1000 x 3 + 100 x 15, and 1000 x 2.1 + 100 x 10 per million
    assert sorted(ResourceUsage.objects.values_list("cost_usd", flat=True)) == [Decimal("0.0031"), Decimal("0.0045")]


def test_the_same_again_is_a_409_that_says_what_to_do(acme: Organization, admin: Client) -> None:
    asked(admin, "post", "rates", NEW, status=201)
    problem = asked(admin, "post", "rates", {**NEW, "model": "GPT-4o", "input_usd_per_million": "9"}, status=409)
    assert problem["detail"] == (
        f"Rate {Rate.objects.get().pk} is of this provider, model, tier and window, and begins at "
        "2026-11-20T12:00:00+00:00 already. Choose another effective_from."
    )
    assert LogEntry.objects.count() == 1


def test_it_is_made_for_an_organization_whose_rates_one_manages(acme: Organization) -> None:
    globex, initech = make_organization("globex"), make_organization("initech")
    client = person(roles={acme: "admin", globex: "admin", initech: "manager"})
    expected = "expected the slug of an organization whose rates you manage."
    assert asked(client, "post", "rates", NEW, status=400)["detail"] == f"organization is empty, {expected}"
    assert asked(client, "post", "rates", {**NEW, "organization": "globex"}, status=201)["organization"] == "globex"
    assert asked(client, "post", "rates?organization=acme", NEW, status=201)["organization"] == "acme"
    told = [
        asked(client, "post", "rates", {**NEW, "organization": slug}, status=400)["detail"].replace(slug, "X")
        for slug in ("initech", "unheard-of")
    ]
    assert told == [f"organization: got 'X', {expected}"] * 2
    asked(client, "post", "rates?organization=initech", NEW, status=404)
    asked(client, "post", "rates?model=x", NEW, status=400)
    assert sorted(Rate.objects.values_list("organization__slug", flat=True)) == ["acme", "globex"]


def test_nobody_makes_changes_or_deletes_a_global_rate(acme: Organization) -> None:
    shared = make_rate()
    for client in (person("mary", roles={acme: "admin"}), person("root", is_superuser=True)):
        for method, path in (("delete", ""), ("post", "/end")):
            problem = asked(client, method, f"rates/{shared.pk}{path}", {} if method == "post" else None, status=403)
            assert problem["detail"].startswith("This rate is everybody's: `manage.py load_rates`")
    assert list(Rate.objects.all()) == [shared]


def test_az_09_who_may_only_read_a_rate_changes_nothing_of_it(acme: Organization) -> None:
    rate = make_rate(organization=acme)
    globex = make_organization("globex")
    both = person("both", roles={acme: "manager", globex: "admin"})
    manager = person("manager", roles={acme: "manager"})
    for client in (both, manager):
        assert asked(client, "get", f"rates/{rate.pk}")["id"] == rate.pk
        for method, path in (("delete", ""), ("post", "/end")):
            asked(client, method, f"rates/{rate.pk}{path}", {} if method == "post" else None, status=403)
    assert Rate.objects.count() == 1


def test_az_11_a_session_needs_its_csrf_token(acme: Organization, admin: Client) -> None:
    admin.handler.enforce_csrf_checks = True
    rate = make_rate(organization=acme)
    for method, path in (("post", "rates"), ("delete", f"rates/{rate.pk}"), ("post", f"rates/{rate.pk}/end")):
        assert "CSRF" in asked(admin, method, path, {} if method == "post" else None, status=403)["detail"]
    assert Rate.objects.count() == 1


# Ended, deleted.


def test_an_ended_rate_leaves_the_model_without_a_price(acme: Organization, admin: Client) -> None:
    make_rate()
    rate = make_rate(per_million=("2", "10"), organization=acme)
    ended = asked(admin, "post", f"rates/{rate.pk}/end", {"ends_at": "2026-11-21T14:00:00+02:00"})
    assert ended == asked(admin, "get", f"rates/{rate.pk}")
    assert (ended["id"], ended["ends_at"]) == (rate.pk, "2026-11-21T12:00:00+00:00")
    following = Rate.objects.latest("id")
    assert (following.organization, following.effective_from) == (acme, LATER)
    told = asked(admin, "get", f"rates/{following.pk}")
    assert {name: told[name] for name in NO_PRICES} == NO_PRICES
    record_events([make_event(occurred_at=LATER)])
    assert ResourceUsage.objects.get().cost_usd is None


@pytest.mark.parametrize("body", [None, {}, {"ends_at": None}])
def test_a_rate_ends_now_unless_told_otherwise(acme: Organization, admin: Client, body: Any) -> None:
    rate = make_rate(organization=acme)
    assert asked(admin, "post", f"rates/{rate.pk}/end", body)["ends_at"] == "2026-11-20T12:00:00+00:00"


def test_what_can_not_end_is_refused(acme: Organization, admin: Client) -> None:
    rate = make_rate(organization=acme, effective_from=NOON)
    for wrong in ("2026-11-20T12:00:00Z", "2026-11-19T00:00:00Z", "2026-11-21", "9999-12-31T00:00:00Z", "", 7, []):
        problem = asked(admin, "post", f"rates/{rate.pk}/end", {"ends_at": wrong}, status=400)
        assert list(problem["errors"]) == ["ends_at"]
    asked(admin, "post", f"rates/{rate.pk}/end", {"end": "2026-11-21T00:00:00Z"}, status=400)
    asked(admin, "post", f"rates/{rate.pk}/end", {"ends_at": "2026-11-21T12:00:00Z"})
    problem = asked(admin, "post", f"rates/{rate.pk}/end", {"ends_at": "2026-11-22T12:00:00Z"}, status=409)
    assert "follows it from 2026-11-21T12:00:00+00:00 on" in problem["detail"]
    assert Rate.objects.count() == 2


def test_an_unused_rate_is_deleted_and_a_used_one_stands(acme: Organization, admin: Client) -> None:
    rate = make_rate(organization=acme)
    rate.tiers.create(above_input_tokens=9)
    record_events([make_event()])
    problem = asked(admin, "delete", f"rates/{rate.pk}", status=409)
    assert problem["detail"] == (
        f"Rate {rate.pk} has priced usage, and stands for good. End it, or let another one follow it."
    )
    unused = asked(admin, "post", "rates", NEW, status=201)["id"]
    asked(admin, "delete", f"rates/{unused}", status=204)
    asked(admin, "delete", f"rates/{unused}", status=404)
    assert list(Rate.objects.all()) == [rate]


def test_a_rate_that_is_deleted_meanwhile_is_a_404(
    acme: Organization, admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    rate = make_rate(organization=acme)

    def gone(*args: Any, **options: Any) -> None:
        raise Rate.DoesNotExist

    monkeypatch.setattr("costtrack.pricing.own_rates._locked", gone)
    for method, path in (("delete", ""), ("post", "/end")):
        asked(admin, method, f"rates/{rate.pk}{path}", {} if method == "post" else None, status=404)


def test_who_did_it_is_in_the_site_s_history(acme: Organization, admin: Client) -> None:
    made = asked(admin, "post", "rates", NEW, status=201)["id"]
    asked(admin, "post", f"rates/{made}/end", {"ends_at": "2027-01-01T00:00:00Z"})
    following = Rate.objects.latest("id").pk
    asked(admin, "delete", f"rates/{following}", status=204)
    entries = LogEntry.objects.order_by("id").values_list("user__username", "object_id", "action_flag")
    assert list(entries) == [
        ("mary", str(made), 1),
        ("mary", str(following), 1),
        ("mary", str(made), 2),
        ("mary", str(following), 3),
    ]
    messages = [entry.get_change_message() for entry in LogEntry.objects.order_by("id")]
    assert messages == ["Added.", "Added.", "Changed ends_at.", ""]


def test_without_the_admin_site_there_is_no_such_history(acme: Organization, admin: Client) -> None:
    with modify_settings(INSTALLED_APPS={"remove": ["django.contrib.admin"]}):
        asked(admin, "post", "rates", NEW, status=201)
    assert not LogEntry.objects.exists()


def test_effective_from_is_told_in_the_zone_of_its_organization() -> None:
    kolkata = make_organization(timezone="Asia/Kolkata")
    rate = make_rate(organization=kolkata, effective_from=datetime(2026, 11, 20, tzinfo=UTC))
    client = person(roles={kolkata: "viewer", make_organization("globex"): "viewer"})
    assert asked(client, "get", f"rates/{rate.pk}")["effective_from"] == "2026-11-20T05:30:00+05:30"
