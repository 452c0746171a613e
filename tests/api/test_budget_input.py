"""Bodies of budgets: whatever is sent, a 400 that names the field, or what was meant; never a server error."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from costtrack.api.budget_input import CHANGES, NEW
from costtrack.models import Budget, BudgetChange, Organization
from tests.api.callers import ROOT, person
from tests.api.test_any_body import VALUES
from tests.budgets.asked import make_budget
from tests.factories import make_organization

pytestmark = pytest.mark.django_db

GOOD: dict[str, Any] = {"period": "day", "enforcement": "hard", "limit": "50"}


@pytest.fixture
def client(db: None) -> Client:
    return person("mary", roles={make_organization(): "manager"})


@pytest.fixture
def budget(client: Client) -> Budget:
    """One that the client manages."""
    return make_budget(Organization.objects.get(), "10")


def refused(client: Client, body: bytes | str, *, method: str = "post", path: str = "budgets") -> Any:
    """The problem document of the 400."""
    kind = "application/json"  # the test client says it only of a body that is not empty
    answer = client.generic(method.upper(), ROOT + path, body, content_type=kind, CONTENT_TYPE=kind)
    assert answer.status_code == 400, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert "\n" not in problem["detail"]
    assert len(problem["detail"]) < 600
    return problem


NEVER_SAID = {
    "id": 7,
    "spent": "0",
    "held": "0",
    "leased": "0",
    "remaining": "50",
    "created_by": 1,
    "changed_by": "root",
    "created_at": "2026-11-20T00:00:00Z",
    "alert_generation": 5,
    "organization_id": 1,
    "project_id": 1,
    "agent_id": 1,
    "budget_epoch": 9,
    "counters": [],
    "pk": 1,
    "_state": {},
    "__class__": "x",
}


def test_az_03_what_is_worked_out_can_not_be_said(client: Client) -> None:
    for name, value in NEVER_SAID.items():
        problem = refused(client, json.dumps({**GOOD, name: value}))
        assert list(problem["errors"]) == [name]
        assert problem["detail"].startswith(f"{name}: no such field.")
    assert not Budget.objects.exists()


def test_az_03_nor_when_it_is_changed(client: Client, budget: Budget) -> None:
    for name, value in NEVER_SAID.items():
        problem = refused(client, json.dumps({"limit": "20", name: value}), method="patch", path=f"budgets/{budget.pk}")
        said = "never changes" if name in ("id", "created_at") else f"{name}: no such field."
        assert said in problem["detail"]
    assert BudgetChange.objects.count() == 1


def test_az_03_an_organization_of_somebody_else_can_not_be_said(client: Client) -> None:
    make_organization("globex")
    told = {
        refused(client, json.dumps({**GOOD, "organization": slug}))["detail"].replace(slug, "X")
        for slug in ("globex", "unheard-of")
    }
    assert told == {"organization: got 'X', expected the slug of an organization whose budgets you manage."}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("-1", "greater than or equal to 0"),
        ("-0.01", "greater than or equal to 0"),
        ('"-1"', "greater than or equal to 0"),
        (str(10**30), "no more than 30 digits"),
        (f'"{10**18}"', "no more than 18 digits before the decimal point"),
        ("9" * 5000, "The body is no JSON"),
        ("NaN", "The body is no JSON"),
        ("Infinity", "The body is no JSON"),
        ("-Infinity", "The body is no JSON"),
        ("1e999", "The body is no JSON"),
        ('"NaN"', "expected a finite number"),
        ('"sNaN"', "expected a finite number"),
        ('"Infinity"', "expected a finite number"),
        ('"1e999"', "expected a number of ordinary size"),
        ('"1e-13"', "no more than 12 decimal places"),
        ("1e-300", "expected a number of ordinary size"),
        (f'"{"9" * 61}"', "expected a number of at most 60 characters"),
        ('"50 USD"', "expected a number"),
        ('""', "limit is empty, expected a number"),
        ('"\\u0000"', "expected a text without NUL"),
        ("true", "expected a number"),
        ("[50]", "expected a number"),
        ('{"usd": 50}', "expected a number"),
        ("null", "Give a limit of 0 or more"),
    ],
)
def test_in_01_in_02_in_03_in_06_in_08_a_limit_that_is_none_is_a_400(
    client: Client, budget: Budget, value: str, said: str
) -> None:
    body = f'{{"period": "day", "enforcement": "hard", "limit": {value}}}'
    problem = refused(client, body)
    assert said in problem["detail"]
    if "JSON" not in said:
        assert list(problem["errors"]) == ["limit"]
    refused(client, f'{{"limit": {value}}}', method="patch", path=f"budgets/{budget.pk}")
    assert (Budget.objects.get().limit, BudgetChange.objects.count()) == (10, 1)


NO_OBJECTS = [
    *(b"", b"null", b"[]", b"[{}]", b'"x"', b"7", b"true", b"{", b"{]", b"\xff\xfe", b"\x00", b"period=day&limit=50"),
    *(b'{"a": "\xff"}', b'{"name": "\\ud800"}', b"[" * 100_000, b'{"name":' * 100_000),
    b'{"name": ' + b"[" * 20 + b"]" * 20 + b"}",
]


def test_in_14_what_is_no_object_is_a_400(client: Client, budget: Budget) -> None:
    for body in NO_OBJECTS:
        refused(client, body)
        refused(client, body, method="patch", path=f"budgets/{budget.pk}")
    assert BudgetChange.objects.count() == 1


def test_a_limit_of_calls_is_whole(client: Client, budget: Budget) -> None:
    problem = refused(client, json.dumps({**GOOD, "metric": "calls", "limit": "0.5"}))
    assert problem["errors"] == {"limit": ["Give a whole number: of calls and tokens there is no part."]}


@pytest.mark.parametrize("name", sorted(NEW.keys() - {"limit"}))
def test_in_20_a_value_of_the_wrong_kind_is_a_400_that_names_its_field(client: Client, name: str) -> None:
    values: list[Any] = ["\x00", "a\x00b", "x" * 5000, [], {}, ["x"], {"x": 1}, 1.5, 1e300]
    if name != "note":  # which may have several lines
        values += ["\u202e", "a\tb", "a\nb", "\U000e0001"]
    for value in values:
        body = {**GOOD, **({"entity_type": "job"} if name == "entity_id" else {}), name: value}
        assert list(refused(client, json.dumps(body))["errors"]) == [name]
    assert not Budget.objects.exists()


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["limit", "period"]),
        ({**GOOD, "period": "fortnight"}, ["period"]),
        ({**GOOD, "period": "Day"}, ["period"]),
        ({**GOOD, "enforcement": "gentle"}, ["enforcement"]),
        ({**GOOD, "per": "user"}, ["per"]),
        ({**GOOD, "metric": "euros"}, ["metric"]),
        ({**GOOD, "metric": "amount"}, ["resource_type"]),
        ({**GOOD, "entity_id": "42"}, ["entity_type"]),
        ({**GOOD, "is_unlimited": True}, ["limit"]),
        ({**GOOD, "provider": "x" * 101}, ["provider"]),
        ({**GOOD, "resource_type": "x" * 51}, ["resource_type"]),
        ({**GOOD, "note": "x" * 501}, ["note"]),
        ({**GOOD, "is_active": "true"}, ["is_active"]),
        ({**GOOD, "limits": "50"}, ["limits"]),
        ({"period": None, "enforcement": None, "limit": None}, ["limit", "period"]),
    ],
)
def test_every_field_that_is_wrong_is_named(client: Client, body: dict[str, Any], fields: list[str]) -> None:
    problem = refused(client, json.dumps(body))
    assert sorted(problem["errors"]) == fields
    assert all(name in problem["detail"] and texts for name, texts in problem["errors"].items())


def test_a_mistyped_field_is_told_the_one_that_was_meant(client: Client) -> None:
    problem = refused(client, json.dumps({**GOOD, "enforcment": "hard"}))
    assert problem["detail"] == "enforcment: no such field. Did you mean enforcement?"
    assert problem["errors"] == {"enforcment": ["no such field. Did you mean enforcement?"]}


def test_in_15_a_body_that_is_too_long_is_a_413_and_one_that_is_no_json_a_415(
    client: Client, budget: Budget, settings: Any
) -> None:
    settings.COSTTRACK = {**settings.COSTTRACK, "INGEST_MAX_BYTES": 1000}
    for method, where in (("POST", "budgets"), ("PATCH", f"budgets/{budget.pk}")):
        for body, content_type, status in (
            (json.dumps({**GOOD, "note": "x" * 1000}), "application/json", 413),
            (json.dumps(GOOD), "text/plain", 415),
            ("limit=5", "application/x-www-form-urlencoded", 415),
        ):
            assert client.generic(method, ROOT + where, body, content_type=content_type).status_code == status


@pytest.mark.parametrize(("method", "names"), [("post", NEW), ("patch", CHANGES)])
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data())
def test_any_values_get_an_answer_of_the_contract(method: str, names: Any, data: st.DataObject) -> None:
    said = st.dictionaries(st.sampled_from([*sorted(names), "unknown"]), VALUES, max_size=4)
    sound = GOOD if method == "post" else {}
    body = data.draw(st.one_of(said.map(lambda told: {**sound, **told}), VALUES))
    with transaction.atomic():
        acme = make_organization()
        budget = make_budget(acme)
        path = "budgets" if method == "post" else f"budgets/{budget.pk}"
        answer = person(roles={acme: "manager"}).generic(
            method.upper(), ROOT + path, json.dumps(body), content_type="application/json"
        )
        assert answer.status_code in (201 if method == "post" else 200, 400), answer.content
        assert answer.json()
        assert Budget.objects.count() == (2 if answer.status_code == 201 else 1)
        transaction.set_rollback(True)
