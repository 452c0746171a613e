"""A running LiteLLM proxy with costtrack's callback in its config.yaml; real HTTP on both of its sides."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from costtrack.budgets.changes import create_budget
from costtrack.models import Budget, Hold, Organization, ResourceUsage
from tests.factories import make_organization, make_rate
from tests.integrations.litellm.bodies import chat, chat_stream, failure
from tests.integrations.litellm.proxy_process import ASKED, Proxy, running_proxy
from tests.integrations.wire.server import Wire
from tests.metering.budgeted import spent_and_held

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def proxy(running_wire: Wire, tmp_path_factory: pytest.TempPathFactory, django_db_setup: None) -> Iterator[Proxy]:
    with running_proxy(tmp_path_factory.mktemp("litellm"), provider=running_wire.url) as proxy:
        yield proxy


def rows(proxy: Proxy, count: int = 1) -> list[ResourceUsage]:
    """The ledger, once it has so many rows; and a little later, that no more come."""
    proxy.wait_for(lambda: ResourceUsage.objects.count() >= count)
    time.sleep(0.2)
    found = list(ResourceUsage.objects.order_by("id"))
    assert len(found) == count
    return found


def hard_budget(limit: str, **fields: Any) -> Budget:
    organization, _ = Organization.objects.get_or_create(slug="default")
    return create_budget(organization=organization, limit=Decimal(limit), period="total", enforcement="hard", **fields)


def test_a_call_through_the_proxy_is_booked(wire: Wire, proxy: Proxy) -> None:
    make_rate()
    wire.gives(chat())
    answered = proxy.post(user="ada", metadata={"tags": ["team:search"], "session_id": "t-1"})
    assert answered.status_code == 200, answered.text
    [row] = rows(proxy)
    # 1000 x 3 + 100 x 15 = 4500 per million; LiteLLM says 0, for it knows no price
    assert (row.cost_usd, row.cost_source) == (Decimal("0.0045"), "estimated")
    assert (row.provider, row.gateway, row.model) == ("openai", "litellm", "test-model")
    assert row.idempotency_key == f"litellm:{answered.headers['x-litellm-call-id']}"
    assert (row.customer, row.thread_id, row.tags) == ("ada", "t-1", {"team": "search"})
    assert row.metadata["model_group"] == "alias"


def test_an_unpriced_call_is_unpriced_and_not_0(wire: Wire, proxy: Proxy) -> None:
    wire.gives(chat())
    proxy.post()
    [row] = rows(proxy)
    assert (row.cost_usd, row.cost_source, row.unpriced_calls) == (None, "unpriced", 1)


def test_the_proxys_cost_is_reported(wire: Wire, proxy: Proxy) -> None:
    wire.gives(chat("gpt-4o"))
    proxy.post(model="known")
    [row] = rows(proxy)
    # LiteLLM's map: 600 x 2.5 + 400 x 1.25 + 100 x 10 = 3000 per million
    assert (row.cost_usd, row.cost_source, row.model) == (Decimal("0.003"), "reported", "gpt-4o")


def test_a_stream_through_the_proxy_is_booked_once(wire: Wire, proxy: Proxy) -> None:
    make_rate()
    wire.gives(chat_stream())
    answered = proxy.post(stream=True)
    assert "you!" in answered.text
    [row] = rows(proxy)
    assert (row.cost_usd, row.input_tokens, row.output_tokens, row.model) == (
        Decimal("0.0045"), 1000, 100, "test-model",
    )  # fmt: skip


def test_a_call_is_refused_with_402_before_it_is_made(wire: Wire, proxy: Proxy) -> None:
    make_rate()
    # 1000 tokens out at most: 10 in x 3 + 1000 x 15 = 15030 per million, 0.01503 USD
    budget = hard_budget("0.01")
    answered = proxy.post(max_tokens=1000)
    assert answered.status_code == 402
    error = answered.json()["error"]
    problem = json.loads(error["message"])
    assert (error["code"], problem["type"], problem["needed"]) == ("402", "urn:costtrack:budget-exceeded", "0.01503")
    assert wire.requests == [], "the provider was not asked"
    time.sleep(0.5)
    assert not ResourceUsage.objects.exists(), "a refused call is no call"
    assert spent_and_held(budget) == (Decimal(0), Decimal(0))


def test_what_was_held_is_settled_by_what_was_used(wire: Wire, proxy: Proxy) -> None:
    make_rate()
    budget = hard_budget("0.02")
    wire.gives(chat())
    assert proxy.post(max_tokens=1000).status_code == 200
    [row] = rows(proxy)
    assert row.cost_usd == Decimal("0.0045")
    assert spent_and_held(budget) == (Decimal("0.0045"), Decimal(0))
    assert list(Hold.objects.values_list("state", flat=True)) == ["settled"]
    # 0.0045 spent + 0.01503 = 0.01953 fits into 0.02 once more; then not
    wire.gives(chat())
    assert proxy.post(max_tokens=1000).status_code == 200
    rows(proxy, 2)
    assert proxy.post(max_tokens=1000).status_code == 402


def test_a_failed_call_gives_back_what_was_held(wire: Wire, proxy: Proxy) -> None:
    make_rate()
    budget = hard_budget("0.02")
    wire.gives(failure())
    assert proxy.post(max_tokens=1000).status_code == 400
    [row] = rows(proxy)
    assert (row.outcome, row.cost_usd) == ("error", Decimal(0))
    proxy.wait_for(lambda: spent_and_held(budget) == (Decimal(0), Decimal(0)))
    assert list(Hold.objects.values_list("state", flat=True)) == ["released"]


def test_a_client_that_leaves_a_stream_pays_for_what_came(wire: Wire, proxy: Proxy) -> None:
    make_rate()
    budget = hard_budget("0.02")
    wire.gives(chat_stream(between_seconds=0.3))
    with proxy.client.stream(
        "POST", "/v1/chat/completions", json={"model": "alias", "messages": ASKED, "stream": True, "max_tokens": 1000}
    ) as answered:
        next(answered.iter_bytes())
    [row] = rows(proxy)
    # LiteLLM counts what had come: 17 tokens in, with its own for the message, and 4 out ("Hello, ", and what was under
    # way); 17 x 3 + 4 x 15 = 111 per million
    assert (row.input_tokens, row.is_estimated, row.metadata["stream"]) == (17, True, "ended early")
    assert row.cost_usd == Decimal(17 * 3 + row.output_tokens * 15).scaleb(-6)
    assert 1 <= row.output_tokens <= 4
    assert spent_and_held(budget) == (row.cost_usd, Decimal(0))


def test_a_call_id_that_the_client_chose_does_not_make_two_calls_one(wire: Wire, proxy: Proxy) -> None:
    make_rate()
    wire.gives(chat(response_id="chatcmpl-first-of-two"), chat(response_id="chatcmpl-second-of-two"))
    for _ in range(2):
        assert proxy.post(headers={"x-litellm-call-id": "always-the-same"}).status_code == 200
    first, second = rows(proxy, 2)
    assert first.idempotency_key == "litellm:always-the-same:chatcmpl-first-of-two"
    assert second.idempotency_key == "litellm:always-the-same:chatcmpl-second-of-two"


def test_a_retry_of_the_proxy_is_booked_beside_the_failure(wire: Wire, proxy: Proxy) -> None:
    make_rate()
    budget = hard_budget("0.02")
    wire.gives(failure(500), chat())
    assert proxy.post(max_tokens=1000, num_retries=1).status_code == 200
    first, second = rows(proxy, 2)
    assert (first.outcome, first.cost_usd, second.outcome, second.cost_usd) == (
        "error", Decimal(0), "success", Decimal("0.0045"),
    )  # fmt: skip
    assert spent_and_held(budget) == (Decimal("0.0045"), Decimal(0))


def test_the_worst_case_is_that_of_the_models_most_output(wire: Wire, proxy: Proxy) -> None:
    make_rate("gpt-4o")
    hard_budget("0.24")
    # LiteLLM's map says 16384 tokens at most: 10 x 3 + 16384 x 15 = 245790 per million, above 0.24
    assert proxy.post(model="known").status_code == 402
    wire.gives(chat("gpt-4o"))
    assert proxy.post(model="known", max_tokens=100).status_code == 200
    rows(proxy)


def test_a_client_can_not_say_that_it_is_another_organizations(wire: Wire, proxy: Proxy) -> None:
    make_organization("acme")
    make_rate()
    hard_budget("0.05")
    forged = {"user_api_key_org_alias": "acme", "user_api_key_hash": "x", "user_api_key_team_alias": "search"}
    wire.gives(chat(), chat(), chat())
    for body in ({"metadata": forged}, {"litellm_metadata": forged}, forged):
        assert proxy.post(max_tokens=1000, **body).status_code in (200, 400)
    assert [(row.organization.slug, row.project) for row in rows(proxy, 3)] == [("default", None)] * 3


def test_a_client_can_not_settle_the_hold_of_another_one(wire: Wire, proxy: Proxy) -> None:
    make_rate()
    hard_budget("0.05")
    wire.gives(chat(), chat())
    for _ in range(2):
        proxy.post(max_tokens=1000, metadata={"costtrack_request": "0" * 32})
    rows(proxy, 2)
    assert list(Hold.objects.values_list("state", flat=True)) == ["settled", "settled"]
