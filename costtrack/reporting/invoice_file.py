"""A provider's invoice as a CSV file: what each model has cost on each day.

Its header has `date`, `model` and `cost_usd`, in any order; other columns are left alone. Lines of the same day and
model are added up: invoices have one for each kind of token. A credit is negative.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from costtrack.domain.money import EXACT, MAX_COST_USD, parse_decimal, round_cost
from costtrack.domain.periods import DayRange
from costtrack.domain.reconciliation import DayModel
from costtrack.exceptions import CostTrackError, InvalidUsage, InvoiceFileError
from costtrack.pricing.canonical import canonical_model
from costtrack.reporting.parameters import MAX_TEXT, parse_day, parse_text, shorten

MAX_BYTES = 5 << 20
MAX_DAYS = 1100
COLUMNS = ("date", "model", "cost_usd")
NOT_UTF8 = 'is not UTF-8; of a spreadsheet, save it as "CSV UTF-8"'
OTHER_SEPARATORS = ";\t|"
A_MODEL = f"a model's id of 1 to {MAX_TEXT} characters"

Problems = list[tuple[int, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice:
    """What a provider has billed."""

    provider: str
    amounts: Mapping[DayModel, Decimal]
    """In US dollars, by day and model; models are named as usage names them."""

    @property
    def days(self) -> DayRange:
        """From the first day that it names to the last."""
        named = [day for day, _ in self.amounts]
        return DayRange(min(named), max(named) + timedelta(days=1))


def read_invoice(content: bytes, *, provider: str) -> Invoice:
    """The invoice of a file's content. Raises InvoiceFileError with every bad line."""
    text = _text(content)
    problems: Problems = []
    amounts: dict[DayModel, Decimal] = {}
    line_of: dict[date, int] = {}
    for line, cells in _lines(text, problems):
        try:
            key, cost = _amount(cells, provider=provider)
        except CostTrackError as error:
            problems.append((line, str(error)))
            continue
        line_of.setdefault(key[0], line)
        amounts[key] = EXACT.add(amounts.get(key, Decimal(0)), cost)
    if line_of and (last := max(line_of)) - (first := min(line_of)) >= timedelta(days=MAX_DAYS):
        problems.append((line_of[last], f"{last} lies more than {MAX_DAYS:,} days after {first}, the first day"))
    if not amounts and not problems:
        problems.append((1, "holds no amounts; expected a line for each day and model below the header"))
    if problems:
        raise InvoiceFileError(sorted(problems))
    return Invoice(provider=provider, amounts=amounts)


def _text(content: bytes) -> str:
    if len(content) > MAX_BYTES:
        raise InvoiceFileError([(1, f"the file is longer than {MAX_BYTES:,} bytes")])
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        raise InvoiceFileError([(content.count(b"\n", 0, fault.start) + 1, NOT_UTF8)]) from None


def _lines(text: str, problems: Problems) -> Iterator[tuple[int, dict[str, str]]]:
    """The number and the three cells of each line below the header; what is wrong with others goes to `problems`."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str] = []
    try:
        while True:
            line = reader.line_num + 1
            cells = [cell.strip() for cell in next(reader)]
            if not any(cells):
                continue
            if not header:
                header = [cell.lower() for cell in cells]
                _check(header, line)
            elif len(cells) != len(header):
                problems.append((line, f"has {len(cells)} cell(s), the header {len(header)}"))
            else:
                yield line, {name: cells[header.index(name)] for name in COLUMNS}
    except StopIteration:
        return
    except csv.Error as fault:
        problems.append((reader.line_num, f"is no CSV: {fault}; what follows was not read"))


def _check(header: Sequence[str], line: int) -> None:
    missing = [name for name in COLUMNS if header.count(name) != 1]
    if missing:
        seen = shorten(", ".join(header))
        if len(header) == 1 and any(separator in header[0] for separator in OTHER_SEPARATORS):
            raise InvoiceFileError([(line, f"is not separated by commas; save the file with commas. It is: {seen}")])
        raise InvoiceFileError([(line, f"needs a header with each of {', '.join(COLUMNS)} once; it is: {seen}")])


def _amount(cells: Mapping[str, str], *, provider: str) -> tuple[DayModel, Decimal]:
    day = parse_day("date", cells["date"])
    model = canonical_model(parse_text("model", cells["model"], expected=A_MODEL), provider).model
    cost = parse_decimal("cost_usd", cells["cost_usd"])
    if abs(cost) >= MAX_COST_USD:
        raise InvalidUsage("cost_usd", cells["cost_usd"], "US dollars between -1e12 and 1e12")
    return (day, model), round_cost(cost)
