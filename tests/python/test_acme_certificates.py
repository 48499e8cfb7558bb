"""Certificates: keys and requests of the user's, chains, revocation, renewal information."""

from __future__ import annotations

import base64
import datetime
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.pem import write_block
from tests.servers import actions
from tests.servers.certs import Certificates
from tests.servers.faults import FaultProxy
from tests.servers.pebble import ChallTestSrv, Pebble
from tests.servers.scripted_ca import Script, ScriptedCa
from tests.servers.web import Reply
from tests.tclhost import Tcl, new_key
from tossl_acme.identifiers import parse_identifiers
from tossl_acme.pki.chain import issuer_names, read_chain
from tossl_acme.pki.csr import csr_for
from tossl_acme.pki.keys import load_private_key, private_pem, public_der


def csr_pem(key: str, *names: str) -> str:
    return write_block("CERTIFICATE REQUEST", csr_for(load_private_key(key), parse_identifiers(names)).der)


def obtain(tcl: Tcl, ca: Pebble, key: str, *names: str, **options: object) -> dict[str, str]:
    chosen = {"port": ca.http_port, "store": "", **options}
    return tcl.dict("obtain_certificate", names, directory=ca.directory, account_key=key, **chosen)


# keys


@pytest.mark.parametrize("kind", ["ec", "ec384", "ec521", "rsa", "rsa3072"])
def test_a_certificate_has_a_key_of_the_kind_asked_for(tcl: Tcl, calm_pebble: Pebble, kind: str) -> None:
    """-key_type; the certificate holds the key that is returned."""
    got = obtain(tcl, calm_pebble, new_key(), "kind.example", key_type=kind)
    assert read_chain(got["fullchain"]).public_key == public_der(load_private_key(got["private_key"]))


def test_a_common_name_for_cas_that_want_one(tcl: Tcl, scripted_ca: ScriptedCa) -> None:
    """One of the names; nothing else, and not beside a request of one's own."""
    names = ["A.example", "*.b.example"]
    options = {"directory": scripted_ca.directory, "store": "", "port": 0, "challenge": "http-01"}
    tcl.acme("obtain_certificate", names, **options, common_name="*.B.example.")
    csr = base64.urlsafe_b64decode(scripted_ca.payloads("finalize")[-1]["csr"] + "==")
    subject = x509.load_der_x509_csr(csr).subject
    assert subject.rfc4514_string() == "CN=*.b.example"
    long = ".".join(["a" * 60] * 2)
    for bad in ("c.example", "My server", long):
        failure = tcl.failure("obtain_certificate", [*names, long], **options, common_name=bad)
        assert failure.code == ("TOSSL", "VALUE", "common_name")
    own = csr_pem(new_key(), "a.example")
    failure = tcl.failure("obtain_certificate", [], **options, csr=own, common_name="a.example")
    assert failure.code == ("TOSSL", "VALUE", "common_name")


@pytest.mark.parametrize(("named", "ancestors"), [("x.example", True), ("1", "always"), ("X.example y.example", True)])
def test_a_domain_above_a_name_is_proven_where_that_is_allowed(
    tcl: Tcl, scripted_ca: ScriptedCa, named: str, ancestors: bool | str
) -> None:
    """RFC 9444: asked for in the order where the directory has it."""
    scripted_ca.script.ancestors = ancestors
    options = {"directory": scripted_ca.directory, "store": "", "port": 0}
    got = tcl.dict("obtain_certificate", ["a.x.example"], **options, subdomain_auth=named)
    assert got["domains"] == "a.x.example"
    said = scripted_ca.payloads("new-order")[-1]["identifiers"][0]
    assert said.get("ancestorDomain") == ("x.example" if named != "1" else None)


@pytest.mark.parametrize("named", ["", "0", "1", "other.example", "b.x.example"])
def test_no_other_domain_is_told_to_be_above_a_name(tcl: Tcl, scripted_ca: ScriptedCa, named: str) -> None:
    """RFC 9444 section 4.3: none that the user has not named, or that is not above."""
    scripted_ca.script.ancestors = True
    options = {"directory": scripted_ca.directory, "store": "", "port": 0}
    tcl.dict("obtain_certificate", ["a.x.example"], **options, subdomain_auth=named)
    assert scripted_ca.payloads("new-order")[-1]["identifiers"] == [{"type": "dns", "value": "a.x.example"}]


