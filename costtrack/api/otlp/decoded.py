"""What a body held: spans, and how many that are none."""

from __future__ import annotations

from dataclasses import dataclass, field

from costtrack.api.bodies import BodyTooLarge
from costtrack.extraction.spans import Span

MAX_SPANS = 10_000
"""In one request; SDKs send 512 at once, collectors some thousands."""


@dataclass(slots=True)
class Decoded:
    """The spans of one request."""

    spans: list[Span] = field(default_factory=list)
    malformed: int = 0

    def add(self, span: Span | None) -> None:
        """One more; None is one without valid ids. Raises BodyTooLarge past the most that a request may have."""
        if span is None:
            self.malformed += 1
        else:
            self.spans.append(span)
        if len(self.spans) + self.malformed > MAX_SPANS:
            raise BodyTooLarge(f"The body has more than {MAX_SPANS:,} spans. Send fewer at once.")
