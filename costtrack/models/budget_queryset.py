"""Reads of budgets, which refuse to write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models

from costtrack.exceptions import UntoldBudgetChange

if TYPE_CHECKING:
    from costtrack.models.budgets import Budget


class BudgetQuerySet(models.QuerySet["Budget"]):
    """Reads of budgets. What would write them past their one writer raises UntoldBudgetChange."""

    def update(self, **kwargs: Any) -> int:
        """Refused; `change_budget` is for that."""
        raise UntoldBudgetChange("update()")

    def bulk_create(self, *args: Any, **kwargs: Any) -> list[Budget]:
        """Refused; `create_budget` is for that."""
        raise UntoldBudgetChange("bulk_create()")

    def delete(self) -> tuple[int, dict[str, int]]:
        """Refused; `delete_budget` is for that."""
        raise UntoldBudgetChange("delete()")

    delete.queryset_only = True  # type: ignore[attr-defined] # no manager has it, as with Django's own

    def delete_unrecorded(self) -> int:
        """Delete for good, with counters, thresholds and history; how many budgets. For `delete_budget`, and purges."""
        return super().delete()[1].get("costtrack.Budget", 0)

    delete_unrecorded.queryset_only = True  # type: ignore[attr-defined] # else `Budget.objects` would delete them all
