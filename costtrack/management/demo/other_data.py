"""Whether a database holds anything that is not the demo's: then the demo must not touch it."""

from __future__ import annotations

from django.db import connections

from costtrack.conf import settings
from costtrack.management.demo.admin_user import demo_admin_name, other_users, users_database
from costtrack.models import Organization, Rate

BOOKKEEPING = {
    "auth_permission",
    "costtrack_rate",
    "costtrack_ratetier",
    "costtrack_jobrun",
    "django_admin_log",
    "django_content_type",
    "django_migrations",
    "django_session",
    "django_site",
    "spatial_ref_sys",
}
"""Tables that Django, extensions, `load_rates` and jobs fill."""
BOOKKEEPING_PREFIXES = ("django_celery_beat_",)


def existing_tables(*, using: str) -> set[str]:
    """All tables of a database."""
    return set(connections[using].introspection.table_names())


def other_data(*, using: str) -> str:
    """What a database without the demo holds beside price data, in words; "" if nothing. It may be empty altogether."""
    users_alias, users_table = users_database()
    if users_table in existing_tables(using=users_alias) and other_users().exists():
        return f"users other than {demo_admin_name()}"
    tables = existing_tables(using=using)
    if Organization._meta.db_table in tables:
        organizations = Organization.objects.using(using).exclude(slug=settings.default_organization)
        if slug := organizations.values_list("slug", flat=True).first():
            return f"the organization {slug!r}"
        if Rate.objects.using(using).filter(organization__isnull=False).exists():
            return "an organization's own rates"
    for table in sorted(tables - BOOKKEEPING - {users_table, Organization._meta.db_table}):
        if not table.startswith(BOOKKEEPING_PREFIXES) and _has_rows(table, using=using):
            return f"rows in the table {table}"
    return ""


def _has_rows(table: str, *, using: str) -> bool:
    connection = connections[using]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT EXISTS (SELECT 1 FROM {connection.ops.quote_name(table)})")
        return bool(cursor.fetchone()[0])
