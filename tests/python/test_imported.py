"""Trees of other ACME programs, taken into a store: the first renewal is one of the same account."""

from __future__ import annotations

import itertools
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization as forms

from tests.foreign_trees import (
    Left,
    jwk_of,
    sent,
    write_acmesh,
    write_certbot,
    write_dehydrated,
    write_lego,
    write_lego_account,
    write_naviserver,
)
from tests.servers.certs import Certificates
from tests.servers.faults import FaultProxy
from tests.servers.issuer import Issuer
from tests.servers.pebble import Pebble
from tests.tclhost import Tcl, new_key
from tossl_acme.acme import clients
from tossl_acme.identifiers import parse_identifiers
from tossl_acme.pki.csr import csr_for
from tossl_acme.pki.jwk import private_key_of_jwk
from tossl_acme.pki.keys import load_private_key, public_der

_numbers = itertools.count(1)
CA = "https://ca.example/acme/dir"
ACCOUNT = "https://ca.example/acme/acct/7"


@pytest.fixture
def ari_proxy(newest_pebble: Pebble, certificates: Certificates) -> Iterator[FaultProxy]:
    """A proxy in front of a CA with renewal information, which logs the requests."""
    with FaultProxy(newest_pebble.directory, certificates) as server:
        yield server


@pytest.fixture
def left(tcl: Tcl, newest_pebble: Pebble, ari_proxy: FaultProxy, tmp_path: Path) -> Left:
    """A real certificate under a real account, in no store of ours."""
    name, store, directory = f"left{next(_numbers)}.example", tmp_path / "before", ari_proxy.directory
    got = tcl.dict("obtain_certificate", name, directory=directory, port=newest_pebble.http_port, store=store)
    key = tcl.acme("get_account_key", directory, store=store)
    account = tcl.dict("get_account", directory, key)["url"]
    shutil.rmtree(store)
    clients.reset()
    ari_proxy.clear()
    return Left(name, got["fullchain"], got["private_key"], directory, key, account)


def _issued(name: str = "a.example", days: float = 60, kind: str = "ec") -> Left:
    """A certificate of a CA that is nowhere."""
    key = new_key(kind)
    csr = csr_for(load_private_key(key), parse_identifiers([name]), "")
    request = x509.load_der_x509_csr(csr.der)
    return Left(name, Issuer().issue(request, days)[0], key, CA, new_key(), ACCOUNT)


def _import(tcl: Tcl, program: str, tree: Path, store: Path, **options: object) -> dict[str, list[dict[str, str]]]:
    found = tcl.dict("import_certificate", program, tree, store=store, **options)
    return {part: tcl.dicts(found[part]) for part in ("imported", "skipped", "accounts")}


def _cause(tcl: Tcl, program: str, tree: Path, store: Path, **options: object) -> str:
    """Why the only certificate of a tree is skipped."""
    found = _import(tcl, program, tree, store, **options)
    assert found["imported"] == []
    (one,) = found["skipped"]
    return one["message"]


def _listing(folder: Path) -> list[tuple[str, bytes | str]]:
    paths = sorted(path for path in folder.rglob("*") if path.is_symlink() or path.is_file())
    return [(str(path), str(path.readlink()) if path.is_symlink() else path.read_bytes()) for path in paths]


def certbot(folder: Path, left: Left) -> Path:
    return write_certbot(folder, left, folder)


def lego(folder: Path, left: Left) -> Path:
    return write_lego(folder, left)


def dehydrated(folder: Path, left: Left) -> Path:
    return write_dehydrated(folder, left, folder)


def acmesh(folder: Path, left: Left) -> Path:
    return write_acmesh(folder, left, str(folder))


def naviserver(folder: Path, left: Left) -> Path:
    return write_naviserver(folder, left)


WRITERS = {
    "certbot": certbot, "acme.sh": acmesh, "lego": lego, "dehydrated": dehydrated, "naviserver": naviserver,
}  # fmt: skip
each_program = pytest.mark.parametrize("program", WRITERS)


