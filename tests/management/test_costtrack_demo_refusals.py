"""What the demo refuses to do."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.db import connection

from costtrack import record_usage
from costtrack.management.demo.other_data import other_data
from costtrack.models import Rate
from tests.factories import make_organization, make_rate
from tests.management.played import counts, demo

pytestmark = pytest.mark.django_db


def _an_organization() -> None:
    make_organization("acme")


def _a_user() -> None:
    get_user_model().objects.create_user("host-user")


def _usage() -> None:
    record_usage(model="m", input_tokens=1)


def _own_rate() -> None:
    make_rate(organization=make_organization("default"))


@pytest.mark.parametrize(
    ("make", "seen"),
    [
        (_an_organization, "the organization 'acme'"),
        (_a_user, "users other than demo-admin"),
        (_usage, "rows in the table costtrack_dailycostsummary"),
        (_own_rate, "an organization's own rates"),
    ],
)
def test_a_database_with_other_data_is_refused_untouched(make: Any, seen: str) -> None:
    make()
    before = [*counts(), Rate.objects.count()]
    with pytest.raises(CommandError, match=rf"^This database holds {seen}\. .*nothing was changed") as refused:
        demo()
    assert refused.value.returncode == 1
    assert [*counts(), Rate.objects.count()] == before


def test_a_table_of_somebody_else_is_other_data_once_it_has_rows() -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE host_orders (id integer)")
        assert other_data(using="default") == ""
        cursor.execute("INSERT INTO host_orders VALUES (1)")
    assert other_data(using="default") == "rows in the table host_orders"


def test_price_data_and_an_empty_default_organization_are_no_other_data() -> None:
    make_organization("default")
    make_rate()
    assert other_data(using="default") == ""


def test_a_killed_run_is_recognized() -> None:
    make_organization("demo-biotech", name="Demo Biotech (Berlin) (unfinished)", is_demo=True)
    with pytest.raises(CommandError, match=r"^A run of the demo was killed in the middle; nothing was changed"):
        demo()


def test_without_debug_it_needs_force(settings: Any, capsys: pytest.CaptureFixture[str]) -> None:
    settings.DEBUG = False
    for arguments in ((), ("--flush",)):
        with pytest.raises(CommandError, match=r"^DEBUG is off: .*Nothing was changed"):
            call_command("costtrack_demo", *arguments)
    call_command("costtrack_demo", "--flush", "--force")
    assert capsys.readouterr().out.startswith("There is no demo here")


@pytest.mark.parametrize("days", ["0", "-1", "367"])
def test_a_number_of_days_out_of_range_is_refused(days: str) -> None:
    with pytest.raises(CommandError, match=rf"^--days: got {days}, expected 1 to 366"):
        demo("--days", days)
