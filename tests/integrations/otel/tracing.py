"""Tracing with OpenTelemetry's SDK, and the three instrumentations of OpenAI's client."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from typing import Any

import openai
from openai import AsyncOpenAI, OpenAI
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider

from tests.integrations.wire.server import Wire

HELLO: list[Any] = [{"role": "user", "content": "Hello!"}]
OFFICIAL, OPENLLMETRY, OPENINFERENCE = "openai-v2", "OpenLLMetry", "OpenInference"
ALL = (OFFICIAL, OPENLLMETRY, OPENINFERENCE)

RESOURCES = ("chat.completions", "completions", "embeddings", "responses")


def instrumentor(name: str) -> Any:
    """The instrumentation of that name, as its package has it."""
    if name == OFFICIAL:
        from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor as Official

        return Official()
    if name == OPENLLMETRY:
        from opentelemetry.instrumentation.openai import OpenAIInstrumentor as OpenLLMetry

        return OpenLLMetry()
    from openinference.instrumentation.openai import OpenAIInstrumentor as OpenInference

    return OpenInference()


@contextmanager
def unchanged_client() -> Iterator[None]:
    """What instrumentations put over the client's methods is gone afterwards: not all of them take all of it back."""
    classes = [OpenAI, AsyncOpenAI]
    for name in RESOURCES:
        module = import_module(f"openai.resources.{name}")
        classes += [getattr(module, one) for one in module.__all__]  # it loads them when they are asked for
    before = [(one, dict(vars(one))) for one in classes]
    try:
        yield
    finally:
        for one, methods in before:
            for name, method in methods.items():
                if vars(one).get(name) is not method:
                    setattr(one, name, method)
            for name in set(vars(one)) - set(methods):
                delattr(one, name)


class Exchangeable(SpanProcessor):
    """Hands spans on to the processors of the test that runs."""

    def __init__(self) -> None:
        self.processors: tuple[SpanProcessor, ...] = ()

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        for one in self.processors:
            one.on_start(span, parent_context)

    def on_end(self, span: ReadableSpan) -> None:
        for one in self.processors:
            one.on_end(span)


EXCHANGEABLE = Exchangeable()
PROVIDER = TracerProvider(resource=Resource.create({"service.name": "website"}), shutdown_on_exit=False)
"""For all tests: openai-v2 keeps the first one that it is given, for ever."""
PROVIDER.add_span_processor(EXCHANGEABLE)


@contextmanager
def traced(*names: str, to: Iterable[SpanProcessor]) -> Iterator[None]:
    """Calls of OpenAI's client are traced by these, the last of which is the outermost; spans go `to` those."""
    EXCHANGEABLE.processors = tuple(to)
    try:
        with unchanged_client(), ExitStack() as stack:
            for name in names:
                with warnings.catch_warnings():
                    # OpenLLMetry configures pydantic in the old way.
                    warnings.simplefilter("ignore", DeprecationWarning)
                    instrumentation = instrumentor(name)
                    instrumentation.instrument(tracer_provider=PROVIDER)
                stack.callback(instrumentation.uninstrument)
            yield
    finally:
        EXCHANGEABLE.processors = ()


def client_of(wire: Wire) -> openai.OpenAI:
    """A client that asks the local server, once."""
    return openai.OpenAI(api_key="test", base_url=f"{wire.url}/v1", max_retries=0)


def ask(client: openai.OpenAI, **more: Any) -> Any:
    """One chat."""
    return client.chat.completions.create(model="gpt-test", messages=HELLO, **more)


def read_stream(client: openai.OpenAI) -> None:
    """One chat as a stream, to its end."""
    for _ in ask(client, stream=True, stream_options={"include_usage": True}):
        pass


def embed(client: openai.OpenAI) -> None:
    """One embedding."""
    client.embeddings.create(model="embed-test", input="Hello!")


def respond(client: openai.OpenAI) -> None:
    """One response of the Responses API."""
    client.responses.create(model="gpt-test", input="Hello!")


Calls = Callable[[openai.OpenAI], Any]
