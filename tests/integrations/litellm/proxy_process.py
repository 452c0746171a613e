"""LiteLLM's proxy as a process of its own, on the test database."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.exits.processes import ROOT, url_of_the_test_database
from tests.servers import dies_with_its_parent

MASTER_KEY = "sk-for-these-tests-only-5f1d0c7a9b3e4862"
START_SECONDS = 90
ASKED = [{"role": "user", "content": "Say hello to me, please, in few words"}]
"""37 characters: 10 tokens, at 4 characters each."""

CONFIG = """
model_list:
  - model_name: alias
    litellm_params: {{model: openai/test-model, api_base: "{url}/v1", api_key: k, max_retries: 0}}
  - model_name: known
    litellm_params: {{model: openai/gpt-4o, api_base: "{url}/v1", api_key: k, max_retries: 0}}
litellm_settings:
  callbacks: costtrack.integrations.litellm.proxy.logger
router_settings:
  num_retries: 0
general_settings:
  master_key: {key}
"""


@dataclass(frozen=True)
class Proxy:
    """The proxy, as its clients see it."""

    client: httpx.Client
    log: Path

    def post(self, path: str = "/v1/chat/completions", *, headers: dict[str, str] | None = None, **body: Any) -> Any:
        """Ask it."""
        return self.client.post(path, json={"model": "alias", "messages": ASKED, **body}, headers=headers)

    def wait_for(self, claim: Callable[[], bool], *, seconds: float = 10) -> None:
        """Wait until the claim holds."""
        until = time.monotonic() + seconds
        while not claim():
            assert time.monotonic() < until, self.said()
            time.sleep(0.05)

    def said(self) -> str:
        """The end of what it has printed."""
        return self.log.read_text(errors="replace")[-6000:]

    def answers(self) -> bool:
        """Whether it has started."""
        try:
            return self.client.get("/health/liveliness").status_code == 200
        except httpx.TransportError:
            return False


@contextmanager
def running_proxy(folder: Path, *, provider: str, authenticate: str = "", key: str = MASTER_KEY) -> Iterator[Proxy]:
    """A proxy that passes its calls on to the server at `provider`, and keeps what it needs in `folder`.

    `authenticate` is a function of ours that knows its clients' keys, of which `key` is the one that is shown.
    """
    config = folder / "config.yaml"
    config.write_text(CONFIG.format(url=provider, key=MASTER_KEY))
    if authenticate:
        config.write_text(f"{config.read_text()}  custom_auth: {authenticate}\n")
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    options = ["--config", str(config), "--telemetry", "False"]
    with (folder / "log").open("w") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", "litellm.proxy.proxy_cli", "--host", "127.0.0.1", "--port", str(port), *options],
            cwd=ROOT,
            env=_environment(folder),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=dies_with_its_parent(signal.SIGTERM),  # noqa: PLW1509 - it only makes two system calls
        )
    try:
        headers = {"authorization": f"Bearer {key}"}
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=20) as client:
            proxy = Proxy(client, folder / "log")
            proxy.wait_for(lambda: child.poll() is not None or proxy.answers(), seconds=START_SECONDS)
            assert child.poll() is None, proxy.said()
            yield proxy
    finally:
        child.kill()
        child.wait()


def _environment(folder: Path) -> dict[str, str]:
    """What the process finds: no DATABASE_URL, which LiteLLM would take for its own tables."""
    here = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "XDG_RUNTIME_DIR")}
    return {
        **here,
        "DJANGO_SETTINGS_MODULE": "tests.integrations.litellm.proxy_settings",
        "SITE_DATABASE_URL": url_of_the_test_database(),
        "COSTTRACK_TRANSPORT": "inline",
        "HOME": str(folder),
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_LOG": "ERROR",
    }