@pytest.mark.parametrize("named", ["", "0", "other.example", "example"])
def test_a_domain_above_a_name_is_not_proven_otherwise(tcl: Tcl, scripted_ca: ScriptedCa, named: str) -> None:
    scripted_ca.script.ancestors = "always"
    options = {"directory": scripted_ca.directory, "store": "", "port": 0}
    failure = tcl.failure("obtain_certificate", ["a.x.example"], **options, subdomain_auth=named)
    wrong = ("TOSSL", "VALUE", "subdomain_auth") if named == "example" else ("TOSSL", "HTTP", "malformed")
    assert failure.code == wrong
    assert not scripted_ca.payloads("challenge")


def test_a_certificate_with_names_of_other_types_is_revoked(tcl: Tcl, scripted_ca: ScriptedCa) -> None:
    """They matter to nobody there."""
    key = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([]), datetime.datetime.now(datetime.UTC)
    names: list[x509.GeneralName] = [
        x509.DNSName("a.example"), x509.RFC822Name("a@example.com"), x509.DirectoryName(name),
        x509.UniformResourceIdentifier("https://a.example/"), x509.OtherName(x509.ObjectIdentifier("1.2.3"), b"\5\0"),
    ]  # fmt: skip
    made = x509.CertificateBuilder(name, name, key.public_key(), 5, now, now + datetime.timedelta(days=9))
    signed = made.add_extension(x509.SubjectAlternativeName(names), critical=False).sign(key, hashes.SHA256())
    account = new_key()
    tcl.acme("create_account", scripted_ca.directory, account, "")
    tcl.acme("revoke_certificate", scripted_ca.directory, account, signed.public_bytes(Encoding.PEM).decode())
    assert len(scripted_ca.payloads("revoke")) == 1


def test_an_ed25519_certificate_where_the_ca_takes_it(tcl: Tcl, scripted_ca: ScriptedCa) -> None:
    """A CSR signed by such a key."""
    scripted_ca.script = Script(order="ready")
    got = tcl.dict(
        "obtain_certificate", ["ed.example"], directory=scripted_ca.directory, key_type="ed25519", store="", port=0
    )
    assert len(read_chain(got["certificate"]).public_key) == 44


