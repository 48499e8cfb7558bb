"""The names that validation records can have: nothing else is ever deleted."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType

import pytest

from tossl_acme.challenges.choice import choose
from tossl_acme.challenges.dns01 import validation_name
from tossl_acme.challenges.dns_account01 import account_validation_name
from tossl_acme.challenges.dns_persist01 import DnsPersist01
from tossl_acme.challenges.registry import FILES, TYPES, ChallengeTypes, check_validation_name, is_validation_name
from tossl_acme.challenges.solver import ChallengeType, SolverOptions
from tossl_acme.challenges.standing import standing_name
from tossl_acme.errors import ArgumentError
from tossl_acme.identifiers import parse_identifiers


@pytest.mark.parametrize(
    "name",
    [
        "_acme-challenge.example.com",
        "_ACME-Challenge.Example.COM.",
        "_acme-challenge.xn--bcher-kva.example",
        "_ujmmovf2vn55tgye._acme-challenge.www.example.org",
        "_validation-persist.example.com",
    ],
)
def test_validation_names(name: str) -> None:
    assert is_validation_name(name)
    check_validation_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "example.com",
        "www.example.com",
        "_acme-challenge",
        "_acme-challenge.",
        "_acme-challenge..com",
        "x._acme-challenge.example.com",
        "_dmarc._acme-challenge.example.com",
        "_acme-challengeX.example.com",
        "acme-challenge.example.com",
        "_acme-challenge.exa mple.com",
        "_acme-challenge.example.com/../x",
        "_acme-challenge.*.example.com",
        f"_acme-challenge.{'a' * 64}.com",
        "_acme-challenge." + "a.b" * 90,
    ],
)
def test_other_names(name: str) -> None:
    assert not is_validation_name(name)
    with pytest.raises(ArgumentError) as caught:
        check_validation_name(name)
    assert caught.value.errorcode == ("TOSSL", "VALUE", "record_name")


def test_a_further_type_is_its_file_and_its_name_in_the_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its label is known to the guard of clean-up then, and -challenge takes its name."""
    kind = ChallengeType("dns-persist-02", lambda _options: DnsPersist01(), "_validation-persist-2")
    options, identifiers = SolverOptions(("dns-persist-02", "dns-persist-01")), parse_identifiers(["example.com"])
    assert not is_validation_name("_validation-persist-2.example.com")
    with pytest.raises(ArgumentError):
        choose(options, identifiers)
    file = ModuleType("dns_persist02")
    file.TYPE = kind  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tossl_acme.challenges.dns_persist02", file)
    types = ChallengeTypes((*FILES, "dns_persist02"))
    monkeypatch.setattr("tossl_acme.challenges.registry.TYPES", types)
    monkeypatch.setattr("tossl_acme.challenges.choice.TYPES", types)
    assert is_validation_name("_validation-persist-2.example.com")
    assert [type(solver) for solver in choose(options, identifiers)[identifiers[0]]] == [DnsPersist01, DnsPersist01]


def test_every_type_is_registered_under_its_name_and_labels() -> None:
    """Each file of a type names it; a label stands before a domain, and is found again in the names made with it."""
    assert all(name == kind.name for name, kind in TYPES.items())
    url = "https://ca.example/acct/1"
    made = {
        "dns-01": validation_name("*.example.com"),
        "dns-account-01": account_validation_name("example.com", url),
        "dns-persist-01": standing_name("example.com"),
    }
    assert {name for name, kind in TYPES.items() if kind.dns_label} == set(made)
    for name in made.values():
        assert is_validation_name(name)


def test_only_the_types_that_are_used_are_loaded() -> None:
    script = (
        "import sys, tossl_acme.certificates.obtain as o; from tossl_acme.challenges.registry import TYPES; "
        "assert 'dns-01' in TYPES and len(TYPES) == 5; TYPES['http-01']; print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, timeout=60, capture_output=True, text=True)
    loaded = {file for file in FILES if f"tossl_acme.challenges.{file}" in done.stdout.split()}
    assert loaded == {"http01"}


def test_no_dns_library_is_loaded_where_no_record_is_wanted() -> None:
    """It takes 30 ms of each new process, and the protocol of our own providers 2."""
    script = (
        "import sys, tossl_acme.certificates.obtain; from tossl_acme.challenges.registry import TYPES; "
        "TYPES['http-01']; print(*{'dns.message', 'tossl_acme.dns.provider'}.intersection(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, timeout=60, capture_output=True, text=True)
    assert done.stdout == "\n"
