"""LiteLLM: `instrument()` meters its SDK, and refuses before the call; the module `proxy` here meters its proxy."""

from __future__ import annotations

from costtrack.integrations.litellm.instrument import instrument, uninstrument
from costtrack.integrations.litellm.logger import CostTrackLogger

__all__ = ["CostTrackLogger", "instrument", "uninstrument"]
