"""`manage.py what_if`: a table for people, JSON for programs, and words for what is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from costtrack.metering.ledger import record_events
from costtrack.models import ResourceUsage
from tests.factories import make_event, make_organization, make_rate

pytestmark = pytest.mark.django_db
DAYS = ["--from", "2026-11-01", "--to", "2026-11-30"]


@pytest.fixture(autouse=True)
def usage() -> None:
    make_organization()
    make_rate()
    make_rate("small-model", per_million=("1", "4"))
    record_events([make_event(), make_event(model="house-model")])


def output(capsys: Any, *arguments: str) -> str:
    call_command("what_if", *DAYS, *arguments)
    return str(capsys.readouterr().out)


def test_the_table_shows_booked_instead_and_difference(capsys: Any) -> None:
    lines = output(capsys, "--model", "small-model").splitlines()
    # 1000 x 3 + 100 x 15 against 1000 x 1 + 100 x 4 per million
    assert lines[1].split() == ["openai", "test-model", "1", "1,000", "100", "$0.004500", "$0.001400", "-$0.003100"]
    assert lines[2].split() == ["openai", "house-model", "1", "1,000", "100", "unpriced", "$0.001400", "unknown"]
    assert lines[3].split() == ["total", "2", "2,000", "200", "$0.004500", "$0.002800", "-$0.003100"]
    assert lines[4] == "The differences are of the 1 call with a cost on both sides; 1 call left out."
    assert lines[-1].endswith("may not be known. Nothing was changed.")


def test_what_a_rate_file_does_not_name_is_listed(capsys: Any, tmp_path: Path) -> None:
    path = tmp_path / "offer.csv"
    path.write_text("provider,model,input_per_1m,output_per_1m\nopenai,test-model,2,10\n")
    found = output(capsys, "--rates", str(path))
    assert "$0.003000  -$0.001500" in found
    assert "  openai house-model (standard): 1 call, booked $0.000000: no rate" in found
    assert ResourceUsage.objects.count() == 2


def test_json_has_exact_strings_and_null_for_what_is_unknown(capsys: Any) -> None:
    report = json.loads(output(capsys, "--model", "small-model", "--of-model", "house-model", "--json"))
    assert (report["period_start"], report["period_end"]) == ("2026-11-01T00:00:00+00:00", "2026-12-01T00:00:00+00:00")
    assert (report["target_model"], report["read_from"]) == ("small-model", "ledger")
    [line] = report["models"]
    assert (line["booked_usd"], line["what_if_usd"], line["difference_usd"]) == (None, "0.0014", None)
    assert report["not_priced"] == []


def test_nothing_that_matches_is_said(capsys: Any) -> None:
    assert "No usage matches" in output(capsys, "--model", "small-model", "--endpoint", "search")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--provider", "openai"], "provider: got 'openai', expected a model with it"),
        (["--model", "no-such-model"], "No rate for model 'no-such-model'"),
        (["--model", "small-model", "--to", "2026-10-01"], "lies before"),
        (["--model", "small-model", "--project", "webiste"], "project: got 'webiste', expected the slug of a project"),
        (["--model", "small-model", "--organization", "nobody"], "'nobody' does not exist"),
        (["--model", "small-model", "--at", "soon"], "--at: got 'soon', expected a date"),
        (["--rates", "/no/such/file.yaml"], "a file that can be read"),
    ],
)
def test_bad_arguments_are_explained(arguments: list[str], problem: str) -> None:
    with pytest.raises(CommandError, match=problem):
        call_command("what_if", *DAYS, *arguments)
