"""Tools that are paid by the call: success is billed once; a failure is recorded and costs nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import httpx
import pytest
import requests
from asgiref.sync import async_to_sync

from costtrack import attribute
from costtrack.exceptions import BudgetExceeded, InvalidUsage
from costtrack.integrations.tools import instrument, track_tool, uninstrument
from costtrack.models import Rate, ResourceUsage
from costtrack.pricing.ratebook import forget_rates
from tests.factories import make_organization
from tests.integrations.wire.answers import Answer, json_answer
from tests.integrations.wire.server import Wire
from tests.metering.budgeted import make_budget

pytestmark = pytest.mark.django_db

HOSTS = {"127.0.0.1": "pubmed"}
Get = Callable[[str], int]


@pytest.fixture(autouse=True)
def rate() -> None:
    """A call of pubmed costs 0.005 USD."""
    make_organization("default")
    Rate.objects.create(provider="pubmed", model="*", resource_type="api_call", unit_price_usd=Decimal("0.005"))
    forget_rates()


def rows() -> list[tuple[Any, ...]]:
    return list(
        ResourceUsage.objects.order_by("id").values_list("resource_type", "provider", "outcome", "amount", "cost_usd")
    )


BILLED = ("api_call", "pubmed", "success", 1, Decimal("0.005"))
FAILED = ("api_call", "pubmed", "error", 0, 0)


@track_tool("pubmed", tags={"team": "search"})
def search(term: str, *, thread_id: str = "") -> list[str]:
    if not term:
        raise ValueError("no term")
    return [term]


@track_tool("pubmed")
async def search_async(term: str) -> list[str]:
    await asyncio.sleep(0)
    return search.__wrapped__(term)  # type: ignore[attr-defined, no-any-return]


def test_success_is_billed_as_one_call_and_failure_is_recorded_and_costs_nothing() -> None:
    assert search("asthma", thread_id="t-1") == ["asthma"]
    with pytest.raises(ValueError, match="no term"):
        search("")
    assert rows() == [BILLED, FAILED]
    first, second = ResourceUsage.objects.order_by("id")
    assert (first.endpoint, first.thread_id, first.tags) == ("search", "t-1", {"team": "search"})
    assert (second.error_type, second.error_message) == ("ValueError", "no term")


def test_an_async_tool_is_billed_too() -> None:
    assert async_to_sync(search_async)("asthma") == ["asthma"]
    with pytest.raises(ValueError, match="no term"):
        async_to_sync(search_async)("")
    assert rows() == [BILLED, FAILED]


def test_a_tool_may_be_a_static_method_or_a_generator() -> None:
    class Tools:
        @track_tool("pubmed")
        @staticmethod
        def one() -> int:
            return 1

    @track_tool("pubmed")
    def several() -> Iterator[int]:
        yield 1

    assert (Tools.one(), list(several())) == (1, [1])
    assert rows() == [BILLED] * 2


def test_a_tool_needs_a_name() -> None:
    for name in ("", " ", search):
        with pytest.raises(InvalidUsage, match="track_tool"):
            track_tool(name)  # type: ignore[arg-type]


def test_a_refused_tool_does_not_run() -> None:
    ran = []
    make_budget(make_organization(), "0.0049")

    @track_tool("pubmed", organization="acme")
    def tool() -> None:
        ran.append(1)

    with pytest.raises(BudgetExceeded):
        tool()
    assert (ran, rows()) == ([], [])


@pytest.fixture(params=["requests", "httpx", "httpx async"])
def http(request: pytest.FixtureRequest) -> Iterator[tuple[Any, Get]]:
    """A client, and a function that gets a URL with it and gives the status."""
    if request.param == "requests":
        with requests.Session() as session:
            yield session, lambda url: int(session.get(url).status_code)
    elif request.param == "httpx":
        with httpx.Client(follow_redirects=True) as client:
            yield client, lambda url: client.get(url).status_code
    else:
        made = httpx.AsyncClient(follow_redirects=True)

        async def get(url: str) -> int:
            answer = await made.get(url)
            await made.aclose()
            return answer.status_code

        yield made, async_to_sync(get)


def test_a_request_to_a_named_host_is_one_call(wire: Wire, http: tuple[Any, Get]) -> None:
    client, get = http
    assert instrument(client, hosts=HOSTS, endpoint="literature") is client
    wire.gives(json_answer({"ids": []}))
    with attribute(thread_id="t-1"):
        assert get(f"{wire.url}/esearch") == 200
    assert rows() == [BILLED]
    row = ResourceUsage.objects.get()
    assert (row.endpoint, row.thread_id) == ("literature", "t-1")


@pytest.mark.parametrize("status", [404, 429, 500])
def test_an_answer_that_is_no_success_is_a_failure(status: int, wire: Wire, http: tuple[Any, Get]) -> None:
    client, get = http
    instrument(client, hosts=HOSTS)
    wire.gives(json_answer({}, status))
    assert get(wire.url) == status
    assert rows() == [FAILED]
    assert ResourceUsage.objects.get().error_message == f"HTTP {status}"


def test_a_request_without_an_answer_is_a_failure(http: tuple[Any, Get]) -> None:
    client, get = http
    instrument(client, hosts=HOSTS)
    with pytest.raises((requests.ConnectionError, httpx.ConnectError)):
        get("http://127.0.0.1:9/nobody-listens")
    assert rows() == [FAILED]


def test_redirects_are_part_of_their_request(wire: Wire, http: tuple[Any, Get]) -> None:
    client, get = http
    instrument(client, hosts=HOSTS)
    wire.gives(Answer(302, {"location": f"{wire.url}/there"}), json_answer({}))
    assert get(f"{wire.url}/here") == 200
    assert len(wire.requests) == 2
    assert rows() == [BILLED]


def test_other_hosts_are_not_billed(wire: Wire, http: tuple[Any, Get]) -> None:
    client, get = http
    instrument(client, hosts={"eutils.ncbi.nlm.nih.gov": "pubmed"})
    wire.gives(json_answer({}))
    assert get(wire.url) == 200
    assert rows() == []


def test_a_refused_request_never_reaches_the_wire(wire: Wire, http: tuple[Any, Get]) -> None:
    client, get = http
    make_budget(make_organization(), "0.0049")
    instrument(client, hosts=HOSTS, organization="acme")
    with pytest.raises(BudgetExceeded):
        get(wire.url)
    assert (wire.requests, rows()) == ([], [])


def test_instrumented_twice_is_once_and_not_any_more_is_never(wire: Wire) -> None:
    with requests.Session() as session:
        instrument(instrument(session, hosts=HOSTS), hosts={"127.0.0.1": "pubmed"}, endpoint="last")
        wire.gives(json_answer({}), json_answer({}))
        session.get(wire.url)
        uninstrument(uninstrument(session)).get(wire.url)
        assert "send" not in vars(session)
    assert ResourceUsage.objects.get().endpoint == "last"


def test_the_requests_of_a_tool_of_the_same_name_are_part_of_its_call(wire: Wire) -> None:
    with requests.Session() as session:
        instrument(session, hosts={**HOSTS, "localhost": "crossref"})

        @track_tool("pubmed")
        def twice() -> None:
            session.get(wire.url)
            session.get(wire.url)
            session.get(wire.url.replace("127.0.0.1", "localhost"))

        wire.gives(*[json_answer({})] * 4)
        twice()
        session.get(wire.url)
    assert [(row[1], row[3]) for row in rows()] == [("crossref", 1), ("pubmed", 1), ("pubmed", 1)]


@pytest.mark.parametrize(
    "hosts", [{}, {"https://a.org": "a"}, {"a.org:443": "a"}, {"a.org/x": "a"}, {"": "a"}, {"a.org": ""}]
)
def test_what_is_no_host_is_refused(hosts: dict[str, str]) -> None:
    with requests.Session() as session, pytest.raises(InvalidUsage, match="hosts"):
        instrument(session, hosts=hosts)


def test_what_is_no_client_is_refused() -> None:
    for thing in (requests, object(), "session"):
        with pytest.raises(InvalidUsage, match=r"requests\.Session"):
            instrument(thing, hosts=HOSTS)
