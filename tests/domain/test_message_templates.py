from __future__ import annotations

from decimal import Decimal

import pytest

from costtrack.domain.message_templates import BadTemplate, render_template

VALUES: dict[str, str | Decimal] = {"cost": Decimal("1234.5600"), "threshold": Decimal(80), "budget": "A day"}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("", ""),
        ("{budget}: {cost:.2f} of {threshold}", "A day: 1234.56 of 80"),
        ("{cost}", "1234.56"),
        ("{cost:,.0f} {cost:>10.1f}|{cost:<8.0f}|", "1,235     1234.6|1235    |"),
        ("{{{budget}}} 100 %", "{A day} 100 %"),
    ],
)
def test_fields_are_filled_in(template: str, text: str) -> None:
    assert render_template(template, VALUES) == text


@pytest.mark.parametrize(
    "template",
    [
        "{",
        "}",
        "{}",
        "{0}",
        "{unknown}",
        "{cost.__class__}",
        "{budget.upper}",
        "{budget[0]}",
        "{cost!r}",
        "{cost:d}",
        "{cost:s}",
        "{cost:x}",
        "{budget:>10}",
        "{cost:999999999}",
        "{cost:.999999999f}",
        "{cost:{threshold}}",
        "{cost:{threshold.__class__}}",
        "{cost:e}",
        "{cost:0>999999999f}",
    ],
)
def test_e5_nothing_but_a_known_field_with_a_plain_format_is_taken(template: str) -> None:
    with pytest.raises(BadTemplate):
        render_template(template, VALUES)
