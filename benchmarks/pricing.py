"""Pricing one call with rates in memory: ours against genai-prices' and LiteLLM's own calculation.

Run `python benchmarks/pricing.py`. Exits 1 when ours takes more than a tenth of either, 2 when LiteLLM is missing.
All three price the same calls: plain, with cached tokens, and past a long-context threshold.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # the price file in the package, no network

import django
from timing import paired, table

BAR = 0.1
PAIRS = 21
ROUNDS = (400, 40)
"""How often a run prices CALLS, ours and theirs: about as long."""
NOW = datetime.now(UTC)

CALLS = [
    # model, provider, input tokens, of them from the cache, output tokens
    ("gpt-4o", "openai", 1_000, 0, 500),
    ("gpt-4o-mini-2024-07-18", "openai", 12_000, 8_000, 900),
    ("claude-haiku-4-5-20251001", "anthropic", 2_000, 0, 400),
    ("claude-sonnet-4-5-20250929", "anthropic", 150_000, 120_000, 1_500),
    ("gemini-2.5-pro", "google", 210_000, 0, 3_000),
]
"""Models that all three know."""


def main() -> int:
    """Measure, print both sides, judge."""
    try:
        import litellm
    except ImportError:
        print('LiteLLM is missing. Install it with: pip install -e ".[bench]"')
        return 2
    django.setup()
    ours, genai, lite = _ours(), _genai_prices(), _litellm(litellm)
    _check_that_costs_agree(ours, genai, lite)
    units = (ROUNDS[0] * len(CALLS), ROUNDS[1] * len(CALLS))
    rows, is_met = [], True
    for name, theirs in (("genai-prices calc_price", genai), ("LiteLLM cost_per_token", lite)):
        measured = paired(_repeated(ours, ROUNDS[0]), _repeated(theirs, ROUNDS[1]), pairs=PAIRS, units=units)
        is_met &= measured.ratio <= BAR
        rows.append(
            (
                name,
                f"{median(measured.ours) * 1e6:.1f}",
                f"{median(measured.theirs) * 1e6:.1f}",
                f"{measured.ratio:.3f}",
                f"{measured.spread[0]:.3f}-{measured.spread[1]:.3f}",
                f"<= {BAR}",
                "met" if measured.ratio <= BAR else "MISSED",
            )
        )
    print(
        f"{PAIRS} interleaved pairs, medians per call. Ours: check the token counts, find the rate in force, multiply."
    )
    print(table(("against", "ours µs", "theirs µs", "median ratio", "range", "bar", ""), rows))
    return 0 if is_met else 1


Pricer = Callable[[], list[Decimal]]


def _repeated(price_all: Pricer, rounds: int) -> Callable[[], None]:
    def run() -> None:
        for _ in range(rounds):
            price_all()

    return run


def _ours() -> Pricer:
    """Token counts are built and checked anew for each call, as metering does."""
    from costtrack.domain.tokens import TokenUsage
    from costtrack.pricing.cost import cost_of_tokens
    from costtrack.pricing.loading.maintained import maintained_drafts
    from costtrack.pricing.ratebook import RateBook

    book = RateBook(draft.rate for draft in maintained_drafts()[0])

    def price_all() -> list[Decimal]:
        costs = []
        for model, provider, input_tokens, cached, output_tokens in CALLS:
            tokens = TokenUsage(input_tokens=input_tokens, cache_read_tokens=cached, output_tokens=output_tokens)
            match = book.find(model=model, provider=provider, organization_id=1, at=NOW)
            assert match is not None
            breakdown = cost_of_tokens(tokens, match.rate)
            assert breakdown is not None
            costs.append(breakdown.total_usd)
        return costs

    return price_all


def _genai_prices() -> Pricer:
    from genai_prices import Usage, calc_price

    def price_all() -> list[Decimal]:
        return [
            calc_price(
                Usage(input_tokens=input_tokens, cache_read_tokens=cached, output_tokens=output_tokens),
                model_ref=model,
                provider_id=provider,
                genai_request_timestamp=NOW,
            ).total_price
            for model, provider, input_tokens, cached, output_tokens in CALLS
        ]

    return price_all


def _litellm(litellm: Any) -> Pricer:
    litellm.suppress_debug_info = True
    providers = {"google": "gemini"}

    def price_all() -> list[Decimal]:
        costs = []
        for model, provider, input_tokens, cached, output_tokens in CALLS:
            parts = litellm.cost_per_token(
                model=model,
                prompt_tokens=input_tokens,
                completion_tokens=output_tokens,
                cache_read_input_tokens=cached,
                custom_llm_provider=providers.get(provider, provider),
            )
            costs.append(Decimal(repr(sum(parts))))
        return costs

    return price_all


def _check_that_costs_agree(ours: Pricer, genai: Pricer, lite: Pricer) -> None:
    """A benchmark of different sums would say nothing: LiteLLM's floats may differ in the tenth digit only."""
    for call, own, exact, floats in zip(CALLS, ours(), genai(), lite(), strict=True):
        if own != exact or abs(own - floats) > Decimal("1e-9"):
            print(f"The three do not agree on {call}: ours {own}, genai-prices {exact}, LiteLLM {floats}")


if __name__ == "__main__":
    sys.exit(main())
