"""PostgreSQL in a scratch folder, and pgbouncer in front of it: started as a user without rights where we are root."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import psycopg

from .process import Process, ServerError, find_program, free_port
from .program import ServerProgram

_INSTALLED = Path("/usr/lib/postgresql")
_DATABASE, _ROLE = "tossl", "tossl"
_CONFIG = """\
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{folder}'
max_connections = 100
shared_buffers = '16MB'
fsync = off
full_page_writes = off
autovacuum = off
log_min_messages = warning
"""
_EMPTY = """\
DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_tables WHERE schemaname = 'tossl' AND tablename = 'leases') THEN
        DELETE FROM tossl.set_values; DELETE FROM tossl.sets; DELETE FROM tossl.leases;
    END IF;
END $$"""
_BOUNCER_CONFIG = """\
[databases]
* = host=127.0.0.1 port={server}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = plain
auth_file = {users}
pool_mode = transaction
max_client_conn = 200
default_pool_size = 3
server_round_robin = 1
"""


def _program(name: str) -> str:
    """The path of a program of the newest PostgreSQL that is installed."""
    found = sorted(_INSTALLED.glob(f"*/bin/{name}"), key=lambda path: float(path.parts[-3]))
    return str(found[-1]) if found else find_program(name)


def _user() -> pwd.struct_passwd | None:
    """The user that the servers run as; None for our own, which is not root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise ServerError("neither the user postgres nor nobody exists, and PostgreSQL does not run as root")


def _as_user(argv: list[str]) -> list[str]:
    user = _user()
    if user is None:
        return argv
    ids = ["--reuid", str(user.pw_uid), "--regid", str(user.pw_gid), "--clear-groups"]
    return [find_program("setpriv"), *ids, "--", *argv]


def _parent_of(process: Path) -> int:
    """The parent of a process in /proc; 0 if it is gone."""
    with suppress(OSError):
        return int((process / "stat").read_text().rpartition(")")[2].split()[1])
    return 0


class _OwnFolder(ServerProgram):
    """A server in a temporary folder that is its user's: another folder of ours may be closed to that one."""

    def __init__(self) -> None:
        super().__init__(None)
        if (user := _user()) is not None:
            os.chown(self.folder, user.pw_uid, user.pw_gid)


class PostgreSQL(_OwnFolder):
    """A cluster with an empty database and a role that owns it; both outlive a restart, but not the machine's end.

    settings: lines for postgresql.conf, in the place of the usual ones.
    """

    def __init__(self, settings: str = "") -> None:
        super().__init__()
        self._settings = settings
        self.port = free_port()
        self.password = secrets.token_hex(12)
        self._is_made = False

    @property
    def url(self) -> str:
        """The database's URL, with the role's password in it."""
        return self.url_of(_DATABASE)

    def url_of(self, database: str, role: str = "", password: str = "", port: int = 0) -> str:
        """The URL of another database, or for another role or port."""
        user = f"{role or _ROLE}:{quote(password or self.password)}"
        return f"postgresql://{user}@127.0.0.1:{port or self.port}/{database}"

    def bare_url_of(self, port: int) -> str:
        """The URL of the common database at a port, without the password."""
        return f"postgresql://{_ROLE}@127.0.0.1:{port}/{_DATABASE}"

    def make(self) -> None:
        """Make the cluster's files."""
        if self._is_made:
            return
        data = self.folder / "data"
        secret = self.folder / "secret"
        secret.write_text(self.password)
        secret.chmod(0o644)
        argv = [_program("initdb"), "-D", str(data), "-U", "postgres", "--pwfile", str(secret), "-A", "scram-sha-256",
                "-E", "UTF8", "--no-locale", "--no-sync"]  # fmt: skip
        done = subprocess.run(_as_user(argv), capture_output=True, text=True, check=False, cwd=self.folder)
        secret.unlink()
        if done.returncode:
            raise ServerError(f"initdb failed: {done.stderr[-1000:]}")
        config = _CONFIG.format(port=self.port, folder=self.folder)
        with (data / "postgresql.conf").open("a") as file:
            file.write(config + self._settings)
        self._is_made = True

    def launch(self) -> None:
        self.make()
        argv = _as_user([_program("postgres"), "-D", str(self.folder / "data")])
        self._process = Process(argv, self.folder / "postgres.log", cwd=self.folder)

    def wait_ready(self) -> None:
        self.process.wait_ready(lambda: self._psql("postgres", "SELECT 1", check=False) == "1")
        if not self._psql("postgres", f"SELECT 1 FROM pg_roles WHERE rolname = '{_ROLE}'"):
            self.run(f"CREATE ROLE {_ROLE} LOGIN PASSWORD '{self.password}'")
            self.create_database(_DATABASE)

    def create_database(self, name: str) -> str:
        """Make an empty database that the role owns; return its URL."""
        self.run(f'CREATE DATABASE "{name}" OWNER {_ROLE}')
        return self.url_of(name)

    def empty(self) -> None:
        """Remove all sets and locks from the common database; the tables stay."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(_EMPTY)

    def run(self, statement: str, database: str = "postgres") -> str:
        """Return what psql prints for a statement of the superuser."""
        return self._psql(database, statement)

    def kill(self) -> None:
        """End the server as a crash would: all of its processes at once, without a word."""
        parent = self.process.pid
        children = [int(path.name) for path in Path("/proc").glob("[0-9]*") if _parent_of(path) == parent]
        for pid in (parent, *children):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        super().stop()
        while any(Path(f"/proc/{pid}").exists() for pid in children):  # its memory is in use until then
            time.sleep(0.002)

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """End the server at once (SIGINT: by a "fast" shutdown); SIGTERM waits for its clients, however long."""
        if self._process is not None and self._process.is_running():
            os.kill(self._process.pid, how)
        super().stop()

    def crash(self) -> None:
        """Kill it and start it again."""
        self.kill()
        self.start()

    def cut_connections(self) -> None:
        """End every connection of the role."""
        self.run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{_ROLE}'")

    def _psql(self, database: str, statement: str, *, check: bool = True) -> str:
        argv = [_program("psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", statement,
                self.url_of(database, "postgres")]  # fmt: skip
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        if check and done.returncode:
            raise ServerError(f"psql: {done.stderr.strip()}")
        return done.stdout.strip()


class PgBouncer(_OwnFolder):
    """pgbouncer that lends its few connections by transactions."""

    def __init__(self, server: PostgreSQL, **options: object) -> None:
        """options: of its configuration, in the place of the usual ones."""
        super().__init__()
        self.port = free_port()
        self._server = server
        self._options = options

    def url_of(self, database: str) -> str:
        """The URL of a database through it."""
        return self._server.url_of(database, port=self.port)

    def launch(self) -> None:
        users = self.folder / "users.txt"
        users.write_text(f'"{_ROLE}" "{self._server.password}"\n')
        config = self.folder / "pgbouncer.ini"
        usual = _BOUNCER_CONFIG.format(server=self._server.port, port=self.port, users=users)
        config.write_text(usual + "".join(f"{name} = {value}\n" for name, value in self._options.items()))
        for path in (users, config):
            if (user := _user()) is not None:
                shutil.chown(path, user.pw_uid, user.pw_gid)
        argv = _as_user([find_program("pgbouncer"), str(config)])
        self._process = Process(argv, self.folder / "pgbouncer.log", cwd=self.folder)

    def wait_ready(self) -> None:
        url = self.url_of(_DATABASE)
        argv = [_program("psql"), "-XAtq", "-c", "SELECT 1", url]
        self.process.wait_ready(lambda: subprocess.run(argv, capture_output=True, check=False).returncode == 0)
