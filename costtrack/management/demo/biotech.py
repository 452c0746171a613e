"""The demo's first organization: researchers who read papers, write hypotheses and fold proteins, in Berlin."""

from __future__ import annotations

from contextlib import suppress

from costtrack import meter, record_api_call
from costtrack.management.demo.failures import (
    OutOfMemoryError,
    OverloadedError,
    ProviderError,
    RateLimitError,
    ReadTimeout,
    ServerError,
)
from costtrack.management.demo.moment import Moment
from costtrack.management.demo.responses import (
    anthropic_message,
    anthropic_usage,
    gemini_object,
    ollama_chat,
    openai_chat,
    openai_embedding,
    openai_response,
)
from costtrack.management.demo.streams import anthropic_stream
from costtrack.management.demo.workload import Workload

GPU_PROVIDER, GPU_MODEL = "gpu-cluster", "a100-80gb"


def screen_abstracts(moment: Moment) -> None:
    """A small reasoning model says whether a paper matters."""
    model = "gpt-5-mini-2025-08-07"
    with (
        suppress(ProviderError),
        meter(
            "screen_abstracts",
            provider="openai",
            model=model,
            occurred_at=moment.at,
            latency_ms=moment.between(900, 4200),
            workflow="literature-review",
            stage="screening",
        ) as call,
    ):
        if moment.happens(3):
            raise RateLimitError("Rate limit reached for gpt-5-mini: 30000 tokens per minute.")
        reasoning = moment.between(64, 512)
        call.observe(
            openai_chat(
                moment.chance,
                model=model,
                prompt=moment.between(1500, 4200),
                completion=reasoning + moment.between(60, 220),
                cached=moment.one_of((0, 1024)),
                reasoning=reasoning,
            )
        )


def summarize_papers(moment: Moment) -> None:
    """Whole papers from the prompt cache; now and then a book, whose length has a price of its own."""
    is_book = moment.happens(3)
    usage = anthropic_usage(
        fresh=moment.between(600, 3000),
        output=moment.between(500, 1600),
        cache_read=moment.between(201_000, 260_000) if is_book else moment.between(12_000, 42_000),
        cache_write=0 if is_book else moment.one_of((0, 0, 8_000, 15_000)),
        cache_write_1h=moment.one_of((0, 0, 0, 4_000)),
    )
    with (
        suppress(ProviderError),
        meter(
            "summarize_papers",
            provider="anthropic",
            model="claude-sonnet-4-5-20250929",
            occurred_at=moment.at,
            latency_ms=moment.between(6000, 24000),
            workflow="literature-review",
            stage="summary",
            entity=("paper", f"doi-{moment.between(1000, 1400)}"),
        ) as call,
    ):
        if moment.happens(2):
            raise OverloadedError("Overloaded")
        call.observe(anthropic_message(moment.chance, model="claude-sonnet-4-5-20250929", usage=usage))


def embed_papers(moment: Moment) -> None:
    """New papers into the vector index, at night."""
    with meter(
        "embed_papers",
        provider="openai",
        model="text-embedding-3-small",
        occurred_at=moment.at,
        latency_ms=moment.between(200, 900),
        workflow="nightly-index",
    ) as call:
        call.observe(openai_embedding(model="text-embedding-3-small", tokens=moment.between(20_000, 180_000)))


def search_literature(moment: Moment) -> None:
    """A free tool, and one that is paid by the call; a failed call is not billed."""
    tool, endpoint = moment.one_of((("pubmed", "search_pubmed"), ("pubmed", "search_pubmed"), ("patent-search",) * 2))
    failure = ReadTimeout("No answer within 10 s") if moment.happens(5) else None
    record_api_call(
        tool,
        endpoint=endpoint,
        occurred_at=moment.at,
        latency_ms=10_000 if failure else moment.between(90, 900),
        error=failure,
        workflow="literature-review",
        stage="search",
    )


def write_hypothesis(moment: Moment) -> None:
    """The dearest model, streamed, in a conversation about one hypothesis."""
    number = moment.between(1, 9) + moment.day.month * 10
    usage = anthropic_usage(
        fresh=moment.between(4_000, 14_000),
        output=moment.between(2_000, 7_000),
        cache_read=moment.between(8_000, 40_000),
    )
    with meter(
        "write_hypothesis",
        provider="anthropic",
        model="claude-opus-4-5-20251101",
        occurred_at=moment.at,
        latency_ms=moment.between(15_000, 60_000),
        workflow="discovery",
        stage="draft",
        thread_id=f"hypothesis-{number}",
        entity=("hypothesis", f"h-{number}"),
    ) as call:
        for _event in call.observe_stream(
            anthropic_stream(moment.chance, model="claude-opus-4-5-20251101", usage=usage)
        ):
            pass


