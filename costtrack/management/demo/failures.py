"""Errors as SDKs raise them. The demo raises them inside metered blocks, and goes on as an application would."""

from __future__ import annotations


class ProviderError(Exception):
    """Any failure of a provider."""


class RateLimitError(ProviderError):
    """Named as the openai package names it."""

    __module__ = "openai"


class OverloadedError(ProviderError):
    """Named as the anthropic package names it."""

    __module__ = "anthropic"


class ServerError(ProviderError):
    """Named as google-genai names it."""

    __module__ = "google.genai.errors"


class ThrottlingException(ProviderError):
    """Named as boto3 names it."""

    __module__ = "botocore.errorfactory"


class OutOfMemoryError(ProviderError):
    """Named as torch names it."""

    __module__ = "torch"


class ReadTimeout(ProviderError):
    """Named as requests names it."""

    __module__ = "requests.exceptions"
