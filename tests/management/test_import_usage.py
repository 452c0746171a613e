"""manage.py import_usage: what lands, what does not, and what is said about it."""

from __future__ import annotations

import gzip
import json
import re
from decimal import Decimal

import pytest

from costtrack.models import Agent, Organization, Project, ResourceUsage
from tests.management.imported import FIRST, HEADER, MAPPED, TWIN, failing, run, run_json, write_calls

pytestmark = pytest.mark.django_db


@pytest.fixture
def calls(tmp_path):
    return write_calls(tmp_path)


def test_every_row_is_recorded_at_its_exact_cost_and_the_summary_says_so(calls):
    # 5,000 x 3 + 500 x 15 = 22,500 millionths of a dollar.
    lines = run(calls, *MAPPED).splitlines()
    assert lines[0].startswith(f"{calls} (source ")
    assert lines[1:7] == [
        "  created organization acme",
        "  recorded         3",
        "  duplicates       0",
        "  conflicts        0",
        "  rejected         0",
        "  cost        0.0225 USD",
    ]
    assert lines[7] == "  unpriced         0 calls"
    row = ResourceUsage.objects.order_by("occurred_at").first()
    assert row.occurred_at.isoformat() == "2023-11-16T18:15:46.680590+00:00"
    assert (row.input_tokens, row.output_tokens, row.cost_usd) == (1000, 100, Decimal("0.0045"))
    assert list(calls.parent.iterdir()) == [calls]


def test_the_same_file_again_records_nothing_and_is_no_failure(calls):
    run(calls, *MAPPED)
    again = run_json(calls, *MAPPED)
    assert (again["recorded"], again["duplicates"], again["cost_usd"]) == (0, 3, "0")


def test_a_renamed_and_grown_file_adds_only_what_is_new(calls):
    run(calls, *MAPPED)
    grown = calls.with_name("december.csv.gz")
    grown.write_bytes(gzip.compress((HEADER + FIRST + TWIN + TWIN + TWIN).encode()))
    seen = run_json(grown, *MAPPED)
    assert (seen["recorded"], seen["duplicates"]) == (1, 3)


def test_another_source_is_other_usage(calls):
    run(calls, *MAPPED)
    assert run_json(calls, *MAPPED, "--source", "second-region")["recorded"] == 3
    assert run_json(calls, *MAPPED, "--source", "second-region")["duplicates"] == 3


def test_json_tells_everything_with_money_as_text(calls):
    seen = run_json(calls, *MAPPED, "--project", "search", "--agent", "bot")
    assert seen.pop("seconds") > 0
    assert seen.pop("rows_per_second") > 0
    assert len(seen.pop("source")) == 16
    assert seen == {
        "file": str(calls),
        "dry_run": False,
        "created": ["organization acme", "project search", "agent bot"],
        "recorded": 3,
        "duplicates": 0,
        "conflicts": 0,
        "rejected": 0,
        "skipped": {},
        "cost_usd": "0.0225",
        "unpriced_calls": 0,
        "usage_missing_calls": 0,
        "unpriced_models": {},
        "rejects_file": None,
        "interrupted": False,
    }
    assert ResourceUsage.objects.filter(project__slug="search", agent__slug="bot").count() == 3


def test_unpriced_models_are_named(calls):
    text = run(calls, *MAPPED[:-1], "nobody-knows-this")
    assert re.search(r"^  unpriced +3 calls$", text, re.MULTILINE)
    assert "  nobody-knows-this: 3 calls" in text


def test_bad_rows_are_reported_with_line_and_reason_and_the_rest_lands(calls):
    calls.write_text(HEADER + FIRST + "yesterday,1,1\n2023-11-16,1\n" + TWIN)
    out, error = failing(calls, *MAPPED)
    assert error.returncode == 1
    rejects = calls.with_name("calls.csv.rejects.csv")
    assert f"2 rows were not imported: see {rejects}." in str(error)
    assert "  line 3: occurred_at: got 'yesterday'" in out
    assert rejects.read_text().splitlines() == [
        "line,reason,row",
        "3,\"occurred_at: got 'yesterday', expected an ISO 8601 time, or seconds or milliseconds since 1970.\","
        '"yesterday,1,1"',
        '4,"2 cells, but the header names 3 columns","2023-11-16,1"',
    ]
    assert ResourceUsage.objects.count() == 2


