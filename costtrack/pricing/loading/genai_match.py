"""The names that a genai-prices match clause stands for, as plain text."""

from __future__ import annotations

import re
from collections.abc import Iterator

from genai_prices.types import (
    ClauseAnd,
    ClauseContains,
    ClauseEndsWith,
    ClauseEquals,
    ClauseOr,
    ClauseRegex,
    ClauseStartsWith,
    MatchLogic,
    ModelInfo,
)

_LITERAL = re.compile(r"\^((?:[a-z0-9/:=@_-]|\\[.\[\]()-])+)\$")
_DATED = re.compile(r"(?P<name>.+)-20\d{6}")


def names_of(model: ModelInfo) -> list[str]:
    """The other spellings of a model: what its match clause looks for, in lower case, without its id.

    Clauses for a part of the text give that part: our matching allows only dates and versions behind a name, so a
    part cannot catch another model as it does there. Regular expressions count if they are literal text.
    """
    names = dict.fromkeys(name.lower().strip("/").rstrip("-@:.") for name in _walk(model.match))
    names.pop(model.id.lower(), None)
    return [name for name in names if name and not _is_base_of_fine_tunes(name, model.id)]


def dateless_names(names: list[str]) -> list[str]:
    """Bedrock ids without their date: people leave it out, and regional prices must hold for them too."""
    return [dated["name"] for name in names if (dated := _DATED.fullmatch(name))]


def _walk(clause: MatchLogic) -> Iterator[str]:
    match clause:
        case ClauseEquals(equals=text) | ClauseStartsWith(starts_with=text):
            yield text
        case ClauseContains(contains=text) | ClauseEndsWith(ends_with=text):
            yield text
        case ClauseRegex(regex=pattern):
            if literal := _LITERAL.fullmatch(pattern):
                yield re.sub(r"\\(.)", r"\1", literal[1])
        case ClauseOr(or_=inner) | ClauseAnd(and_=inner):
            for part in inner:
                yield from _walk(part)


def _is_base_of_fine_tunes(name: str, model_id: str) -> bool:
    """A fine-tuned model has prices of its own: never those of its base."""
    return name.startswith("ft:") and not model_id.startswith("ft:")
