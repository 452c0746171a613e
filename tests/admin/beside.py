"""Opens every screen, as `python -m tests.admin.beside` with the settings that DJANGO_SETTINGS_MODULE names."""

from __future__ import annotations

import json
from typing import Any

from django.test import Client

WAYS = ("change", "delete", "history")


def answers(client: Client) -> dict[str, int]:
    """The status of each page of each screen, by its address; those of a row are of the first one."""
    from django.contrib import admin
    from django.urls import reverse

    found: dict[str, int] = {}
    for model in admin.site._registry:
        if model._meta.app_label != "costtrack":
            continue
        screen, row = f"admin:costtrack_{model._meta.model_name}", model._default_manager.order_by("pk").first()
        paths = [reverse(f"{screen}_{way}") for way in ("changelist", "add")]
        paths += [reverse(f"{screen}_{way}", args=[row.pk]) for way in WAYS if row is not None]
        found |= {path: client.get(path).status_code for path in paths}
    for name in ("rate_import", "rate_missing"):
        path = reverse(f"admin:costtrack_{name}")
        found[path] = client.get(path).status_code
    return found


def main() -> None:
    """Print, as JSON, what they answer, what raising budgets says, and which classes the screens are of."""
    import django

    django.setup()
    from django.contrib import admin
    from django.contrib.auth import get_user_model
    from django.core.management import call_command

    from costtrack.models import Budget

    call_command("check")
    client = Client(headers={"host": "localhost"})
    client.force_login(get_user_model().objects.get(username="root"))
    budget = Budget.objects.get()
    listed = client.get("/admin/costtrack/budget/").content.decode()
    action: dict[str, Any] = {"action": "raise_limit", "percent": "10", "_selected_action": [budget.pk], "index": "0"}
    said = client.post("/admin/costtrack/budget/", action, follow=True).content.decode()
    print(
        json.dumps(
            {
                "answers": answers(client),
                "bases": sorted({base.__module__ for base in type(admin.site._registry[Budget]).__mro__}),
                "bars": listed.count('class="costtrack-budget"'),
                "raised": "1 raised." in said,
                "has_percent": 'name="percent"' in listed,
            }
        )
    )


if __name__ == "__main__":
    main()
