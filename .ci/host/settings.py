"""The smallest site that uses costtrack."""

SECRET_KEY = "only for this check"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "costtrack"]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": "db.sqlite3",
        "OPTIONS": {"transaction_mode": "IMMEDIATE"},
    }
}
