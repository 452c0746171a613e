"""Client libraries are looked for where their integration is imported; one that is missing is named, with its cure."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType


def needed(module: str, *, install: str) -> ModuleType:
    """The client library `module`, imported; raises ImportError, which says to run `install`, if it is not there.

    An error inside the library that is installed goes on as it is: to install it again would not help.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise
        message = f"This integration of costtrack needs {module!r}, which is not installed. Run: {install}"
        raise ImportError(message, name=module) from error