def criticize_hypothesis(moment: Moment) -> None:
    """A loop with tools inside one block: two answers, two rows."""
    number = moment.between(1, 9) + moment.day.month * 10
    with (
        suppress(ProviderError),
        meter(
            "criticize_hypothesis",
            provider="google",
            model="gemini-2.5-pro",
            occurred_at=moment.at,
            latency_ms=moment.between(8_000, 30_000),
            workflow="discovery",
            stage="review",
            thread_id=f"hypothesis-{number}",
            entity=("hypothesis", f"h-{number}"),
        ) as call,
    ):
        if moment.happens(4):
            raise ServerError("503 UNAVAILABLE")
        for prompt in (moment.between(6_000, 12_000), moment.between(14_000, 30_000)):
            call.observe(
                gemini_object(
                    moment.chance,
                    model="gemini-2.5-pro",
                    prompt=prompt,
                    candidates=moment.between(300, 1_200),
                    thoughts=moment.between(800, 3_000),
                )
            )


def generate_clusters(moment: Moment) -> None:
    """A long reasoning, half of it in the cheaper flex tier."""
    tier = moment.one_of(("default", "flex"))
    reasoning = moment.between(4_000, 14_000)
    with meter(
        "generate_clusters",
        provider="openai",
        model="gpt-5-2025-08-07",
        service_tier=tier,
        occurred_at=moment.at,
        latency_ms=moment.between(40_000, 180_000),
        workflow="discovery",
        stage="clusters",
    ) as call:
        call.observe(
            openai_response(
                moment.chance,
                model="gpt-5-2025-08-07",
                input_tokens=moment.between(20_000, 70_000),
                output_tokens=reasoning + moment.between(1_000, 4_000),
                reasoning=reasoning,
                service_tier=tier,
            )
        )


def fold_proteins(moment: Moment) -> None:
    """A GPU job, by the second, at the organization's own price; what a failed one has used is billed too."""
    fails = moment.happens(8)
    seconds = moment.between(60, 900) if fails else moment.between(900, 3_600)
    job = f"fold-{moment.day:%m%d}-{moment.between(100, 999)}"
    with (
        suppress(ProviderError),
        meter(
            "fold_proteins",
            resource_type="gpu_seconds",
            amount=3_600,  # an hour at most: what a budget holds until it is known
            provider=GPU_PROVIDER,
            model=GPU_MODEL,
            occurred_at=moment.at,
            latency_ms=seconds * 1000,
            workflow="structure",
            run=job,
            entity=("job", job),
        ) as call,
    ):
        call.set_amount(seconds)
        call.add_metadata(gpus=1)
        if fails:
            raise OutOfMemoryError("CUDA out of memory.")


def take_notes(moment: Moment) -> None:
    """A local model, which costs nothing."""
    with meter(
        "take_notes",
        provider="ollama",
        model="llama3.1:8b",
        occurred_at=moment.at,
        latency_ms=moment.between(1_500, 9_000),
    ) as call:
        call.observe(
            ollama_chat(model="llama3.1:8b", prompt=moment.between(400, 3_000), completion=moment.between(80, 500))
        )


WORKLOADS = (
    Workload(project="literature", agent="screener", act=screen_abstracts, per_day=10, weekend_percent=10),
    Workload(project="literature", agent="summarizer", act=summarize_papers, per_day=8, weekend_percent=10),
    Workload(project="literature", agent="librarian", act=search_literature, per_day=6, weekend_percent=10),
    Workload(project="literature", agent="librarian", act=embed_papers, per_day=3, weekend_percent=100, hours=(1, 5)),
    Workload(project="discovery", agent="hypothesis-writer", act=write_hypothesis, per_day=4, weekend_percent=15),
    Workload(project="discovery", agent="critic", act=criticize_hypothesis, per_day=3, weekend_percent=15),
    Workload(project="discovery", agent="cluster-analyst", act=generate_clusters, per_day=2, weekend_percent=0),
    Workload(project="structure", agent="folding", act=fold_proteins, per_day=1, weekend_percent=60, hours=(17, 23)),
    Workload(project="structure", agent="note-taker", act=take_notes, per_day=3, weekend_percent=10),
)
