"""Rows as a Parquet file, with the types that they have: money exact, instants in UTC. Needs the extra `parquet`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, TYPE_CHECKING, Any

from costtrack.domain.money import COST_PLACES
from costtrack.exceptions import CostTrackError
from costtrack.reporting.columns import Column, Kind

if TYPE_CHECKING:
    import pyarrow

GROUP_ROWS = 20_000
"""Rows per row group at least: what is kept in memory, and what a reader skips at once."""
DECIMAL_DIGITS = 38


class ParquetMissing(CostTrackError):
    """The package that writes Parquet is not installed."""

    def __init__(self) -> None:
        super().__init__('Parquet needs pyarrow, which is not installed here: pip install "costtrack[parquet]".')


def write_parquet(columns: Sequence[Column], chunks: Iterable[Sequence[Any]], file: IO[bytes]) -> None:
    """Write the rows, a chunk at a time, as one whole file. Raises ParquetMissing.

    DATA is JSON as text; every column may be null.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ParquetMissing from error
    types = {
        Kind.TEXT: pyarrow.string(),
        Kind.INTEGER: pyarrow.int64(),
        Kind.DECIMAL: pyarrow.decimal128(DECIMAL_DIGITS, COST_PLACES),
        Kind.BOOLEAN: pyarrow.bool_(),
        Kind.INSTANT: pyarrow.timestamp("us", tz="UTC"),
        Kind.DAY: pyarrow.date32(),
        Kind.DATA: pyarrow.string(),
    }
    schema = pyarrow.schema([(column.name, types[column.kind]) for column in columns])
    batches = (
        pyarrow.record_batch([[_cell(column, row) for row in rows] for column in columns], schema=schema)
        for rows in chunks
    )
    with pyarrow.parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        for group in _groups(batches):
            writer.write_table(pyarrow.Table.from_batches(group, schema))


def _groups(batches: Iterable[pyarrow.RecordBatch]) -> Iterator[list[pyarrow.RecordBatch]]:
    """The batches by row groups: one at least, as some readers want."""
    group: list[pyarrow.RecordBatch] = []
    has_more = True
    for batch in batches:
        group.append(batch)
        has_more = sum(one.num_rows for one in group) < GROUP_ROWS
        if not has_more:
            yield group
            group = []
    if has_more:
        yield group


def _cell(column: Column, row: Any) -> Any:
    value = column.value(row)
    if value is None or column.kind is not Kind.DATA:
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
