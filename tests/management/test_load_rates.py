"""`manage.py load_rates`."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from costtrack.models import Rate, RateTier
from costtrack.pricing.ratebook import current_ratebook
from tests.factories import make_organization, make_rate

pytestmark = pytest.mark.django_db


def load_rates(*args: str, **options: Any) -> dict[str, Any]:
    """Run the command; its JSON report."""
    out = StringIO()
    call_command("load_rates", *args, "--json", stdout=out, **options)
    report: dict[str, Any] = json.loads(out.getvalue())
    return report


def counts(report: dict[str, Any]) -> dict[str, int]:
    """The counts that are not 0."""
    return {name: report[name] for name in ("created", "changed", "unchanged", "ended", "kept") if report[name]}


def price(model: str, **question: Any) -> Decimal | None:
    """The input price that is found now."""
    match = current_ratebook().find(model=model, at=datetime(2026, 11, 24, 12, tzinfo=UTC), **question)
    return match.rate.prices.input_usd_per_million if match else None


def test_the_maintained_data_is_loaded_once_and_for_all() -> None:
    first = load_rates()
    rates, tiers = Rate.objects.count(), RateTier.objects.count()
    assert first["created"] > 2_300
    assert set(counts(first)) == {"created"}
    assert (rates, tiers) > (2_600, 100)
    again = load_rates()
    assert counts(again) == {"unchanged": first["created"]}
    assert (Rate.objects.count(), RateTier.objects.count()) == (rates, tiers)
    assert price("gpt-4") == Decimal(30)
    assert price("ollama/anything") == 0
    assert not Rate.objects.exclude(source__in=["genai-prices", "supplement"]).exists()


def test_a_yaml_file_makes_an_organizations_own_rates(tmp_path: Path) -> None:
    acme = make_organization("acme")
    make_rate("gpt-4", "openai", per_million=("30", "60"))
    make_rate("gpt-4o", "openai", per_million=("2.5", "10"))
    file = tmp_path / "own.yaml"
    file.write_text("rates:\n  gpt-4: {prompt_per_1k: 0.02, completion_per_1k: 0.04}\n")
    assert counts(load_rates(str(file), "--organization", "acme")) == {"created": 1}
    assert price("gpt-4", organization_id=acme.pk) == Decimal(20)
    assert price("azure/gpt-4", organization_id=acme.pk) == Decimal(20)
    assert price("gpt-4o", organization_id=acme.pk) == Decimal("2.5")
    assert price("gpt-4") == Decimal(30)


def test_a_global_file_follows_the_rate_of_the_model_it_names(tmp_path: Path) -> None:
    make_rate("gpt-4", "openai", per_million=("30", "60"), source="genai-prices")
    file = tmp_path / "prices.csv"
    file.write_text("model,input_usd_per_million\ngpt-4,20\nazure/gpt-4,25\nhouse-model,1\n")
    load_rates(str(file), "--effective-from", "2026-11-01")
    assert set(Rate.objects.filter(source="prices.csv").values_list("provider", "model")) == {
        ("openai", "gpt-4"),
        ("azure", "gpt-4"),
        ("", "house-model"),
    }
    assert (price("gpt-4"), price("azure/gpt-4"), price("house-model")) == (Decimal(20), Decimal(25), Decimal(1))
    assert Rate.objects.get(provider="openai", source="genai-prices").input_usd_per_million == Decimal(30)


def test_an_own_rate_holds_for_other_spellings_of_its_model(tmp_path: Path) -> None:
    acme = make_organization("acme")
    make_rate("claude-x-1", "anthropic", per_million=("3", "15"), aliases=["claude-x.1"])
    make_rate("anthropic/claude-x.1", "openrouter", per_million=("3", "15"))
    file = tmp_path / "own.yaml"
    file.write_text("rates:\n  claude-x-1: {prompt_per_1k: 0.001, completion_per_1k: 0.002}\n")
    load_rates(str(file), "--organization", "acme")
    for spelling in ("claude-x-1", "claude-x.1", "openrouter/anthropic/claude-x.1", "us.anthropic.claude-x-1-v1:0"):
        assert price(spelling, organization_id=acme.pk) == Decimal(1), spelling
    assert price("claude-x.1") == Decimal(3)


def test_a_file_with_the_same_price_leaves_the_aliases(tmp_path: Path) -> None:
    make_rate("devstral-small", "mistral", per_million=("0.1", "0.3"), aliases=["devstral-small-2505"])
    file = tmp_path / "prices.yaml"
    file.write_text("rates:\n  devstral-small: {input_per_1m: 0.1, output_per_1m: 0.3}\n")
    assert counts(load_rates(str(file))) == {"unchanged": 1}
    assert price("devstral-small-2505") == Decimal("0.1")


@pytest.mark.parametrize("owner", [[], ["--organization", "acme"]])
def test_the_models_that_lose_prices_are_named(owner: list[str], tmp_path: Path) -> None:
    make_organization("acme")
    full = make_rate("m", cache_read_usd_per_million=Decimal("0.3"))
    full.tiers.create(above_input_tokens=200_000, input_usd_per_million=Decimal(6))
    make_rate("plain")
    file = tmp_path / "prices.yaml"
    file.write_text(
        "rates:\n  m: {input_per_1m: 3, output_per_1m: 12}\n  plain: {input_per_1m: 3, output_per_1m: 12}\n"
    )
    warning = (
        "m (standard) loses its price for cache_read, requests above 200,000 input tokens: state it in the file too"
    )
    expected = f"{'' if owner else 'openai/'}{warning} if it still holds"
    assert load_rates(str(file), *owner, "--dry-run")["warnings"] == [expected]
    out = StringIO()
    call_command("load_rates", str(file), *owner, stdout=out)
    assert expected in out.getvalue()
    assert load_rates(str(file), *owner)["warnings"] == []


def test_a_withdrawn_model_loses_nothing(tmp_path: Path) -> None:
    make_rate("m")
    file = tmp_path / "prices.yaml"
    file.write_text("rates:\n  m: {withdrawn: true}\n")
    assert load_rates(str(file))["warnings"] == []


def test_a_provider_may_be_given_for_rows_without_one(tmp_path: Path) -> None:
    file = tmp_path / "prices.yml"
    file.write_text("rates:\n  m: {input_per_1m: 1}\n")
    load_rates(str(file), "--provider", "Together_AI")
    assert Rate.objects.get().provider == "together"


def test_litellms_file_is_loaded(tmp_path: Path) -> None:
    file = tmp_path / "prices.json"
    file.write_text('{"gpt-x": {"input_cost_per_token": 1e-06, "litellm_provider": "openai"}}')
    assert counts(load_rates(str(file))) == {"created": 1}
    assert price("openai/gpt-x") == Decimal(1)


def test_one_bad_row_and_nothing_of_the_file_is_loaded(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("rates:\n  good: {prompt_per_1k: 0.02}\n  bad: {prompt_per_1k: -0.02}\n")
    with pytest.raises(CommandError, match=r"line 3: .*negative"):
        load_rates(str(file))
    assert not Rate.objects.exists()


def test_a_dry_run_says_what_would_change(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("rates:\n  m: {prompt_per_1k: 0.02}\n")
    assert counts(load_rates(str(file), "--dry-run")) == {"created": 1}
    assert not Rate.objects.exists()


def test_the_report_is_aligned_for_people(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("rates:\n  m: {prompt_per_1k: 0.02}\n")
    out = StringIO()
    call_command("load_rates", str(file), stdout=out)
    assert out.getvalue().splitlines()[1:3] == [
        "  created                                       1",
        "  changed                                       0",
    ]
    assert out.getvalue().splitlines()[4:6] == [
        "  ended (no longer in the data)                 0",
        "  kept (your own price stands)                  0",
    ]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["missing.yaml"], "no file"),
        (["--organization", "acme"], "needs a FILE"),
        (["--format", "csv"], "needs a FILE"),
        (["{file}", "--organization", "nobody"], "nobody"),
        (["{file}", "--format", "genai-prices"], "takes no FILE"),
        (["{file}", "--effective-from", "soon"], "ISO date"),
        (["{file}.txt"], "no file"),
    ],
)
def test_wrong_arguments_are_explained(args: list[str], message: str, tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("rates:\n  m: {prompt_per_1k: 0.02}\n")
    with pytest.raises(CommandError, match=message):
        load_rates(*[arg.format(file=file) for arg in args])
    assert not Rate.objects.exists()


def test_a_database_that_there_is_not_is_a_usage_error() -> None:
    with pytest.raises(CommandError, match=r"argument --database: invalid choice: 'nope'"):
        load_rates("--database", "nope")


def test_a_file_without_rates_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("rates: {}\n")
    with pytest.raises(CommandError, match=r"The file holds no rates\."):
        load_rates(str(file))
