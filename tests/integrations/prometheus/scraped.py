"""What a scrape tells, read by prometheus_client's own parser."""

from __future__ import annotations

from typing import Any

from prometheus_client.parser import text_string_to_metric_families

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples_in(text: str) -> Samples:
    """By name and labels the values; one that is there twice fails."""
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found, f"twice: {key}"
            found[key] = sample.value
    return found


def value(samples: Samples, name: str, /, **labels: Any) -> float:
    """The one with exactly these labels."""
    return samples[name, frozenset((label, str(text)) for label, text in labels.items())]


def labels_of(samples: Samples, name: str) -> list[dict[str, str]]:
    """The labels of all of that name."""
    return [dict(labels) for found, labels in samples if found == name]
