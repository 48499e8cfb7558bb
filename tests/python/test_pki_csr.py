"""Certificate requests: OpenSSL agrees with those we build, and we with those it makes."""

from __future__ import annotations

import base64
import subprocess
import sys

import cryptography
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from tests.pem import write_block
from tossl_acme.errors import ArgumentError, KeyFormatError, TosslError
from tossl_acme.identifiers import Identifier
from tossl_acme.pki.csr import csr_for, read_csr
from tossl_acme.pki.keys import generate_private_key, private_pem, public_der, public_pem

LABEL = "CERTIFICATE REQUEST"


@pytest.mark.parametrize(
    ("key", "signature"),
    [
        (("rsa",), "sha256WithRSAEncryption"),
        (("ec",), "ecdsa-with-SHA256"),
        (("ec", 384), "ecdsa-with-SHA384"),
        (("ec", 521), "ecdsa-with-SHA512"),
        (("ed25519",), "ED25519"),
    ],
)
def test_openssl_accepts_what_is_built(key: tuple[str, int], signature: str) -> None:
    made = generate_private_key(*key)
    names = [
        Identifier("dns", "Example.com"),
        Identifier("dns", "*.example.com"),
        Identifier("ip", "192.0.2.1"),
        Identifier("ip", "2001:DB8::0:1"),
    ]
    der = csr_for(made, [*names, Identifier("dns", "example.com")]).der
    command = ["openssl", "req", "-inform", "DER", "-noout", "-verify", "-text"]
    done = subprocess.run(command, input=der, capture_output=True, check=True)
    text = done.stdout.decode()
    assert "verify OK" in (done.stdout + done.stderr).decode()
    assert "Subject: \n" in text
    assert text.count(f"Signature Algorithm: {signature}\n") == 1
    expected = "DNS:example.com, DNS:*.example.com, IP Address:192.0.2.1, IP Address:2001:DB8:0:0:0:0:0:1\n"
    assert expected in text
    assert "critical" not in text
    read = read_csr(write_block(LABEL, der))
    assert read.der == der
    assert read.identifiers == (
        Identifier("dns", "example.com"),
        Identifier("dns", "*.example.com"),
        Identifier("ip", "192.0.2.1"),
        Identifier("ip", "2001:db8::1"),
    )
    assert read.public_key == public_der(made)


@pytest.mark.parametrize(
    "names",
    [
        [],
        [Identifier("dns", "bücher.example")],
        [Identifier("ip", "300.0.0.1")],
        [Identifier("ip", "")],
        [Identifier("email", "a@example.com")],
    ],
)
def test_names_that_cannot_be_asked_for(names: list[Identifier]) -> None:
    with pytest.raises(ArgumentError) as raised:
        csr_for(generate_private_key("ec"), names)
    assert raised.value.errorcode == ("TOSSL", "VALUE", "domains")


def openssl_csr(*options: str, key: str = "ec") -> str:
    command = ["openssl", "req", "-new", "-key", "/dev/stdin", *options]
    pem = private_pem(generate_private_key(key))
    return subprocess.run(command, input=pem, capture_output=True, text=True, check=True).stdout


def test_common_names_count() -> None:
    def names(*options: str) -> tuple[Identifier, ...]:
        return read_csr(openssl_csr(*options)).identifiers

    san = "subjectAltName=DNS:B.example,DNS:a.example"
    assert names("-subj", "/O=x/CN=A.Example") == (Identifier("dns", "a.example"),)
    assert names("-subj", "/CN=A.Example", "-addext", san) == (
        Identifier("dns", "b.example"),
        Identifier("dns", "a.example"),
    )
    assert names("-subj", "/CN=c.example", "-addext", san)[-1] == Identifier("dns", "c.example")
    assert names("-subj", "/CN=192.0.2.1") == (Identifier("ip", "192.0.2.1"),)
    assert names("-subj", "/CN=My server", "-addext", san) == names("-subj", "/CN=a.example", "-addext", san)
    assert names("-subj", "/CN=Mr. X", "-addext", san) == names("-subj", "/CN=a.example", "-addext", san)
    assert names("-subj", "/CN=router", "-addext", san) == names("-subj", "/CN=a.example", "-addext", san)
    assert names("-subj", "/CN=a/CN=b") == (Identifier("dns", "a"), Identifier("dns", "b"))


