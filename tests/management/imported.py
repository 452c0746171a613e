"""A small file of calls, and the command run on files."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from tests.factories import make_rate

HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens\n"
FIRST = "2023-11-16 18:15:46.6805900,1000,100\n"
TWIN = "2023-11-16 18:15:50.9951690,2000,200\n"
MAPPED = [
    *("--map", "occurred_at=TIMESTAMP", "input_tokens=ContextTokens", "output_tokens=GeneratedTokens"),
    *("--organization", "acme", "--provider", "anthropic", "--model", "claude-3-5-sonnet-20241022"),
]


def write_calls(folder: Path) -> Path:
    """A file with three rows, two of them identical. Sonnet: 3 / 15 USD per 1M."""
    make_rate("claude-3-5-sonnet-20241022", "anthropic", per_million=("3", "15"))
    path = folder / "calls.csv"
    path.write_text(HEADER + FIRST + TWIN + TWIN)
    return path


def run(*arguments: object) -> str:
    out = io.StringIO()
    call_command("import_usage", *map(str, arguments), stdout=out, stderr=io.StringIO())
    return out.getvalue()


def run_both(*arguments: object) -> tuple[str, str]:
    """What a run says on standard output, and on standard error."""
    out, err = io.StringIO(), io.StringIO()
    call_command("import_usage", *map(str, arguments), stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def run_json(*arguments: object) -> dict:
    return json.loads(run(*arguments, "--json"))


def failing(*arguments: object) -> tuple[str, CommandError]:
    out = io.StringIO()
    with pytest.raises(CommandError) as caught:
        call_command("import_usage", *map(str, arguments), stdout=out, stderr=io.StringIO())
    return out.getvalue(), caught.value
