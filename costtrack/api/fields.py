"""Bodies that are one object of known fields: what is wrong with a field is a 400 that names it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from rest_framework.exceptions import APIException
from rest_framework.request import Request

from costtrack.api.bodies import read_json
from costtrack.api.event_input import Clean, UnknownField, cleaned, text
from costtrack.exceptions import InvalidPlan, InvalidUsage
from costtrack.metering.importing.reasons import reason_of


class InvalidFields(APIException):
    """400. `errors` has what is wrong by the field's name; `detail` is all of it on one line."""

    status_code = 400

    def __init__(self, errors: Mapping[str, Sequence[str]], detail: str) -> None:
        self.errors = {name: list(problems) for name, problems in errors.items()}
        super().__init__(detail)


@contextmanager
def fields_checked() -> Iterator[None]:
    """Whatever the work inside finds wrong with a field (UnknownField, InvalidUsage, ValidationError) is told so."""
    try:
        yield
    except UnknownField as error:
        raise _of_one(error.field, str(error)) from error
    except InvalidPlan as error:
        raise InvalidFields(_by_field(error.problems), str(error)) from error
    except InvalidUsage as error:
        raise _of_one(error.field, reason_of(error)) from error
    except ValidationError as error:
        has_fields = hasattr(error, "error_dict")
        errors: dict[str, list[str]] = dict(error.message_dict) if has_fields else {NON_FIELD_ERRORS: error.messages}
        told = (
            f"{'' if name == NON_FIELD_ERRORS else f'{name}: '}{' '.join(problem.split())}"
            for name, problems in errors.items()
            for problem in problems
        )
        raise InvalidFields(errors, " ".join(told)) from error


def read_fields(request: Request, known: Mapping[str, Clean], *, what: str, keeps_null: bool = False) -> dict[str, Any]:
    """The values of the body, which is called `what`; cleaned by `known`. Null is not given, unless it is kept."""
    body = read_json(request)
    with fields_checked():
        return cleaned(body, known, what=what, keeps_null=keeps_null)


def text_up_to(longest: int) -> Clean:
    """A text of at most so many characters."""

    def clean(field: str, value: object) -> str:
        found = text(field, value)
        if len(found) > longest:
            raise InvalidUsage(field, value, f"a text of at most {longest} characters (these are {len(found):,})")
        return found

    return clean


def one_of(choices: Sequence[str]) -> Clean:
    """One of these texts."""

    def clean(field: str, value: object) -> str:
        if not isinstance(value, str) or value not in choices:
            raise InvalidUsage(field, value, f"one of {', '.join(one for one in choices if one)}")
        return value

    return clean


def _by_field(problems: Sequence[InvalidUsage]) -> dict[str, list[str]]:
    errors: dict[str, list[str]] = {}
    for one in problems:
        errors.setdefault(one.field, []).append(reason_of(one).removeprefix(f"{one.field}: "))
    return errors


def _of_one(field: str, reason: str) -> InvalidFields:
    return InvalidFields({field: [reason.removeprefix(f"{field}: ")]}, reason)
