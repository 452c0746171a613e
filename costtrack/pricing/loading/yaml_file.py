"""A YAML rate file as rows: `rates: {model: {prompt_per_1k: ..., completion_per_1k: ...}}`, or a list with `model`.

Numbers are taken as they are written, never as floats, and every value keeps its line.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

import yaml

from costtrack.exceptions import RateFileError
from costtrack.pricing.loading.rows import FileRow


def read_yaml(text: str) -> list[FileRow]:
    """The entries below `rates`. Raises RateFileError where the text is no such YAML."""
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
    rows: dict[str, FileRow] = {}
    repeated = []
    for key, node in rates.value:
        line = key.start_mark.line + 1
        if key.value in rows:
            repeated.append((line, f"{key.value} stands twice, first in line {rows[key.value].line}"))
        row = _row(node)
        rows[key.value] = FileRow(line, {"model": key.value, **row.values}, {"model": line, **row.lines})
    if repeated:
        raise RateFileError(repeated)
    return list(rows.values())


def _row(node: yaml.Node) -> FileRow:
    line = node.start_mark.line + 1
    if not isinstance(node, yaml.MappingNode):
        raise RateFileError([(line, "is no mapping of prices")])
    lines = {key.value: value.start_mark.line + 1 for key, value in node.value}
    if len(lines) < len(node.value):
        raise RateFileError([(line, "has a key twice")])
    return FileRow(line, {key.value: _plain(value) for key, value in node.value}, lines)


def _child(root: yaml.Node | None, name: str) -> yaml.Node | None:
    if isinstance(root, yaml.MappingNode):
        for key, node in root.value:
            if key.value == name:
                return node  # type: ignore[no-any-return]
    return None


def _plain(node: yaml.Node) -> object:
    if isinstance(node, yaml.MappingNode):
        return {key.value: _plain(value) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [_plain(value) for value in node.value]
    text = str(node.value)
    match node.tag.rpartition(":")[2]:
        case "null":
            return None
        case "bool":
            return text.lower() in ("true", "yes", "on")
        case "int" if text.isdecimal():
            return int(text)
        case "int" | "float":
            try:
                return Decimal(text.replace("_", "").lstrip("+").replace(".inf", "Infinity").replace(".nan", "NaN"))
            except InvalidOperation:
                return text
    return text
