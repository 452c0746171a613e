"""The demo's second organization: a shop with a support chat, a catalog and night jobs, in Kolkata."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal

from costtrack import meter, record_api_call, track_api_call
from costtrack.management.demo.failures import (
    ProviderError,
    RateLimitError,
    ReadTimeout,
    ServerError,
    ThrottlingException,
)
from costtrack.management.demo.moment import Moment
from costtrack.management.demo.responses import (
    azure_chat,
    converse,
    gemini,
    local_chat,
    mistral_chat,
    openai_chat,
    openrouter_chat,
)
from costtrack.management.demo.streams import openai_stream
from costtrack.management.demo.workload import Workload

GPU_PROVIDER, GPU_MODEL = "gpu-cloud", "l4"
UNPRICED_PROVIDER, UNPRICED_MODEL = "vllm", "house-translate-7b"
"""A model of the organization's own, for which no rate is loaded."""


def chat_with_shopper(moment: Moment) -> None:
    """One turn of one of the day's conversations."""
    conversation = moment.between(1, 12)
    with suppress(ProviderError):
        answer_shopper(
            moment,
            conversation_id=f"chat-{moment.day:%m%d}-{conversation:02d}",
            customer=f"shopper-{(moment.day.toordinal() * 7 + conversation * 13) % 400:03d}",
        )


@track_api_call("answer_shopper")
def answer_shopper(moment: Moment, *, conversation_id: str, customer: str) -> str:
    """A tool and a model; both belong to the decorated function's feature and conversation."""
    if moment.happens(40):
        failure = ReadTimeout("No answer within 2 s") if moment.happens(4) else None
        record_api_call(
            "order-lookup",
            occurred_at=moment.at,
            latency_ms=2_000 if failure else moment.between(30, 250),
            error=failure,
            customer=customer,
            stage="lookup",
        )
    prompt, completion = moment.between(1_800, 9_000), moment.between(80, 420)
    cached = 1_536 if moment.happens(60) else 0
    with meter(
        provider="openai",
        model="gpt-4.1-mini-2025-04-14",
        occurred_at=moment.at,
        latency_ms=moment.between(700, 3_800),
        customer=customer,
        stage="reply",
    ) as call:
        if moment.happens(2):
            raise RateLimitError("Rate limit reached for gpt-4.1-mini: 500 requests per minute.")
        model = "gpt-4.1-mini-2025-04-14"
        if moment.happens(50):
            stream = openai_stream(moment.chance, model=model, prompt=prompt, completion=completion, cached=cached)
            for _chunk in call.observe_stream(stream):
                pass
        else:
            call.observe(openai_chat(moment.chance, model=model, prompt=prompt, completion=completion, cached=cached))
    return "..."


def triage_mail(moment: Moment) -> None:
    """Incoming mail sorted by a model on Amazon Bedrock, whose regional endpoint has its own price."""
    with (
        suppress(ProviderError),
        meter(
            "triage_mail",
            provider="aws",
            model="apac.anthropic.claude-haiku-4-5-20251001-v1:0",
            occurred_at=moment.at,
            latency_ms=moment.between(400, 1_900),
            workflow="support",
            stage="triage",
        ) as call,
    ):
        if moment.happens(3):
            raise ThrottlingException("Too many tokens, please wait before trying again.")
        call.observe(
            converse(
                moment.chance,
                fresh=moment.between(500, 2_500),
                output=moment.between(40, 160),
                cache_read=moment.one_of((0, 4_096, 4_096)),
            )
        )


def write_product_text(moment: Moment) -> None:
    """Texts for the catalog."""
    with (
        suppress(ProviderError),
        meter(
            "write_product_text",
            provider="google",
            model="gemini-2.5-flash",
            occurred_at=moment.at,
            latency_ms=moment.between(900, 5_000),
            workflow="catalog",
            entity=("product", f"sku-{moment.between(10_000, 10_400)}"),
        ) as call,
    ):
        if moment.happens(2):
            raise ServerError("503 UNAVAILABLE")
        prompt = moment.between(1_200, 9_000)
        call.observe(
            gemini(
                moment.chance,
                model="gemini-2.5-flash",
                prompt=prompt,
                cached=prompt // 2 if moment.happens(30) else 0,
                candidates=moment.between(250, 900),
                thoughts=moment.between(0, 1_500),
            )
        )


