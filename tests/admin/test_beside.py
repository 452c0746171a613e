"""The screens beside django-unfold and django-import-export, which a site may have: they are not needed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from django.test import Client

from costtrack.models import Agent, Budget
from tests.admin.beside import answers
from tests.admin.test_pages import rows_of_every_screen
from tests.exits.processes import url_of_the_test_database

ROOT = Path(__file__).parents[2]


@pytest.mark.django_db(transaction=True)
def test_every_screen_opens_and_acts_beside_unfold_and_import_export(browser: Client, agent: Agent) -> None:
    rows_of_every_screen(agent)
    stock = answers(browser)
    environment = {
        **os.environ,
        "DATABASE_URL": url_of_the_test_database(),
        "DJANGO_SETTINGS_MODULE": "tests.admin.beside_settings",
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.admin.beside"],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    beside = json.loads(done.stdout.splitlines()[-1])
    assert beside["answers"] == stock
    assert set(stock.values()) <= {200, 302, 403}
    assert len([status for status in stock.values() if status == 200]) > 60
    assert "unfold.admin" in beside["bases"]
    assert (beside["bars"], beside["has_percent"], beside["raised"]) == (1, True, True)
    assert Budget.objects.get().limit == Decimal("1.1")
