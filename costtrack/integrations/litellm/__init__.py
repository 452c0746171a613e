"""LiteLLM: `litellm.callbacks = [CostTrackLogger()]` meters its SDK; the module `proxy` here meters its proxy."""

from __future__ import annotations

from costtrack.integrations.litellm.logger import CostTrackLogger

__all__ = ["CostTrackLogger"]
