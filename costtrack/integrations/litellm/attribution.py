"""Whom a call through LiteLLM belongs to: its team, organization, key, tags and end user, as fields of attribution."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.utils.text import slugify

from costtrack.conf import settings
from costtrack.exceptions import InvalidUsage
from costtrack.extraction.fields import read
from costtrack.metering.attribution import MAX_LENGTHS, GivenAttribution
from costtrack.metering.cleaning import clean_tags, clean_text

METADATA_NAMES = ("litellm_metadata", "metadata")
"""Where LiteLLM puts what it knows of the key, and the caller what he says himself; which, depends on the route."""
KEY_PREFIX = "user_api_key"
SLUGS = ("organization", "project", "agent")


def attribution_of(*sources: Mapping[str, Any]) -> GivenAttribution:
    """The fields that COSTTRACK["LITELLM_ATTRIBUTION"] finds; a value that is not acceptable is left out.

    `sources` are a request's data or a call's `litellm_params`, first come first served.
    """
    texts: dict[str, str] = {}
    tags: dict[str, str] = {}
    for field, names in settings.litellm_attribution.items():
        value = _first(sources, (names,) if isinstance(names, str) else names)
        try:
            if field == "tags":
                tags = _tags(value)
            elif value is not None:
                text = slugify(str(value)) if field in SLUGS else clean_text(field, value, MAX_LENGTHS[field])
                if text:
                    texts[field] = text[: MAX_LENGTHS[field]]
        except InvalidUsage:  # what a client of the proxy sends never costs us the call
            continue
    return GivenAttribution(texts, tags)


def metadata_of(source: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The mappings of metadata in a request's data or a call's `litellm_params`."""
    for name in METADATA_NAMES:
        metadata = read(source, name)
        if isinstance(metadata, Mapping):
            yield metadata


def _first(sources: tuple[Mapping[str, Any], ...], names: tuple[str, ...]) -> Any:
    for name in names:
        for source in sources:
            # What LiteLLM knows of the key is in the metadata only; a client of the proxy may write anything beside it.
            beside = () if name.startswith(KEY_PREFIX) else (source,)
            for mapping in (*metadata_of(source), *beside):
                value = read(mapping, name)
                if value not in (None, "", [], {}):
                    return value
    return None


def _tags(value: object) -> dict[str, str]:
    """`["team:search", "beta"]` as {"team": "search", "beta": "true"}, as the import of spend logs has it."""
    if isinstance(value, Mapping):
        return clean_tags(value)
    tags = {}
    for one in value if isinstance(value, (list, tuple)) else []:
        key, _, content = str(one).partition(":")
        tags[key.strip()] = content.strip() or "true"
    return clean_tags(tags)