@each_program
def test_the_first_renewal_is_of_the_same_account(
    program: str, tcl: Tcl, left: Left, ari_proxy: FaultProxy, newest_pebble: Pebble, tmp_path: Path
) -> None:
    tree, store = WRITERS[program](tmp_path / "tree", left), tmp_path / "store"
    before = _listing(tree)
    options = {"directory": left.directory, "port": newest_pebble.http_port}
    found = _import(tcl, program, tree, store, **options)
    assert found["skipped"] == []
    knows_url = program != "naviserver"
    assert [one["account"] for one in found["imported"]] == [left.account_url if knows_url else ""]
    assert not ari_proxy.requests
    assert _listing(tree) == before
    (listed,) = tcl.dicts(tcl.acme("list_certificates", store=store))
    assert (listed["name"], listed["domains"], listed["renewable"]) == (left.name, left.name, "1")
    replaced = tcl.dict("renewal_info", left.directory, left.fullchain)["cert_id"]
    clients.reset()
    renewed = tcl.dict("renew_certificate", left.name, store=store, force=1)
    assert renewed["issued"] == "1"
    # A URL that is not known is asked for: 200 is an account that there was.
    assert [request.status for request in ari_proxy.seen("newAccount", "POST")] == ([] if knows_url else [200])
    # Pebble answers 500 while it does not find the order of a certificate that it has just issued.
    assert [request.status for request in ari_proxy.seen("newOrder", "POST")] in ([201], [500, 201])
    for head, order in sent(ari_proxy, "newOrder"):
        assert head["kid"] == left.account_url
        assert order["replaces"] == replaced
    if program == "naviserver":
        assert (tree / f"{left.name}.pem").read_text().endswith(renewed["fullchain"])
    else:
        assert _listing(tree) == before


@each_program
def test_a_trial_tells_the_same_and_writes_nothing(program: str, tcl: Tcl, tmp_path: Path) -> None:
    tree, store = WRITERS[program](tmp_path / "tree", _issued()), tmp_path / "store"
    tried = _import(tcl, program, tree, store, dry_run=1, port=8080, directory=CA)
    assert not store.exists()
    done = _import(tcl, program, tree, store, port=8080, directory=CA)
    for one in (*tried["imported"], *done["imported"]):
        one.pop("files")
    assert tried == done
    assert done["imported"]


@each_program
def test_what_is_kept_is_not_overwritten(program: str, tcl: Tcl, tmp_path: Path) -> None:
    """The same certificate, another of that name, and another account at that CA."""
    first, second, store = _issued(), _issued(), tmp_path / "store"
    options = {"port": 8080, "directory": CA}
    trees = [WRITERS[program](tmp_path / str(number), one) for number, one in enumerate((first, second))]
    _import(tcl, program, trees[0], store, **options)
    before = _listing(store)
    assert _cause(tcl, program, trees[0], store, **options) == "it is kept already"
    assert "another certificate is kept under this name" in _cause(tcl, program, trees[1], store, **options)
    other = WRITERS[program](tmp_path / "other", _issued("b.example"))
    assert "the store has another account at https://ca.example" in _cause(tcl, program, other, store, **options)
    assert _listing(store) == before
    found = _import(tcl, program, trees[1], store, replace=1, **options)
    assert [one["name"] for one in found["imported"]] == ["a.example"]
    assert tcl.acme("get_account_key", CA, store=store) == second.account_key
    keys = [path.read_text() for path in (store / "accounts").rglob("key-*.pem")]
    assert first.account_key in keys


@each_program
def test_what_cannot_serve_is_refused(program: str, tcl: Tcl, tmp_path: Path) -> None:
    write, store = WRITERS[program], tmp_path / "store"
    options = {"port": 8080, "directory": CA}
    good = _issued()
    causes = {
        "expired": (_issued(days=-0.5), "it has expired"),
        "key": (Left(good.name, good.fullchain, new_key(), CA, good.account_key, ACCOUNT), "its key is not that of"),
        "shared": (Left(good.name, good.fullchain, good.private_key, CA, good.private_key, ACCOUNT), "account's key"),
        "chain": (Left(good.name, "nothing", good.private_key, CA, good.account_key, ACCOUNT), "not a certificate"),
        "encrypted": (
            Left(good.name, good.fullchain, _encrypted(good.private_key), CA, good.account_key, ACCOUNT),
            "its key: ",
        ),
        "no key": (Left(good.name, good.fullchain, "", CA, good.account_key, ACCOUNT), "its key: "),
    }
    for name, (one, cause) in causes.items():
        assert cause in _cause(tcl, program, write(tmp_path / name, one), store, **options), name
    assert not store.exists()


def _encrypted(pem: str) -> str:
    key = forms.load_pem_private_key(pem.encode(), None)
    sealing = forms.BestAvailableEncryption(b"phrase")
    return key.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.PKCS8, sealing).decode()


