"""Bodies of rates: whatever is sent, a 400 that names the field, or what was meant; never a server error."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from costtrack.api.openapi.rates import NEW_FIELDS
from costtrack.api.rate_input import END, NEW
from costtrack.models import Rate
from costtrack.models.rates import PRICE_FIELDS
from tests.api.callers import ROOT, person
from tests.api.test_any_body import VALUES
from tests.factories import make_organization, make_rate

pytestmark = pytest.mark.django_db

GOOD: dict[str, Any] = {
    "provider": "openai",
    "model": "gpt-4o",
    "effective_from": "2026-11-20T12:00:00Z",
    "input_usd_per_million": "2.1",
}
PRICES = (*PRICE_FIELDS, "request_usd", "unit_price_usd")


@pytest.fixture
def client(db: None) -> Client:
    return person("mary", roles={make_organization(): "admin"})


def refused(client: Client, body: bytes | str, *, path: str = "rates") -> Any:
    """The problem document of the 400."""
    kind = "application/json"  # the test client says it only of a body that is not empty
    answer = client.generic("POST", ROOT + path, body, content_type=kind, CONTENT_TYPE=kind)
    assert answer.status_code == 400, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert "\n" not in problem["detail"]
    assert len(problem["detail"]) < 600
    return problem


def test_the_fields_that_may_be_said_are_those_that_are_described() -> None:
    assert NEW_FIELDS.keys() == NEW.keys()


def test_az_03_what_is_worked_out_can_not_be_said(client: Client) -> None:
    for name in ("id", "is_used", "ends_at", "created_at", "updated_at", "organization_id", "pk", "_state", "scope"):
        problem = refused(client, json.dumps({**GOOD, name: 1}))
        assert list(problem["errors"]) == [name]
        assert problem["detail"].startswith(f"{name}: no such field.")
    assert not Rate.objects.exists()


@pytest.mark.parametrize("name", PRICES)
def test_in_01_in_02_in_03_in_06_a_price_that_is_none_is_a_400(client: Client, name: str) -> None:
    places = 12 if name in ("request_usd", "unit_price_usd") else 6
    wrong: list[Any] = ["-1", "-0.01", "NaN", "Infinity", "1e5", "1_000", " 1", "1 ", ".5", "5.", "+1", "", "free"]
    wrong += ["\x00", "٣", f"0.{'0' * places}1", "1" + "0" * 9, "9" * 5000]
    wrong += [1, 0.15, True, [], {}, ["1"], {"usd": "1"}]
    for value in wrong:
        assert list(refused(client, json.dumps({**GOOD, name: value}))["errors"]) == [name]
        if name in PRICE_FIELDS:
            tier = {"above_input_tokens": 9, name: value}
            assert list(refused(client, json.dumps({**GOOD, "tiers": [tier]}))["errors"]) == [f"tiers[0].{name}"]
    assert not Rate.objects.exists()


@pytest.mark.parametrize("name", sorted(NEW.keys() - set(PRICES)))
def test_in_20_a_value_of_the_wrong_kind_is_a_400_that_names_its_field(client: Client, name: str) -> None:
    for value in ("\x00", "a\x00b", "x" * 5000, "\u202e", "a\nb", {}, {"x": 1}, 1.5, 1e300, True, [[]], ["x", 7.5]):
        (blamed,) = refused(client, json.dumps({**GOOD, name: value}))["errors"]
        assert blamed.partition("[")[0] == name
    assert not Rate.objects.exists()


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["effective_from"]),
        ({**GOOD, "model": None}, ["model"]),
        ({**GOOD, "model": ""}, ["model"]),
        ({**GOOD, "model": "x" * 201}, ["model"]),
        ({**GOOD, "provider": "x" * 101}, ["provider"]),
        ({**GOOD, "provider": "x" * 101, "source_version": "x" * 51}, ["provider", "source_version"]),
        ({**GOOD, "resource_type": ""}, ["resource_type"]),
        ({**GOOD, "service_tier": "default"}, ["service_tier"]),
        ({**GOOD, "effective_from": None}, ["effective_from"]),
        ({**GOOD, "effective_from": "2026-11-20"}, ["effective_from"]),
        ({**GOOD, "effective_from": "2026-11-20T12:00:00"}, ["effective_from"]),
        ({**GOOD, "effective_from": "0001-01-01T00:00:00+14:00"}, ["effective_from"]),
        ({**GOOD, "effective_from": "9999-12-31T23:59:59-12:00"}, ["effective_from"]),
        ({**GOOD, "window_start": "24:00"}, ["window_start"]),
        ({**GOOD, "window_end": "8:00"}, ["window_end"]),
        ({**GOOD, "window_end": "08:00Z"}, ["window_end"]),
        ({**GOOD, "aliases": "gpt"}, ["aliases"]),
        ({**GOOD, "aliases": ["a"] * 51}, ["aliases"]),
        ({**GOOD, "aliases": ["a", " "]}, ["aliases"]),
        ({**GOOD, "aliases": ["a", None]}, ["aliases[1]"]),
        ({**GOOD, "tiers": {}}, ["tiers"]),
        ({**GOOD, "tiers": [None]}, ["tiers[0]"]),
        ({**GOOD, "tiers": [{"above_input_tokens": 9}] * 21}, ["tiers"]),
        ({**GOOD, "tiers": [{"input_usd_per_million": "1"}]}, ["tiers[0].above_input_tokens"]),
        ({**GOOD, "tiers": [{"above_input_tokens": -1}]}, ["tiers[0].above_input_tokens"]),
        ({**GOOD, "tiers": [{"above_input_tokens": 2**63}]}, ["tiers[0].above_input_tokens"]),
        ({**GOOD, "tiers": [{"above_input_tokens": "9"}]}, ["tiers[0].above_input_tokens"]),
        ({**GOOD, "tiers": [{"above_input_tokens": 9}] * 2}, ["tiers[1].above_input_tokens"]),
        ({**GOOD, "tiers": [{"above_input_tokens": 9, "input": "1"}]}, ["tiers[0].input"]),
        ({**GOOD, "input_usd_per_million": None}, ["input_usd_per_million"]),
        ({**GOOD, "input_usd_per_million": None, "unit_price_usd": "1"}, ["unit_price_usd"]),
        ({**GOOD, "resource_type": "api_call"}, ["unit_price_usd"]),
        ({**GOOD, "input_price": "1"}, ["input_price"]),
    ],
)
def test_every_field_that_is_wrong_is_named(client: Client, body: dict[str, Any], fields: list[str]) -> None:
    problem = refused(client, json.dumps(body))
    assert sorted(problem["errors"]) == fields
    assert all(name in problem["detail"] and texts for name, texts in problem["errors"].items())
    assert not Rate.objects.exists()


def test_a_mistyped_field_is_told_the_one_that_was_meant(client: Client) -> None:
    problem = refused(client, json.dumps({**GOOD, "input_usd_per_millon": "1"}))
    assert problem["detail"] == "input_usd_per_millon: no such field. Did you mean input_usd_per_million?"
    problem = refused(client, json.dumps({**GOOD, "tiers": [{"above": 9}]}))
    assert problem["detail"].startswith("tiers[0].above: no such field. The fields are above_input_tokens, ")


def test_in_14_what_is_no_object_is_a_400(client: Client) -> None:
    for body in (b"", b"null", b"[]", b'"x"', b"{", b"\xff\xfe", b"[" * 100_000, b'{"tiers":' * 100_000):
        refused(client, body)


def test_in_15_a_body_that_is_too_long_is_a_413_and_one_that_is_no_json_a_415(client: Client, settings: Any) -> None:
    settings.COSTTRACK = {**settings.COSTTRACK, "INGEST_MAX_BYTES": 1000}
    for body, kind, status in (
        (json.dumps({**GOOD, "source": "x" * 1000}), "application/json", 413),
        (json.dumps(GOOD), "text/plain", 415),
    ):
        assert client.generic("POST", ROOT + "rates", body, content_type=kind).status_code == status


@pytest.mark.parametrize(("names", "is_new"), [(NEW, True), (END, False)])
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data())
def test_any_values_get_an_answer_of_the_contract(names: Any, is_new: bool, data: st.DataObject) -> None:
    said = st.dictionaries(st.sampled_from([*sorted(names), "unknown"]), VALUES, max_size=4)
    body = data.draw(st.one_of(said.map(lambda told: {**(GOOD if is_new else {}), **told}), VALUES))
    with transaction.atomic():
        acme = make_organization()
        rate = make_rate(organization=acme)
        path = "rates" if is_new else f"rates/{rate.pk}/end"
        answer = person(roles={acme: "admin"}).generic(
            "POST", ROOT + path, json.dumps(body), content_type="application/json"
        )
        assert answer.status_code in (201 if is_new else 200, 400), answer.content
        assert answer.json()
        assert Rate.objects.count() == (1 if answer.status_code == 400 else 2)
        assert Rate.objects.filter(organization=acme).count() == Rate.objects.count()
        transaction.set_rollback(True)
