from __future__ import annotations

import pytest

from costtrack.api.ids import id_in


@pytest.mark.parametrize(("text", "found"), [("1", 1), ("0", 0), ("9223372036854775807", 2**63 - 1)])
def test_an_id_is_a_whole_number_as_answers_write_it(text: str, found: int) -> None:
    assert id_in(text) == found


@pytest.mark.parametrize(
    "text", ["", "01", "+1", "-1", "1.0", " 1", "x", "1\x00", "\uff11", "9223372036854775808", "9" * 5000]
)
def test_no_other_text_is_one(text: str) -> None:
    assert id_in(text) is None