@each_program
def test_a_missing_account_is_told(program: str, tcl: Tcl, tmp_path: Path) -> None:
    tree = WRITERS[program](tmp_path / "tree", _issued())
    if program == "naviserver":
        (tree / "letsencrypt-production-account.key").rename(tree / "letsencrypt-staging-account.key")
    else:
        shutil.rmtree(tree / ("ca" if program == "acme.sh" else "accounts"))
    assert "is missing: there is no" in _cause(tcl, program, tree, tmp_path / "s", port=8080, directory=CA)


@each_program
def test_a_wrong_folder_is_told(program: str, tcl: Tcl, tmp_path: Path) -> None:
    failure = tcl.failure("import_certificate", program, tmp_path, store=tmp_path / "store")
    assert failure.code == ("TOSSL", "VALUE", "path")
    assert "is no folder of " in failure.message
    missing = tcl.failure("import_certificate", program, tmp_path / "nowhere")
    assert "No such file or directory" in missing.message
    file = tmp_path / "file"
    file.touch()
    assert "is no folder" in tcl.failure("import_certificate", program, file).message


def test_wrong_words_are_told(tcl: Tcl, tmp_path: Path) -> None:
    tree = certbot(tmp_path / "tree", _issued())
    cases = {"program": ("nothing", {}), "names": ("certbot", {"names": "x"}), "store": ("certbot", {"store": ""})}
    cases |= {"directory": ("certbot", {"directory": "http://x"})}
    for name, (program, options) in cases.items():
        failure = tcl.failure("import_certificate", program, tree, **options)
        assert failure.code == ("TOSSL", "VALUE", name), failure.message


def test_a_pem_file_is_for_one_certificate(tcl: Tcl, tmp_path: Path) -> None:
    one, other = _issued(), _issued("b.example")
    tree, pem = certbot(tmp_path / "tree", one), tmp_path / "all.pem"
    write_certbot(tree, Left(other.name, other.fullchain, other.private_key, CA, one.account_key, ACCOUNT), "/srv")
    failure = tcl.failure("import_certificate", "certbot", tree, pem_file=pem, store=tmp_path / "store")
    assert failure.code == ("TOSSL", "VALUE", "pem_file")
    found = _import(tcl, "certbot", tree, tmp_path / "store", pem_file=pem, names="a.example")
    assert len(found["imported"]) == 1
    assert pem.read_text().endswith(one.fullchain)
    assert "PRIVATE KEY" in pem.read_text()


