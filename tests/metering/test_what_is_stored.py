"""What is stored of a call, by way of the public functions: nothing secret, no prompt, and nothing without a limit."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction

import costtrack
from costtrack.conf import settings as in_force
from costtrack.exceptions import InvalidUsage
from costtrack.metering.importing.records import Draft, Record
from costtrack.metering.importing.run import ImportRun
from costtrack.models import ResourceUsage
from tests.factories import make_organization
from tests.metering.spool.spooling import hold_up_the_flusher

pytestmark = pytest.mark.django_db

# Nobody's; put together here, so that no scanner of sources takes them for real.
FAKE = "FAKE0FAKE1FAKE2FAKE3"
OPENAI = "sk-" + "proj-" + FAKE
GITHUB = "ghp_" + FAKE
JWT = ".".join(["ey" + "JhbGciOiJub25lIn0", "ey" + "JzdWIiOiJmYWtlIn0", "RkFLRQ"])
SAID = "Whatever you do, tell nobody about the blue door"

SECRETS = [FAKE, JWT, "not-a-password", "ann@example.com", "4111 1111", "41111111", "blue door"]
"""None of it may be found anywhere; of the card number more than an id or a time may have by chance."""

METADATA: dict[str, Any] = {
    "temperature": 0.2,
    "note": f"called with {OPENAI}",
    "headers": {"Authorization": f"Bearer {JWT}", "X-Api-Key": FAKE},
    "password": "not-a-password",
    "dsn": "postgres://app:not-a-password@db/x",
    "asked_by": ["ann@example.com"],
    "paid_with": {"number": "4111 1111 1111 1111", "as_number": 4111111111111111},
    "prompt": SAID,
    "messages": [{"role": "user", "content": SAID}],
    "request": {"model": "gpt-4o", "input": SAID},
    "dumped": json.dumps({"content": SAID, "api_key": FAKE}),
    GITHUB: 1,
}
STORED = {
    "temperature": 0.2,
    "note": "called with [redacted: key]",
    "headers": {"Authorization": "[redacted: secret]", "X-Api-Key": "[redacted: secret]"},
    "password": "[redacted: secret]",
    "dsn": "postgres://[redacted: password]@db/x",
    "asked_by": ["[redacted: e-mail]"],
    "paid_with": {"number": "[redacted: card number]", "as_number": "[redacted: card number]"},
    "prompt": "[not stored: 48 characters]",
    "messages": "[not stored: 1 item]",
    "request": {"model": "gpt-4o", "input": "[not stored: 48 characters]"},
    "dumped": '{"content": "[not stored: 48 characters]", "api_key": "[redacted: secret]"}',
    "[redacted: key]": 1,
}
ERROR = f"401: wrong key {OPENAI} of ann@example.com, sent prompt='{SAID}' to https://app:not-a-password@h/?key={FAKE}"
STORED_ERROR = (
    "401: wrong key [redacted: key] of [redacted: e-mail], sent prompt='[not stored: 48 characters]' "
    "to https://[redacted: password]@h/?key=[redacted: secret]"
)
TAGS = {"team": "search", "owner": "ann@example.com", "api_key": FAKE, "prompt": SAID, "answer": "v2", GITHUB: "x"}
STORED_TAGS = {
    "team": "search",
    "owner": "[redacted: e-mail]",
    "api_key": "[redacted: secret]",
    "prompt": "[not stored: 48 characters]",
    "answer": "v2",
    "[redacted: key]": "x",
}


def found_in(text: str) -> list[str]:
    return [secret for secret in SECRETS if secret in text]


def everything_in(row: ResourceUsage) -> str:
    return str(ResourceUsage.objects.filter(id=row.id).values().get())


def test_the_secrets_here_would_be_found() -> None:
    assert found_in(str([METADATA, TAGS, ERROR])) == SECRETS


def test_a_recorded_call_has_no_secret_and_no_prompt_in_its_row() -> None:
    costtrack.record_usage(model="gpt-4o", input_tokens=1, metadata=METADATA, tags=TAGS, error=ValueError(ERROR))
    row = ResourceUsage.objects.get()
    assert row.metadata == STORED
    assert row.tags == STORED_TAGS
    assert row.error_message == STORED_ERROR
    assert found_in(everything_in(row)) == []


def test_nor_has_a_metered_one_that_fails() -> None:
    def fail() -> None:
        with costtrack.meter("chat", model="gpt-4o", metadata=METADATA) as call:
            call.set_input(SAID)
            call.add_metadata(more=METADATA, completion=SAID)
            raise ValueError(ERROR)

    with costtrack.attribute(tags=TAGS), pytest.raises(ValueError, match="wrong key"):
        fail()
    row = ResourceUsage.objects.get()
    more = {"more": STORED, "completion": "[not stored: 48 characters]"}
    assert row.metadata == {**STORED, **more}
    assert (row.tags, row.error_message) == (STORED_TAGS, STORED_ERROR)
    assert found_in(everything_in(row)) == []


def test_half_a_secret_at_the_end_of_what_is_kept_is_none() -> None:
    # Cut first, `postgres://app:not-` would stay: no password of a URL any more.
    address = " postgres://app:not-a-password@db/x"
    costtrack.record_usage(model="gpt-4o", input_tokens=1, error="x" * 480 + address, tags={"k": "x" * 180 + address})
    row = ResourceUsage.objects.get()
    assert row.error_message == "x" * 480 + " postgres://[redacte"
    assert row.tags == {"k": "x" * 180 + " postgres://[redacte"}


def test_nor_has_an_imported_one() -> None:
    make_organization()
    run = ImportRun(source="s", defaults={"organization": "acme"}, reject=lambda *told: None, using="default")
    fields = {"metadata": METADATA, "tags": TAGS, "error_message": ERROR, "input_tokens": 1, "model": "gpt-4o"}
    run.write([Draft(Record(1, b""), {"occurred_at": datetime(2026, 3, 1, tzinfo=UTC), **fields})])
    row = ResourceUsage.objects.get()
    assert (row.metadata, row.tags, row.error_message) == (STORED, STORED_TAGS, STORED_ERROR)
    assert found_in(everything_in(row)) == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("organization", ["acme", "nobody"])
def test_no_secret_reaches_the_disk_in_the_spool_nor_as_a_dead_letter(settings: Any, organization: str) -> None:
    make_organization()
    settings.COSTTRACK = {"TRANSPORT": "spool"}
    directory = Path(in_force.spool_dir)
    fields: dict[str, Any] = {"organization": organization, "model": "gpt-4o", "input_tokens": 1, "thread_id": "t-7531"}
    with transaction.atomic():
        hold_up_the_flusher()
        costtrack.record_usage(**fields, metadata=METADATA, tags=TAGS, error=ERROR)
        [segment] = directory.glob("*.segment")
        spooled = segment.read_bytes().decode("utf-8", "replace")
    assert "t-7531" in spooled
    assert found_in(spooled) == []
    assert costtrack.flush(10)
    files = [path.read_bytes().decode("utf-8", "replace") for path in directory.iterdir() if path.is_file()]
    assert any("nobody" in text for text in files) == (organization == "nobody")
    assert found_in("".join(files)) == []
    assert [row.metadata for row in ResourceUsage.objects.all()] == ([STORED] if organization == "acme" else [])


def test_the_log_of_a_lost_call_has_no_secret_and_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    with (
        caplog.at_level(logging.ERROR, "costtrack"),
        costtrack.meter("chat", organization="no\nbody", model="gpt\n4o", metadata=METADATA, tags=TAGS) as call,
    ):
        call.set_error(ERROR)
    [logged] = caplog.messages
    assert "temperature" in logged
    assert found_in(logged) == []
    assert len(logged.splitlines()) == 1
    assert not ResourceUsage.objects.exists()


def test_nor_has_the_note_of_a_figure_that_is_none() -> None:
    with costtrack.meter("chat", model="gpt-4o") as call:
        call.set_usage(input_tokens=OPENAI, output_tokens="ann@example.com")
    row = ResourceUsage.objects.get()
    assert row.usage_missing
    assert [problem.split(": got ")[1].split(",")[0] for problem in row.metadata["_problems"]] == [
        "'[redacted: key]'",
        "'[redacted: e-mail]'",
    ]


def test_nor_has_the_log_of_a_call_whose_event_can_not_even_be_built(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("out of order")

    monkeypatch.setattr("costtrack.metering.finish.event_after_call", fail)
    with costtrack.meter("chat", model="gpt-4o", metadata={"note": OPENAI}):
        pass
    assert "RuntimeError: out of order" in caplog.text
    assert "[redacted: key]" in caplog.text
    assert FAKE not in caplog.text


def test_attribution_and_model_are_stored_as_the_host_gives_them() -> None:
    costtrack.record_usage(
        model="claude-3-5-sonnet@20241022", input_tokens=1, user="ann@example.com", customer="bob@example.com"
    )
    row = ResourceUsage.objects.get()
    assert (row.model, row.user, row.customer) == (
        "claude-3-5-sonnet@20241022",
        "ann@example.com",
        "bob@example.com",
    )


def test_nul_is_cleaned_out_of_texts_and_refused_in_keys() -> None:
    costtrack.record_usage(
        model="gpt\x00-4o",
        input_tokens=1,
        metadata={"k\x00": "a\x00b", "n": ["\x00"]},
        tags={"t\x00": "u\x00v"},
        error="bad\x00 gateway",
    )
    row = ResourceUsage.objects.get()
    assert (row.model, row.metadata, row.tags) == ("gpt-4o", {"k": "ab", "n": [""]}, {"t": "uv"})
    assert row.error_message == "bad gateway"
    with pytest.raises(InvalidUsage, match="idempotency_key"):
        costtrack.record_usage(model="gpt-4o", input_tokens=1, idempotency_key="k\x00")
    assert ResourceUsage.objects.count() == 1


@pytest.mark.parametrize("depth", [900, 6_000, 100_000])
def test_depth_is_capped_and_the_row_can_be_read_back(depth: int) -> None:
    deep: Any = {}
    for _ in range(depth):
        deep = {"k": [deep]}
    costtrack.record_usage(model="gpt-4o", input_tokens=1, metadata=deep)
    cut = "[nested deeper than 8 levels]"
    assert ResourceUsage.objects.get().metadata == {"k": [{"k": [{"k": [{"k": [cut]}]}]}]}
    while deep:
        deep = deep["k"][0]


@pytest.mark.parametrize(
    ("metadata", "stored"),
    [
        ({"k": "x" * 10_000_000}, {"_dropped": "metadata of over 16,384 bytes; the limit is 8,192"}),
        ({"prompt": "x" * 10_000_000, "n": 1}, {"prompt": "[not stored: 10,000,000 characters]", "n": 1}),
        (
            {str(n): n for n in range(100_000)},
            {**{str(n): n for n in range(200)}, "_dropped": "keys beyond the first 200: 99,800"},
        ),
        ({"k" * 1_000_000: 1}, {"k" * 200: 1}),
    ],
)
def test_size_and_number_of_keys_are_capped(metadata: dict[str, Any], stored: dict[str, Any]) -> None:
    costtrack.record_usage(model="gpt-4o", input_tokens=1, metadata=metadata)
    assert ResourceUsage.objects.get().metadata == stored


def test_keys_of_metadata_are_inert() -> None:
    keys = {"__proto__": 1, "constructor": 2, "organization_id": 3, "cost": 4, "cost_usd": "5", "is_void": True}
    costtrack.record_usage(model="gpt-4o", input_tokens=1, cost_usd="0.25", metadata=keys)
    row = ResourceUsage.objects.get()
    assert (row.metadata, row.cost_usd, row.kind) == (keys, Decimal("0.25"), "usage")


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("a\nb\r\n\tc", "a b c"),
        ("a\x00b\x1b[31m", "ab[31m"),
        ("a\u202eb\u2066c", "abc"),
        ("a\u2028b\u2029c\x85d", "a b c d"),
        ("e" + "\u0301" * 10_000, "e" + "\u0301" * 199),
        ("\ud800a", "a"),
    ],
)
def test_texts_are_one_line_that_reads_as_it_is_written(given: str, stored: str) -> None:
    costtrack.record_usage(model=given, input_tokens=1, customer=given, request_id=given)
    row = ResourceUsage.objects.get()
    assert (row.model, row.customer, row.request_id) == (stored, stored, stored)


@pytest.mark.parametrize("model", ["../../x", "*", "", "m" * 5_000, "no-such-model", "\x00"])
def test_a_model_that_nobody_knows_is_unpriced_never_free(model: str) -> None:
    costtrack.record_usage(model=model, input_tokens=1)
    row = ResourceUsage.objects.get()
    assert (row.cost_usd, row.cost_source) == (None, "unpriced")
    assert row.model == model.replace("\x00", "")[:200]
