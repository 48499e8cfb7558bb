"""acmedns against a look-alike: its account is kept in the store, and the CNAME record that is missing is named."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.servers.acmedns import AcmeDns
from tests.servers.bind import Bind
from tests.servers.certs import Certificates
from tests.servers.pebble import Pebble
from tests.tclhost import Tcl
from tossl_acme.certificates.dns_accounts import DnsAccounts
from tossl_acme.context import Context
from tossl_acme.dns.options import ProviderOptions
from tossl_acme.dns.provider import AccountKeeper, Provider
from tossl_acme.dns.registry import open_provider
from tossl_acme.errors import ArgumentError, DnsError
from tossl_acme.files import absolute
from tossl_acme.store.folder import FolderStore
from tossl_acme.text import Secret

ONE, TWO, THREE = "1" * 43, "2" * 43, "3" * 43


@pytest.fixture(scope="module")
def world() -> Iterator[Bind]:
    """The DNS: names in example.com, accounts in example.org."""
    with Bind(zones=("example.com", "example.org"), recursive=True) as server:
        yield server


@pytest.fixture(autouse=True)
def _asking(world: Bind, ask_at: Callable[[int], None]) -> None:
    ask_at(world.port)


@pytest.fixture
def service(world: Bind) -> Iterator[AcmeDns]:
    with AcmeDns(world) as server:
        yield server


def acmedns(service: AcmeDns, accounts: dict[str, str] | None = None, **given: str) -> Provider:
    options = ProviderOptions("acme-dns", {f: Secret(v) for f, v in given.items()}, endpoint=service.url)
    provider = open_provider(options)
    assert isinstance(provider, AccountKeeper)
    if accounts is not None:
        provider.keep_accounts(accounts)
    return provider


def test_an_account_is_registered_and_its_cname_is_named(service: AcmeDns, world: Bind, context: Context) -> None:
    kept: dict[str, str] = {}
    name = "_acme-challenge.new.example.com"
    for _ in range(2):  # the same account again
        with pytest.raises(DnsError) as caught:
            acmedns(service, kept).publish(context, name, ONE)
        target = service.accounts[0].fulldomain
        assert caught.value.errorcode == ("TOSSL", "DNS", "acmedns", "record")
        assert caught.value.message == (
            f"Failed to create DNS record: {name} must lead to the account at acme-dns: "
            f"set the record {name}. CNAME {target}."
        )
        assert caught.value.details == {"cname_name": name, "cname_target": target}
    assert len(service.accounts) == len(kept) == 1
    world.add(name, "CNAME", f"{target}.")
    mine = acmedns(service, kept)
    mine.publish(context, name, ONE)  # where nobody followed the CNAME
    mine.publish(context, target, TWO)  # where it was followed
    mine.publish(context, target, TWO)
    assert service.accounts[0].values == [ONE, TWO]
    assert world.txt(target) == [ONE, TWO]
    assert mine.remove(context, target, ONE) == [ONE]
    with pytest.raises(DnsError) as caught:
        mine.remove(context, target, None)
    assert caught.value.errorcode[-1] == "unsupported"
    mine.publish(context, target, THREE)
    assert world.txt(target) == [TWO, THREE]
    # Another name has an account of its own; an alias to elsewhere is named.
    world.add("_acme-challenge.other.example.com", "CNAME", "elsewhere.example.org.")
    with pytest.raises(DnsError, match=r"not to elsewhere.example.org: set the record"):
        mine.publish(context, "_acme-challenge.other.example.com", ONE)
    assert len(service.accounts) == 2


def test_a_given_account(service: AcmeDns, world: Bind, context: Context) -> None:
    made = service.register()
    given = {"username": made.username, "password": made.password, "subdomain": made.subdomain}
    mine = acmedns(service, **given)
    mine.publish(context, made.fulldomain, ONE)
    assert made.values == [ONE]
    with pytest.raises(DnsError, match=rf"CNAME the account's name, which begins with {made.subdomain}"):
        mine.publish(context, "_acme-challenge.given.example.com", ONE)
    with pytest.raises(DnsError) as caught:
        acmedns(service, **{**given, "password": "wrong-password"}).publish(context, made.fulldomain, TWO)
    assert caught.value.errorcode == ("TOSSL", "DNS", "acmedns", "credentials")
    assert "answered 401" in caught.value.message
    assert "wrong-password" not in caught.value.message
    for field in given:
        with pytest.raises(ArgumentError) as refused:
            acmedns(service, **{**given, field: ""})
        assert refused.value.errorcode == ("TOSSL", "VALUE", field)


def test_legos_file(service: AcmeDns, context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = service.register()
    file = tmp_path / "accounts.json"
    words = {name: getattr(made, name) for name in ("username", "password", "subdomain", "fulldomain")}
    entries = {"example.com": {**words, "server_url": service.url}, "odd": 1, "half": {"username": "x"}}
    file.write_text(json.dumps(entries))
    monkeypatch.setenv("ACME_DNS_STORAGE_PATH", str(file))
    monkeypatch.setenv("ACME_DNS_API_BASE", service.url)
    open_provider(ProviderOptions("acmedns")).publish(context, made.fulldomain, ONE)
    assert made.values == [ONE]
    file.write_text("{")
    with pytest.raises(ArgumentError) as caught:
        open_provider(ProviderOptions("acmedns"))
    assert caught.value.errorcode == ("TOSSL", "VALUE", "accounts_file")


def test_no_account_and_no_store(service: AcmeDns, context: Context) -> None:
    with pytest.raises(DnsError) as caught:
        acmedns(service).publish(context, "_acme-challenge.example.com", ONE)
    assert caught.value.errorcode == ("TOSSL", "DNS", "acmedns", "credentials")
    assert service.accounts == []


def test_passing_failures_are_outlasted_and_others_are_told(service: AcmeDns, context: Context) -> None:
    made = service.register(["10.0.0.0/8"])
    mine = acmedns(service, {}, username=made.username, password=made.password, subdomain=made.subdomain)
    service.failures = [500, 503]
    with pytest.raises(DnsError, match=r"answered 401: .*forbidden"):
        mine.publish(context, made.fulldomain, ONE)
    assert len(service.requests) == 3
    made.allow_from = []
    with pytest.raises(DnsError, match=r"answered 400: .*bad_txt"):
        mine.publish(context, made.fulldomain, "short")
    with pytest.raises(DnsError, match=r"answered 400: .*invalid_allowfrom_cidr"):
        acmedns(service, {}, allow_from="300.1.2.3").publish(context, "_acme-challenge.cidr.example.com", ONE)


def test_a_server_that_wants_to_be_left_alone(service: AcmeDns) -> None:
    """No attempt comes before its Retry-After, and none that the call has no time for."""
    made = service.register()
    mine = acmedns(service, {}, username=made.username, password=made.password, subdomain=made.subdomain)
    service.failures, service.retry_after = [429], "30"
    with pytest.raises(DnsError, match="answered 429") as caught:
        mine.publish(Context(20).begin(), made.fulldomain, ONE)
    assert caught.value.details["retry_after"] == 30
    assert len(service.requests) == 1


def test_of_two_at_the_same_time_the_first_account_counts(tmp_path: Path, context: Context) -> None:
    accounts = DnsAccounts(FolderStore(absolute(tmp_path)), context)
    assert accounts.setdefault("a.json", "first") == "first"
    assert DnsAccounts(FolderStore(absolute(tmp_path)), context).setdefault("a.json", "second") == "first"
    accounts["b.json"] = "x"
    assert dict(accounts) == {"a.json": "first", "b.json": "x"}
    assert len(accounts) == 2
    del accounts["b.json"]
    assert "b.json" not in accounts


def test_certificates_through_an_account_that_the_store_keeps(
    tcl: Tcl, service: AcmeDns, world: Bind, certificates: Certificates, tmp_path: Path
) -> None:
    """First the CNAME records are named, then a name and its wildcard, and a second one, are proven."""
    names = ["end.example.com", "*.end.example.com"]
    with Pebble(dns=world.address, certificates=certificates, nonce_reject=0, authz_reuse=0) as pebble:
        words = {
            "directory": pebble.directory, "store": tmp_path / "store", "provider": "acme-dns",
            "endpoint": service.url, "propagation_timeout": 20,
        }  # fmt: skip
        failure = tcl.failure("obtain_certificate", names, **words)
        assert failure.code == ("TOSSL", "DNS", "acmedns", "record"), failure
        world.add(failure.details["cname_name"], "CNAME", failure.details["cname_target"] + ".")
        result = tcl.dict("obtain_certificate", names, **words)
        assert result["issued"] == "1"
        assert result["renewable"] == "1"
        assert len(service.accounts) == 1
        kept = (tmp_path / "store" / "accounts" / "dns").resolve()
        assert kept.stat().st_mode & 0o77 == 0
        assert service.accounts[0].password not in json.dumps(result)
