"""What the database calls itself."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models


class Installation(models.Model):
    """One row: the database's own UUID, made on first use. A spool's segments name it, to find their way back."""

    THE_ONE: ClassVar = 1

    id = models.SmallIntegerField(primary_key=True, default=THE_ONE, editable=False)
    uuid = models.UUIDField(default=uuid.uuid4, editable=False)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(id=1), name="costtrack_installation_is_one"),
        ]

    def __str__(self) -> str:
        return str(self.uuid)
