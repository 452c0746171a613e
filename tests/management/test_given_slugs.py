"""An option that narrows a command never widens it: an unset variable of a shell is an error, and changes nothing."""

from __future__ import annotations

import io

import pytest
from django.core.management import CommandError, call_command

from costtrack.models import CostPlan, Rate

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


@pytest.mark.parametrize("said", ["", " "])
@pytest.mark.parametrize(
    "command",
    [
        ["check_budgets"],
        ["costtrack_key", "list"],
        ["deliver_alerts", "--channels"],
        ["load_default_alerts"],
        ["load_rates", "rates.yaml"],
        ["rebuild_counters", "--verify"],
        ["recommend"],
        ["record_plan", "plan.yaml"],
        ["what_if", "--model", "gpt-4o"],
        ["cost_report", "daily"],
        ["reprice_usage", "--from", "2026-11-01", "--to", "2026-11-02"],
        ["import_usage", "calls.csv"],
        ["reconcile_invoice", "invoice.csv", "--provider", "openai"],
    ],
    ids=lambda command: command[0],
)
def test_an_empty_organization_is_refused(command: list[str], said: str) -> None:
    with pytest.raises((CommandError, SystemExit)):
        call_command(*command, "--organization", said, stdout=io.StringIO())
    assert not Rate.objects.exists()
    assert not CostPlan.objects.exists()


def test_what_is_expected_is_said() -> None:
    with pytest.raises(
        CommandError, match="argument --organization: got an empty text, expected a slug; leave the opt"
    ):
        call_command("check_budgets", "--organization", "")


def test_alerts_are_not_delivered_of_one_organization_only() -> None:
    with pytest.raises(CommandError, match="--organization goes with --test or --channels"):
        call_command("deliver_alerts", "--organization", "acme")
    with pytest.raises(CommandError, match="no channel ''"):
        call_command("deliver_alerts", "--test", "")
    with pytest.raises(CommandError, match="Organization 'nope' does not exist"):
        call_command("deliver_alerts", "--channels", "--organization", "nope")