def test_mended_rows_are_added_when_the_file_is_imported_again(calls):
    calls.write_text(HEADER + FIRST + "yesterday,1,1\n" + TWIN)
    failing(calls, *MAPPED)
    calls.write_text(HEADER + FIRST + "2023-11-15,1,1\n" + TWIN)
    seen = run_json(calls, *MAPPED)
    assert (seen["recorded"], seen["duplicates"], seen["rejected"]) == (1, 2, 0)


def test_a_mended_first_row_needs_the_sources_name_which_the_command_tells(calls):
    calls.write_text(HEADER + "yesterday,1,1\n" + TWIN)
    _, error = failing(calls, *MAPPED)
    name = str(error).split("--source ")[1].split(";")[0]
    calls.write_text(HEADER + "2023-11-15,1,1\n" + TWIN)
    seen = run_json(calls, *MAPPED, "--source", name)
    assert (seen["recorded"], seen["duplicates"]) == (1, 1)


def test_the_same_rows_under_another_model_are_conflicts(calls):
    run(calls, *MAPPED)
    out, error = failing(calls, *MAPPED[:-1], "claude-3-haiku-20240307", "--json")
    assert (json.loads(out)["conflicts"], json.loads(out)["recorded"]) == (3, 0)
    assert "3 rows were not imported" in str(error)


def test_rows_name_their_own_project_and_agent_but_no_new_organization(tmp_path):
    path = tmp_path / "calls.jsonl"
    rows = [
        {
            "occurred_at": "2025-03-01T00:00:00Z",
            "amount": 2,
            "resource_type": "gpu_seconds",
            "project": "own",
            "agent": "a",
        },
        {"occurred_at": "2025-03-01T00:00:00Z", "amount": 2, "resource_type": "gpu_seconds", "organization": "acne"},
        {"occurred_at": "2025-03-01T00:00:00Z", "amount": 2, "resource_type": "gpu_seconds", "organization": "acme"},
    ]
    path.write_text("\n".join(map(json.dumps, rows)))
    out, _ = failing(path, "--organization", "acme", "--project", "given", "--json")
    assert (json.loads(out)["recorded"], json.loads(out)["rejected"]) == (2, 1)
    assert list(Organization.objects.values_list("slug", flat=True)) == ["acme"]
    assert sorted(Project.objects.values_list("slug", flat=True)) == ["given", "own"]
    assert Agent.objects.get().project.slug == "own"
    rejects = json.loads(path.with_name("calls.jsonl.rejects.jsonl").read_text())
    assert (rejects["line"], json.loads(rejects["row"])) == (2, rows[1])


def test_a_spend_log_and_a_session_are_each_charged_once(tmp_path):
    spend = tmp_path / "spend.csv"
    spend.write_text(
        "request_id,startTime,endTime,spend,prompt_tokens,completion_tokens,model,custom_llm_provider\n"
        "chatcmpl-1,2025-01-24 09:20:46,2025-01-24 09:20:47,0.000225,10,20,gpt-4o,openai\n"
    )
    session = tmp_path / "session.jsonl"
    message = {"id": "msg_015oRrxAaM8CuSF2MFET9J3i", "model": "m", "usage": {"input_tokens": 1, "output_tokens": 2}}
    lines = [
        {"type": "user"},
        {"type": "assistant", "timestamp": "2025-11-21T10:00:14Z", "sessionId": "s", "message": message},
    ]
    session.write_text("\n".join(map(json.dumps, lines * 2)))
    for expected in (1, 0):
        seen = run_json(spend, "--organization", "acme", "--preset", "litellm")
        assert (seen["recorded"], seen["cost_usd"]) == (expected, "0.000225" if expected else "0")
        assert run_json(session, "--organization", "acme", "--preset", "claude-code")["recorded"] == expected
    assert seen["rejects_file"] is None
    assert ResourceUsage.objects.get(model="gpt-4o").latency_ms == 1000
