"""Texts with `{fields}`, such as "{budget} spent {cost:.2f} USD": plain names, with a format, and nothing more.

`str.format` would let who writes a template read attributes of what it is given, or fill the memory by a width.
"""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from decimal import Decimal

FORMAT = re.compile(r"(?:[<>^]?[0-9]{1,2})?,?(?:\.[0-9]{1,2})?[f%]?")
"""Alignment and width, thousands, decimals, f or %: the part of Python's formats that figures need."""
A_FORMAT = "a format like .2f or ,.0f"


class BadTemplate(ValueError):
    """A template can not be used. Says what was seen, and what is expected."""


def check_template(template: str, samples: Mapping[str, str | Decimal]) -> None:
    """Raise BadTemplate unless the template uses only fields of `samples`, each with a format that its kind takes."""
    render_template(template, samples)


def render_template(template: str, values: Mapping[str, str | Decimal]) -> str:
    """The text with its fields filled in. Raises BadTemplate."""
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        raise BadTemplate(f"{error}. Write {{{{ and }}}} for braces.") from None
    return "".join(
        text + ("" if name is None else _field(name, spec or "", how, values)) for text, name, spec, how in parts
    )


def _field(name: str, spec: str, conversion: str | None, values: Mapping[str, str | Decimal]) -> str:
    if name not in values:
        raise BadTemplate(f"Got {{{name[:40]}}}, expected one of the fields {', '.join(sorted(values))}.")
    if conversion is not None:
        raise BadTemplate(f"Got !{conversion} in {{{name}}}, expected no conversion.")
    value = values[name]
    if isinstance(value, str):
        if spec:
            raise BadTemplate(f"Got the format {spec[:20]!r} for {{{name}}}, expected none: it is a text.")
        return value
    if not FORMAT.fullmatch(spec):
        raise BadTemplate(f"Got the format {spec[:20]!r} for {{{name}}}, expected {A_FORMAT}.")
    return format(value, spec) if spec else f"{value.normalize():f}"
