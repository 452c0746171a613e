"""Rows by a tag: whatever its name and value, and no other row."""

from __future__ import annotations

import pytest

from costtrack.models import Organization
from costtrack.reporting.ledger_rows import ledger_rows
from costtrack.reporting.parameters import InvalidParameter
from costtrack.reporting.tags import Tag, of_environment, parse_tag, tagged
from tests.reporting.booked import book, organization

pytestmark = pytest.mark.django_db
STRANGE = ["team", "a.b", "0", 'say "hi"', "it's", "$", "[0]", "ä", "a=b", "%s", "back\\slash", "{}"]


@pytest.fixture
def acme(db: None) -> Organization:
    return organization()


@pytest.mark.parametrize("name", STRANGE)
def test_a_tag_is_found_by_exactly_its_name_and_value(acme: Organization, name: str) -> None:
    row = book(acme, "1", tags={name: name, "other": "x"})
    book(acme, "1", tags={name: name + "x"})
    book(acme, "1", tags={name + "x": name})
    book(acme, "1", tags={"a": name})
    book(acme, "1")
    assert [one.pk for one in tagged(ledger_rows(), Tag(name, name))] == [row.pk]


def test_an_environment_is_told_by_either_of_its_tags(acme: Organization) -> None:
    rows = [book(acme, "1", tags={name: "prod"}) for name in ("env", "environment")]
    book(acme, "1", tags={"env": "dev", "environment": "test"})
    book(acme, "1", tags={"stage": "prod"})
    found = of_environment(ledger_rows(), "prod").order_by("id")
    assert [one.pk for one in found] == [row.pk for row in rows]


@pytest.mark.parametrize(
    ("text", "tag"), [("team=red", Tag("team", "red")), ("a=b=c", Tag("a", "b=c")), (" a = b ", Tag(" a ", " b "))]
)
def test_a_tag_is_read_as_name_and_value(text: str, tag: Tag) -> None:
    assert parse_tag("tag", text) == tag


@pytest.mark.parametrize("text", ["team", "=red", "team=", "=", "", "a\x00=b", "n" * 101 + "=v", "n=" + "v" * 201])
def test_what_is_no_tag_is_refused(text: str) -> None:
    with pytest.raises(InvalidParameter, match=r"tag: got .*, expected a tag as NAME=VALUE, like team=research\."):
        parse_tag("tag", text)
