"""The servers of the suite: really there, private, and gone afterwards, whatever ends the run."""

from __future__ import annotations

import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg
import pytest
import redis

from tests.servers import PostgresServer, RedisServer, ServerFailed, postgres_install


def is_alive(pid: int) -> bool:
    """A zombie, which only waits to be reaped, is not alive."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 20
    while is_alive(pid):
        assert time.monotonic() < deadline, f"{pid} is still there"
        time.sleep(0.02)


@pytest.mark.parametrize("major", [16, 18])
def test_postgres_of_that_version_answers_and_is_gone_when_it_is_stopped(major: int) -> None:
    server = PostgresServer(major)
    with server, psycopg.connect(server.url) as connection:
        assert connection.info.server_version // 10_000 == major
        assert connection.execute("SHOW server_encoding").fetchone() == ("UTF8",)
        assert server.version == connection.info.parameter_status("server_version")
        pid = server.pid
        assert pid is not None
        assert is_alive(pid)
    assert not is_alive(pid)
    assert not server.folder.exists()


def test_postgres_that_crashed_starts_again_with_what_was_committed() -> None:
    with PostgresServer(18) as server:
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute("CREATE TABLE kept (number int)")
            connection.execute("INSERT INTO kept VALUES (7)")
        first = server.pid
        server.crash()
        assert server.pid is None
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(server.url)
        server.start()
        assert server.pid not in (None, first)
        with psycopg.connect(server.url) as connection:
            assert connection.execute("SELECT number FROM kept").fetchall() == [(7,)]
        log = (server.folder / "server.log").read_text()
        assert "immediate shutdown request" in log
        assert "database system was not properly shut down" in log


def test_nobody_else_can_list_where_the_server_listens() -> None:
    with PostgresServer(18) as server, psycopg.connect(server.url) as connection:
        assert stat.S_IMODE(server.folder.stat().st_mode) == 0o711
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)


def test_a_version_that_the_wheel_lacks_is_named_with_those_it_has() -> None:
    with pytest.raises(ServerFailed, match=r"no PostgreSQL 9, only 16\.\d+, 18\.\d+"):
        postgres_install(9)


def test_redis_answers_and_is_gone_when_it_is_stopped() -> None:
    with RedisServer() as server:
        client = redis.Redis.from_url(server.url)
        assert client.set("seen", "once")
        assert client.get("seen") == b"once"
        client.close()
        pid = server.pid
        assert pid is not None
    assert not is_alive(pid)
    assert not server.folder.exists()


def test_a_server_that_cannot_start_says_what_it_said() -> None:
    class Refusing(RedisServer):
        def _command(self) -> list[str]:
            return [*super()._command(), "--no-such-option", "1"]

    server = Refusing()
    with pytest.raises(ServerFailed, match="no-such-option"):
        server.start()
    assert server.pid is None
    assert not server.folder.exists()


@pytest.mark.parametrize("made", ["PostgresServer(18)", "RedisServer()"])
def test_a_server_dies_with_a_parent_that_is_killed(made: str) -> None:
    told = (
        "import time; from tests.servers import PostgresServer, RedisServer; "
        f"server = {made}.start(); print(server.pid, server.folder, flush=True); time.sleep(60)"
    )
    root = Path(__file__).parent.parent
    with subprocess.Popen([sys.executable, "-c", told], cwd=root, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid, folder = parent.stdout.readline().split()
        assert is_alive(int(pid))
        parent.send_signal(signal.SIGKILL)
    try:
        wait_until_gone(int(pid))
    finally:
        shutil.rmtree(folder)


def test_a_temporary_folder_that_the_server_cannot_use_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("d" * 60)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    with RedisServer() as server:
        assert server.folder.parent == Path("/tmp")


def test_the_session_redis_is_running(redis_url: str) -> None:
    client = redis.Redis.from_url(redis_url)
    assert client.ping()
    client.close()
