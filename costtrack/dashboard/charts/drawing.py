"""The parts of an SVG: elements with escaped attributes, positions, a scale that people can read."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Context, Decimal

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

ZERO = Decimal(0)
CENT = Decimal("0.01")
STEPS = 4
"""A scale has so many steps above 0."""
_NICE = tuple(map(Decimal, ("1", "1.5", "2", "2.5", "3", "4", "5", "10")))
_CONTEXT = Context(prec=60, rounding=ROUND_HALF_EVEN)
_PLACES = CENT


def element(tag: str, /, *children: SafeString, **attributes: object) -> SafeString:
    """An element; in names of attributes `_` stands for `-`, and one at the end is dropped; None leaves one out."""
    named = ((name.rstrip("_").replace("_", "-"), value) for name, value in attributes.items() if value is not None)
    written = format_html_join("", ' {}="{}"', ((mark_safe(name), value) for name, value in named))
    return format_html("<{}{}>{}</{}>", mark_safe(tag), written, joined(children), mark_safe(tag))


def joined(parts: Iterable[SafeString]) -> SafeString:
    """One after the other."""
    return format_html_join("", "{}", ((part,) for part in parts))


def picture(
    *parts: SafeString,
    title: str,
    width: int,
    height: int,
    class_: str,
    id_: str | None = None,
    keeps_shape: bool = False,
) -> SafeString:
    """A whole SVG, which assistive technology reads as one image with that title."""
    return element(
        "svg",
        element("title", format_html("{}", title)),
        *parts,
        id_=id_,
        class_=class_,
        viewBox=f"0 0 {width} {height}",
        preserveAspectRatio=None if keeps_shape else "none",
        role="img",
        aria_label=title,
    )


def position(value: Decimal, *, of: Decimal, length: int) -> Decimal:
    """Where a value lies on a line of that length whose end is `of`, to a hundredth; within the line in any case."""
    if of <= 0 or value <= 0:
        return ZERO
    return _CONTEXT.divide(min(value, of) * length, of).quantize(_PLACES, context=_CONTEXT)


def place(index: int, *, count: int, length: int) -> Decimal:
    """Where the slot of that index begins on a line of that length which has so many of them, to a hundredth."""
    return _CONTEXT.divide(Decimal(index * length), Decimal(max(count, 1))).quantize(_PLACES, context=_CONTEXT)


def scale_top(value: Decimal) -> Decimal:
    """The end of a scale that holds the value: 4 steps of 1, 1.5, 2, 2.5, 3, 4 or 5 times a power of ten.

    From a cent on they are whole cents, as figures are written: else 1.5 and 2 cents would read the same.
    """
    if value <= 0:
        return Decimal(STEPS)
    least = _CONTEXT.divide(value, Decimal(STEPS))
    unit = Decimal(1).scaleb(least.adjusted())
    steps = (step * unit * power for power in (1, 10) for step in _NICE)
    return next(
        step * STEPS for step in steps if step >= least and (step * STEPS < CENT or not _CONTEXT.remainder(step, CENT))
    )


def scale_steps(top: Decimal) -> list[Decimal]:
    """The figures beside the scale, the highest first, down to 0."""
    return [_CONTEXT.divide(top * step, Decimal(STEPS)) for step in range(STEPS, -1, -1)]


def hatching(id_: str, *, class_: str) -> SafeString:
    """The pattern of what is not certain: a forecast, what is held; `url(#id)` fills with it."""
    return element(
        "pattern",
        element("rect", width=8, height=8, class_=f"{class_} ct-faint"),
        element("path", d="M0 0V8", class_=f"{class_}-line"),
        id_=id_,
        width=8,
        height=8,
        patternUnits="userSpaceOnUse",
        patternTransform="rotate(45)",
    )
