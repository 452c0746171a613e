"""manage.py import_usage: its options, what they refuse, and Ctrl-C."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest
from django.core.management import call_command

from costtrack.models import Organization, ResourceUsage
from tests.management.imported import FIRST, HEADER, MAPPED, failing, run, run_json, write_calls

pytestmark = pytest.mark.django_db


@pytest.fixture
def calls(tmp_path):
    return write_calls(tmp_path)


def test_the_rejects_file_can_be_named_but_never_the_file_itself(calls, tmp_path):
    calls.write_text(HEADER + FIRST + "yesterday,1,1\n")
    failing(calls, *MAPPED, "--rejects", tmp_path / "bad.csv")
    assert (tmp_path / "bad.csv").read_text().startswith("line,reason,row\n3,")
    _, error = failing(calls, *MAPPED, "--rejects", calls)
    assert "is the file to import" in str(error)
    assert calls.read_text().startswith(HEADER)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--map", "tokens=x"], "'tokens' is no field. The fields are: occurred_at, "),
        (["--map", "user=nobody"], "Column 'nobody' does not exist; the file has: 'TIMESTAMP', 'ContextTokens'"),
        (["--timezone", "Mars/Base"], "--timezone Mars/Base is no IANA time zone name"),
        (["--source", "x" * 101], "--source: at most 100 characters"),
        (["--preset", "litellm"], "no LiteLLM spend log"),
        (["--preset", "claude-code", "--format", "csv"], "JSONL"),
    ],
)
def test_what_cannot_be_right_is_refused_before_anything_is_written(calls, arguments, message):
    _, error = failing(calls, *MAPPED, *arguments)
    assert message in str(error)
    assert Organization.objects.count() == 0


def test_a_file_that_is_not_there_or_of_unknown_format_is_refused(tmp_path):
    assert "none.csv cannot be opened" in str(failing(tmp_path / "none.csv", *MAPPED)[1])
    assert "add --format csv" in str(failing(tmp_path / "calls.txt", *MAPPED)[1])
    assert "Name the FILE" in str(failing(*MAPPED)[1])


def test_the_file_may_stand_behind_the_mappings(calls):
    assert run_json(*MAPPED[:4], calls, *MAPPED[4:])["recorded"] == 3


def test_naive_times_are_utc_unless_a_zone_is_given(calls):
    # New York is five hours behind UTC in November.
    run(calls, *MAPPED, "--timezone", "America/New_York")
    first = ResourceUsage.objects.order_by("occurred_at").first()
    assert first.occurred_at.isoformat() == "2023-11-16T23:15:46.680590+00:00"


def test_standard_input_is_read_as_the_given_format(calls, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(calls.read_bytes())))
    seen = run_json("-", "--format", "csv", *MAPPED)
    assert (seen["file"], seen["recorded"]) == ("standard input", 3)


def test_an_interruption_tells_what_landed_and_leaves_with_130(calls, monkeypatch):
    class Interrupted(io.BytesIO):
        def readline(self, *args) -> bytes:
            if self.tell() > 60_000:
                raise KeyboardInterrupt
            return super().readline(*args)

    content = (HEADER + FIRST * 2500).encode()
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=Interrupted(content)))
    out, error = failing("-", "--format", "csv", *MAPPED)
    assert error.returncode == 130
    assert str(error) == "Interrupted. 1,000 rows landed; running the same command again adds only the rest."
    assert "  recorded" in out
    assert ResourceUsage.objects.count() == 1000


def test_help_lists_the_fields(capsys):
    with pytest.raises(SystemExit):
        call_command("import_usage", "--help")
    text = capsys.readouterr().out
    for field in ("occurred_at", "cache_write_1h_tokens", "entity_type", "tags", "cost_usd"):
        assert field in text