@pytest.mark.parametrize("kind", ["ec", "rsa"])
def test_keys_are_read_in_their_traditional_form(tcl: Tcl, calm_pebble: Pebble, kind: str) -> None:
    """SEC1 and PKCS#1, for accounts and leaves; PKCS#8 is what is written."""
    form = (Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    key, leaf = (load_private_key(new_key(kind)).private_bytes(*form).decode() for _ in range(2))
    assert f"{kind.upper()} PRIVATE KEY" in key
    got = obtain(tcl, calm_pebble, key, "form.example", private_key=leaf)
    assert got["private_key"] == private_pem(load_private_key(leaf))


def test_a_key_is_used_again(tcl: Tcl, calm_pebble: Pebble) -> None:
    """-private_key, as the certificate before returned it."""
    key = new_key()
    first = obtain(tcl, calm_pebble, key, "again.example")
    second = obtain(tcl, calm_pebble, key, "again.example", private_key=first["private_key"])
    chains = [read_chain(got["certificate"]) for got in (first, second)]
    assert chains[0].public_key == chains[1].public_key
    assert chains[0].serial != chains[1].serial


def test_a_request_of_the_users_is_sent_as_it_is(tcl: Tcl, calm_pebble: Pebble, tmp_path: Path) -> None:
    """-csr: no private key comes back, and none stays beside the certificate."""
    key, leaf = new_key(), new_key("rsa")
    obtain(tcl, calm_pebble, key, "own.example", store=tmp_path)
    csr = csr_pem(leaf, "own.example", "127.0.0.1")
    got = obtain(tcl, calm_pebble, key, "own.example", "127.0.0.1", csr=csr, store=tmp_path)
    assert read_chain(got["certificate"]).public_key == public_der(load_private_key(leaf))
    assert got["private_key"] == ""
    assert sorted(tcl.as_dict(got["files"])) == ["certificate", "chain", "fullchain"]
    assert not (tmp_path / "certificates/own.example/privkey.pem").exists()


def test_the_names_may_be_those_of_the_request(tcl: Tcl, calm_pebble: Pebble) -> None:
    """-csr with an empty list of domains."""
    csr = csr_pem(new_key(), "csr-a.example", "csr-b.example")
    assert obtain(tcl, calm_pebble, new_key(), csr=csr)["domains"] == "csr-a.example csr-b.example"


def test_a_request_for_other_names_is_not_sent(tcl: Tcl, calm_proxy: FaultProxy) -> None:
    """RFC 8555 section 7.4: exactly the order's names; told before the CA is asked for anything it would count."""
    key = new_key()
    csr = csr_pem(new_key(), "a.example", "c.example")
    options = {"directory": calm_proxy.directory, "account_key": key, "port": 0, "store": "", "csr": csr}
    failure = tcl.failure("obtain_certificate", ["a.example", "b.example"], **options)
    assert failure.code == ("TOSSL", "VALUE", "csr")
    assert failure.message == "the CSR is for a.example c.example, the order for a.example b.example"
    assert calm_proxy.seen() == []
    tcl.acme("create_account", calm_proxy.directory, key, "")
    order = tcl.dict("create_order", calm_proxy.directory, key, ["a.example"], return_details=1)
    failure = tcl.failure("finalize_order", calm_proxy.directory, key, order["url"], csr=csr)
    assert failure.code == ("TOSSL", "VALUE", "csr")
    assert calm_proxy.seen("finalize") == []


def test_the_accounts_key_is_no_certificates_key(tcl: Tcl, calm_proxy: FaultProxy) -> None:
    """RFC 8555 section 11.1."""
    key = new_key()
    options = {"directory": calm_proxy.directory, "account_key": key, "port": 0, "store": ""}
    failure = tcl.failure("obtain_certificate", ["a.example"], private_key=key, **options)
    assert failure.code == ("TOSSL", "VALUE", "private_key")
    failure = tcl.failure("obtain_certificate", [], csr=csr_pem(key, "a.example"), **options)
    assert failure.code == ("TOSSL", "VALUE", "csr")
    assert calm_proxy.seen() == []


# chains and authorizations, as Pebble varies them


@pytest.fixture(scope="module")
def varied_pebble(challtestsrv: ChallTestSrv, certificates: Certificates) -> Iterator[Pebble]:
    """A CA with three roots and long chains, which has every name proven once."""
    options = {"alternate_roots": 2, "chain_length": 3, "authz_reuse": 100, "nonce_reject": 0}
    with Pebble(dns=challtestsrv.dns, certificates=certificates, **options) as server:  # type: ignore[arg-type]
        yield server


def test_a_chain_is_chosen_among_a_real_cas(tcl: Tcl, varied_pebble: Pebble) -> None:
    """RFC 8555 section 7.4.2: by the common name of any issuer in it."""
    key = new_key()
    roots = [issuer_names(read_chain(varied_pebble.root(number)))[0] for number in range(3)]
    assert len(set(roots)) == 3
    for root in (roots[2], roots[1]):
        got = obtain(tcl, varied_pebble, key, "chain.example", preferred_chain=root)
        chain = read_chain(got["fullchain"])
        assert issuer_names(chain)[-1] == root
        assert len(chain.certificates) == 4
        assert got["chain"] == "".join(chain.certificates[1:])


def test_a_valid_authorization_is_not_proven_again(
    tcl: Tcl, varied_pebble: Pebble, certificates: Certificates
) -> None:
    """RFC 8555 section 7.4: with all of them reused, nothing is answered for the second certificate."""
    key = new_key()
    with FaultProxy(varied_pebble.directory, certificates) as proxy:
        options = {"directory": proxy.directory, "account_key": key, "port": varied_pebble.http_port, "store": ""}
        tcl.acme("obtain_certificate", ["reuse.example"], **options)
        assert len(proxy.seen("challenge")) == 1
        tcl.acme("obtain_certificate", ["reuse.example"], **options)
        assert len(proxy.seen("challenge")) == 1


# revocation


@pytest.mark.parametrize(
    ("reason", "code"), [("", 0), ("keyCompromise", 1), ("superseded", 4), ("5", 5), ("AFFILIATIONCHANGED", 3)]
)
def test_a_certificate_is_revoked_by_its_account(tcl: Tcl, calm_pebble: Pebble, reason: str, code: int) -> None:
    """RFC 8555 section 7.6, with a reason by name or number."""
    key = new_key()
    got = obtain(tcl, calm_pebble, key, "revoke.example")
    options = {"reason": reason} if reason else {}
    done = tcl.acme("revoke_certificate", calm_pebble.directory, key, got["fullchain"], **options)
    assert done == "Certificate revoked successfully"
    status = calm_pebble.certificate_status(int(got["serial"], 16))
    assert (status["Status"], status.get("Reason", 0)) == ("Revoked", code)
    failure = tcl.failure("revoke_certificate", calm_pebble.directory, key, got["certificate"])
    assert failure.code == ("TOSSL", "ACME", "alreadyRevoked", "400")


@pytest.mark.parametrize("kind", ["ec", "rsa"])
def test_a_certificate_is_revoked_by_its_own_key(
    tcl: Tcl, calm_proxy: FaultProxy, calm_pebble: Pebble, kind: str
) -> None:
    """RFC 8555 section 7.6: no account is asked for."""
    got = obtain(tcl, calm_pebble, new_key(), "revoke.example", key_type=kind)
    tcl.acme("revoke_certificate", calm_proxy.directory, got["private_key"], got["certificate"], reason="keyCompromise")
    assert calm_pebble.certificate_status(int(got["serial"], 16))["Status"] == "Revoked"
    assert calm_proxy.seen("newAccount") == []


def test_a_stranger_does_not_revoke(tcl: Tcl, calm_pebble: Pebble) -> None:
    """Neither by another account nor by another key."""
    got = obtain(tcl, calm_pebble, new_key(), "revoke.example")
    other = new_key()
    tcl.acme("create_account", calm_pebble.directory, other, "")
    failure = tcl.failure("revoke_certificate", calm_pebble.directory, other, got["certificate"])
    assert failure.message.startswith("Certificate revocation failed: ")
    assert failure.code[2] == "unauthorized"
    assert calm_pebble.certificate_status(int(got["serial"], 16))["Status"] == "Valid"


# renewal information


def test_renewal_information_of_a_real_ca(tcl: Tcl, newer_pebble: Pebble) -> None:
    """RFC 9773: a window within the certificate's life, and a time in it."""
    got = obtain(tcl, newer_pebble, new_key(), "ari.example")
    info = tcl.dict("renewal_info", newer_pebble.directory, got["fullchain"])
    window = {name: int(value) for name, value in tcl.as_dict(info["window"]).items()}
    assert int(got["not_before"]) <= window["start"] <= int(info["chosen"]) < window["end"] <= int(got["not_after"])
    assert 60 <= int(info["retry_after"]) <= 86400
    assert info["explanation_url"] == ""


def test_a_revoked_certificate_is_to_be_renewed_at_once(tcl: Tcl, newer_pebble: Pebble) -> None:
    """RFC 9773 section 4.2: the window is in the past then."""
    key = new_key()
    got = obtain(tcl, newer_pebble, key, "ari.example")
    tcl.acme("revoke_certificate", newer_pebble.directory, key, got["certificate"])
    info = tcl.dict("renewal_info", newer_pebble.directory, got["certificate"])
    assert int(info["chosen"]) < time.time()


def test_a_renewal_replaces_on_a_real_ca(tcl: Tcl, newer_pebble: Pebble) -> None:
    """RFC 9773 section 5: by certificate; once that is replaced, the CA refuses and is asked without."""
    directory, key = newer_pebble.directory, new_key()
    got = obtain(tcl, newer_pebble, key, "ari.example")
    terms = {"replaces": got["certificate"], "return_details": 1}
    order = tcl.dict("create_order", directory, key, ["ari.example"], **terms)
    assert order["replaces"] == tcl.dict("renewal_info", directory, got["certificate"])["cert_id"]
    authorization = tcl.dicts(order["authorizations"])[0]
    challenge = next(c for c in tcl.dicts(authorization["challenges"]) if c["type"] == "http-01")
    tcl.acme("http01_challenge", "ari.example", challenge["token"], key, port=newer_pebble.http_port)
    tcl.acme("answer_challenge", directory, key, challenge["url"])
    tcl.acme("wait_authorization", directory, key, authorization["url"])
    tcl.acme("cleanup_challenge", "ari.example", challenge["token"], key)
    tcl.acme("finalize_order", directory, key, order["url"], key=new_key())
    tcl.acme("wait_order", directory, key, order["url"])
    assert "replaces" not in tcl.dict("create_order", directory, key, ["ari.example"], **terms)


def test_a_ca_without_renewal_information_says_so(tcl: Tcl, calm_pebble: Pebble) -> None:
    """Renewal then goes by the certificate's life."""
    if calm_pebble.is_new():
        pytest.skip("this Pebble offers it")
    got = obtain(tcl, calm_pebble, new_key(), "ari.example")
    failure = tcl.failure("renewal_info", calm_pebble.directory, got["certificate"])
    assert failure.code == ("TOSSL", "ACME", "notOffered", "0")


def test_renewal_information_survives_a_bad_moment(
    tcl: Tcl, newer_pebble: Pebble, certificates: Certificates
) -> None:
    """RFC 9773 section 4.3.3: tries again after a temporary error, and raises any other."""
    got = obtain(tcl, newer_pebble, new_key(), "ari.example")
    with FaultProxy(newer_pebble.directory, certificates) as proxy:
        for fault in (actions.html(503), actions.reset()):
            proxy.clear()
            proxy.fault(fault, path="renewalInfo")
            tcl.dict("renewal_info", proxy.directory, got["certificate"])
            assert len(proxy.seen("renewalInfo")) == 2
        proxy.clear()
        proxy.fault(actions.problem(404, "malformed", "unknown certificate"), path="renewalInfo")
        failure = tcl.failure("renewal_info", proxy.directory, got["certificate"])
        assert failure.code == ("TOSSL", "ACME", "malformed", "404")
        assert len(proxy.seen("renewalInfo")) == 1


@pytest.mark.parametrize(
    ("said", "kept"), [("5", 60), ("7200", 7200), ("9999999", 86400), ("soon", 21600), ("", 21600)]
)
def test_how_often_is_asked_is_bounded(tcl: Tcl, scripted_ca: ScriptedCa, said: str, kept: int) -> None:
    """RFC 9773 section 4.3: Retry-After between a minute and a day, else six hours; the result has the explanation."""
    scripted_ca.script = Script(order="ready", retry_after=None)
    got = tcl.dict("obtain_certificate", ["ari.example"], directory=scripted_ca.directory, store="", port=0)
    scripted_ca.script.retry_after = said
    info = tcl.dict("renewal_info", scripted_ca.directory, got["certificate"])
    assert info["retry_after"] == str(kept)
    assert info["explanation_url"] == "https://ca.example/why"
    assert tcl.as_dict(info["window"]) == {"start": "1893456000", "end": "1893542400"}
    path = scripted_ca.requests[-1].path
    assert path == f"/renewal/{info['cert_id']}"
    assert scripted_ca.requests[-1].method == "GET"


def test_a_time_in_the_window_is_chosen_at_random(tcl: Tcl, scripted_ca: ScriptedCa) -> None:
    """RFC 9773 section 4.2: a uniform one."""
    scripted_ca.script = Script(order="ready")
    got = tcl.dict("obtain_certificate", ["ari.example"], directory=scripted_ca.directory, store="", port=0)
    found = [tcl.dict("renewal_info", scripted_ca.directory, got["certificate"]) for _ in range(60)]
    quarters = [(int(info["chosen"]) - 1893456000) // 21600 for info in found]
    assert set(quarters) == {0, 1, 2, 3}


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"[]",
        b'{"suggestedWindow":{"start":"2030-01-01T00:00:00Z"}}',
        b'{"suggestedWindow":{"start":"x","end":"y"}}',
        b'{"suggestedWindow":{"start":"2030-01-02T00:00:00Z","end":"2030-01-01T00:00:00Z"}}',
        b'{"suggestedWindow":{"start":"2030-01-02T00:00:00Z","end":"2030-01-02T00:00:00Z"}}',
    ],
)
def test_a_window_that_is_none_is_refused(tcl: Tcl, scripted_ca: ScriptedCa, body: bytes) -> None:
    """RFC 9773 section 4.2: start before end."""
    scripted_ca.script = Script(order="ready")
    got = tcl.dict("obtain_certificate", ["ari.example"], directory=scripted_ca.directory, store="", port=0)
    name = tcl.dict("renewal_info", scripted_ca.directory, got["certificate"])["cert_id"]
    scripted_ca.answers[f"/renewal/{name}"].append(Reply(200, body, {"Content-Type": "application/json"}))
    failure = tcl.failure("renewal_info", scripted_ca.directory, got["certificate"])
    assert failure.code == ("TOSSL", "HTTP", "malformed")
