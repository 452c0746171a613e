"""How many tokens a model is given to read, before it is asked: what a reservation is worked out from.

Counted here, and never with a download. A count that is too low is no disaster: what the call used is what is booked,
and a hold that was too small is flagged as overrun.
"""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from importlib import import_module
from pathlib import Path
from typing import Any

from django.utils.module_loading import import_string

from costtrack.conf import settings
from costtrack.extraction import text_length
from costtrack.pricing.api import CHARACTERS_PER_TOKEN

logger = logging.getLogger("costtrack")

TOKENS_PER_MESSAGE = 4
"""What a chat format adds to each message and its role (OpenAI's cookbook, "How to count tokens with tiktoken")."""
LONGEST_TEXT = 400_000
"""Of a longer one, tokenizing which would hold the call up, the characters are counted."""

_ENCODINGS = "https://openaipublic.blob.core.windows.net/encodings/"
_SHA256 = {
    "cl100k_base": "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
    "o200k_base": "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
}
"""Of tiktoken's files, from `tiktoken_ext/openai_public.py` of tiktoken 0.14.0: it downloads one that differs."""


def count_tokens(model: str, inputs: Sequence[object]) -> int | None:
    """The tokens of all text in the `inputs` of one call; None if there is no text in them.

    By the function that COSTTRACK["TOKEN_COUNTER"] names, `counter(model, value) -> int`, asked for each input. Else by
    tiktoken, if it is installed, knows the model, and has its file on this machine. Else, and where one of these fails,
    the characters over CHARACTERS_PER_TOKEN, rounded up. Images, audio and files are not counted.
    """
    if not inputs:
        return None
    try:
        counted = _counted(model, inputs)
    except Exception as error:  # the host's code, or a value that has no text; the call is estimated all the same
        logger.warning("Input tokens could not be counted, and are estimated: %s: %s", type(error).__name__, error)
        counted = None
    if counted is None:
        try:
            counted = -(-sum(map(text_length, inputs)) // CHARACTERS_PER_TOKEN)
        except Exception:  # whatever the caller's objects do
            return None
    return counted if counted or all(value in ("", [], ()) for value in inputs) else None


def _counted(model: str, inputs: Sequence[object]) -> int | None:
    path = settings.token_counter
    if path:
        counter: Callable[[str, object], object] = import_string(path)
        counts = [counter(model, value) for value in inputs]
        for count in counts:
            if type(count) is not int or count < 0:
                raise TypeError(f"{path} gave {count!r}, expected a number of tokens.")
        return sum(counts)  # type: ignore[arg-type]
    encoding = _tiktoken_encoding(model)
    if encoding is None:
        return None
    messages = sum(len(value) for value in inputs if isinstance(value, (list, tuple)))
    count = partial(_encoded, encoding)
    return TOKENS_PER_MESSAGE * messages + sum(text_length(value, count=count) for value in inputs)


def _encoded(encoding: Any, text: str) -> int:
    if len(text) > LONGEST_TEXT:
        return -(-len(text) // CHARACTERS_PER_TOKEN)
    return len(encoding.encode_ordinary(text))


@lru_cache(maxsize=256)
def _tiktoken_encoding(model: str) -> Any:
    """The encoding of the model; None if it can not be had without a download."""
    try:
        tiktoken = import_module("tiktoken")
        name = tiktoken.encoding_name_for_model(model.strip().lower().rpartition("/")[2])
        return tiktoken.get_encoding(name) if _has_file(name) else None
    except Exception:  # not installed, no model of theirs, another version of it
        return None


def _has_file(name: str) -> bool:
    """Whether the file of the encoding is in tiktoken's cache, whole: it would remove and load one that is not."""
    directory = next(
        (os.environ[key] for key in ("TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR") if key in os.environ),
        os.path.join(tempfile.gettempdir(), "data-gym-cache"),
    )
    if not directory or name not in _SHA256:
        return False
    path = Path(directory) / hashlib.sha1(f"{_ENCODINGS}{name}.tiktoken".encode(), usedforsecurity=False).hexdigest()
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == _SHA256[name]
