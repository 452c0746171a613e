"""What a plan does not say of itself and can be worked out: sums over its workflows, and the cost by the rates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from itertools import pairwise

from costtrack.domain.events import ServiceTier
from costtrack.domain.money import EXACT, MAX_COST_USD, exact_sum, round_cost
from costtrack.domain.plans import PlanFigures
from costtrack.domain.tokens import MAX_TOKENS, TokenUsage
from costtrack.exceptions import InvalidUsage
from costtrack.metering.plans.given import GivenPlan, GivenWorkflow
from costtrack.models import CostPlan
from costtrack.pricing.cost import cost_of_tokens
from costtrack.pricing.ratebook import RateBook

WORDS = 75
TOKENS = 100
"""So many words are so many tokens: OpenAI's rule of thumb for English (help.openai.com, "What are tokens", read
2026-11)."""

Basis = CostPlan.CostBasis


def estimated_workflows(
    plan: GivenPlan, *, organization_id: int, book: RateBook, at: datetime
) -> tuple[GivenWorkflow, ...]:
    """The plan's workflows, with the prompt tokens that follow from their words, and what they cost by the rates.

    A workflow without a model has the plan's. Where the model, its rate or a number of tokens is unknown, so is its
    cost.
    """
    found = []
    for one in plan.workflows:
        words = one.prompt_words_estimate
        if one.estimated_prompt_tokens is None and words is not None:
            one = replace(one, estimated_prompt_tokens=-(-words * TOKENS // WORDS))
        if not one.model:
            one = replace(one, model=plan.model, provider=one.provider or plan.provider)
        if one.estimated_cost_usd is None:
            cost = _cost(one, organization_id=organization_id, book=book, at=at)
            one = replace(one, estimated_cost_usd=cost)
        found.append(one)
    return tuple(found)


def plan_figures(
    plan: GivenPlan, workflows: Sequence[GivenWorkflow], *, organization_id: int, book: RateBook, at: datetime
) -> tuple[PlanFigures, CostPlan.CostBasis]:
    """All figures of the plan, and where its cost comes from.

    What is given stands. Else a figure is the sum over the workflows, if every one of them has it; without workflows
    the cost is that of the plan's own model and tokens; and at last its tokens at its own price per thousand.
    """
    calls = _first(plan.estimated_calls, _sum(one.estimated_calls for one in workflows))
    prompt = _first(plan.estimated_prompt_tokens, _sum(one.estimated_prompt_tokens for one in workflows))
    completion = _sum(one.estimated_completion_tokens for one in workflows)
    total = plan.estimated_total_tokens
    if total is None and prompt is not None and completion is not None:
        total = prompt + completion
    cost, basis = plan.estimated_cost_usd, Basis.GIVEN
    if cost is None:
        cost, basis = _sum_usd(one.estimated_cost_usd for one in workflows), Basis.RATES
        if cost is not None and all(one.estimated_cost_usd is not None for one in plan.workflows):
            basis = Basis.GIVEN
    if cost is None and not workflows and prompt is not None and total is not None:
        whole = GivenWorkflow(
            workflow_id=plan.name,
            estimated_calls=calls,
            estimated_prompt_tokens=prompt,
            estimated_completion_tokens=total - prompt,
            provider=plan.provider,
            model=plan.model,
        )
        cost = _cost(whole, organization_id=organization_id, book=book, at=at)
    tokens = _first(total, prompt)
    if cost is None and plan.cost_per_1k_tokens is not None and tokens is not None:
        cost, basis = round_cost(EXACT.multiply(plan.cost_per_1k_tokens, Decimal(tokens)).scaleb(-3)), Basis.GIVEN
    if cost is not None and cost >= MAX_COST_USD:
        raise InvalidUsage("estimated_cost_usd", cost, "US dollars from 0 to below 1e12")
    figures = PlanFigures(
        stage=plan.stage,
        selected_count=plan.selected_count,
        selection=plan.selection,
        estimated_calls=calls,
        estimated_prompt_tokens=prompt,
        estimated_total_tokens=total,
        estimated_cost_usd=cost,
        cost_per_1k_tokens=plan.cost_per_1k_tokens,
        max_calls=plan.max_calls,
        cost_cap=plan.cost_cap,
        filters=plan.filters,
    )
    return figures, Basis.UNKNOWN if cost is None else basis


def _cost(one: GivenWorkflow, *, organization_id: int, book: RateBook, at: datetime) -> Decimal | None:
    """What its calls cost by the rates in force, its tokens spread evenly over them; None where that is not known."""
    prompt, completion = one.estimated_prompt_tokens, one.estimated_completion_tokens
    if one.estimated_calls == 0:
        return Decimal(0)
    if not one.model or prompt is None or completion is None:
        return None
    match = book.find(
        model=one.model,
        provider=one.provider,
        gateway="",
        organization_id=organization_id,
        service_tier=ServiceTier.STANDARD.value,
        at=at,
    )
    if match is None:
        return None
    cost = Decimal(0)
    for number, input_tokens, output_tokens in _even_calls(one.estimated_calls or 1, prompt, completion):
        if max(input_tokens, output_tokens) > MAX_TOKENS:
            return None
        tokens = TokenUsage(input_tokens=input_tokens, output_tokens=output_tokens)
        breakdown = cost_of_tokens(tokens, match.rate)
        if breakdown is None:
            return None
        cost = EXACT.add(cost, EXACT.multiply(breakdown.total_usd, Decimal(number)))
    return cost if cost < MAX_COST_USD else None


def _even_calls(calls: int, prompt: int, completion: int) -> Iterator[tuple[int, int, int]]:
    """At most three kinds of calls, as equal as whole tokens can be: (how many, prompt tokens, completion tokens)."""
    (each_prompt, more_prompt), (each_completion, more_completion) = divmod(prompt, calls), divmod(completion, calls)
    edges = sorted({0, more_prompt, more_completion, calls})
    for start, end in pairwise(edges):
        yield end - start, each_prompt + (start < more_prompt), each_completion + (start < more_completion)


def _first(given: int | None, otherwise: int | None) -> int | None:
    return otherwise if given is None else given


def _sum(values: Iterable[int | None]) -> int | None:
    """The sum; None if one is not known, or if there is none."""
    listed = list(values)
    known = [value for value in listed if value is not None]
    return sum(known) if known and len(known) == len(listed) else None


def _sum_usd(values: Iterable[Decimal | None]) -> Decimal | None:
    listed = list(values)
    known = [value for value in listed if value is not None]
    return exact_sum(known) if known and len(known) == len(listed) else None
