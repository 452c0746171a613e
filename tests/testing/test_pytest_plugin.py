"""The shipped pytest plugin, in the runs of host projects."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from django.db import connection

from tests.testing.host import Host

TRANSPORT = """
    import threading
    from pathlib import Path

    import pytest
    from django.conf import settings as django_settings
    from django.test import override_settings

    import costtrack
    from costtrack.conf import settings as in_force
    from costtrack.metering.spool import flush
    from costtrack.models import ResourceUsage

    def status_of_a_call():
        return costtrack.record_usage(model="gpt-4o", input_tokens=1).status

    @pytest.mark.django_db
    def test_inline_by_default():
        assert status_of_a_call() == "recorded"
        assert ResourceUsage.objects.count() == 1

    @pytest.mark.django_db
    def test_inline_where_a_test_sets_something_else(settings):
        settings.COSTTRACK = {"MAX_PROJECTS": 3}
        assert status_of_a_call() == "recorded"

    @pytest.mark.django_db(transaction=True)
    def test_spooled_where_a_test_says_so(settings):
        settings.COSTTRACK = {"TRANSPORT": "spool"}
        assert status_of_a_call() == "spooled"
        assert flush()
        assert ResourceUsage.objects.count() == 1
        assert "costtrack-flusher" in {thread.name for thread in threading.enumerate()}
        assert list(Path(in_force.spool_dir).glob("*.segment"))

    @pytest.mark.django_db(transaction=True)
    def test_what_another_test_spooled_is_not_here():
        with override_settings(COSTTRACK={**getattr(django_settings, "COSTTRACK", {}), "TRANSPORT": "spool"}):
            assert not list(Path(in_force.spool_dir).iterdir())
            status_of_a_call()

    def test_the_flusher_ended_with_its_test():
        assert "costtrack-flusher" not in {thread.name for thread in threading.enumerate()}
        assert not list(Path(in_force.spool_dir).iterdir())
"""

CONNECTED = """
    import pytest

    import costtrack
    from costtrack.metering.database_thread import run_later, wait_for_later
    from costtrack.metering.spool import flush

    def query():
        from django.db import connection
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")

    @pytest.fixture(scope="module", autouse=True)
    def connected_again_after_the_last_test(django_db_setup, django_db_blocker):
        yield
        with django_db_blocker.unblock():
            run_later(query)
            wait_for_later()

    @pytest.mark.django_db(transaction=True)
    def test_two_threads_of_costtrack_hold_a_connection(settings):
        settings.COSTTRACK = {"TRANSPORT": "spool"}
        costtrack.record_usage(model="gpt-4o", input_tokens=1)
        assert flush()
        run_later(query)
        wait_for_later()
"""


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


@pytest.fixture
def test_name(transactional_db: None) -> Iterator[str]:
    """The name of a test database on the suite's own server; it is dropped if the host's run could not."""
    name = f"test_host_{uuid4().hex}"
    yield name
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f'DROP DATABASE IF EXISTS "{name}"')


@pytest.mark.parametrize(
    "given", ["", 'COSTTRACK = {"TRANSPORT": "spool", "SPOOL_DIR": BASE_DIR / ".costtrack-spool"}']
)
def test_a_run_is_inline_but_for_the_tests_that_ask_for_the_spool_and_never_in_the_real_one(
    host: Host, given: str
) -> None:
    host.use_django(more=given)
    host.write("test_host.py", TRANSPORT)
    outcome, said = host.run()
    assert outcome == "5 passed", said
    assert not (host.folder / ".costtrack-spool").exists()
    assert list(host.temporary.glob("costtrack-*")) == []


def test_no_connection_of_costtrack_blocks_the_drop_of_the_test_database(host: Host, test_name: str) -> None:
    url = os.environ["DATABASE_URL"] if connection.vendor == "postgresql" else ""
    host.use_django(url=url, test_name=test_name if url else "")
    host.write("test_host.py", CONNECTED)
    outcome, said = host.run()
    assert (outcome, "teardown test databases" in said) == ("1 passed", False), said
    if url:
        # Without the plugin it is blocked: the test above means something.
        _, said = host.run("-p", "no:costtrack", "-W", "default")
        assert "Error when trying to teardown test databases" in said


def test_it_can_be_turned_off(host: Host) -> None:
    host.use_django()
    host.write(
        "test_host.py",
        """
        from costtrack.conf import settings

        def test_the_transport_is_the_one_of_production():
            assert (settings.transport, settings.spool_dir) == ("spool", None)

        def test_there_is_no_fixture(captured_usage):
            pass
        """,
    )
    outcome, said = host.run("-p", "no:costtrack")
    assert outcome == "1 passed, 1 error", said
    assert "fixture 'captured_usage' not found" in said


def test_it_does_nothing_where_costtrack_is_not_installed(host: Host) -> None:
    host.use_django(more='INSTALLED_APPS.remove("costtrack")')
    host.write(
        "test_host.py",
        """
        import sys

        def test_nothing_of_costtrack_is_there():
            assert [name for name in sys.modules if name.startswith("costtrack.")] == [
                "costtrack.testing", "costtrack.testing.pytest_plugin"
            ]
        """,
    )
    outcome, said = host.run()
    assert outcome == "1 passed", said
    assert list(host.temporary.glob("costtrack-*")) == []


def test_it_does_nothing_and_imports_no_django_in_a_project_without_django(host: Host) -> None:
    host.write(
        "test_host.py",
        """
        import sys

        def test_no_django():
            assert "costtrack.testing.pytest_plugin" in sys.modules
            assert [name for name in sys.modules if name.split(".")[0] == "django"] == []
        """,
    )
    outcome, said = host.run("-p", "no:django", "-p", "no:celery")
    assert outcome == "1 passed", said


@pytest.mark.parametrize("configured_in", ["conftest.py", "test_host.py"])
def test_it_works_without_pytest_django(host: Host, configured_in: str) -> None:
    host.use_django()
    host.write("pytest.ini", "[pytest]\nfilterwarnings = error\n")
    configure = """
import os

import django

def configure():
    os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
    django.setup()
    from django.core.management import call_command
    call_command("migrate", verbosity=0)
"""
    test = """
def test_inline(captured_usage):
    from costtrack import record_usage
    from costtrack.conf import settings
    assert settings.transport == "inline"
    record_usage(model="gpt-4o", input_tokens=1_000_000)
    assert str(captured_usage.total_cost_usd) == "2.5"
"""
    if configured_in == "conftest.py":
        host.write("conftest.py", f"{configure}\ndef pytest_configure(config):\n    configure()\n")
        host.write("test_host.py", test)
    else:
        host.write("test_host.py", f"{configure}\nconfigure()\n{test}")
    outcome, said = host.run("-p", "no:django")
    assert outcome == "1 passed", said
