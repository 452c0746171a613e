"""What all commands share."""

from __future__ import annotations

import importlib
import pkgutil
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError

from costtrack.management import commands
from costtrack.management.base import BaseCommand

NAMES = sorted(one.name for one in pkgutil.iter_modules(commands.__path__))


@pytest.mark.parametrize("name", NAMES)
def test_every_command_is_one_that_says_in_a_line_that_the_database_is_away(name: str) -> None:
    command = importlib.import_module(f"costtrack.management.commands.{name}").Command
    assert issubclass(command, BaseCommand)


def test_a_database_that_does_not_answer_is_said_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise OperationalError("connection refused\n\tIs the server running?")

    monkeypatch.setattr("costtrack.management.commands.check_budgets.Command.handle", away)
    with pytest.raises(CommandError) as told:
        call_command("check_budgets", stdout=StringIO())
    assert str(told.value) == (
        "The database did not answer, or not in time: connection refused Is the server running?. Try again."
    )
    with pytest.raises(OperationalError):
        call_command("check_budgets", traceback=True, stdout=StringIO())
