"""costtrack: what a team's LLM calls, tool calls and GPU jobs cost, to the cent, and who caused it.

The public names are loaded when they are first used, so that a host's models.py may import and decorate with them
before Django's apps are ready.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from costtrack.exceptions import (
        BooksDisagree,
        BudgetExceeded,
        BudgetNotFound,
        BudgetUnavailable,
        CallRefused,
        CostTrackError,
        FlushInTransaction,
        HoldEnded,
        HoldTooSmall,
        IdempotencyConflict,
        InvalidCorrection,
        InvalidPlan,
        InvalidUsage,
        InvoiceFileError,
        RateConflict,
        RateFileError,
        RateNotFound,
        UnknownOrganization,
        UnknownWorstCase,
        UntoldBudgetChange,
    )
    from costtrack.metering.context import attribute
    from costtrack.metering.corrections import adjust_usage, void_usage
    from costtrack.metering.decorator import track_api_call
    from costtrack.metering.flushing import flush
    from costtrack.metering.meter import meter
    from costtrack.metering.plans.record import record_plan
    from costtrack.metering.record import record_api_call, record_usage
    from costtrack.metering.reserve import reserve
    from costtrack.metering.runs.usage_run import usage_run
    from costtrack.metering.subscribers import subscribe, unsubscribe
    from costtrack.pricing.api import calculate_cost, calculate_cost_breakdown, estimate_cost, get_model_pricing
    from costtrack.reporting.budgets import budget_status
    from costtrack.reporting.variance import run_variance
    from costtrack.reporting.what_if.ask import what_if

__version__ = "0.1.0"

__all__ = [
    "BooksDisagree",
    "BudgetExceeded",
    "BudgetNotFound",
    "BudgetUnavailable",
    "CallRefused",
    "CostTrackError",
    "FlushInTransaction",
    "HoldEnded",
    "HoldTooSmall",
    "IdempotencyConflict",
    "InvalidCorrection",
    "InvalidPlan",
    "InvalidUsage",
    "InvoiceFileError",
    "RateConflict",
    "RateFileError",
    "RateNotFound",
    "UnknownOrganization",
    "UnknownWorstCase",
    "UntoldBudgetChange",
    "adjust_usage",
    "attribute",
    "budget_status",
    "calculate_cost",
    "calculate_cost_breakdown",
    "estimate_cost",
    "flush",
    "get_model_pricing",
    "meter",
    "record_api_call",
    "record_plan",
    "record_usage",
    "reserve",
    "run_variance",
    "subscribe",
    "track_api_call",
    "unsubscribe",
    "usage_run",
    "void_usage",
    "what_if",
]

_MODULES = {
    "adjust_usage": "costtrack.metering.corrections",
    "attribute": "costtrack.metering.context",
    "budget_status": "costtrack.reporting.budgets",
    "calculate_cost": "costtrack.pricing.api",
    "calculate_cost_breakdown": "costtrack.pricing.api",
    "estimate_cost": "costtrack.pricing.api",
    "flush": "costtrack.metering.flushing",
    "get_model_pricing": "costtrack.pricing.api",
    "meter": "costtrack.metering.meter",
    "record_api_call": "costtrack.metering.record",
    "record_plan": "costtrack.metering.plans.record",
    "record_usage": "costtrack.metering.record",
    "reserve": "costtrack.metering.reserve",
    "run_variance": "costtrack.reporting.variance",
    "subscribe": "costtrack.metering.subscribers",
    "track_api_call": "costtrack.metering.decorator",
    "unsubscribe": "costtrack.metering.subscribers",
    "usage_run": "costtrack.metering.runs.usage_run",
    "void_usage": "costtrack.metering.corrections",
    "what_if": "costtrack.reporting.what_if.ask",
}
"""Where a name is that is no exception."""


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_MODULES.get(name, "costtrack.exceptions")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
