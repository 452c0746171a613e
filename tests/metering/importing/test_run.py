"""One run: batches, the summary, keys, an interruption in the middle."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from costtrack.metering.importing.errors import UnreadableSource, UnusableMapping
from costtrack.metering.importing.interrupt import PatientInterrupt
from costtrack.metering.importing.keys import row_key, source_name
from costtrack.metering.importing.records import Draft, Record
from costtrack.metering.importing.rejects import RejectsFile, rejects_candidates
from costtrack.metering.importing.run import ImportRun
from costtrack.metering.importing.scopes import create_scopes
from costtrack.models import Agent, Organization, Project, Rate, ResourceUsage


def drafts(number: int, **fields: object) -> Iterator[Draft]:
    for line in range(1, number + 1):
        record = Record(line, b"row")
        yield Draft(
            record,
            {"occurred_at": datetime(2025, 3, 1, tzinfo=UTC), "input_tokens": 1, "output_tokens": 1, "model": "m"}
            | fields,
        )


def new_run(**options: object) -> tuple[ImportRun, list[tuple[int, str]]]:
    rejected: list[tuple[int, str]] = []
    run = ImportRun(
        source="s",
        defaults={"organization": "acme", "project": ""},
        reject=lambda record, reason: rejected.append((record.line, reason)),
        using="default",
        **options,
    )
    return run, rejected


@pytest.fixture
def acme(db):
    return Organization.objects.create(slug="acme")


def test_rows_are_written_in_batches_of_a_thousand(acme):
    seen = []
    run, rejected = new_run(after_batch=lambda summary: seen.append(summary.recorded))
    run.write(drafts(2500))
    assert seen == [1000, 2000, 2500]
    assert (run.summary.rows, rejected) == (2500, [])
    assert ResourceUsage.objects.count() == 2500


def test_the_cost_is_exact_and_unpriced_calls_are_counted_by_model(acme):
    Rate.objects.create(
        provider="anthropic",
        model="claude-3-haiku-20240307",
        input_usd_per_million="0.25",
        output_usd_per_million="1.25",
    )
    run, _ = new_run()
    run.write(drafts(3, provider="anthropic", model="claude-3-haiku-20240307"))
    run.write([*drafts(4, model="nobody-knows", idempotency_key="")][3:])
    # 3 x (0.25 + 1.25) / 1,000,000
    assert run.summary.cost_usd == Decimal("0.0000045")
    assert run.summary.unpriced_models == {"nobody-knows": 1}


def test_a_row_for_an_organization_that_does_not_exist_is_rejected_and_creates_none(acme):
    run, rejected = new_run()
    run.write([*drafts(1, organization="acne"), *drafts(1)])
    assert (run.summary.recorded, run.summary.rejected) == (1, 1)
    assert "'acne' does not exist" in rejected[0][1]
    assert Organization.objects.filter(slug="acne").count() == 0


def test_a_rows_own_project_and_agent_win_over_the_defaults(acme):
    run = ImportRun(
        source="s",
        defaults={"organization": "acme", "project": "p", "agent": "a"},
        reject=lambda record, reason: None,
        using="default",
    )
    run.write([*drafts(1), *list(drafts(2, project="own"))[1:]])
    rows = ResourceUsage.objects.order_by("id").values_list("project__slug", "agent__slug", "agent__project__slug")
    assert sorted(rows) == [("own", "a", "own"), ("p", "a", "p")]


def test_the_same_key_with_other_usage_is_a_conflict_and_the_first_stands(acme):
    run, rejected = new_run()
    run.write([*drafts(1, idempotency_key="k"), *drafts(1, idempotency_key="k", input_tokens=9)])
    assert (run.summary.recorded, run.summary.conflicts) == (1, 1)
    assert rejected[0][1].startswith("conflict: ")
    assert ResourceUsage.objects.get().input_tokens == 1


def test_a_key_too_long_for_its_column_still_charges_once(acme):
    run, _ = new_run()
    run.write([*drafts(2, idempotency_key="k" * 300), *drafts(1, idempotency_key="k" * 299 + "x")])
    assert (run.summary.recorded, run.summary.duplicates) == (2, 1)


def test_an_event_that_cannot_be_is_rejected_with_its_reason(acme):
    run, rejected = new_run()
    run.write([*drafts(1, cache_read_tokens=2), *drafts(1)])
    assert run.summary.recorded == 1
    assert rejected[0][1].startswith("cache_read_tokens: got 2, expected at most 1")
    assert run.summary.first_problems == rejected


def test_usage_of_any_age_is_imported_and_of_tomorrow_is_not(acme):
    run, rejected = new_run()
    run.write(drafts(1, occurred_at=datetime(1999, 12, 31, tzinfo=UTC)))
    run.write(drafts(1, occurred_at=datetime(2199, 12, 31, tzinfo=UTC)))
    assert (run.summary.recorded, run.summary.rejected) == (1, 1)
    assert rejected[0][1].startswith("occurred_at: ")


def test_after_an_interruption_the_summary_holds_what_landed_and_a_new_run_adds_the_rest(acme):
    def breaking_off() -> Iterator[Draft]:
        for number, draft in enumerate(drafts(2500)):
            if number == 1500:
                raise KeyboardInterrupt
            yield draft

    run, _ = new_run()
    with pytest.raises(KeyboardInterrupt):
        run.write(breaking_off())
    assert run.summary.recorded == ResourceUsage.objects.count() == 1000
    again, _ = new_run()
    again.write(drafts(2500))
    assert (again.summary.recorded, again.summary.duplicates) == (1500, 1000)


def test_ctrl_c_waits_for_the_end_of_what_is_held():
    interrupt = PatientInterrupt()
    done = []

    def write(name: str, presses: int) -> None:
        with interrupt.held():
            for _ in range(presses):
                os.kill(os.getpid(), signal.SIGINT)
            done.append(name)

    before = signal.getsignal(signal.SIGINT)
    with interrupt.active():
        with pytest.raises(KeyboardInterrupt):
            write("pressed once", 1)
        with pytest.raises(KeyboardInterrupt):
            write("pressed twice", 2)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
        write("not pressed", 0)
    assert done == ["pressed once", "not pressed"]
    assert signal.getsignal(signal.SIGINT) is before


def test_a_key_is_the_rows_content_and_line_under_its_source():
    key = row_key("s", Record(2, b"a"))
    assert key.startswith("import:s:")
    assert len(key) == len("import:s:") + 32
    assert key == row_key("s", Record(2, b"a"))
    assert len({key, row_key("t", Record(2, b"a")), row_key("s", Record(3, b"a")), row_key("s", Record(2, b"b"))}) == 4


def test_a_source_without_a_name_is_named_by_its_header_and_first_record():
    assert source_name(b"a,b", Record(2, b"1,2")) == source_name(b"a,b", Record(2, b"1,2"))
    names = {source_name(b"a,b", Record(2, b"1,2")), source_name(b"a,c", Record(2, b"1,2")), source_name(b"a,b", None)}
    assert len(names) == 3


def test_rejects_go_to_the_first_place_that_can_be_written_and_no_rejects_make_no_file(tmp_path):
    rejects = RejectsFile([tmp_path / "no folder" / "x.csv", tmp_path / "x.csv"], as_json=False)
    rejects.close()
    assert list(tmp_path.iterdir()) == []
    rejects.add(Record(3, b'1,"two\nlines",\xff'), 'it says "no"')
    rejects.close()
    assert rejects.path == tmp_path / "x.csv"
    assert rejects.path.read_text() == 'line,reason,row\n3,"it says ""no""","1,""two\nlines"",\\xff"\n'
    with pytest.raises(UnreadableSource, match=r"x\.csv cannot be written"):
        RejectsFile([tmp_path / "no folder" / "x.csv"], as_json=True).add(Record(1, b""), "")


