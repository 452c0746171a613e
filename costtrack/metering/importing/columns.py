"""The translator of files in no particular format: columns (or JSON paths) fill fields, by name or by --map."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, tzinfo
from typing import Any

from costtrack.exceptions import InvalidUsage
from costtrack.metering.importing.errors import UnreadableFigures, UnusableMapping
from costtrack.metering.importing.fields import FIELDS, USAGE_FIELDS
from costtrack.metering.importing.reasons import reason_of
from costtrack.metering.importing.records import Draft, Record
from costtrack.metering.importing.responses import RESPONSE_KEYS, with_usage
from costtrack.metering.importing.values import instant


def parse_column_options(options: Iterable[str]) -> dict[str, str]:
    """`field=column` texts as {field: column}. UnusableMapping for an unknown field or one that is given twice."""
    columns: dict[str, str] = {}
    for option in options:
        name, equals, column = option.partition("=")
        name, column = name.strip(), column.strip()
        if not equals or not column:
            raise UnusableMapping(f"--map {option}: expected field=column.")
        if name not in FIELDS:
            raise UnusableMapping(f"--map {option}: {name!r} is no field. The fields are: {', '.join(FIELDS)}.")
        if columns.setdefault(name, column) != column:
            raise UnusableMapping(f"--map gives {name} two columns: {columns[name]!r} and {column!r}.")
    return columns


class ColumnMapping:
    """Which column (of a JSON row: which dotted path) fills which field.

    `unpacked` names columns of CSV files whose JSON is unpacked before, so that paths lead into them too.
    """

    def __init__(self, columns: Mapping[str, str], *, zone: tzinfo = UTC, unpacked: tuple[str, ...] = ()) -> None:
        self.columns = dict(columns)
        self._zone = zone
        self._unpacked = unpacked

    def fields_of(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The fields that the row fills; empty cells and nulls fill none. InvalidUsage names the field."""
        fields: dict[str, Any] = {}
        for name, column in self.columns.items():
            value = row.get(column)
            if value is None and "." in column:
                value = value_at(row, column)
            if value is None or value == "":
                continue
            if name == "occurred_at":
                fields[name] = instant(name, value, self._zone)
            else:
                fields[name] = FIELDS[name](name, value)
        return fields

    def check(self, columns: Sequence[str] | None, sample: Sequence[Record]) -> None:
        """UnusableMapping if a column is in no header, or a path in none of the first records."""
        if columns is None:
            rows = [record.row for record in sample if not record.problem]
            unknown = [one for one in self.columns.values() if not any(_has(row, one) for row in rows)] if rows else []
            known = sorted({path for row in rows for path in _paths(row)})
            where = "the first records hold"
        else:
            unknown = [one for one in self.columns.values() if columns.count(one) != 1 and not self._is_path(one)]
            known, where = list(columns), "the file has"
        if unknown:
            problem = "appears twice" if columns and unknown[0] in columns else "does not exist"
            raise UnusableMapping(f"Column {unknown[0]!r} {problem}; {where}: {', '.join(map(repr, known))}.")

    def _is_path(self, column: str) -> bool:
        return column.partition(".")[0] in self._unpacked and "." in column


def value_at(row: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path of nested objects; None if there is none."""
    value: Any = row
    for key in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def _has(row: Mapping[str, Any], path: str) -> bool:
    if path in row:
        return True
    parent, _, key = path.rpartition(".")
    holder = value_at(row, parent) if parent else row
    return isinstance(holder, Mapping) and key in holder


def _paths(row: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in row.items():
        if isinstance(value, Mapping) and value and not prefix.count("."):
            yield from _paths(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


class ColumnTranslator:
    """Fills fields from the columns of the same name and from those that `columns` names."""

    def __init__(self, columns: Mapping[str, str], *, zone: tzinfo = UTC) -> None:
        self.skipped: Counter[str] = Counter()
        self._given = dict(columns)
        self._zone = zone
        self._all = {name: name for name in FIELDS} | self._given
        self._mapping = ColumnMapping(self._all, zone=zone)

    def check(self, columns: Sequence[str] | None, sample: Sequence[Record]) -> None:
        """UnusableMapping if a given column does not exist, or nothing gives the time, or nothing a usage."""
        ColumnMapping(self._given).check(columns, sample)
        rows = [record.row for record in sample if not record.problem]
        present = set(columns) if columns is not None else {key for row in rows for key in row}
        mapped = {name: column for name, column in self._all.items() if name in self._given or column in present}
        if columns is not None:
            self._mapping = ColumnMapping(mapped, zone=self._zone)
            self._mapping.check(columns, sample)
        elif not rows:
            return
        if "occurred_at" not in mapped:
            raise UnusableMapping(
                f"No column gives occurred_at, the time of the call: add --map occurred_at=COLUMN. "
                f"The columns are: {', '.join(map(repr, sorted(present)))}."
            )
        has_response = columns is None and bool(present.intersection(RESPONSE_KEYS))
        if not has_response and not {*USAGE_FIELDS, "resource_type"}.intersection(mapped):
            raise UnusableMapping(
                f"No column says what was used: add --map input_tokens=COLUMN --map output_tokens=COLUMN, or one of "
                f"{', '.join(USAGE_FIELDS)}. The columns are: {', '.join(map(repr, sorted(present)))}."
            )

    def drafts(self, records: Iterable[Record]) -> Iterator[Draft]:
        """A draft for every record."""
        for record in records:
            if record.problem:
                yield Draft(record, problem=record.problem)
                continue
            try:
                fields = self._mapping.fields_of(record.row)
                if "occurred_at" not in fields:
                    raise InvalidUsage("occurred_at", None, "the time of the call")
                yield Draft(record, with_usage(fields, record.row))
            except InvalidUsage as error:
                yield Draft(record, problem=reason_of(error))
            except UnreadableFigures as error:
                yield Draft(record, problem=str(error))
