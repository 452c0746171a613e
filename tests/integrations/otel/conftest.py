"""What the tests of OpenTelemetry share."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import openai
import pytest

from costtrack.models import Organization
from tests.factories import make_organization, make_rate
from tests.integrations.otel.tracing import client_of
from tests.integrations.wire.server import Wire


@pytest.fixture
def priced(db: None) -> Organization:
    """USD per million: 3 input, 0.3 read from the cache, 15 output; embeddings 1."""
    make_rate("gpt-test", cache_read_usd_per_million=Decimal("0.3"))
    make_rate("embed-test", per_million=("1", "0"))
    return make_organization("default")


@pytest.fixture
def client(wire: Wire, priced: Organization) -> Iterator[openai.OpenAI]:
    """OpenAI's own client, asking the local server."""
    with client_of(wire) as client:
        yield client
