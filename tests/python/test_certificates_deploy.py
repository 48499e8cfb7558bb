"""Hooks after a certificate: called once for each, owed until they end well, bounded in time."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.memory_store import MemoryStore
from tossl_acme.certificates import deploy as hooks
from tossl_acme.certificates.command import CommandError, run_command
from tossl_acme.certificates.deploy import Hooks, deploy, forget_hooks, owed
from tossl_acme.certificates.nodes import node_name
from tossl_acme.certificates.record import KeptCertificate
from tossl_acme.context import Context
from tossl_acme.errors import Cancelled, ScriptError
from tossl_acme.files import absolute
from tossl_acme.store.folder import FolderStore

NAME = "example.com"


def certificate(serial: str = "01", folder: str = "/store") -> dict[str, object]:
    paths = {kind: f"{folder}/{kind}.pem" for kind in ("certificate", "chain", "fullchain", "private_key")}
    return {
        "domains": [NAME, "www.example.com"],
        "issuer": "A CA",
        "serial": serial,
        "not_before": 1,
        "not_after": 2,
        "files": paths,
    }


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(absolute(tmp_path / "store"))


@pytest.fixture
def context() -> Context:
    return Context(10).begin()


def kept(serial: str = "01", command: str = "") -> KeptCertificate:
    issuance = {"deploy_command": command, "deploy_timeout": 5}
    return KeptCertificate(NAME, {"serial": serial, "not_after": 2, "issuance": issuance}, {}, str)


class Script:
    """A hook that counts its calls, and fails as often as it is to."""

    def __init__(self, failures: int = 0) -> None:
        self.calls: list[str] = []
        self.failures = failures

    def __call__(self, _context: Context, found: Mapping[str, object]) -> object:
        self.calls.append(str(found["serial"]))
        if len(self.calls) <= self.failures:
            raise ScriptError("no reload\ntoday", ("NONE",))
        return "0"


def has_ended(session: str) -> bool:
    """Whether every process of a session has ended, or does within 10 s: a signal takes its time."""
    until = time.monotonic() + 10
    while left := living(session):
        if time.monotonic() > until:
            raise AssertionError(f"still there: {left}")
        time.sleep(0.01)
    return True


def living(session: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, _, of = path.read_text().rpartition(")")[2].split()[:4]
            if of == session and state != "Z":
                found.append(path.parent.name)
    return found


def messages(context: Context) -> list[object]:
    return [warning["message"] for warning in context.told("warning")]


def test_a_hook_is_called_once_for_each_certificate(store: FolderStore, context: Context) -> None:
    script = Script()
    for serial in ("01", "01", "02", "02"):
        assert deploy(context, store, NAME, certificate(serial), Hooks(script))
    assert script.calls == ["01", "02"]
    assert messages(context) == []


def test_one_that_failed_is_owed_and_called_again(store: FolderStore, context: Context) -> None:
    script = Script(failures=2)
    assert not deploy(context, store, NAME, certificate(), Hooks(script))
    assert owed(store, kept()) == {"deploy_owed": True, "deploy_error": "no reload today"}
    assert not deploy(context, store, NAME, certificate(), Hooks(script))
    assert deploy(context, store, NAME, certificate(), Hooks(script))
    assert deploy(context, store, NAME, certificate(), Hooks(script))
    assert script.calls == ["01"] * 3
    assert owed(store, kept()) == {"deploy_owed": False, "deploy_error": ""}
    assert messages(context) == [f"{NAME} is not deployed: no reload today"] * 2


def test_each_node_owes_its_own_hooks(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where several machines use the store: by TOSSL_NODE, else by the host's name."""
    store, script = MemoryStore(is_shared=True), Script()
    for node in ("www1", "www2", ""):
        monkeypatch.setenv("TOSSL_NODE", node)
        for _ in range(2):
            assert deploy(context, store, NAME, certificate(), Hooks(script))
    assert script.calls == ["01"] * 3
    assert sorted(store.sets) == sorted(f"deploy.{node}/{NAME}" for node in ("www1", "www2", node_name()))
    monkeypatch.setenv("TOSSL_NODE", "www2")
    forget_hooks(context, store, NAME)
    assert f"deploy.www2/{NAME}" not in store.sets