class TestCertbot:
    @pytest.mark.parametrize("kind", ["ec", "rsa"])
    def test_its_accounts_key_is_read(self, kind: str) -> None:
        pem = new_key(kind)
        assert public_der(private_key_of_jwk(json.dumps(jwk_of(pem)))) == public_der(load_private_key(pem))

    @pytest.mark.parametrize("text", ["", "[]", "{}", '{"kty": "RSA"}', '{"kty": "oct", "k": "x"}', '{"kty": "EC"}'])
    def test_no_key_is_told(self, text: str, tcl: Tcl, tmp_path: Path) -> None:
        tree = certbot(tmp_path / "tree", _issued())
        next((tree / "accounts").rglob("private_key.json")).write_text(text)
        assert "private_key.json" in _cause(tcl, "certbot", tree, tmp_path / "store")

    @pytest.mark.parametrize(
        ("params", "cause"),
        [
            ({"authenticator": "dns-cloudflare", "dns_cloudflare_credentials": "/etc/cf.ini"}, "are in /etc/cf.ini"),
            ({"authenticator": "nginx"}, "inside its web server"),
            ({"authenticator": "manual", "manual_auth_hook": "/etc/hook"}, "the hook /etc/hook"),
            ({"authenticator": "standalone", "http01_port": "x"}, "is no port"),
            ({"account": "../x"}, "names no account"),
            ({"account": "ffff"}, "is missing: there is no"),
            ({"server": ""}, "names no server"),
            ({"server": "http://ca.example/dir"}, "missing"),
        ],
        ids=["dns", "nginx", "manual", "port", "climbing", "account", "server", "http"],
    )
    def test_what_cannot_be_renewed_is_told(self, params: dict[str, str], cause: str, tcl: Tcl, tmp_path: Path) -> None:
        tree = write_certbot(tmp_path / "tree", _issued(), "", **params)
        conf = tree / "renewal" / "a.example.conf"
        conf.write_text(conf.read_text().partition("[[webroot_map]]")[0])
        assert cause in _cause(tcl, "certbot", tree, tmp_path / "store")

    def test_names_of_several_folders_are_told(self, tcl: Tcl, tmp_path: Path) -> None:
        tree = write_certbot(tmp_path / "tree", _issued(), "/srv/a")
        with (tree / "renewal" / "a.example.conf").open("a") as conf:
            conf.write("b.example = /srv/b\n")
        assert "not served from one folder (/srv/a, /srv/b)" in _cause(tcl, "certbot", tree, tmp_path / "store")

    def test_one_bad_lineage_does_not_stop_the_others(self, tcl: Tcl, tmp_path: Path) -> None:
        """Broken links, and a renamed lineage; the accounts of staging and production are two."""
        good, renamed, broken = _issued(), _issued("b.example"), _issued("c.example")
        tree = certbot(tmp_path / "tree", good)
        same = {"directory": CA, "account_key": good.account_key, "account_url": ACCOUNT}
        for one, lineage in ((renamed, "b.example-0001"), (broken, "c.example")):
            write_certbot(tree, Left(one.name, one.fullchain, one.private_key, **same), "/srv", lineage)
        (tree / "archive" / "c.example" / "fullchain1.pem").unlink()
        staged = _issued("d.example")
        keys = (staged.fullchain, staged.private_key, "https://staging.ca.example/dir", staged.account_key)
        write_certbot(tree, Left(staged.name, *keys, "https://staging.ca.example/acct/1"), "/srv")
        found = _import(tcl, "certbot", tree, tmp_path / "store")
        assert [one["name"] for one in found["imported"]] == ["a.example", "b.example-0001", "d.example"]
        assert [one["url"] for one in found["accounts"]] == [ACCOUNT, "https://staging.ca.example/acct/1"]
        (skipped,) = found["skipped"]
        assert skipped["name"] == "c.example"
        assert "a link to a file that is missing" in skipped["message"]

    def test_a_second_account_at_one_ca_is_told(self, tcl: Tcl, tmp_path: Path) -> None:
        tree, other = certbot(tmp_path / "tree", _issued()), certbot(tmp_path / "other", _issued("b.example"))
        account = next((other / "accounts").rglob("private_key.json")).parent
        shutil.copytree(account, account.with_name("ffff"))
        shutil.copytree(other, tree, dirs_exist_ok=True, ignore=shutil.ignore_patterns("0123*"), symlinks=True)
        conf = tree / "renewal" / "b.example.conf"
        conf.write_text(conf.read_text().replace(account.name, "ffff"))
        found = _import(tcl, "certbot", tree, tmp_path / "store")
        assert [one["name"] for one in found["imported"]] == ["a.example"]
        assert "and a store keeps one" in found["skipped"][0]["message"]

    def test_hooks_are_noted(self, tcl: Tcl, tmp_path: Path) -> None:
        params = {"renew_hook": "systemctl reload nginx", "installer": "None", "reuse_key": "True"}
        tree = write_certbot(tmp_path / "tree", _issued(), "/srv", **params)
        (one,) = _import(tcl, "certbot", tree, tmp_path / "store")["imported"]
        assert "systemctl reload nginx" in one["notes"]
        assert "installer" not in one["notes"]
        assert "certbot's reuse_key is not taken over: each renewal has a new key" in one["notes"]

    @pytest.mark.parametrize("kept", [None, {"uri": 1}, {"uri": "http://ca.example/1"}, {"uri": "https://h/1\n"}],
                             ids=["missing", "number", "http", "line"])  # fmt: skip
    def test_an_accounts_url_that_is_none_is_asked_for(self, kept: object, tcl: Tcl, tmp_path: Path) -> None:
        tree = certbot(tmp_path / "tree", _issued())
        path = next((tree / "accounts").rglob("regr.json"))
        if kept is None:
            path.unlink()
        else:
            path.write_text(json.dumps(kept))
        (one,) = _import(tcl, "certbot", tree, tmp_path / "store")["imported"]
        assert one["account"] == ""
        assert "the first renewal asks the CA for it" in one["notes"]


