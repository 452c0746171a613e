"""The callback of LiteLLM's proxy: `callbacks: costtrack.integrations.litellm.proxy.logger` in its config.yaml.

DJANGO_SETTINGS_MODULE names the site whose ledger it writes. Django is set up here, for the proxy's process has none.
"""

from __future__ import annotations

import django
from django.apps import apps

if not apps.ready:
    django.setup()

from costtrack.integrations.litellm.logger import CostTrackLogger

logger = CostTrackLogger()