def test_one_that_is_told_its_name_knows_the_marks_of_before(
    store: FolderStore, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = Script()
    assert deploy(context, store, NAME, certificate(), Hooks(script))
    monkeypatch.setenv("TOSSL_NODE", "www1")
    assert deploy(context, store, NAME, certificate(), Hooks(script))
    assert script.calls == ["01"]
    assert deploy(context, store, NAME, certificate("02"), Hooks(script))
    assert store.list("deploy.www1") == [f"deploy.www1/{NAME}"]
    monkeypatch.setenv("TOSSL_NODE", "no/name")
    assert not deploy(context, store, NAME, certificate("03"), Hooks(script))
    assert "TOSSL_NODE must be" in str(messages(context))


def test_a_command_that_was_never_called_is_owed(store: FolderStore, context: Context) -> None:
    """As where the process died between the certificate and the hook."""
    assert owed(store, kept(command="true"))["deploy_owed"] is True
    assert deploy(context, store, NAME, certificate(), Hooks(command="true"))
    assert owed(store, kept(command="true"))["deploy_owed"] is False
    assert owed(store, kept("02", command="true"))["deploy_owed"] is True


def test_of_two_hooks_only_the_one_that_failed_is_called_again(
    store: FolderStore, context: Context, tmp_path: Path
) -> None:
    script, mark = Script(), tmp_path / "mark"
    both = Hooks(script, f"test -e {mark}")
    assert not deploy(context, store, NAME, certificate(), both)
    mark.touch()
    assert deploy(context, store, NAME, certificate(), both)
    assert script.calls == ["01"]


def test_a_process_that_ends_in_its_hook_owes_it(store: FolderStore, context: Context) -> None:
    script = (
        "import os, sys; from tossl_acme.certificates.deploy import *; from tossl_acme.context import Context\n"
        "from tossl_acme.files import absolute; from tossl_acme.store.folder import FolderStore\n"
        f"deploy(Context(10).begin(), FolderStore(absolute(sys.argv[1])), {NAME!r}, {certificate()!r},"
        " Hooks(lambda *_: os._exit(3)))"
    )
    assert subprocess.run([sys.executable, "-c", script, store.path], check=False).returncode == 3
    called = Script()
    assert deploy(context, store, NAME, certificate(), Hooks(called))
    assert called.calls == ["01"]


def test_a_hook_that_is_cancelled_is_owed(store: FolderStore, context: Context) -> None:
    def cancel(*_: object) -> object:
        raise Cancelled

    with pytest.raises(Cancelled):
        deploy(context, store, NAME, certificate(), Hooks(cancel))
    assert deploy(context, store, NAME, certificate(), Hooks(Script()))


def test_a_hook_may_ask_for_the_same_certificate(store: FolderStore, context: Context) -> None:
    def again(inner: Context, found: Mapping[str, object]) -> object:
        return deploy(inner, store, NAME, found, Hooks(Script()))

    assert deploy(context, store, NAME, certificate(), Hooks(again))
    assert len(messages(context)) == 1
    assert "in use" in str(messages(context)[0])


def test_two_at_once_call_it_once(
    store: FolderStore, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hooks, "_LOCK_SECONDS", 0.1)
    script, has_begun, may_end = Script(), threading.Event(), threading.Event()

    def slow(inner: Context, found: Mapping[str, object]) -> object:
        has_begun.set()
        assert may_end.wait(10)
        return script(inner, found)

    first = threading.Thread(target=deploy, args=(context, store, NAME, certificate(), Hooks(slow)))
    first.start()
    assert has_begun.wait(10)
    other = Context(10).begin()
    assert not deploy(other, store, NAME, certificate(), Hooks(script))
    may_end.set()
    first.join()
    assert script.calls == ["01"]
    assert messages(other) == [f"{NAME} is not deployed: another one is at it just now"]


def test_without_a_store_each_call_is_one(context: Context) -> None:
    script = Script(failures=1)
    assert not deploy(context, None, NAME, certificate(), Hooks(script))
    assert deploy(context, None, NAME, certificate(), Hooks(script))
    assert len(messages(context)) == 1


def test_a_command_needs_files(context: Context) -> None:
    assert not deploy(context, None, NAME, certificate() | {"files": {}}, Hooks(command="true"))
    assert "nothing is stored" in str(messages(context)[0])


def test_a_store_that_cannot_be_written_is_a_warning(context: Context, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    script = Script()
    assert not deploy(context, FolderStore(absolute(tmp_path / "file")), NAME, certificate(), Hooks(script))
    assert "cannot use" in str(messages(context)[0])
    assert script.calls == []


def test_what_is_forgotten_is_owed_anew(store: FolderStore, context: Context) -> None:
    forget_hooks(context, store, NAME)
    deploy(context, store, NAME, certificate(), Hooks(Script()))
    forget_hooks(context, store, NAME)
    assert store.list("deploy") == []


def test_what_a_command_is_told(store: FolderStore, context: Context, tmp_path: Path) -> None:
    out = tmp_path / "out"
    found = certificate() | {"issuer": "A 'CA' \u00e9", "files": {"fullchain": "/a b/fullchain.pem"}}
    assert deploy(context, store, NAME, found, Hooks(command=f"env >{out}")), messages(context)
    told = dict(line.split("=", 1) for line in out.read_text().splitlines() if line.startswith("TOSSL_"))
    assert {name: told[name] for name in hooks.command_environment(NAME, found)} == {
        "TOSSL_NAME": NAME,
        "TOSSL_DOMAINS": "example.com www.example.com",
        "TOSSL_CERTIFICATE": "",
        "TOSSL_CHAIN": "",
        "TOSSL_FULLCHAIN": "/a b/fullchain.pem",
        "TOSSL_PRIVATE_KEY": "",
        "TOSSL_PEM_FILE": "",
        "TOSSL_ISSUER": "A 'CA' \u00e9",
        "TOSSL_SERIAL": "01",
        "TOSSL_NOT_BEFORE": "1",
        "TOSSL_NOT_AFTER": "2",
    }


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("exit 3", "the command ended with exit status 3"),
        ("echo one; echo '  two words ' >&2; exit 1", "the command ended with exit status 1: two words"),
        ("kill -KILL $$", "the command ended with signal 9"),
        ("no-such-program", "the command ended with exit status 127: .*no-such-program.*"),
        ("head -c 9999999 /dev/zero; printf '\\n\\033[1mend'; exit 1", "the command ended with exit status 1: .*end"),
    ],
)
def test_a_command_that_fails(context: Context, command: str, message: str) -> None:
    with pytest.raises(CommandError, match=f"^{message}$"):
        run_command(context, command, {}, 10)


