"""manage.py import_usage: what it says where somebody mistyped, or a file is not what it seems."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from costtrack.models import Organization, ResourceUsage
from tests.factories import make_rate
from tests.management.imported import FIRST, HEADER, MAPPED, TWIN, failing, run, run_both, run_json, write_calls

pytestmark = pytest.mark.django_db

NOON = "2025-03-01T12:00:00Z"


@pytest.fixture
def calls(tmp_path):
    return write_calls(tmp_path)


def write_jsonl(folder: Path, *rows: dict[str, Any]) -> Path:
    path = folder / "calls.jsonl"
    path.write_text("\n".join(json.dumps({"occurred_at": NOON, "model": "gpt-4o"} | row) for row in rows))
    return path


def test_a_row_whose_usage_cannot_be_read_is_rejected_and_counts_once_when_mended(tmp_path):
    # gpt-4o: 2.5 USD per 1M. 400 + 1,000 tokens at 2.5 millionths are 0.0035 USD.
    make_rate("gpt-4o", "openai", per_million=("2.5", "10"))
    good = {"usage": {"prompt_tokens": 400}}
    path = write_jsonl(tmp_path, good, {"usage": {"prompt_tokens": "1,000"}})
    out, error = failing(path, "--organization", "acme", "--provider", "openai")
    assert "1 row was not imported" in str(error)
    assert "  line 2: usage.prompt_tokens: got '1,000', expected a whole number of tokens." in out
    assert "No rate is known" not in out
    write_jsonl(tmp_path, good, {"usage": {"prompt_tokens": 1000}})
    seen = run_json(path, "--organization", "acme", "--provider", "openai")
    assert (seen["recorded"], seen["duplicates"]) == (1, 1)
    assert ResourceUsage.objects.count() == 2
    assert seen["cost_usd"] == "0.0025"


def test_calls_whose_usage_is_missing_are_told_apart_from_those_without_a_rate(tmp_path):
    make_rate("gpt-4o", "openai", per_million=("2.5", "10"))
    unknown = {"model": "nobody-knows-this", "usage": {"prompt_tokens": 1}}
    path = write_jsonl(tmp_path, {"response": {"choices": []}}, {"usage": {}}, unknown)
    seen = run_json(path, "--organization", "acme", "--provider", "openai", "--source", "one")
    assert (seen["unpriced_calls"], seen["usage_missing_calls"]) == (3, 2)
    assert seen["unpriced_models"] == {"nobody-knows-this": 1}
    text = run(path, "--organization", "acme", "--provider", "openai", "--source", "two")
    assert re.search(r"^  unpriced +3 calls$", text, re.MULTILINE)
    assert "\n  nobody-knows-this: 1 call\n" in text
    assert "gpt-4o" not in text
    assert "\nWithout usage: 2 calls. No rate can price them." in text


def test_a_row_that_says_nothing_of_what_was_used_is_rejected(tmp_path):
    path = write_jsonl(tmp_path, {"usage": {}}, {"model": None})
    out, error = failing(path, "--organization", "acme")
    assert "1 row was not imported" in str(error)
    assert "  line 2: event: got 'nothing that was used', expected at least one of model, provider, " in out
    assert ResourceUsage.objects.get().model == "gpt-4o"


def test_an_organization_that_is_new_is_told_first_with_those_of_a_similar_name(calls):
    Organization.objects.create(slug="acme")
    Organization.objects.create(slug="globex")
    for number, slug in enumerate(("acmee", "initech")):
        out, err = run_both(calls, *MAPPED, "--organization", slug)
        told = f"Organization {slug} does not exist yet: it is created."
        assert err == told + (" Did you mean acme?\n" if number == 0 else "\n")
        assert f"  created organization {slug}" in out
    assert run_both(calls, *MAPPED)[1] == ""


def test_a_warning_of_a_mistyped_organization_comes_before_anything_is_written(calls, monkeypatch):
    def refuse(**scopes: str) -> list[str]:
        raise AssertionError("written")

    monkeypatch.setattr("costtrack.management.commands.import_usage.create_scopes", refuse)
    written = []
    monkeypatch.setattr("django.core.management.base.OutputWrapper.write", lambda self, text, **_: written.append(text))
    with pytest.raises(AssertionError):
        run_both(calls, *MAPPED)
    assert written == ["Organization acme does not exist yet: it is created."]


def test_a_csv_file_given_as_jsonl_is_refused_before_anything_is_written_and_the_other_way_round(calls, tmp_path):
    error = failing(calls, *MAPPED, "--format", "jsonl")[1]
    assert str(error) == f"{calls} looks like CSV; use --format csv."
    path = write_jsonl(tmp_path, {"input_tokens": 1})
    error = failing(path, "--organization", "acme", "--format", "csv")[1]
    assert str(error) == f"{path} looks like JSONL; use --format jsonl."
    assert not Organization.objects.exists()
    assert sorted(tmp_path.iterdir()) == [calls, path]


def test_one_is_written_in_the_singular_and_no_rows_have_no_speed(calls):
    calls.write_text(HEADER + FIRST)
    text = run(calls, *MAPPED[:-1], "nobody-knows-this")
    assert re.search(r"^  unpriced +1 call$", text, re.MULTILINE)
    assert "  nobody-knows-this: 1 call\n" in text + "\n"
    calls.write_text(HEADER)
    text = run(calls, *MAPPED)
    assert re.search(r"^  time +0\.0 s$", text, re.MULTILINE)
    assert "rows/s" not in text


def test_reasons_show_what_the_file_holds(calls):
    calls.write_text(HEADER + "2127-03-01 12:00:00,1,1\n,1,1\n" + TWIN)
    out, _ = failing(calls, *MAPPED)
    assert "  line 2: occurred_at: got 2127-03-01T12:00:00+00:00, expected a time at most " in out
    assert "  line 3: occurred_at is empty, expected the time of the call." in out


def test_a_dry_run_tells_what_the_run_would_do_and_writes_nothing(calls):
    text, err = run_both(calls, *MAPPED, "--project", "search", "--dry-run")
    assert err == "Organization acme does not exist yet: it would be created.\n"
    assert "  would create organization acme\n  would create project search\n" in text
    assert re.search(r"^  would be recorded  3$", text, re.MULTILINE)
    assert Organization.objects.count() == ResourceUsage.objects.count() == 0


def test_a_dry_run_of_a_file_that_is_there_already_foresees_duplicates(calls):
    run(calls, *MAPPED)
    calls.write_text(calls.read_text() + TWIN + "yesterday,1,1\n")
    out, error = failing(calls, *MAPPED, "--dry-run", "--json")
    seen = json.loads(out)
    assert (seen["recorded"], seen["duplicates"], seen["rejected"], seen["created"]) == (1, 3, 1, [])
    assert str(error).startswith("1 row would not be imported: see ")
    assert ResourceUsage.objects.count() == 3


def test_a_dry_run_refuses_a_slug_that_cannot_be_one(calls):
    assert "--organization a b: " in str(failing(calls, *MAPPED, "--organization", "a b", "--dry-run")[1])
