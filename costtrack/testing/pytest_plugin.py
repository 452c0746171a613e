"""The pytest plugin `costtrack`, which comes with the package: usage is recorded inline for the whole run.

It works with pytest-django, with pytest-xdist, and without either; it does nothing in a project that does not have
costtrack in INSTALLED_APPS, and `-p no:costtrack` turns it off. Nothing of Django is imported before it is needed.
"""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from costtrack.testing.capture import UsageLog
    from costtrack.testing.isolation import IsolatedRun

_run_key: pytest.StashKey[IsolatedRun] = pytest.StashKey()


@pytest.fixture
def captured_usage() -> Iterator[UsageLog]:
    """The log of everything that the test meters, priced; nothing of it reaches the ledger."""
    from costtrack.testing.capture import capture_usage

    with capture_usage() as log:
        yield log


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Isolate the run, once Django is configured: last, because a conftest may do that in this hook, too."""
    _isolate(config)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """The same for a project whose modules configure Django when they are imported."""
    _isolate(session.config)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """The same for a project that has a fixture for it."""
    _isolate(item.config)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    """Stop what the test started, while its database is there, and then what its fixtures started at their end."""
    run = item.config.stash.get(_run_key, None)
    if run is None:
        return (yield)
    try:
        run.after_test()
    finally:
        try:
            result = yield
        finally:
            run.after_test()
    return result


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Generator[None, object, object]:
    """See to it that pytest-django finds no connection of ours when it drops the test database."""
    result = yield
    if fixturedef.argname == "django_db_setup" and _run_key in request.config.stash:
        from costtrack.testing.isolation import BEFORE_THE_DROP_SECONDS, let_go

        fixturedef.addfinalizer(partial(let_go, BEFORE_THE_DROP_SECONDS))  # runs before the fixture's own end
    return result


def _isolate(config: pytest.Config) -> None:
    if _run_key not in config.stash and _is_used():
        from costtrack.testing.isolation import IsolatedRun

        config.stash[_run_key] = run = IsolatedRun()
        config.add_cleanup(run.end)


def _is_used() -> bool:
    """Whether Django is configured, and costtrack is one of its apps."""
    conf = sys.modules.get("django.conf")
    if conf is None or not conf.settings.configured:
        return False
    from django.apps import apps

    if apps.apps_ready:
        return apps.is_installed("costtrack")
    return any(name.split(".")[0] == "costtrack" for name in conf.settings.INSTALLED_APPS)
