"""Rates of tools and GPUs from a file, up to the calls that they price."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from textwrap import dedent

import pytest
from django.utils import timezone

from costtrack.management.commands.load_rates import DESCRIPTION
from costtrack.metering.record import record_api_call, record_usage
from costtrack.pricing.loading import LoadReport, load_rate_file
from tests.factories import make_organization

pytestmark = pytest.mark.django_db


def load(file: Path) -> LoadReport:
    """Load a file now."""
    return load_rate_file(file, now=timezone.now())


def test_the_yaml_of_the_help_prices_models_tools_and_gpus(tmp_path: Path) -> None:
    make_organization("acme")
    file = tmp_path / "own.yaml"
    file.write_text(dedent(" " * 12 + DESCRIPTION.partition("  yaml      ")[2].partition("  csv")[0]))
    report = load(file)
    assert (report.created, report.warnings) == (4, ())
    # 3600 s x 0.0006; one call at 0.01; 1000 x 30 / 1M + 500 x 60 / 1M
    assert record_api_call("pubmed", organization="acme").cost_usd == Decimal("0.01")
    gpu = record_usage(model="a100", resource_type="gpu_seconds", amount=3600, organization="acme")
    assert gpu.cost_usd == Decimal("2.16")
    call = record_usage(model="gpt-4", input_tokens=1000, output_tokens=500, organization="acme")
    assert call.cost_usd == Decimal("0.06")


@pytest.mark.parametrize(
    ("entry", "named", "tool"),
    [
        ("search: {provider: pubmed, ", "pubmed/search", "pubmed"),
        ("pubmed: {", "pubmed", "pubmed"),
    ],
)
def test_a_tools_rate_that_record_api_call_does_not_find_is_named(
    entry: str, named: str, tool: str, tmp_path: Path
) -> None:
    make_organization("acme")
    file = tmp_path / "own.yaml"
    file.write_text(f"rates:\n  {entry}resource_type: api_call, unit_price_usd: 0.01}}\n")
    assert load(file).warnings == (
        f'{named} (api_call) is not found by record_api_call("{tool}"), which gives no model: '
        f'name the model "*" and the provider {tool}',
    )
    assert record_api_call(tool, organization="acme").cost_usd is None
    file.write_text(file.read_text() + f'  "*": {{provider: {tool}, resource_type: api_call, unit_price_usd: 0.02}}\n')
    load(file)
    assert record_api_call(tool, organization="acme").cost_usd == Decimal("0.02")


def test_a_tools_rate_for_one_model_beside_that_for_any_is_no_warning(tmp_path: Path) -> None:
    file = tmp_path / "own.csv"
    file.write_text(
        "model,provider,resource_type,unit_price_usd\n*,pubmed,api_call,0.01\nsearch,pubmed,api_call,0.02\n"
    )
    assert load(file).warnings == ()
