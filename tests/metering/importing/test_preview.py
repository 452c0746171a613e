"""A dry run foresees what the run then does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from costtrack.metering.importing.preview import Preview
from costtrack.metering.importing.records import Draft, Record
from costtrack.metering.importing.run import ImportRun
from costtrack.models import Organization, ResourceUsage

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def acme(db):
    return Organization.objects.create(slug="acme")


def draft(line: int, **fields: object) -> Draft:
    usage = {"occurred_at": datetime(2025, 3, 1, tzinfo=UTC), "input_tokens": 1, "output_tokens": 1, "model": "m"}
    return Draft(Record(line, b"row"), usage | fields)


def fates(drafts: Iterator[Draft] | list[Draft], *, is_dry: bool, organization: str = "acme") -> list[int]:
    preview = Preview(source="s", creates=organization, using="default")
    run = ImportRun(
        source="s",
        defaults={"organization": organization},
        reject=lambda record, reason: None,
        using="default",
        preview=preview if is_dry else None,
    )
    before = ResourceUsage.objects.count()
    run.write(drafts)
    assert run.is_dry is is_dry
    assert not is_dry or ResourceUsage.objects.count() == before
    summary = run.summary
    return [summary.recorded, summary.duplicates, summary.conflicts, summary.rejected]


def test_what_stands_is_a_duplicate_also_beyond_the_first_batch():
    assert fates([draft(line) for line in range(1, 1502)], is_dry=False) == [1501, 0, 0, 0]
    assert fates([draft(line) for line in range(1, 1504)], is_dry=True) == [2, 1501, 0, 0]


def mixed() -> list[Draft]:
    return [
        draft(1, idempotency_key="stands"),
        draft(2, idempotency_key="stands", input_tokens=9),
        draft(3, idempotency_key="new"),
        draft(4, idempotency_key="new"),
        draft(5, idempotency_key="new", input_tokens=9),
        draft(6, idempotency_key="theirs", key_from_provider=True),
        draft(7, idempotency_key="theirs", key_from_provider=True, output_tokens=9),
        draft(8, cache_read_tokens=2),
        draft(9, organization="acne"),
        draft(10),
        draft(11),
    ]


def test_keys_that_stand_and_keys_that_come_twice_in_the_file_are_foreseen_as_they_then_fare():
    fates([draft(1, idempotency_key="stands")], is_dry=False)
    # Recorded: new, theirs and the last two. Twice the same: 1, 4, 7. Twice, but other usage: 2, 5. Rejected: 8, 9.
    assert fates(mixed(), is_dry=True) == [4, 3, 2, 2]
    assert fates(mixed(), is_dry=False) == [4, 3, 2, 2]


def test_a_key_that_comes_again_in_a_later_batch_is_foreseen():
    rows = [draft(line, idempotency_key=f"k{line % 1500}") for line in range(1600)]
    assert fates(rows, is_dry=True) == [1500, 100, 0, 0]


def test_the_organization_that_would_be_created_is_none_that_is_missing():
    assert fates([draft(1)], is_dry=True, organization="new-org") == [1, 0, 0, 0]
    assert not Organization.objects.filter(slug="new-org").exists()


def test_the_same_key_in_two_organizations_is_two_charges():
    Organization.objects.create(slug="other")
    rows = [draft(1, idempotency_key="k"), draft(2, idempotency_key="k", organization="other")]
    assert fates(rows, is_dry=True) == [2, 0, 0, 0]


def test_a_batch_is_foreseen_by_two_queries(django_assert_num_queries):
    rows = [draft(line, idempotency_key=f"k{line}") for line in range(1000)]
    with django_assert_num_queries(2):
        run = ImportRun(
            source="s",
            defaults={"organization": "acme"},
            reject=lambda record, reason: None,
            using="default",
            preview=Preview(source="s", creates="acme", using="default"),
        )
        run.write(rows)