def test_rejects_lie_beside_the_file_or_else_here():
    assert [str(path) for path in rejects_candidates("/data/calls.csv", as_json=False)] == [
        "/data/calls.csv.rejects.csv",
        "calls.csv.rejects.csv",
    ]
    assert [str(path) for path in rejects_candidates("-", as_json=True)] == ["stdin.rejects.jsonl"]


@pytest.mark.django_db
def test_scopes_are_created_once_and_an_agent_without_a_project_belongs_to_the_default_one():
    assert create_scopes(organization="acme", agent="bot", using="default") == [
        "organization acme",
        "project default",
        "agent bot",
    ]
    assert create_scopes(organization="acme", project="p", agent="bot", using="default") == ["project p", "agent bot"]
    assert create_scopes(organization="acme", project="p", agent="bot", using="default") == []
    assert (Organization.objects.count(), Project.objects.count(), Agent.objects.count()) == (1, 2, 2)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "scopes", [{"organization": ""}, {"organization": "a b"}, {"organization": "a", "agent": "x" * 101}]
)
def test_a_slug_that_cannot_be_one_creates_nothing(scopes):
    with pytest.raises(UnusableMapping, match="--"):
        create_scopes(**scopes, using="default")
    assert Organization.objects.count() == Project.objects.count() == 0
