"""Where a reservation is made: never in the caller's transaction, nor over a socket that a fork has doubled."""

from __future__ import annotations

import os
import threading
from typing import Any

import pytest
from django.db import connection, transaction

from costtrack.budgets.threads import end_threads, on_own_thread, outside_transactions

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def spooling(settings: Any) -> None:
    """As in production."""
    settings.COSTTRACK = {"TRANSPORT": "spool"}


def thread_name() -> str:
    return threading.current_thread().name


def test_without_a_transaction_it_is_made_right_here() -> None:
    connection.ensure_connection()
    assert outside_transactions(thread_name) == thread_name()


def test_inside_a_transaction_it_is_made_elsewhere_where_there_can_be_two_writers() -> None:
    with transaction.atomic():
        expected = "costtrack-reserve" if connection.vendor == "postgresql" else thread_name()
        assert outside_transactions(thread_name) == expected


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")  # as hosts' forks are
def test_a_forked_child_does_not_use_its_parent_s_connection() -> None:
    connection.ensure_connection()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(write, outside_transactions(thread_name).encode())
        finally:
            os._exit(0)
    os.close(write)
    os.waitpid(child, 0)
    expected = "costtrack-reserve" if connection.vendor == "postgresql" else thread_name()
    assert os.read(read, 100).decode() == expected
    os.close(read)
    with connection.cursor() as cursor:  # and leaves it to the parent
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)


def test_errors_come_back_and_the_threads_go_on() -> None:
    with pytest.raises(ZeroDivisionError):
        on_own_thread(lambda: 1 / 0).result(5)
    assert on_own_thread(lambda: 7).result(5) == 7


def test_ended_threads_are_begun_anew() -> None:
    assert on_own_thread(thread_name).result(5) == "costtrack-reserve"
    end_threads(5)
    assert all(thread.name != "costtrack-reserve" for thread in threading.enumerate())
    assert on_own_thread(thread_name).result(5) == "costtrack-reserve"
    end_threads(5)


def test_where_no_thread_can_start_it_is_as_if_nobody_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    end_threads(5)

    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(TimeoutError, match="no thread"):
            on_own_thread(thread_name).result(5)
    assert on_own_thread(thread_name).result(5) == "costtrack-reserve"
    end_threads(5)