class TestLego:
    def test_a_public_ca_needs_no_directory(self, tcl: Tcl, tmp_path: Path) -> None:
        good = _issued("*.a.example")
        url = "https://acme-v02.api.letsencrypt.org"
        keys = (good.fullchain, good.private_key, f"{url}/directory", good.account_key)
        tree = write_lego(tmp_path / "tree", Left(good.name, *keys, f"{url}/acme/acct/1"))
        options = {"provider": "generic", "endpoint": "https://dns.example", "api_key_env": "PATH"}
        refused = _cause(tcl, "lego", tree, tmp_path / "store", port=8080)
        assert refused == "*.a.example can be proven by a DNS record alone: give -provider"
        found = _import(tcl, "lego", tree, tmp_path / "store", **options)
        assert [one["name"] for one in found["imported"]] == ["*.a.example"]

    def test_what_is_not_recorded_is_asked_for(self, tcl: Tcl, tmp_path: Path) -> None:
        good, store = _issued(), tmp_path / "store"
        tree = lego(tmp_path / "tree", good)
        assert "give it by -directory" in _cause(tcl, "lego", tree, store, port=8080)
        assert "give -webroot, -port or -provider" in _cause(tcl, "lego", tree, store, directory=CA)
        write_lego_account(tree, _issued(), "other@example.com")
        options = {"port": 8080, "directory": CA}
        assert "several accounts at ca.example" in _cause(tcl, "lego", tree, store, **options)
        assert "is missing" in _cause(tcl, "lego", tree, store, email="nobody@example.com", **options)
        found = _import(tcl, "lego", tree, store, email="me@example.com", **options)
        assert tcl.acme("get_account_key", CA, store=store) == good.account_key
        assert len(found["imported"]) == 1

    def test_a_chain_beside_its_certificate_is_read(self, tcl: Tcl, tmp_path: Path) -> None:
        good, store = _issued(), tmp_path / "store"
        tree = write_lego(tmp_path / "tree", good, bundled=False)
        _import(tcl, "lego", tree, store, port=8080, directory=CA)
        assert tcl.dict("get_certificate", good.name, store=store)["fullchain"] == good.fullchain

    def test_a_key_elsewhere_is_told(self, tcl: Tcl, tmp_path: Path) -> None:
        tree = lego(tmp_path / "tree", _issued())
        (tree / "certificates" / "a.example.key").unlink()
        assert "its key is not here" in _cause(tcl, "lego", tree, tmp_path / "store")

    @pytest.mark.parametrize("text", ["", "{}", '{"certUrl": 1}', '{"certUrl": "x"}', '{"certUrl": "https://[x/1"}',
                                      '{"certUrl": "https://../1"}', '{"certUrl": "https://a\\u0000b/1"}',
                                      '{"certUrl": "https://\\ud800/1"}'])  # fmt: skip
    def test_a_damaged_record_is_told(self, text: str, tcl: Tcl, tmp_path: Path) -> None:
        tree = lego(tmp_path / "tree", _issued())
        (tree / "certificates" / "a.example.json").write_text(text)
        cause = _cause(tcl, "lego", tree, tmp_path / "store")
        assert "no certUrl that says which CA" in cause or "is damaged" in cause


