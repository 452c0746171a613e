"""Whatever JSON is sent, under the names that are known: an answer of the contract, never a server error."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from costtrack.api.event_input import EVENT
from costtrack.api.holds import RENEW, RESERVE, SETTLE
from costtrack.models import BudgetCounter, ResourceUsage
from tests.api.callers import ROOT, robot
from tests.budgets.asked import make_budget
from tests.factories import make_organization, make_rate

pytestmark = pytest.mark.django_db

TEXTS = st.one_of(
    st.text(max_size=20), st.sampled_from(["", "acme", "llm_tokens", "api_call", "\x00", "NaN", "1e400", "x" * 300])
)
NUMBERS = st.one_of(
    st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.sampled_from([0, 1, 10**11, 2**63])
)
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS)
VALUES = st.recursive(
    SCALARS, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3))
)
SOUND: dict[str, Any] = {"provider": "openai", "model": "test-model", "input_tokens": 10}


def bodies(names: Any) -> st.SearchStrategy[Any]:
    fields = st.dictionaries(st.sampled_from([*sorted(names), "unknown"]), VALUES, max_size=4)
    return st.builds(lambda told: {**{k: v for k, v in SOUND.items() if k in names}, **told}, fields)


@pytest.mark.parametrize(
    ("path", "names", "statuses"),
    [
        ("usage", EVENT, {202, 400, 409}),
        ("reserve", RESERVE, {200, 201, 400, 402, 409}),
        ("holds/{hold}/settle", SETTLE, {200, 400, 409}),
        ("holds/{hold}/renew", RENEW, {200, 400, 409}),
    ],
)
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data())
def test_any_values_get_an_answer_of_the_contract(
    path: str, names: Any, statuses: set[int], data: st.DataObject
) -> None:
    """Every example begins with an organization, a budget and a hold."""
    from django.db import transaction

    body = data.draw(st.one_of(bodies(names), st.lists(bodies(names), max_size=3) if path == "usage" else VALUES))
    with transaction.atomic():
        make_rate()
        acme = make_organization()
        make_budget(acme, "1000")
        client = robot(acme)
        call = {**SOUND, "max_output_tokens": 10}
        held = client.post(ROOT + "reserve", call, content_type="application/json").json()["id"]
        answer = client.generic(
            "POST", ROOT + path.format(hold=held), json.dumps(body), content_type="application/json"
        )
        assert answer.status_code in statuses, answer.content
        assert answer["Content-Type"] == (
            "application/json" if answer.status_code < 300 else "application/problem+json"
        )
        answer.json()
        rows = ResourceUsage.objects.count()
        assert rows == (answer.json().get("accepted", int(answer.status_code == 200 and "settle" in path)))
        assert all(counter.held >= 0 for counter in BudgetCounter.objects.all())
        transaction.set_rollback(True)
