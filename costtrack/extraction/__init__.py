"""What an LLM response used: tokens, model, ids and reported cost, from any provider's body or SDK object.

Plain Python: no Django, no clock, no settings. Nothing here raises on a value that a provider sent, and nothing
keeps prompts or completions: of a stream and its request the characters are counted, and only where that is asked for.
"""

from __future__ import annotations

from costtrack.extraction.anthropic_stream import COUNTING_EVENTS
from costtrack.extraction.extracted import Extracted
from costtrack.extraction.identity import trusted_id
from costtrack.extraction.quick_look import TEXT_EVENTS
from costtrack.extraction.response import extract
from costtrack.extraction.stream import StreamUsage, extract_stream
from costtrack.extraction.streamed_text import ArrivedText
from costtrack.extraction.text_length import text_length

__all__ = [
    "COUNTING_EVENTS",
    "TEXT_EVENTS",
    "ArrivedText",
    "Extracted",
    "StreamUsage",
    "extract",
    "extract_stream",
    "text_length",
    "trusted_id",
]
