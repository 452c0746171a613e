"""Reading single arguments of a tracked function's calls, however they were passed."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

CONVERSATION_NAMES = ("conversation_id", "thread_id")
MODEL_NAMES = ("model", "model_id", "modelId")
INPUT_NAMES = ("messages", "prompt", "input", "contents", "system", "instructions", "tools")
"""What the model is given to read, as the SDKs name it; all of them together."""

MAX_OUTPUT_NAMES = ("max_output_tokens", "max_completion_tokens", "max_tokens")
"""The most that the model may answer."""
ANSWERS_NAMES = ("n", "candidate_count")
"""How many answers it is to give, each of so much."""


class ArgumentReader:
    """Finds an argument by the first of some names that the call has; the signature is looked at once."""

    def __init__(self, function: Callable[..., Any], names: Sequence[str]) -> None:
        """For the calls of `function`."""
        self._names = names
        self._places: list[tuple[str, int | None, object]] = []
        self.may_find = True
        """Whether a call can have any of the names."""
        try:
            parameters = list(inspect.signature(function).parameters.values())
        except (ValueError, TypeError):  # some builtins have no signature: keyword arguments are found all the same
            return
        self.may_find = any(one.name in names or one.kind is one.VAR_KEYWORD for one in parameters)
        for name in names:
            for index, parameter in enumerate(parameters):
                if parameter.name == name and parameter.kind is not inspect.Parameter.VAR_POSITIONAL:
                    positional = parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
                    default = None if parameter.default is parameter.empty else parameter.default
                    self._places.append((name, index if positional else None, default))

    def read(self, args: Sequence[object], kwargs: Mapping[str, object]) -> object:
        """The argument's value, else its default, else None."""
        for name in self._names:
            if kwargs.get(name) is not None:
                return kwargs[name]
        for name, index, default in self._places:
            value = args[index] if index is not None and index < len(args) else kwargs.get(name, default)
            if value is not None:
                return value
        return None
