"""A host's models.py may import costtrack and decorate with it before Django's apps are ready."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = """
import sys

import costtrack
from costtrack import InvalidUsage, attribute, meter, record_api_call, record_usage, track_api_call

@track_api_call("chat", provider="openai", project="search")
def chat(conversation_id):
    return {"model": "gpt-4o", "usage": {"prompt_tokens": 3, "completion_tokens": 4}}

@track_api_call
async def chat_async():
    ...

@attribute(agent="writer")
def work():
    return chat("c-1")

metered = meter("chat", model="gpt-4o")

assert "costtrack.models" not in sys.modules, "a model was imported before the apps were ready"
from django.conf import settings
assert not settings.configured, "the settings were read when it was imported"

settings.configure(
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "costtrack"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": sys.argv[1]}},
    USE_TZ=True,
    COSTTRACK={"SPOOL_DIR": sys.argv[1] + ".spool"},
)
import django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)

work()
with metered as call:
    call.set_usage(input_tokens=1)
assert costtrack.flush()
from costtrack.models import ResourceUsage
rows = ResourceUsage.objects.order_by("occurred_at").values_list("endpoint", "thread_id", "agent__slug", "input_tokens")
print(list(rows))
"""


def test_a_decorator_made_before_the_apps_were_ready_records_afterwards(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT, str(tmp_path / "db.sqlite3")],
        capture_output=True,
        text=True,
        cwd=root,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(root)},
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == "[('chat', 'c-1', 'writer', 3), ('chat', '', None, 1)]"
