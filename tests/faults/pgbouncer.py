"""A pgbouncer in transaction pooling mode, in front of a PostgreSQL of the tests.

It comes with the Debian package `pgbouncer`: `apt-get install pgbouncer`. It refuses to run as root, and runs as
`nobody` there.
"""

from __future__ import annotations

import os
import pwd
import shutil
from pathlib import Path
from typing import Any

from tests.servers import Server, ServerFailed

SEARCHED = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])
CONFIGURATION = """
[databases]
* = host={upstream} user=postgres

[pgbouncer]
unix_socket_dir = {folder}
listen_addr =
listen_port = 5432
auth_type = any
pool_mode = transaction
default_pool_size = 3
max_client_conn = 50
ignore_startup_parameters = extra_float_digits
"""


class PgBouncer(Server):
    """Shares three connections among its clients, and gives each one for a transaction only."""

    name = "pgbouncer"

    def __init__(self, upstream_folder: Path) -> None:
        program = shutil.which("pgbouncer", path=SEARCHED)
        if program is None:
            raise ServerFailed("pgbouncer is not installed. Run: apt-get update && apt-get install -y pgbouncer")
        self._program = program
        self._upstream = upstream_folder
        super().__init__()

    def _prepare(self) -> None:
        configuration = self.folder / "pgbouncer.ini"
        configuration.write_text(CONFIGURATION.format(upstream=self._upstream, folder=self.folder))
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            for path in (self.folder, configuration):
                os.chown(path, nobody.pw_uid, nobody.pw_gid)

    def _user(self) -> dict[str, Any]:
        if os.geteuid() != 0:
            return {}
        return {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid, "extra_groups": [], "cwd": "/"}

    def _command(self) -> list[str]:
        return [self._program, str(self.folder / "pgbouncer.ini")]

    def _is_ready(self) -> bool:
        return (self.folder / ".s.PGSQL.5432").exists()
