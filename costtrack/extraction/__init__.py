"""What an LLM response used: tokens, model, ids and reported cost, from any provider's body or SDK object.

Plain Python: no Django, no clock, no settings. Nothing here raises on a value that a provider sent, and nothing
reads prompts or completions.
"""

from __future__ import annotations

from costtrack.extraction.extracted import Extracted
from costtrack.extraction.identity import trusted_id
from costtrack.extraction.response import extract
from costtrack.extraction.stream import StreamUsage, extract_stream

__all__ = ["Extracted", "StreamUsage", "extract", "extract_stream", "trusted_id"]
