"""`manage.py recommend`: a table with its reasons for people, JSON for programs."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from costtrack.models import Organization
from tests.factories import make_organization, make_rate
from tests.reporting.recommendations.habits import book_calls

pytestmark = pytest.mark.django_db
NOVEMBER = ["--from", "2026-11-01", "--to", "2026-11-30"]


@pytest.fixture(autouse=True)
def acme() -> Organization:
    make_rate("gpt-9", per_million=("3", "15"))
    make_rate("gpt-9-mini", per_million=("1", "4"))
    owner = make_organization()
    book_calls(20, 1000, 100, model="gpt-9")
    book_calls(4, 1000, 500, model="gpt-9", outcome="error", attribution={"project": "app"})
    return owner


def output(capsys: Any, *arguments: str) -> str:
    call_command("recommend", "--organization", "acme", *arguments)
    return str(capsys.readouterr().out)


def test_the_largest_saving_comes_first_with_its_reasons(capsys: Any) -> None:
    lines = output(capsys, *NOVEMBER).splitlines()
    # 20 x (4500 - 1400) and 4 x (1000 x 3 + 500 x 15) per million
    assert (
        lines[1]
        == "1.  cheaper_model   $0.06  Try gpt-9-mini for the short answers of endpoint digest, which gpt-9 gives"
    )
    assert lines[2].startswith("2.  failures        $0.04  Look why calls of endpoint digest to gpt-9 fail")
    assert lines[4].startswith("1. 20 calls of gpt-9 answered with at most 200 tokens and cost $0.09.")
    assert lines[-1] == (
        "By kind: cheaper_model $0.06, failures $0.04. Savings of different kinds may be about the same calls: do not "
        "add them up."
    )


def test_json_has_exact_strings_and_a_project_narrows_it(capsys: Any) -> None:
    report = json.loads(output(capsys, *NOVEMBER, "--project", "app", "--json"))
    assert report["savings_by_kind"] == {"failures": "0.042"}
    assert [one["scope"]["project"] for one in report["recommendations"]] == ["app"]


def test_where_there_is_nothing_it_says_so(capsys: Any) -> None:
    assert output(capsys, "--from", "2026-01-01", "--to", "2026-01-31") == "Nothing to recommend for these days.\n"


def test_without_the_default_organization_it_says_what_to_do() -> None:
    with pytest.raises(CommandError) as failure:
        call_command("recommend")
    known = "Known ones: acme. Say one of them with --organization."
    assert str(failure.value) == f"Organization 'default' does not exist. {known}"
    Organization.objects.filter(slug="acme").update(slug="default")
    call_command("recommend")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--organization", "nobody"], "'nobody' does not exist"),
        (["--organization", "acme", "--project", "nowhere"], "has no project 'nowhere'"),
        (["--organization", "acme", "--from", "2026-11-02", "--to", "2026-11-01"], "lies before"),
    ],
)
def test_bad_arguments_are_explained(arguments: list[str], problem: str) -> None:
    with pytest.raises(CommandError, match=problem):
        call_command("recommend", *arguments)