def tag_images(moment: Moment) -> None:
    """An open model through OpenRouter, which says itself what it charged."""
    prompt, completion = moment.between(1_500, 6_000), moment.between(60, 300)
    with meter(
        "tag_images",
        provider="openrouter",
        model="qwen/qwen3-vl-235b-a22b-instruct",
        occurred_at=moment.at,
        latency_ms=moment.between(1_200, 6_000),
        workflow="catalog",
        entity=("product", f"sku-{moment.between(10_000, 10_400)}"),
    ) as call:
        # 0.30 and 1.20 USD per million tokens
        cost = (30 * Decimal(prompt) + 120 * Decimal(completion)) / 10**8
        call.observe(
            openrouter_chat(
                moment.chance,
                model="qwen/qwen3-vl-235b-a22b-instruct",
                prompt=prompt,
                completion=completion,
                cost=cost,
            )
        )


def moderate_reviews(moment: Moment) -> None:
    """Shoppers' reviews, checked."""
    with meter(
        "moderate_reviews",
        provider="mistral",
        model="mistral-small-latest",
        occurred_at=moment.at,
        latency_ms=moment.between(300, 1_200),
        workflow="catalog",
    ) as call:
        call.observe(
            mistral_chat(
                moment.chance,
                model="mistral-small-latest",
                prompt=moment.between(400, 1_600),
                completion=moment.between(10, 60),
            )
        )


def translate_product_text(moment: Moment) -> None:
    """The model of their own, without a rate: its calls are unpriced."""
    with meter(
        "translate_product_text",
        provider=UNPRICED_PROVIDER,
        model=UNPRICED_MODEL,
        occurred_at=moment.at,
        latency_ms=moment.between(500, 2_500),
        workflow="catalog",
    ) as call:
        call.observe(
            local_chat(model=UNPRICED_MODEL, prompt=moment.between(300, 1_500), completion=moment.between(300, 1_500))
        )


def write_sql(moment: Moment) -> None:
    """Analysts' questions as SQL, on Azure."""
    with meter(
        "write_sql",
        provider="azure",
        model="gpt-4.1-2025-04-14",
        occurred_at=moment.at,
        latency_ms=moment.between(1_500, 7_000),
        thread_id=f"analysis-{moment.day:%m%d}-{moment.between(1, 2)}",
    ) as call:
        call.observe(
            azure_chat(
                moment.chance,
                model="gpt-4.1-2025-04-14",
                prompt=moment.between(5_000, 18_000),
                completion=moment.between(200, 900),
            )
        )


def forecast_demand(moment: Moment) -> None:
    """A GPU job at night."""
    seconds = moment.between(600, 2_400)
    job = f"forecast-{moment.day:%Y%m%d}"
    with meter(
        "forecast_demand",
        resource_type="gpu_seconds",
        provider=GPU_PROVIDER,
        model=GPU_MODEL,
        amount=seconds,
        occurred_at=moment.at,
        latency_ms=seconds * 1000,
        workflow="nightly-forecast",
        run=job,
        entity=("job", job),
    ):
        pass


WORKLOADS = (
    Workload(
        project="support",
        agent="shop-assistant",
        act=chat_with_shopper,
        per_day=15,
        weekend_percent=130,
        hours=(9, 23),
    ),
    Workload(project="support", agent="mail-triage", act=triage_mail, per_day=6, weekend_percent=60, hours=(7, 22)),
    Workload(project="catalog", agent="product-writer", act=write_product_text, per_day=6, weekend_percent=15),
    Workload(project="catalog", agent="image-tagger", act=tag_images, per_day=4, weekend_percent=15),
    Workload(project="catalog", agent="moderator", act=moderate_reviews, per_day=4, weekend_percent=120, hours=(6, 24)),
    Workload(project="catalog", agent="translator", act=translate_product_text, per_day=4, weekend_percent=15),
    Workload(project="insights", agent="sql-assistant", act=write_sql, per_day=4, weekend_percent=5, hours=(10, 19)),
    Workload(project="insights", agent="forecaster", act=forecast_demand, per_day=1, weekend_percent=100, hours=(1, 4)),
)
