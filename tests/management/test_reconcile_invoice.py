"""`manage.py reconcile_invoice`: tables for people, JSON for programs, and what is wrong with a file."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from costtrack.models import Organization, ResourceUsage
from tests.reporting.booked import book, organization

pytestmark = pytest.mark.django_db
TEXT = "date,model,cost_usd\n2023-11-01,gpt-4o,10\n2023-11-02,gpt-4o,4\n"


@pytest.fixture(autouse=True)
def acme() -> Organization:
    owner = organization()
    book(owner, "9.75", day=date(2023, 11, 1), provider="openai", model="gpt-4o")
    book(owner, "4", day=date(2023, 11, 2), provider="openai", model="gpt-4o")
    book(owner, None, day=date(2023, 11, 2), provider="openai", model="new")
    book(owner, "7", day=date(2023, 11, 3), provider="openai", model="gpt-4o")
    return owner


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "invoice.csv"
    found.write_text(TEXT)
    return found


def output(capsys: Any, file: Path, *arguments: str, provider: str = "openai") -> str:
    call_command("reconcile_invoice", str(file), "--organization", "acme", "--provider", provider, *arguments)
    return str(capsys.readouterr().out)


def test_models_then_the_days_that_differ_are_printed_and_nothing_is_stored(capsys: Any, file: Path) -> None:
    assert output(capsys, file) == (
        "Invoice of openai beside the books of acme, 2023-11-01 to 2023-11-02.\n"
        "\n"
        "Model   Invoiced   Metered  Difference      %  Calls  Unpriced\n"
        "gpt-4o    $14.00    $13.75       $0.25  +1.79      2         0\n"
        "new            -  unpriced       $0.00      -      1         1\n"
        "total     $14.00    $13.75       $0.25  +1.79      3         1\n"
        "\n"
        "Days that differ, the largest difference first:\n"
        "Day         Model   Invoiced   Metered  Difference      %  Calls  Unpriced\n"
        "2023-11-01  gpt-4o    $10.00     $9.75       $0.25  +2.50      1         0\n"
        "2023-11-02  new            -  unpriced       $0.00      -      1         1\n"
        "\n"
        "Of 1 call the price is not known: what is invoiced for that is a difference. Add a rate.\n"
    )
    assert ResourceUsage.objects.count() == 4


def test_json_has_exact_strings_and_a_longer_period_more_days(capsys: Any, file: Path) -> None:
    found = json.loads(output(capsys, file, "--to", "2023-11-03", "--json"))
    assert (found["organization"], found["provider"]) == ("acme", "openai")
    assert found["total"]["metered_usd"] == "20.75"
    assert found["days"][-1]["date"] == "2023-11-03"


def test_where_nothing_was_metered_it_says_of_whom_there_is_usage(capsys: Any, file: Path) -> None:
    text = output(capsys, file, provider="opnai")
    assert "Nothing was metered of opnai in these days, but of: openai." in text


def test_bad_files_and_arguments_are_explained(file: Path, tmp_path: Path) -> None:
    def refused(*arguments: str, path: Path = file, slug: str = "acme") -> str:
        with pytest.raises(CommandError) as caught:
            call_command("reconcile_invoice", str(path), "--organization", slug, "--provider", "openai", *arguments)
        return str(caught.value)

    assert "'nobody' does not exist" in refused(slug="nobody")
    assert "There is no file" in refused(path=tmp_path / "none.csv")
    assert "--to 2023-10-01 lies before --from 2023-11-01." in refused("--to", "2023-10-01")
    assert "date: got '2023-11-02'" in refused("--to", "2023-11-01")
    file.write_text(TEXT + "2023-11-03,gpt-4o,much\n")
    assert "line 4: cost_usd: got 'much', expected a number." in refused()
