"""Which exceptions say that nobody waited for the answer: then the provider may have worked, and charged."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import anthropic
import botocore.exceptions
import httpx
import openai
import pytest
import redis
import requests
from billiard.exceptions import SoftTimeLimitExceeded

from costtrack import meter
from costtrack.metering.cut_off import is_cut_off
from costtrack.models import ResourceUsage
from tests.factories import make_organization, make_rate

REQUEST = httpx.Request("POST", "https://api.example.com/v1/chat/completions")


def raised(error: Exception, *, because: Exception | None = None) -> Exception:
    """The error as it is caught, with its cause."""
    try:
        raise error from because
    except Exception as caught:
        return caught


def handled(error: Exception, *, instead: Exception) -> Exception:
    """What is raised while the error is handled."""
    try:
        try:
            raise error
        except type(error):
            raise instead  # noqa: B904 - as programs do
    except Exception as caught:
        return caught


@pytest.mark.parametrize(
    "error",
    [
        KeyboardInterrupt(),
        SystemExit(),
        GeneratorExit(),
        asyncio.CancelledError(),
        TimeoutError("too slow"),
        httpx.ReadTimeout("", request=REQUEST),
        requests.ReadTimeout(),
        botocore.exceptions.ReadTimeoutError(endpoint_url="https://bedrock-runtime.example.com"),
        openai.APITimeoutError(request=REQUEST),  # type: ignore[arg-type] # of an httpx of its own
        raised(anthropic.APITimeoutError(request=REQUEST), because=httpx.ReadTimeout("", request=REQUEST)),
        SoftTimeLimitExceeded(),
        raised(RuntimeError("the model did not answer"), because=TimeoutError()),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_end_from_outside_is_a_cut(error: BaseException) -> None:
    assert is_cut_off(error)


@pytest.mark.parametrize(
    "error",
    [
        None,
        ValueError("no such model"),
        httpx.ConnectTimeout("", request=REQUEST),
        httpx.PoolTimeout("", request=REQUEST),
        requests.ConnectTimeout(),
        botocore.exceptions.ConnectTimeoutError(endpoint_url="https://bedrock-runtime.example.com"),
        raised(openai.APITimeoutError(request=REQUEST), because=httpx.ConnectTimeout("")),  # type: ignore[arg-type]
        raised(httpx.ConnectTimeout("", request=REQUEST), because=TimeoutError()),
        redis.TimeoutError(),
        raised(redis.TimeoutError(), because=TimeoutError("timed out")),
        handled(TimeoutError(), instead=LookupError("no other model")),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_failure_is_none(error: Exception | None) -> None:
    assert not is_cut_off(error)


def test_causes_that_go_round_in_a_circle_are_followed_to_an_end() -> None:
    first, second = ValueError(), ValueError()
    first.__cause__, second.__cause__ = second, first
    assert not is_cut_off(first)


@pytest.mark.django_db
@pytest.mark.any_database
def test_a_call_that_timed_out_costs_the_input_that_it_was_given() -> None:
    make_organization("default")
    make_rate()  # 3 in, 15 out
    with pytest.raises(TimeoutError), meter("chat", model="test-model", provider="openai", input="x" * 40):
        raise TimeoutError
    row = ResourceUsage.objects.get()
    # 40 characters: 10 tokens x 3 = 30 per million
    assert (row.outcome, row.is_estimated, row.cost_usd) == ("error", True, Decimal("0.00003"))


@pytest.mark.django_db
@pytest.mark.any_database
def test_where_its_input_is_not_known_either_its_cost_is_not_known() -> None:
    make_organization("default")
    make_rate()
    with pytest.raises(TimeoutError), meter("chat", model="test-model", provider="openai"):
        raise TimeoutError
    row = ResourceUsage.objects.get()
    assert (row.outcome, row.cost_usd, row.unpriced_calls) == ("error", None, 1)