class TestDehydrated:
    @pytest.mark.parametrize(
        ("line", "cause"),
        [
            ("CHALLENGETYPE=dns-01\nHOOK=/etc/hook.sh", "through /etc/hook.sh"),
            ("WELLKNOWN=/var/www/dehydrated", "shows by an alias"),
            ("CA=letsencrypt-test", "acme-staging-v02.api.letsencrypt.org"),
        ],
        ids=["dns", "alias", "account"],
    )
    def test_what_cannot_be_renewed_is_told(self, line: str, cause: str, tcl: Tcl, tmp_path: Path) -> None:
        tree = write_dehydrated(tmp_path / "tree", _issued(), "/srv", line)
        assert cause in _cause(tcl, "dehydrated", tree, tmp_path / "store")

    def test_a_setting_of_one_certificate_counts(self, tcl: Tcl, tmp_path: Path) -> None:
        tree = write_dehydrated(tmp_path / "tree", _issued(), "/srv", "CHALLENGETYPE=dns-01")
        (tree / "certs" / "a.example" / "config").write_text("CHALLENGETYPE=http-01\n")
        assert len(_import(tcl, "dehydrated", tree, tmp_path / "store")["imported"]) == 1

    def test_a_revoked_certificate_is_a_broken_link(self, tcl: Tcl, tmp_path: Path) -> None:
        tree = dehydrated(tmp_path / "tree", _issued())
        path = tree / "certs" / "a.example" / "cert-1795670683.pem"
        path.rename(f"{path}-revoked")
        assert "a link to a file that is missing" in _cause(tcl, "dehydrated", tree, tmp_path / "store")

    def test_its_folders_may_be_elsewhere(self, tcl: Tcl, tmp_path: Path) -> None:
        """As on Debian: /etc/dehydrated has the configuration, /var/lib/dehydrated the rest."""
        base = tmp_path / "base"
        tree = write_dehydrated(tmp_path / "tree", _issued(), "/srv", f"export BASEDIR='{base}'")
        base.mkdir()
        for name in ("certs", "accounts"):
            (tree / name).rename(base / name)
        assert len(_import(tcl, "dehydrated", tree, tmp_path / "store")["imported"]) == 1

    def test_debians_settings_are_read(self, tcl: Tcl, tmp_path: Path) -> None:
        """Its default configuration, and what was added in a file of the folder conf.d; variables are put in."""
        base, more = tmp_path / "base", tmp_path / "conf.d"
        lines = (f"CONFIG_D={more}", f"BASEDIR={base}", 'WELLKNOWN="${BASEDIR}/challenges"', 'CERTDIR="$BASEDIR/c"')
        tree = write_dehydrated(tmp_path / "tree", _issued(), "/srv", *lines, "HOOK=$NOWHERE/x", "ACCOUNTDIR=$(pwd)")
        (base / "www").mkdir(parents=True)
        (tree / "certs").rename(base / "c")
        (tree / "accounts").rename(base / "accounts")
        cause = _cause(tcl, "dehydrated", tree, tmp_path / "store")
        assert f"its answers stood in {base}/challenges, which" in cause
        more.mkdir()
        (more / "own.sh").write_text('WELLKNOWN="${BASEDIR}/www/.well-known/acme-challenge"\nPRIVATE_KEY_RENEW="no"\n')
        (more / "other.txt").write_text("CHALLENGETYPE=dns-01\n")
        each = tmp_path / "each"
        each.mkdir()
        (more / "z.sh").write_text(f"DOMAINS_D={each}\nHOOK='/etc/hook --password=sesame'\n")
        (one,) = _import(tcl, "dehydrated", tree, tmp_path / "store")["imported"]
        assert "PRIVATE_KEY_RENEW is not taken over: each renewal has a new key" in one["notes"]
        assert "/etc/hook --password=(hidden)" in one["notes"]
        record = json.loads(next((tmp_path / "store").rglob("certificate.json")).read_text())
        assert f"{base}/www" in json.dumps(record["issuance"])
        (each / "a.example").write_text("CHALLENGETYPE=dns-01\n")
        assert "proven by dns-01" in _cause(tcl, "dehydrated", tree, tmp_path / "another")

    def test_anothers_tree_is_told(self, tcl: Tcl, tmp_path: Path) -> None:
        for write in (certbot, lego):
            tree = write(tmp_path / write.__name__, _issued())
            failure = tcl.failure("import_certificate", "dehydrated", tree, store=tmp_path / "store")
            assert "is no folder of dehydrated: it has no certs/ or config" in failure.message


