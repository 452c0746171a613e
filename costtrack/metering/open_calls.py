"""Which metered calls are open here: `nested.py` keeps them, and whoever is called often asks whether there are any."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from costtrack.metering.nested import MeteredInside

open_calls: ContextVar[tuple[MeteredInside, ...]] = ContextVar("costtrack_open_calls", default=())
