from __future__ import annotations

import subprocess
import sys

WITHOUT = """
import sys
sys.modules["opentelemetry"] = None  # as if it were not installed
import django, os
os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings"
django.setup()
import costtrack.api.urls
try:
    import costtrack.integrations.otel
except ImportError as error:
    print(error)
"""


def test_without_the_library_it_says_what_to_install_and_the_app_does_without() -> None:
    told = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=False)
    assert told.stdout == (
        "This integration of costtrack needs 'opentelemetry.sdk.trace', which is not installed. "
        "Run: pip install 'costtrack[otel]'\n"
    ), told.stderr