class TestAcmeSh:
    def test_a_plugin_names_the_secrets_it_kept(self, tcl: Tcl, tmp_path: Path) -> None:
        tree = write_acmesh(tmp_path / "tree", _issued(), "dns_cf")
        cause = _cause(tcl, "acme.sh", tree, tmp_path / "store")
        assert f'SAVED_CF_Token in "{tree}/account.conf"' in cause
        assert "-provider cloudflare" in cause
        assert "SECRETSECRET" not in cause
        token = tmp_path / "token"
        token.write_text("SECRETSECRETSECRETSECRET")
        options = {"provider": "cloudflare", "api_key_file": token}
        found = _import(tcl, "acme.sh", tree, tmp_path / "store", **options)
        assert [one["renewable"] for one in found["imported"]] == ["1"]
        kept = b"".join(path.read_bytes() for path in (tmp_path / "store").rglob("*") if path.is_file())
        assert b"SECRETSECRET" not in kept

    @pytest.mark.parametrize(
        ("way", "cause"),
        [("dns", "acme.sh's dns"), ("nginx", "acme.sh's nginx"), ("/a,/b", "several ways (/a, /b)"), ("", "(none)")],
        ids=["dns", "nginx", "two", "none"],
    )
    def test_what_cannot_be_renewed_is_told(self, way: str, cause: str, tcl: Tcl, tmp_path: Path) -> None:
        tree = write_acmesh(tmp_path / "tree", _issued(), way)
        assert cause in _cause(tcl, "acme.sh", tree, tmp_path / "store")

    @pytest.mark.parametrize("way", ["no", "alpn", "/srv,/srv"], ids=["standalone", "alpn", "webroot"])
    def test_what_is_recorded_proves(self, way: str, tcl: Tcl, tmp_path: Path) -> None:
        tree = write_acmesh(tmp_path / "tree", _issued(), way)
        (one,) = _import(tcl, "acme.sh", tree, tmp_path / "store")["imported"]
        assert (one["name"], one["renewable"]) == ("a.example", "1")
        assert "systemctl reload 'nginx'" in one["notes"]

    @pytest.mark.parametrize("url", ["https://[::1", "https://ca.example/../x", "ftp://ca.example/x", "https://"])
    def test_what_is_no_ca_is_told(self, url: str, tcl: Tcl, tmp_path: Path) -> None:
        tree = write_acmesh(tmp_path / "tree", _issued(), "no", f"Le_API='{url}'")
        assert f"its configuration names no CA: {url}" in _cause(tcl, "acme.sh", tree, tmp_path / "store")

    @pytest.mark.parametrize("port", ["0", "65536", "9" * 5000, "\u0663"], ids=["0", "high", "long", "arabic"])
    def test_what_is_no_port_is_told(self, port: str, tcl: Tcl, tmp_path: Path) -> None:
        for way, option in (("no", "Le_HTTPPort"), ("alpn", "Le_TLSPort")):
            tree = write_acmesh(tmp_path / way, _issued(), way, f"{option}='{port}'")
            assert "is no port: give -webroot" in _cause(tcl, "acme.sh", tree, tmp_path / "store")

    def test_secrets_of_hooks_are_in_no_note(self, tcl: Tcl, tmp_path: Path) -> None:
        hook = "curl -u me https://u:sesame@h.example/x?key=sesame --password=sesame; sesame-less"
        tree = write_acmesh(tmp_path / "tree", _issued(), "no", f"Le_PostHook='{hook}'")
        (one,) = _import(tcl, "acme.sh", tree, tmp_path / "store")["imported"]
        assert "curl -u me https://h.example/x --password=(hidden); sesame-less" in one["notes"]

    def test_two_keys_of_a_domain_are_two_certificates(self, tcl: Tcl, tmp_path: Path) -> None:
        one, tree = _issued(kind="rsa"), write_acmesh(tmp_path / "tree", _issued(), "no")
        write_acmesh(tree, one, "no", suffix="")
        (tree / "a.example_ecc" / "backup").mkdir()
        account = tree / "ca" / "ca.example" / "acme" / "dir"
        account.rename(tree / "old")
        (tree / "ca" / "ca.example" / "acme").rmdir()
        for name in ("account.key", "ca.conf"):
            (tree / "old" / name).rename(tree / "ca" / "ca.example" / name)
        found = _import(tcl, "acme.sh", tree, tmp_path / "store")
        assert [each["name"] for each in found["imported"]] == ["a.example", "a.example_ecc"]


class TestNaviServer:
    def test_its_file_is_written_by_renewals(self, tcl: Tcl, tmp_path: Path) -> None:
        tree, store = naviserver(tmp_path / "tree", _issued()), tmp_path / "store"
        _import(tcl, "naviserver", tree, store, webroot=tmp_path)
        record = json.loads(next(store.rglob("certificate.json")).read_text())
        assert record["issuance"]["pem_file"]["path"] == str(tree / "a.example.pem")
        assert record["directory"] == "https://acme-v02.api.letsencrypt.org/directory"

    def test_a_certificate_that_nobody_issued_is_left(self, tcl: Tcl, tmp_path: Path) -> None:
        """As NaviServer's server.pem of the beginning, beside those of the module."""
        tree = naviserver(tmp_path / "tree", _issued())
        own = tcl.as_dict(tcl.eval("tossl::key::self_signed own.example"))
        (tree / "server.pem").write_text(own["private_key"] + own["certificate"])
        found = _import(tcl, "naviserver", tree, tmp_path / "store", port=8080)
        assert [one["name"] for one in found["imported"]] == ["a.example"]
        assert [one["message"] for one in found["skipped"]] == ["it is self-signed: no CA issued it"]

    def test_staging_is_told_apart(self, tcl: Tcl, tmp_path: Path) -> None:
        tree = write_naviserver(tmp_path / "tree", _issued(), "staging")
        assert "is not recorded" in _cause(tcl, "naviserver", tree, tmp_path / "store")
        (one,) = _import(tcl, "naviserver", tree, tmp_path / "store", port=8080)["imported"]
        assert one["directory"] == "https://acme-staging-v02.api.letsencrypt.org/directory"


