"""Whose a call of the proxy is: by what LiteLLM knows of the key, its team, organization, user and tags.

Keys of LiteLLM's own are rows of a database that it reaches by Prisma, whose engines can not be had without a network.
Here a `custom_auth` of the proxy gives LiteLLM what those rows would; from there on all is LiteLLM's.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from costtrack.models import ResourceUsage
from tests.factories import make_organization, make_rate
from tests.integrations.litellm.bodies import chat, chat_stream
from tests.integrations.litellm.proxy_auth import PLAIN_KEY, SEARCH_KEY
from tests.integrations.litellm.proxy_process import Proxy, running_proxy
from tests.integrations.wire.server import Wire
from tests.metering.budgeted import make_budget, spent_and_held

pytestmark = pytest.mark.django_db(transaction=True)

FULL = Decimal("0.0045")
"""1000 x 3 + 100 x 15 = 4,500 per million."""


@pytest.fixture(scope="module")
def proxy(running_wire: Wire, tmp_path_factory: pytest.TempPathFactory, django_db_setup: None) -> Iterator[Proxy]:
    folder = tmp_path_factory.mktemp("litellm")
    authenticate = "tests.integrations.litellm.proxy_auth.authenticate"
    with running_proxy(folder, provider=running_wire.url, authenticate=authenticate, key=SEARCH_KEY) as proxy:
        yield proxy


def only_row(proxy: Proxy) -> ResourceUsage:
    proxy.wait_for(ResourceUsage.objects.exists)
    return ResourceUsage.objects.get()


@pytest.mark.parametrize("how", [{}, {"stream": True}], ids=["whole", "stream"])
def test_a_call_belongs_to_its_keys_organization_team_user_and_tags(
    wire: Wire, proxy: Proxy, how: dict[str, Any]
) -> None:
    make_rate()
    make_organization("acme")
    make_organization("default")
    wire.gives(chat_stream() if how else chat())
    answered = proxy.post(user="customer-9", metadata={"tags": ["team:mine"]}, **how)
    assert answered.status_code == 200, answered.text
    row = only_row(proxy)
    assert row.project is not None
    assert row.agent is not None
    assert (row.organization.slug, row.project.slug, row.agent.slug) == ("acme", "search-team", "crawler-key")
    assert (row.user, row.customer, row.cost_usd) == ("ada@acme.example", "customer-9", FULL)
    assert row.tags == {"team": "mine", "env": "prod", "beta": "true", "cost-center": "7"}


def test_a_client_can_not_pass_for_another_key(wire: Wire, proxy: Proxy) -> None:
    make_rate()
    make_organization("acme")
    make_organization("globex")
    forged = {"user_api_key_org_alias": "globex", "user_api_key_team_alias": "other", "user_api_key_alias": "other"}
    wire.gives(chat())
    proxy.post(metadata=forged, **forged)
    row = only_row(proxy)
    assert row.project is not None
    assert (row.organization.slug, row.project.slug) == ("acme", "search-team")


def test_the_organizations_budget_refuses_its_keys_and_no_others(wire: Wire, proxy: Proxy) -> None:
    make_rate()
    budget = make_budget(make_organization("acme"), "0.01")
    make_organization("default")
    # 10 in x 3 + 1000 out at most x 15 = 15,030 per million, 0.01503 USD
    assert proxy.post(max_tokens=1000).status_code == 402
    assert wire.requests == []
    wire.gives(chat())
    answered = proxy.post(max_tokens=1000, headers={"authorization": f"Bearer {PLAIN_KEY}"})
    assert answered.status_code == 200, answered.text
    row = only_row(proxy)
    assert (row.organization.slug, row.project, row.agent) == ("default", None, None)
    assert spent_and_held(budget) == (Decimal(0), Decimal(0))


def test_the_budget_of_a_team_refuses_its_keys(wire: Wire, proxy: Proxy) -> None:
    make_rate()
    acme = make_organization("acme")
    make_budget(acme, "0.01", project=acme.projects.create(slug="search-team"))
    assert proxy.post(max_tokens=1000).status_code == 402
    wire.gives(chat())
    assert proxy.post(max_tokens=100).status_code == 200
    assert only_row(proxy).cost_usd == FULL
