"""LangChain: `model.invoke(..., config={"callbacks": [CostTrackHandler()]})`; AsyncCostTrackHandler in coroutines."""

from __future__ import annotations

from costtrack.integrations.langchain.handlers import AsyncCostTrackHandler, CostTrackHandler

__all__ = ["AsyncCostTrackHandler", "CostTrackHandler"]