def test_forms_of_text() -> None:
    pem = openssl_csr("-subj", "/CN=a.example")
    der = read_csr(pem).der
    for text in (
        "Certificate Request:\n  Data: ü\r\n" + pem.replace("\n", "\r\n"),
        pem.replace(LABEL, f"NEW {LABEL}"),
        private_pem(generate_private_key("ec")) + pem,
        der.decode("latin-1"),
    ):
        assert read_csr(text).der == der


def refusal(text: str) -> tuple[str, ...]:
    with pytest.raises(TosslError) as raised:
        read_csr(text)
    for line in text.splitlines():
        assert len(line) < 16 or line not in str(raised.value)
    return raised.value.errorcode


def test_what_is_no_request() -> None:
    pem = openssl_csr("-subj", "/CN=a.example")
    der = read_csr(pem).der
    key = generate_private_key("ec")
    for text in (
        "",
        "request.csr",
        "0",
        "0\u20ac",
        pem[:100],
        pem.replace("M", "!", 1),
        private_pem(key),
        public_pem(key),
        write_block(LABEL, der[:-20]),
        write_block(LABEL, der + b"\0"),
        write_block(LABEL, b"\x30\x00"),
        openssl_csr("-x509", "-subj", "/CN=a"),
        openssl_csr("-subj", "/O=nameless"),
        openssl_csr("-subj", "/CN=a", "-addext", "subjectAltName=email:a@example.com"),
        openssl_csr("-subj", "/CN=a", "-addext", "subjectAltName=URI:https://example.com/"),
        write_block(LABEL, der[:-1] + bytes([der[-1] ^ 1])),
        base64.b64encode(der).decode(),
    ):
        assert refusal(text) == ("TOSSL", "VALUE", "csr"), text[:60]


def test_a_request_changed_after_it_was_signed() -> None:
    der = read_csr(openssl_csr("-subj", "/CN=a.example")).der
    with pytest.raises(ArgumentError, match="not signed by the key in it"):
        read_csr(write_block(LABEL, der.replace(b"a.example", b"b.example")))


def test_keys_that_no_ca_takes() -> None:
    def csr(key: object, algorithm: hashes.HashAlgorithm | None) -> str:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a.example")])
        builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
        return builder.sign(key, algorithm).public_bytes(Encoding.PEM).decode()  # type: ignore[arg-type]

    for kind, text in {
        "weak": csr(rsa.generate_private_key(65537, 1024), hashes.SHA256()),
        "curve": csr(ec.generate_private_key(ec.SECP256K1()), hashes.SHA256()),
        "type": csr(ed448.Ed448PrivateKey.generate(), None),
    }.items():
        with pytest.raises(KeyFormatError) as raised:
            read_csr(text)
        assert raised.value.errorcode == ("TOSSL", "KEY", kind)


_BEFORE_AN_ORDER = """
import sys
import tossl_acme.certificates.obtain
from tossl_acme.certificates.key import CertificateKey
from tossl_acme.identifiers import parse_identifiers

csr = CertificateKey().request(parse_identifiers(["a.example"]))
print("cryptography.x509" in sys.modules, bool(csr.public_key and csr.private_key))
csr.prepare()
print("cryptography.x509" in sys.modules, len(csr.der) > 200)
"""


@pytest.mark.skipif(int(cryptography.__version__.split(".")[0]) < 44, reason="earlier ones load it for keys, too")
def test_a_key_and_an_order_need_no_x509() -> None:
    """It takes 13 ms to load: a CA's answer comes meanwhile."""
    done = subprocess.run([sys.executable, "-c", _BEFORE_AN_ORDER], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("False True\nTrue True\n", "")
