"""What the tests of LiteLLM's SDK share."""

from __future__ import annotations

import gc
import os
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from asgiref.sync import SyncToAsync, async_to_sync
from django.db import connections

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # there is no network; it asks when it is imported

if TYPE_CHECKING:  # LiteLLM takes seconds to import
    from costtrack.models import Budget
    from tests.integrations.litellm.sdk import Watcher


@pytest.fixture(scope="module")
def no_client_left() -> Iterator[None]:
    """LiteLLM keeps its HTTP clients, and closes none of them."""
    from tests.integrations.litellm.sdk import close_clients

    gc.collect()
    gc.freeze()  # what is there, LiteLLM above all, needs not be looked through after each test
    yield
    async_to_sync(close_clients)()
    gc.unfreeze()
    collect_sockets()
    gc.freeze()


def collect_sockets() -> None:
    """LiteLLM leaves sockets to the garbage collector: have them collected here, where nobody is warned of them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture
def watcher(no_client_left: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watcher]:
    """Our callback, and one that says what LiteLLM has told."""
    import litellm

    from costtrack.integrations.litellm import CostTrackLogger
    from tests.integrations.litellm.sdk import CALLBACKS, Watcher

    for name in CALLBACKS:
        monkeypatch.setattr(litellm, name, [])
    monkeypatch.setattr(litellm, "suppress_debug_info", True)
    monkeypatch.setattr(litellm, "cache", None)
    watcher = Watcher()
    litellm.callbacks = [CostTrackLogger(), watcher]
    yield watcher
    collect_sockets()
    SyncToAsync.single_thread_executor.submit(connections.close_all).result()  # what LiteLLM's own loops have used


@pytest.fixture
def instrumented(watcher: Watcher) -> Iterator[Watcher]:
    """The same after `instrument()`."""
    import litellm

    from costtrack.integrations.litellm import instrument, uninstrument
    from costtrack.integrations.litellm.sdk_request import _by_call_id

    litellm.callbacks = [watcher]
    instrument()
    litellm.callbacks.sort(key=lambda one: one is watcher)  # it comes after ours
    yield watcher
    uninstrument()
    assert not _by_call_id, "a request is remembered"


@pytest.fixture
def budget(transactional_db: None) -> Budget:
    """Of the default organization: room for one call of at most 1000 tokens out, and not for two."""
    from costtrack.models import Organization
    from tests.factories import make_rate
    from tests.metering.budgeted import make_budget

    make_rate()
    organization, _ = Organization.objects.get_or_create(slug="default")
    return make_budget(organization, "0.02")
