"""For host projects' tests: what code under test would cost, without a database and without a network.

`with capture_usage() as log:` keeps what is metered in memory instead of the ledger, and prices it;
`with assert_cost_below("0.05"):` fails if it costs more. The names are loaded when they are first used, so that the
pytest plugin in this package costs a test run nothing that does not need it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from costtrack.testing.capture import UsageLog, capture_usage
    from costtrack.testing.cost_limit import assert_cost_below

__all__ = ["UsageLog", "assert_cost_below", "capture_usage"]

_MODULES = {
    "UsageLog": "costtrack.testing.capture",
    "assert_cost_below": "costtrack.testing.cost_limit",
    "capture_usage": "costtrack.testing.capture",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
