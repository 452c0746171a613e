"""The ledger's rows by a tag. No index has tags: give rows that something else bounds."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.db.models import F, Func, Q, QuerySet, TextField, Value
from django.db.models.lookups import Exact

from costtrack.models import ResourceUsage
from costtrack.reporting.parameters import InvalidParameter

ENVIRONMENT = ("environment", "env")
"""The tags that tell where a call was made: spans of OpenTelemetry bring the first, people write either."""
LONGEST_NAME, LONGEST_VALUE = 100, 200
LONGEST_TAG = LONGEST_NAME + len("=") + LONGEST_VALUE
A_TAG = "a tag as NAME=VALUE, like team=research"


class Tag(NamedTuple):
    """One tag."""

    name: str
    value: str


class _ValueOf(Func):
    """The text of the tag with that very name: a name with a dot, a quote or digits alone is no path."""

    output_field = TextField()

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        """By the path of one name."""
        return self.as_sql(compiler, connection, function="jsonb_extract_path_text", **extra)

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        """By comparing names: a path's quotes have no escape there."""
        template = "(SELECT value FROM json_each(%(expressions)s)"
        return self.as_sql(compiler, connection, template=template, arg_joiner=") WHERE key = ", **extra)


def parse_tag(parameter: str, text: str) -> Tag:
    """A tag as people ask for it, `team=research`; the value may have an equals sign. Raises InvalidParameter."""
    name, sign, value = text.partition("=")
    is_one = bool(name and sign and value) and len(name) <= LONGEST_NAME and len(value) <= LONGEST_VALUE
    if not is_one or "\x00" in text:
        raise InvalidParameter(parameter, text, A_TAG)
    return Tag(name, value)


def tagged(rows: QuerySet[ResourceUsage], tag: Tag) -> QuerySet[ResourceUsage]:
    """Those of `rows` that have exactly this tag."""
    return rows.filter(_has(tag))


def of_environment(rows: QuerySet[ResourceUsage], value: str) -> QuerySet[ResourceUsage]:
    """Those of `rows` whose environment is exactly this, by whichever of its tags."""
    first, second = (_has(Tag(name, value)) for name in ENVIRONMENT)
    return rows.filter(first | second)


def _has(tag: Tag) -> Q:
    return Q(Exact(_ValueOf(F("tags"), Value(tag.name)), Value(tag.value)))