@pytest.mark.parametrize("program", ["certbot", "lego", "dehydrated"])
def test_a_servers_names_become_links(program: str, tcl: Tcl, tmp_path: Path) -> None:
    """They show what is renewed; what was there stays beside them."""
    one, store = _issued(), tmp_path / "store"
    tree = WRITERS[program](tmp_path / "tree", one)
    options = {"port": 8080, "directory": CA, "links": 1}
    found = _import(tcl, program, tree, store, **options)
    assert len(found["imported"]) == 1, found
    read = {"certbot": "live/a.example/", "lego": "certificates/", "dehydrated": "certs/a.example/"}[program]
    chain, key = ("a.example.crt", "a.example.key") if program == "lego" else ("fullchain.pem", "privkey.pem")
    for name, text in ((chain, one.fullchain), (key, one.private_key)):
        path = tree / read / name
        assert path.readlink().is_relative_to(store)
        assert path.read_text() == text
        before = path.with_name(f"{name}.before-tossl")
        assert before.read_text() == text
    again = _cause(tcl, program, tree, store, replace=1, **options)
    assert "was made a link before" in again


def test_the_machine_s_own_files_are_written_and_linked_to(tcl: Tcl, tmp_path: Path) -> None:
    one, own = _issued(), tmp_path / "own"
    tree = WRITERS["certbot"](tmp_path / "tree", one)
    (told,) = _import(tcl, "certbot", tree, tmp_path / "store", port=8080, links=1, files=own)["imported"]
    assert tcl.as_dict(told["files"])["fullchain"] == str(own / "a.example" / "fullchain.pem")
    path = tree / "live/a.example/privkey.pem"
    assert path.readlink() == own / "a.example" / "privkey.pem"
    assert path.read_text() == one.private_key
    newer = _issued()
    _import(tcl, "certbot", certbot(tmp_path / "newer", newer), tmp_path / "store", port=8080, replace=1, files=own)
    assert path.read_text() == newer.private_key
    folder = tmp_path / "another"
    assert "has the certificate's files itself" in _cause(tcl, "certbot", tree, folder, port=8080, files=folder)


def test_what_is_kept_but_not_in_place_is_noted(tcl: Tcl, tmp_path: Path) -> None:
    """As on a disk that is full: the certificate is not told as skipped, for it is in the store."""
    options = {"port": 8080, "pem_file": "/proc/not-here.pem"}
    (one,) = _import(tcl, "certbot", certbot(tmp_path / "tree", _issued()), tmp_path / "store", **options)["imported"]
    assert "it is kept, but not in place for servers: cannot " in one["notes"]
    assert tcl.dicts(tcl.acme("list_certificates", store=tmp_path / "store"))


def _chown(tree: Path) -> None:
    for path in tree.rglob("privkey*.pem"):
        os.chown(path, 12345, -1, follow_symlinks=False)


def _pipe(tree: Path) -> None:
    path = next(tree.rglob("privkey1.pem"))
    path.unlink()
    os.mkfifo(path)


def _strange(tree: Path) -> None:
    """A name longer than any file may have, in the place of the one in the configuration."""
    conf = next(tree.rglob("a.example.conf"))
    conf.write_text(conf.read_text().replace("/live/a.example/", f"/live/{'x' * 300}/"))


def _huge(tree: Path) -> None:
    next(tree.rglob("fullchain1.pem")).write_bytes(b"x" * (1 << 21))


def _binary(tree: Path) -> None:
    next(tree.rglob("privkey1.pem")).write_bytes(b"\xff\x00")


def _folder(tree: Path) -> None:
    path = next(tree.rglob("privkey1.pem"))
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("harm", "cause"),
    [
        (_chown, "belongs to user 12345"),
        (_pipe, "is no plain file"),
        (_strange, "File name too long"),
        (_huge, "it holds more than"),
        (_binary, "is no text file"),
        (_folder, "is no plain file"),
    ],
    ids=["owner", "pipe", "strange", "huge", "binary", "folder"],
)
def test_an_odd_file_is_told(harm: Callable[[Path], None], cause: str, tcl: Tcl, tmp_path: Path) -> None:
    if harm is _chown and os.geteuid():
        pytest.skip("only root gives files away")
    tree = certbot(tmp_path / "tree", _issued())
    harm(tree)
    assert cause in _cause(tcl, "certbot", tree, tmp_path / "store")
    assert not (tmp_path / "store").exists()
