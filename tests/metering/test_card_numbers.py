"""Card numbers in texts: those a card could bear go, however they are grouped; other long numbers stay."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from costtrack.metering.card_numbers import is_card_number, redact_cards

CARD = "[redacted: card number]"

# The schemes' own numbers for tests.
TEST_CARDS = [
    "4111111111111111",  # Visa
    "4222222222222",  # Visa of 13 digits
    "5555555555554444",  # Mastercard
    "2223003122003222",  # Mastercard
    "378282246310005",  # American Express
    "341111111111111",  # American Express
    "30569309025904",  # Diners Club
    "38520000023237",  # Diners Club
    "6011111111111117",  # Discover
    "3530111333300000",  # JCB
    "6200000000000005",  # UnionPay
    "6205500000000000004",  # UnionPay of 19 digits
    "2200000000000004",  # Mir
    "6759649826438453",  # Maestro
]


@pytest.mark.parametrize("digits", TEST_CARDS)
def test_each_scheme_s_numbers_go_and_with_another_check_digit_they_stay(digits: str) -> None:
    assert is_card_number(digits)
    assert redact_cards(f"card {digits}, please") == f"card {CARD}, please"
    for wrong in {str(n) for n in range(10)} - {digits[-1]}:
        assert not is_card_number(digits[:-1] + wrong)
        assert redact_cards(digits[:-1] + wrong) == digits[:-1] + wrong


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("4111 1111 1111 1111", CARD),
        ("4111-1111-1111-1111", CARD),
        ("4111\u00a01111\u00a01111\u00a01111", CARD),
        ("3782 822463 10005", CARD),
        ("3056 930902 5904", CARD),
        ("620550 0000000000004", CARD),
        ("card=4111111111111111&n=1", f"card={CARD}&n=1"),
        ('{"card": 4111111111111111}', f'{{"card": {CARD}}}'),
        ("No.4111111111111111.", f"No.{CARD}."),
        ("卡号4111111111111111已", f"卡号{CARD}已"),
        ("4111111111111111 5555555555554444", f"{CARD} {CARD}"),
        ("4111111111111111, 5555555555554444", f"{CARD}, {CARD}"),
        ("4111 1111 1111 1111 5555 5555 5555 4444", f"{CARD} {CARD}"),
        ("order 12345 4111 1111 1111 1111 2026", f"order 12345 {CARD} 2026"),
        ("4111 1111 1111 1111 12/26", f"{CARD} 12/26"),
        ("4111111111111111 7c9e6679-7425-40de-944b-e07fc1f90ae7", f"{CARD} 7c9e6679-7425-40de-944b-e07fc1f90ae7"),
    ],
)
def test_groups_and_neighbours(text: str, redacted: str) -> None:
    assert redact_cards(text) == redacted


@pytest.mark.parametrize(
    "text",
    [
        "",
        "411111111111",  # too short
        "41111111111111111111",  # too long
        "1111111111111117",  # right check digit, but of no scheme: 1
        "9111111111111111",
        "41 11 11 11 11 11 11 11",  # nobody groups so
        "4111  1111  1111  1111",
        "0.4111111111111111",
        "4111111111111111.5",
        "req_4111111111111111",
        "x4111111111111111",
        "4111111111111111b",
        "41111111-1111-1111-8111-111111111111",
        "41111111-1111-1111-8a11-111111111111",
        "id 12 41111111-1111-1111-8111-111111111111",
        "1732622400000",  # seconds, milliseconds, microseconds, nanoseconds of 2024
        "1732622400000000",
        "1732622400000000000",
        "2026-11-20 12:00:00.123456",
        "20261120120000123456",
    ],
)
def test_other_numbers_stay(text: str) -> None:
    assert redact_cards(text) == text


def test_no_uuid_and_no_time_of_these_years_is_taken_for_a_card() -> None:
    for _ in range(5_000):
        text = f"12 {uuid4()} 3456"
        assert redact_cards(text) == text
    for days in range(0, 3_650, 7):
        seconds = int(datetime(2024, 1, 1, tzinfo=UTC).timestamp()) + 86_400 * days
        text = " ".join(str(seconds * unit) for unit in (1, 10**3, 10**6, 10**9))
        assert redact_cards(text) == text
