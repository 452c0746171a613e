"""Clients that wait no longer: the provider may have worked, so the input is charged, flagged; unless none was sent."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import anthropic
import httpx2
import openai
import pytest

from costtrack import meter
from costtrack.integrations.anthropic import instrument as instrument_anthropic
from costtrack.integrations.openai import instrument
from costtrack.models import Rate, ResourceUsage
from tests.factories import make_organization, make_rate
from tests.integrations.wire.answers import json_answer
from tests.integrations.wire.server import Wire

pytestmark = pytest.mark.django_db

SAID: list[Any] = [{"role": "user", "content": "x" * 40}]
"""10 tokens, at 4 characters each."""
LATE = json_answer({}, after_seconds=0.6)


@pytest.fixture
def rate() -> Rate:
    """USD per million: 3 input, 15 output."""
    make_organization("default")
    return make_rate("gpt-test")


def of_openai(wire: Wire, **more: Any) -> None:
    with openai.OpenAI(api_key="test", base_url=f"{wire.url}/v1", max_retries=0, timeout=0.2) as client:
        instrument(client, provider="openai").chat.completions.create(model="gpt-test", messages=SAID, **more)


def of_openai_stream(wire: Wire) -> None:
    of_openai(wire, stream=True)


def of_anthropic(wire: Wire) -> None:
    with anthropic.Anthropic(api_key="test", base_url=wire.url, max_retries=0, timeout=0.2) as client:
        instrument_anthropic(client).messages.create(model="gpt-test", max_tokens=10, messages=SAID)


@pytest.mark.parametrize(
    ("ask", "expected"),
    [
        (of_openai, openai.APITimeoutError),
        (of_openai_stream, openai.APITimeoutError),
        (of_anthropic, anthropic.APITimeoutError),
    ],
)
def test_a_call_that_timed_out_is_a_failure_that_costs_its_input(
    ask: Callable[[Wire], None], expected: type[Exception], wire: Wire, rate: Rate
) -> None:
    wire.gives(LATE)
    with pytest.raises(expected):
        ask(wire)
    row = ResourceUsage.objects.get()
    assert (row.outcome, row.is_estimated, row.input_tokens, row.output_tokens) == ("error", True, 10, 0)
    assert row.metadata["estimated"] == "input from 40 characters"


def test_one_that_was_never_sent_costs_nothing(rate: Rate) -> None:
    def refuse(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectTimeout("no connection", request=request)

    with httpx2.Client(transport=httpx2.MockTransport(refuse)) as transport:
        client = openai.OpenAI(api_key="test", http_client=transport, max_retries=0)
        with pytest.raises(openai.APITimeoutError):
            instrument(client).chat.completions.create(model="gpt-test", messages=SAID)
    row = ResourceUsage.objects.get()
    assert (row.outcome, row.is_estimated, row.cost_usd) == ("error", False, Decimal(0))


def test_a_block_around_it_costs_nothing_beside_it(wire: Wire, rate: Rate) -> None:
    wire.gives(LATE)
    with pytest.raises(openai.APITimeoutError), meter("chat"):
        of_openai(wire)
    rows = ResourceUsage.objects.order_by("input_tokens").values_list("unpriced_calls", "input_tokens", "cost_usd")
    # 10 x 3 = 30 per million
    assert list(rows) == [(0, 0, Decimal(0)), (0, 10, Decimal("0.00003"))]
