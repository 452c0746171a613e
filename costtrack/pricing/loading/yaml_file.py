"""A YAML rate file as rows: `rates: {model: {prompt_per_1k: ..., completion_per_1k: ...}}`, or a list with `model`.

Numbers are taken as they are written, never as floats, and every value keeps its line.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

import yaml

from costtrack.exceptions import RateFileError
from costtrack.pricing.loading.rows import FileRow

_MOST_DIGITS = 40
"""Of a whole number; Python refuses thousands of them, and no price or threshold has so many."""


def read_yaml(text: str) -> list[FileRow]:
    """The entries below `rates`, bad ones with their fault. Raises RateFileError where the text is no such YAML."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as fault:
        line = fault.problem_mark.line + 1 if fault.problem_mark else 1
        raise RateFileError([(line, f"is no YAML: {fault.problem or fault.context}")]) from None
    except yaml.YAMLError as fault:
        raise RateFileError([(1, f"is no YAML: {fault}")]) from None
    rates = _child(root, "rates")
    if isinstance(rates, yaml.SequenceNode):
        return [_row(node) for node in rates.value]
    if isinstance(rates, yaml.MappingNode):
        return _by_model(rates)
    raise RateFileError([(1, "has no `rates:` with entries below it")])


def _by_model(rates: yaml.MappingNode) -> list[FileRow]:
    rows: list[FileRow] = []
    first_line: dict[str, int] = {}
    for key, node in rates.value:
        line = key.start_mark.line + 1
        row = _row(node)
        if not isinstance(key, yaml.ScalarNode):
            rows.append(FileRow(line, {}, fault="has no model id before its prices"))
            continue
        faults = [row.fault] if row.fault else []
        if (first := first_line.setdefault(key.value, line)) != line:
            faults.append(f"{key.value} stands twice, first in line {first}; a list of rates takes a model twice")
        named = {"model": key.value, **row.values} if row.values or not row.fault else {}
        rows.append(FileRow(line, named, {"model": line, **row.lines}, fault="; ".join(faults)))
    return rows


def _row(node: yaml.Node) -> FileRow:
    line = node.start_mark.line + 1
    if not isinstance(node, yaml.MappingNode):
        return FileRow(line, {}, fault="is no mapping of prices")
    lines = {str(key.value): value.start_mark.line + 1 for key, value in node.value}
    fault = "has a key twice" if len(lines) < len(node.value) else ""
    return FileRow(line, {str(key.value): _plain(value) for key, value in node.value}, lines, fault)


def _child(root: yaml.Node | None, name: str) -> yaml.Node | None:
    if isinstance(root, yaml.MappingNode):
        for key, node in root.value:
            if key.value == name:
                return node  # type: ignore[no-any-return]
    return None


def _plain(node: yaml.Node) -> object:
    if isinstance(node, yaml.MappingNode):
        return {str(key.value): _plain(value) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [_plain(value) for value in node.value]
    text = str(node.value)
    match node.tag.rpartition(":")[2]:
        case "null":
            return None
        case "bool":
            return text.lower() in ("true", "yes", "on")
        case "int" if text.isdecimal() and len(text) < _MOST_DIGITS:
            return int(text)
        case "int" | "float":
            try:
                return Decimal(text.replace("_", "").lstrip("+").replace(".inf", "Infinity").replace(".nan", "NaN"))
            except InvalidOperation:
                return text
    return text
