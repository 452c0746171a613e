"""What to do after the demo: price what is unpriced, look around, remove it."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from datetime import timedelta
from pathlib import Path

from django.urls import NoReverseMatch, reverse

from costtrack.management.arguments import aligned
from costtrack.management.demo.admin_user import demo_admin_name, demo_admins
from costtrack.management.demo.figures import DemoFigures

SERVER = "http://127.0.0.1:8000"
"""Where `runserver` listens."""


def manage_command() -> str:
    """How this program was started, for lines to be copied: `python manage.py`, `.venv/bin/python manage.py`."""
    if Path(sys.argv[0]).name != "manage.py":
        return "python manage.py"
    if shutil.which("python") == sys.executable:
        return shlex.join(["python", sys.argv[0]])
    relative = os.path.relpath(sys.executable)
    return shlex.join([sys.executable if relative.startswith(os.pardir) else relative, sys.argv[0]])


def unpriced_advice(figures: DemoFigures) -> str:
    """What is unpriced, and how it gets its price; "" where nothing is."""
    if not figures.unpriced:
        return ""
    manage = manage_command()
    calls = sum(one.calls for one in figures.unpriced)
    lines = [
        f"Unpriced: of {calls:,} calls the price is not known. They are counted, and not taken for $0.00:",
        *(
            f"  {one.organization}: {one.calls:,} calls of {one.model or '(no model)'} by {one.provider or '(nobody)'}"
            for one in figures.unpriced
        ),
        "Give them one: write a file rates.yaml, for example",
        "  rates:",
        *(
            f"    {one.model}: {{provider: {one.provider}, input_usd_per_million: 0.1, output_usd_per_million: 0.1}}"
            for one in figures.unpriced
        ),
        "load it, and book what has been used so far",
    ]
    for slug in dict.fromkeys(one.organization for one in figures.unpriced):
        lines += [
            f"  {manage} load_rates rates.yaml --organization {slug}",
            f"  {manage} reprice_usage --organization {slug} --from {figures.days.start} "
            f'--to {figures.days.end - timedelta(days=1)} --unpriced-only --apply --reason "the price is known now"',
        ]
    return "\n".join(lines)


def next_steps(figures: DemoFigures, *, password: str | None) -> str:
    """Commands and addresses to go on with; `password` is the superuser's if it was made just now."""
    manage = manage_command()
    if password:
        sign_in = f"sign in as {demo_admin_name()}, password {password} (shown this once)"
    elif demo_admins().exists():
        sign_in = f"sign in as {demo_admin_name()}; {manage} changepassword {demo_admin_name()} sets a new password"
    else:
        sign_in = f"sign in; {manage} createsuperuser makes a user"
    rows = [(f"{manage} runserver", "start the site")]
    rows += _pages(sign_in)
    rows += [
        (f"{manage} cost_report monthly --organization {figures.by_organization[0].name}", "one organization's month"),
        (f"{manage} check_budgets", "how its budgets stand"),
        (f"{manage} deliver_alerts", "send its alerts; the example site prints mails instead"),
        (f"{manage} aggregate_costs --verify", "prove the books again"),
        (f"{manage} costtrack_demo --flush", "remove the demo, and nothing else"),
    ]
    return "What next\n" + "\n".join(f"  {line}" for line in aligned(rows).splitlines())


def _pages(sign_in: str) -> list[tuple[str, str]]:
    """The pages by this project's own addresses; one that it does not serve yet, by the line that makes it."""
    pages = (
        ("admin:index", 'path("admin/", admin.site.urls)', sign_in),
        (
            "costtrack_dashboard:overview",
            'path("costs/", include("costtrack.dashboard.urls"))',
            "the dashboard, signed in as there",
        ),
        (
            "costtrack_api:daily",
            'path("api/costs/", include("costtrack.api.urls"))',
            "today's costs as JSON, signed in as there",
        ),
    )
    rows = []
    for name, line, meaning in pages:
        try:
            rows.append((f"{SERVER}{reverse(name)}", meaning))
        except NoReverseMatch:
            rows.append((f"add {line} to your urls", meaning))
    return rows
