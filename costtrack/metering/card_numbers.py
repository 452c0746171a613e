"""Card numbers in texts: 13 to 19 digits, blanks or hyphens between them, that a card of some scheme could bear."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from string import ascii_letters

CARD = "[redacted: card number]"
SHORTEST, LONGEST = 13, 19
SHORTEST_GROUP, MOST_GROUPS = 3, 6
UUID_LENGTH = 36

_RUN = re.compile(r"(?=[0-9]{3})[0-9](?:[ \xa0-]?[0-9]){12,}+")
_GROUP_OR_UUID = re.compile(r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}|([0-9]+)")
_IN_WORDS = frozenset(ascii_letters + "_")
_DOUBLED = str.maketrans("0123456789", "0246813579")

# The schemes' first digits, as six-digit ranges, and lengths (ISO/IEC 7812; Wikipedia, "Payment card number", read
# 2026-11-20). A millisecond or a nanosecond of our days, which begins with 1, is no card; nor are most ids.
_SCHEMES = [
    (220000, 220499, {16, 17, 18, 19}),  # Mir
    (222100, 272099, {16}),  # Mastercard
    (300000, 305999, {14, 16}),  # Diners Club
    (340000, 349999, {15}),  # American Express
    (352800, 358999, {16, 17, 18, 19}),  # JCB
    (360000, 369999, {14, 16, 19}),  # Diners Club
    (370000, 379999, {15}),  # American Express
    (380000, 399999, {14, 16, 19}),  # Diners Club
    (400000, 499999, {13, 16, 19}),  # Visa
    (500000, 509999, {16, 17, 18, 19}),  # Maestro, RuPay, Elo
    (510000, 559999, {16}),  # Mastercard
    (560000, 699999, {16, 17, 18, 19}),  # Maestro, UnionPay, Discover, RuPay
    (810000, 829999, {16}),  # UnionPay, RuPay
]
_FIRSTS = [first for first, _, _ in _SCHEMES]


def redact_cards(text: str) -> str:
    """The text with `[redacted: card number]` in place of each card number."""
    return _RUN.sub(_redacted_run, text) if len(text) >= SHORTEST else text


def is_card_number(digits: str) -> bool:
    """Whether a card could bear these digits: a scheme's first digits and length, and the right check digit."""
    if len(digits) < SHORTEST or not "2" <= digits[0] <= "8":
        return False
    first, last, lengths = _SCHEMES[bisect_right(_FIRSTS, int(digits[:6])) - 1]
    if len(digits) not in lengths or not first <= int(digits[:6]) <= last:
        return False
    total = sum(map(int, digits[-1::-2])) + sum(map(int, digits[-2::-2].translate(_DOUBLED)))
    return total % 10 == 0


def _redacted_run(run: re.Match[str]) -> str:
    """The run with its card numbers replaced; a number is one of its groups, or several together."""
    text = run.string
    groups = list(_free_groups(text, run.start(), run.end()))
    kept: list[str] = []
    position = run.start()
    number = 0
    while number < len(groups):
        count = _card_at(text, groups, number)
        if count:
            kept += [text[position : groups[number][0]], CARD]
            position = groups[number + count - 1][1]
        number += count or 1
    kept.append(text[position : run.end()])
    return "".join(kept)


def _card_at(text: str, groups: list[tuple[int, int]], number: int) -> int:
    """How many groups, from that one on, are a card number together; 0 if none are."""
    digits = ""
    previous_end = groups[number][0] - 1
    for count, (start, end) in enumerate(groups[number : number + MOST_GROUPS], start=1):
        if start != previous_end + 1 or end - start < SHORTEST_GROUP or len(digits) + end - start > LONGEST:
            break
        digits += text[start:end]
        if is_card_number(digits):
            return count
        previous_end = end
    return 0


def _free_groups(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The groups of digits from `start` to `end` that are no part of a word, a decimal number or a UUID."""
    for found in _GROUP_OR_UUID.finditer(text, max(start - UUID_LENGTH, 0), end + UUID_LENGTH):
        if not found[1] or found.start() < start or found.end() > end:
            continue
        before, after = text[max(found.start() - 2, 0) : found.start()], text[found.end() : found.end() + 2]
        is_in_word = before[-1:] in _IN_WORDS or after[:1] in _IN_WORDS
        is_decimal = (before[-1:] == "." and before[:1].isdigit()) or (after[:1] == "." and after[1:].isdigit())
        if not is_in_word and not is_decimal:
            yield found.span(1)
