"""A set-up is tried at the CA's staging end, and nothing but the account there is kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.servers.faults import FaultProxy
from tests.servers.pebble import Pebble
from tests.tclhost import Tcl
from tossl_acme.acme import public_cas
from tossl_acme.acme.public_cas import PUBLIC_CAS, PublicCa, staging_url

Options = dict[str, object]


@pytest.fixture
def options(
    calm_pebble: Pebble, calm_proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Options:
    """The CA's staging end is at the proxy; nothing answers for the CA itself."""
    cas = (PublicCa("own", "https://127.0.0.1:1/dir"), PublicCa("own-staging", calm_proxy.directory))
    monkeypatch.setattr(public_cas, "PUBLIC_CAS", cas)
    return {"directory": "own", "port": calm_pebble.http_port, "store": tmp_path / "store", "dry_run": 1}


@pytest.fixture
def kept(tmp_path: Path) -> Callable[[], set[str]]:
    """The names of the folders with sets in the store."""
    return lambda: {path.parent.name for path in (tmp_path / "store").glob("*/*")}


def test_nothing_but_the_account_is_kept(tcl: Tcl, options: Options, kept: Callable[[], set[str]]) -> None:
    found = tcl.dict("obtain_certificate", "dry.example", **options)
    assert [found[name] for name in ("certificate", "chain", "fullchain", "private_key", "files")] == [""] * 5
    assert found["domains"] == "dry.example"
    assert "Pebble" in found["issuer"]
    assert kept() == {"accounts"}


def test_the_account_is_used_again(tcl: Tcl, options: Options, calm_proxy: FaultProxy) -> None:
    for name in ("dry1.example", "dry2.example"):
        tcl.acme("obtain_certificate", name, **options)
    paths = [request.path for request in calm_proxy.requests]
    assert sum("sign-me-up" in path for path in paths) == 1


def test_nothing_is_deployed(tcl: Tcl, options: Options, tmp_path: Path) -> None:
    mark, pem = tmp_path / "mark", tmp_path / "pem"
    deployment = {"deploy_command": f"touch {mark}", "deploy": "error", "pem_file": pem}
    found = tcl.dict("obtain_certificate", "dry3.example", **options, **deployment)
    assert found["warnings"] == ""
    assert not mark.exists()
    assert not pem.exists()


def test_a_set_up_that_does_not_work_is_told(tcl: Tcl, options: Options, kept: Callable[[], set[str]]) -> None:
    refused = tcl.failure("obtain_certificate", "*.dry.example", **options)
    assert "*.dry.example" in refused.message
    assert kept() <= {"accounts"}


def test_each_ca_of_the_list_is_tried(tcl: Tcl, options: Options, monkeypatch: pytest.MonkeyPatch) -> None:
    other = (PublicCa("other", "https://127.0.0.1:1/x"), PublicCa("other-staging", "https://127.0.0.1:1/staging"))
    monkeypatch.setattr(public_cas, "PUBLIC_CAS", public_cas.PUBLIC_CAS + other)
    failed = tcl.failure("obtain_certificate", "dry5.example", **options | {"directory": "own other"})
    assert failed.code == ("TOSSL", "HTTP", "connect")
    assert "127.0.0.1:1/staging" in failed.message


def test_which_cas_have_a_staging_end() -> None:
    found = {ca.name: staging_url(ca.url) for ca in PUBLIC_CAS}
    urls = {ca.name: ca.url for ca in PUBLIC_CAS}
    staged = ("letsencrypt", "letsencrypt-staging", "google", "google-staging")
    assert {name for name, url in found.items() if url} == set(staged)
    for name in staged:
        assert found[name] == urls[f"{name.removesuffix('-staging')}-staging"]
    assert staging_url("https://ca.example/dir") == ""
