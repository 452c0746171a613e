"""Span: one finished span, wherever it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """What is read of a span. Its attributes are as they were sent: any type, and nothing of them is trusted."""

    trace_id: str
    """32 hex digits."""
    span_id: str
    """16 hex digits."""
    parent_id: str = ""
    """"" for the root of a trace."""
    scope: str = ""
    """The name of the instrumentation that made it."""
    start_ns: int
    """Nanoseconds since 1970; 0 where nobody says."""
    end_ns: int
    attributes: Mapping[str, Any]
    resource: Mapping[str, Any] = field(default_factory=dict)
    """The attributes of the process that made it."""
    is_error: bool = False
    status_message: str = ""
    exception: Mapping[str, Any] = field(default_factory=dict)
    """The attributes of its last event of an exception."""
