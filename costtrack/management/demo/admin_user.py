"""The demo's superuser: made with a password that is shown once, and known again by its address."""

from __future__ import annotations

import secrets
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.db import router
from django.db.models import QuerySet

NAME = "demo-admin"
EMAIL = "demo-admin@example.invalid"
"""The domain `.invalid` exists nowhere (RFC 2606), so nobody else has this address."""


def users_database() -> tuple[str, str]:
    """The alias of the database that holds the users, and their table in it."""
    model = get_user_model()
    return router.db_for_write(model), model._meta.db_table


def demo_admin_name() -> str:
    """By what the demo's superuser signs in: an address where the host's users sign in by theirs."""
    return str(_demo_admin()[get_user_model().USERNAME_FIELD])


def demo_admins() -> QuerySet[AbstractBaseUser]:
    """The demo's superuser, if it still is the demo's: its name and its address are as the demo made them."""
    return _users().filter(**_demo_admin())


def other_users() -> QuerySet[AbstractBaseUser]:
    """Everybody else."""
    return _users().exclude(**_demo_admin())


def create_demo_admin() -> str | None:
    """The new superuser's password; None where the host's user model asks for more than the demo can know."""
    model = get_user_model()
    fields = _demo_admin()
    if set(model.REQUIRED_FIELDS) - set(fields):
        return None
    password = secrets.token_urlsafe(12)
    demo_admins().delete()
    manager: Any = model._default_manager.db_manager(users_database()[0])
    manager.create_superuser(**fields, password=password)
    return password


def _users() -> QuerySet[AbstractBaseUser]:
    return get_user_model()._default_manager.using(users_database()[0])


def _demo_admin() -> dict[str, str]:
    model = get_user_model()
    names = {field.name for field in model._meta.get_fields()}
    email_field = model.get_email_field_name()
    fields = {email_field: EMAIL} if email_field in names else {}
    return {model.USERNAME_FIELD: NAME, **fields}
