"""A plan as it is given, by keyword arguments, in a file or over REST: the same fields everywhere, checked here."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from costtrack.domain.money import parse_usd
from costtrack.domain.plans import json_data
from costtrack.exceptions import InvalidPlan, InvalidUsage
from costtrack.metering.cleaning import clean_text, short, whole_number

LARGEST_COUNT = 10**15 - 1
"""SQLite keeps 15 digits of a budget's limit."""
MAX_WORKFLOWS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenWorkflow:
    """What one workflow of a plan is expected to need, in all its calls together."""

    workflow_id: str
    estimated_calls: int | None = None
    estimated_prompt_tokens: int | None = None
    prompt_words_estimate: int | None = None
    estimated_completion_tokens: int | None = None
    estimated_cost_usd: Decimal | None = None
    provider: str = ""
    model: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenPlan:
    """A plan, cleaned; what was not given is None, "" or empty."""

    name: str
    organization: str = ""
    project: str = ""
    stage: str = ""
    selected_count: int | None = None
    selection: Mapping[str, Any] = field(default_factory=dict)
    estimated_calls: int | None = None
    estimated_prompt_tokens: int | None = None
    estimated_total_tokens: int | None = None
    estimated_cost_usd: Decimal | None = None
    cost_per_1k_tokens: Decimal | None = None
    max_calls: int | None = None
    cost_cap: Decimal | None = None
    filters: Mapping[str, Any] = field(default_factory=dict)
    provider: str = ""
    """Of the workflows that do not say it, as the next."""
    model: str = ""
    workflows: tuple[GivenWorkflow, ...] = ()


Clean = Callable[[str, Any], Any]


def given_plan(given: object) -> GivenPlan:
    """The plan that a mapping of these fields is; None and absent fields are not given.

    Raises InvalidPlan, which names every field that is not known, is missing, or has a value that is not acceptable.
    """
    values, problems = _cleaned(given, PLAN, where="", what="plan")
    name = values.get("name", "")
    if isinstance(given, Mapping) and not name and not any(one.field == "name" for one in problems):
        problems.append(InvalidUsage("name", name, "what it is a plan of, such as docs"))
    prompt, total = values.get("estimated_prompt_tokens"), values.get("estimated_total_tokens")
    if prompt is not None and total is not None and total < prompt:
        expected = f"no less than the {prompt:,} prompt tokens in them"
        problems.append(InvalidUsage("estimated_total_tokens", total, expected))
    if problems:
        raise InvalidPlan(problems)
    return GivenPlan(**values)


def plan_text(longest: int = 200) -> Clean:
    """A text of at most so many characters, or a whole number as its digits: a longer one could become another."""

    def clean(name: str, value: object) -> str:
        if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:  # to JSON 7.0 is a whole number
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise InvalidUsage(name, value, "a text")
        if isinstance(value, int) and not -(2**63) <= value < 2**64:
            raise InvalidUsage(name, short(value), "a text, or a whole number of at most 64 bits")
        if "\x00" in str(value):
            raise InvalidUsage(name, value, "a text without NUL")
        text = clean_text(name, value, longest + 1)
        if len(text) > longest:
            raise InvalidUsage(name, value, f"a text of at most {longest} characters")
        return text

    return clean


def _count(name: str, value: object) -> int:
    number = whole_number(name, value)
    if not 0 <= number <= LARGEST_COUNT:
        raise InvalidUsage(name, short(number), f"a whole number from 0 to {LARGEST_COUNT:,}")
    return number


def _workflows(name: str, value: object) -> tuple[GivenWorkflow, ...]:
    if not isinstance(value, list | tuple):
        raise InvalidUsage(name, value, "a list of workflows")
    if len(value) > MAX_WORKFLOWS:
        raise InvalidUsage(name, f"{len(value):,} of them", f"at most {MAX_WORKFLOWS:,} workflows")
    found: dict[str, GivenWorkflow] = {}
    all_problems: list[InvalidUsage] = []
    for index, one in enumerate(value):
        where = f"{name}[{index}]"
        values, problems = _cleaned(one, WORKFLOW, where=f"{where}.", what=where)
        field, key = f"{where}.workflow_id", values.get("workflow_id", "")
        if isinstance(one, Mapping) and not key and not any(problem.field == field for problem in problems):
            problems.append(InvalidUsage(field, key, "the workflow's name, as usage is attributed to it"))
        elif key and key in found:
            problems.append(InvalidUsage(field, key, "each workflow once"))
        all_problems += problems
        found[key] = GivenWorkflow(**{"workflow_id": key, **values})
    if all_problems:
        raise InvalidPlan(all_problems)
    return tuple(found.values())


def _cleaned(
    given: object, known: Mapping[str, Clean], *, where: str, what: str
) -> tuple[dict[str, Any], list[InvalidUsage]]:
    """The values that are acceptable, and what is wrong with the others."""
    if not isinstance(given, Mapping):
        return {}, [InvalidUsage(what, given, f"an object with {', '.join(known)}")]
    values: dict[str, Any] = {}
    problems: list[InvalidUsage] = []
    for name, value in given.items():
        try:
            if name not in known:
                raise _no_such_field(f"{where}{str(name)[:40]}", value, name, known)
            if value is not None:
                values[name] = known[name](f"{where}{name}", value)
        except InvalidUsage as error:
            problems += error.problems if isinstance(error, InvalidPlan) else [error]
    return values, problems


def _no_such_field(field: str, value: object, name: object, known: Mapping[str, Clean]) -> InvalidUsage:
    close = difflib.get_close_matches(str(name)[:100], known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
    return InvalidUsage(field, value, f"nothing, for there is no such field ({hint})")


WORKFLOW: Mapping[str, Clean] = {
    "workflow_id": plan_text(),
    "estimated_calls": _count,
    "estimated_prompt_tokens": _count,
    "prompt_words_estimate": _count,
    "estimated_completion_tokens": _count,
    "estimated_cost_usd": parse_usd,
    "provider": plan_text(100),
    "model": plan_text(),
}
"""What may be said of a workflow."""
PLAN: Mapping[str, Clean] = {
    "name": plan_text(),
    "organization": plan_text(100),
    "project": plan_text(100),
    "stage": plan_text(),
    "selected_count": _count,
    "selection": json_data,
    "estimated_calls": _count,
    "estimated_prompt_tokens": _count,
    "estimated_total_tokens": _count,
    "estimated_cost_usd": parse_usd,
    "cost_per_1k_tokens": parse_usd,
    "max_calls": _count,
    "cost_cap": parse_usd,
    "filters": json_data,
    "provider": plan_text(100),
    "model": plan_text(),
    "workflows": _workflows,
}
"""What may be said of a plan."""
