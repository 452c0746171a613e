"""`manage.py find_recommendations`: what it prints."""

from __future__ import annotations

from typing import Any

import pytest
import time_machine
from django.core.management import call_command

from tests.factories import make_organization
from tests.reporting.booked import book

pytestmark = pytest.mark.django_db


def test_it_says_of_how_many_organizations_it_has_looked(capsys: Any) -> None:
    book(make_organization(), "5")
    with time_machine.travel("2023-11-17T12:00:00Z", tick=False):
        call_command("find_recommendations")
        assert capsys.readouterr().out == "Looked at the usage of 1 organization.\n"
        call_command("find_recommendations", "--json")
    assert capsys.readouterr().out == '{"organizations": 1}\n'