def test_a_command_has_no_input_and_no_terminal(context: Context) -> None:
    run_command(context, "test -z \"$(cat)\" && ! (: </dev/tty)", {}, 10)


def test_a_command_is_not_waited_for_because_of_what_it_left(context: Context, tmp_path: Path) -> None:
    """A daemon that it started keeps its output open."""
    began = time.monotonic()
    run_command(context, f"sleep 60 & echo $! >{tmp_path}/pid", {}, 30)
    assert time.monotonic() - began < 20
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)


@pytest.mark.parametrize("command", ["exec sleep 60", "sleep 60; true", "trap '' TERM; sleep 60; sleep 60"])
def test_a_command_that_hangs_is_ended_with_what_it_started(
    context: Context, command: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tossl_acme.certificates.command._END_SECONDS", 0.2)
    with pytest.raises(CommandError, match=r"did not end within 0\.3 s: begun"):
        run_command(context, f"echo $$ >{tmp_path}/pid; echo begun; {command}", {}, 0.3)
    assert has_ended((tmp_path / "pid").read_text().strip())


def test_a_command_ends_with_its_call(tmp_path: Path) -> None:
    context = Context(30).begin()
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)

    def cancel() -> None:
        fifo.read_text()
        context.cancel()

    threading.Thread(target=cancel).start()
    with pytest.raises(Cancelled):
        run_command(context, f"echo $$ >{tmp_path}/pid; echo >{fifo}; sleep 60", {}, 60)
    assert has_ended((tmp_path / "pid").read_text().strip())


def test_a_command_blocks_no_signals(context: Context, tmp_path: Path) -> None:
    """A job's thread blocks them all; a server that the command starts wants them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGHUP})
    try:
        run_command(context, f"grep SigBlk /proc/self/status >{tmp_path}/mask", {}, 10)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    assert int((tmp_path / "mask").read_text().split()[1], 16) == 0


def test_an_ignored_sigchld_is_no_success(context: Context) -> None:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        with pytest.raises(CommandError, match="SIGCHLD"):
            run_command(context, "exit 1", {}, 10)
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_no_descriptor_is_left(context: Context) -> None:
    before = sorted(Path("/proc/self/fd").iterdir())
    for command in ("true", "false", "exec sleep 9"):
        with contextlib.suppress(CommandError):
            run_command(context, command, {}, 0.3)
    assert sorted(Path("/proc/self/fd").iterdir()) == before
