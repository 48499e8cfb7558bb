"""Cleaning up: time for each record, and what is left is named."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.certs import Certificates
from tests.servers.scripted_ca import ScriptedCa
from tests.servers.web import LookAlike, Reply, Request
from tests.tclhost import Tcl, new_key
from tossl_acme import context
from tossl_acme.acme import clients
from tossl_acme.dns import registered

NAMES = [f"n{number}.example.com" for number in range(3)]


class SilentApi(LookAlike):
    """Takes records at once, and answers nothing when they are to be removed."""

    def __init__(self, certificates: Certificates) -> None:
        self.removals = 0
        self.over = threading.Event()
        super().__init__(certificates)

    def answer(self, request: Request) -> Reply:
        """Answer one request."""
        if request.path.endswith("/cleanup"):
            self.removals += 1
            self.over.wait(20)
        return Reply(200)


@pytest.fixture
def api(certificates: Certificates) -> Iterator[SilentApi]:
    with SilentApi(certificates) as server:
        yield server
        server.over.set()


def test_each_record_has_time_for_itself(
    tcl: Tcl, scripted_ca: ScriptedCa, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a slow zone, which takes 25 s for each record by the process's clock: more for all than the call has."""
    real, gone = time.monotonic, list[str]()
    monkeypatch.setattr(time, "monotonic", lambda: real() + 25 * len(gone))

    def remove(name: str, _value: str) -> None:
        gone.append(name)

    tcl.create("removed", remove)
    tcl.create("made", lambda *_words: "")
    tcl.eval("tossl::dns::register slow -present made -cleanup removed")
    scripted_ca.script.validated = "invalid"
    options = {"provider": "slow", "propagation": "none", "timeout": 40, "store": "", "account_key": new_key()}
    failure = tcl.failure("obtain_certificate", NAMES, directory=scripted_ca.directory, **options)
    registered.reset()
    assert sorted(gone) == [f"_acme-challenge.{name}" for name in NAMES]
    assert "clean_up_failed" not in failure.details


def test_the_time_for_a_record_is_the_calls_within_bounds() -> None:
    """What docs/dns.md says."""
    assert [context.cleanup_seconds(limit) for limit in (0.1, 3, 25, 60, 3600)] == [10, 10, 25, 60, 60]


@pytest.mark.parametrize("validated", ["valid", "invalid"])
def test_what_is_left_is_named(
    tcl: Tcl, scripted_ca: ScriptedCa, api: SilentApi, monkeypatch: pytest.MonkeyPatch, validated: str
) -> None:
    """In the result or in the error; a provider that is silent costs its whole time for one record alone."""
    monkeypatch.setattr(context, "CLEANUP_SECONDS", 0.6)
    monkeypatch.setattr("tossl_acme.certificates.solve.QUICK_CLEANUP_SECONDS", 0.3)
    scripted_ca.script.validated = validated
    options = {"provider": "generic", "endpoint": api.tls_origin, "api_key": "user:secret", "propagation": "none"}
    options |= {"directory": scripted_ca.directory, "account_key": new_key(), "store": "", "timeout": 20}
    outcome = tcl.try_acme("obtain_certificate", NAMES, **options)
    facts = tcl.as_dict(outcome) if isinstance(outcome, str) else outcome.details
    assert isinstance(outcome, str) == (validated == "valid"), outcome
    left = tcl.dicts(facts["clean_up_failed"])
    assert sorted(each["record"] for each in left) == [f"_acme-challenge.{name}" for name in NAMES]
    assert api.removals


def test_one_record_that_is_left_is_named(tcl: Tcl, api: SilentApi, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the error of the command that published it, within as much time as the call had."""
    monkeypatch.setattr(context, "CLEANUP_SECONDS", 0.4)
    options = {"endpoint": api.tls_origin, "resolvers": "127.0.0.1:1", "follow_cname": 0, "propagation_timeout": 0.3}
    words = ["a.example.com", "token", new_key(), "generic", "user:secret"]
    failure = tcl.failure("dns01_challenge", *words, **options)
    assert failure.code[:2] == ("TOSSL", "TIMEOUT")
    (left,) = tcl.dicts(failure.details["clean_up_failed"])
    assert (left["domain"], left["record"]) == ("a.example.com", "_acme-challenge.a.example.com")


@pytest.mark.parametrize("command", ["renew_certificate", "renew_certificates"])
def test_what_a_renewal_leaves_is_named(
    tcl: Tcl, scripted_ca: ScriptedCa, api: SilentApi, monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path, command: str
) -> None:  # fmt: skip
    """Where the CA refuses it; of many in the result."""
    monkeypatch.setattr(context, "CLEANUP_SECONDS", 0.4)
    options = {"provider": "generic", "endpoint": api.tls_origin, "propagation": "none", "api_key_env": "API_KEY"}
    monkeypatch.setenv("API_KEY", "user:secret")
    options |= {"directory": scripted_ca.directory, "store": str(tmp_path)}
    api.over.set()
    tcl.acme("obtain_certificate", NAMES[:1], **options)
    api.over.clear()
    scripted_ca.script.validated = "invalid"
    scripted_ca.script.window = lambda: (1.0, 2.0)
    clients.reset()
    if command == "renew_certificate":
        facts = tcl.failure(command, NAMES[0], store=str(tmp_path), force=1).details
    else:
        facts = tcl.dict(command, store=str(tmp_path), within=90 * 86400)
        assert facts["failed"]
    (left,) = tcl.dicts(facts["clean_up_failed"])
    assert left["record"] == f"_acme-challenge.{NAMES[0]}"
