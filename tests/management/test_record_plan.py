"""`manage.py record_plan`: a plan from a file, and what is wrong with one."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from costtrack.models import CostPlan
from tests.factories import make_organization, make_rate

pytestmark = pytest.mark.django_db

YAML = """\
name: docs
organization: acme
max_calls: 1
cost_cap: 0.005
model: test-model
provider: openai
selection: {ids: [7, 8], chapters: [Intro]}
workflows:
  - {workflow_id: draft, estimated_calls: 2, estimated_prompt_tokens: 2000, estimated_completion_tokens: 200}
"""


@pytest.fixture
def file(tmp_path: Path, db: None) -> Path:
    make_rate()
    make_organization()
    path = tmp_path / "plan.yaml"
    path.write_text(YAML)
    return path


def record(*arguments: object) -> str:
    out = StringIO()
    call_command("record_plan", *map(str, arguments), stdout=out)
    return out.getvalue()


def test_a_plan_is_recorded_and_told_of_with_the_caps_that_it_exceeds(file: Path) -> None:
    text = record(file)
    plan = CostPlan.objects.get()
    # 2,000 x 3 + 200 x 15 = 9,000 per million: 0.009
    assert text.splitlines() == [
        f"Plan {plan.plan_id} of docs (acme): about $0.009000 by the rates in force, 2 calls.",
        "It is snapshot 1 of that name; 0 older ones are gone.",
        "WARNING: that is above its cost_cap of $0.005000.",
        "WARNING: that is more than its max_calls of 1.",
    ]


def test_json_says_the_same_as_yaml(file: Path, tmp_path: Path) -> None:
    first = json.loads(record(file, "--json"))
    other = tmp_path / "plan.json"
    fields = {"max_calls": 1, "cost_cap": "0.005", "model": "test-model", "provider": "openai"}
    draft = {"workflow_id": "draft", "estimated_calls": 2, "estimated_prompt_tokens": 2000}
    workflows = [{**draft, "estimated_completion_tokens": 200}]
    selection = {"ids": [7, 8], "chapters": ["Intro"]}
    other.write_text(json.dumps({"name": "docs", **fields, "selection": selection, "workflows": workflows}))
    again = json.loads(record(other, "--organization", "acme", "--json"))
    assert again == {**first, "recorded_at": again["recorded_at"]}
    assert CostPlan.objects.count() == 1


def test_options_say_whose_it_is_and_how_many_are_kept(file: Path) -> None:
    make_organization("globex")
    for calls in (1, 2, 3):
        file.write_text(f"name: docs\nestimated_calls: {calls}\n")
        record(file, "--organization", "globex", "--project", "website", "--retention", "2")
    kept = CostPlan.objects.order_by("sequence")
    assert [(plan.organization.slug, str(plan.project), plan.sequence) for plan in kept] == [
        ("globex", "website", 2),
        ("globex", "website", 3),
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("name: [", "is no YAML"),
        ("docs", "plan: got 'docs', expected an object with name, "),
        ("", "plan: got None, expected an object"),
        ("name: docs\ncosts: 1", "costs: got 1, expected nothing, for there is no such field"),
        ("name: docs\ncost_cap: lots", "cost_cap: got 'lots', expected a number"),
        ("name: docs\nselection: {day: 2026-11-20}", "selection: got datetime.date(2026, 11, 20), expected JSON data"),
        ("name: docs\nworkflows: [{workflow_id: a, estimated_calls: -2}]", r"workflows\[0\].estimated_calls: got -2"),
        ("name: docs\norganization: nowhere", "Organization 'nowhere' does not exist"),
    ],
)
def test_a_wrong_file_records_nothing_and_says_why(file: Path, text: str, reason: str) -> None:
    file.write_text(text)
    with pytest.raises(CommandError, match=reason.replace("(", r"\(").replace(")", r"\)")):
        record(file)
    assert not CostPlan.objects.exists()


def test_all_wrong_fields_of_a_file_are_named_at_once(file: Path) -> None:
    file.write_text("name: docs\ncost_cap: lots\nmax_calls: -1\n")
    with pytest.raises(CommandError, match=r"cost_cap: got 'lots'.*max_calls: got -1"):
        record(file)


def test_a_file_that_is_not_there_or_no_text_is_told_of(tmp_path: Path, db: None) -> None:
    with pytest.raises(CommandError, match="There is no file"):
        record(tmp_path / "nothing.yaml")
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CommandError, match="is no text in UTF-8"):
        record(tmp_path / "bytes.json")
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(CommandError, match="is no JSON"):
        record(tmp_path / "bad.json")
