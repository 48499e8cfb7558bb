"""Chains: odd but legal ones are read, wrong ones are refused, and certificates get the names of RFC 9773."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from tossl_acme.errors import AcmeError, ArgumentError
from tossl_acme.identifiers import Identifier
from tossl_acme.pki.chain import (
    MOST_CERTIFICATES,
    Chain,
    cert_id,
    check_chain,
    issuer_names,
    read_certificate,
    read_chain,
)
from tossl_acme.pki.csr import build_csr
from tossl_acme.pki.keys import generate_private_key, private_pem, public_der
from tossl_acme.pki.pem import write_block

NAMES = (Identifier("dns", "example.com"), Identifier("dns", "*.example.com"), Identifier("ip", "2001:db8::1"))
BEGIN = datetime.datetime(2030, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)


def name(text: str | None) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)] if text else [])


@dataclass(frozen=True)
class Authority:
    """A CA certificate and its key."""

    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
    certificate: x509.Certificate

    @property
    def pem(self) -> str:
        return pem(self.certificate)


def pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()


def authority(subject: str, above: Authority | None = None, key_type: str = "ec") -> Authority:
    key = generate_private_key(key_type)
    return Authority(key, signed(key.public_key(), subject, (), above, authority_for=key))


def signed(  # type: ignore[no-untyped-def]
    public,
    subject: str | None,
    names: Sequence[Identifier],
    above: Authority | None,
    *,
    authority_for=None,
    key_id: bytes | None = None,
    serial: int = 0x1234,
    ca: bool | None = None,
) -> x509.Certificate:
    signer = above.key if above else authority_for
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(above.certificate.subject if above else name(subject))
        .public_key(public)
        .serial_number(serial)
        .not_valid_before(BEGIN)
        .not_valid_after(BEGIN + datetime.timedelta(days=6))
    )
    if ca is not False:
        constraints = x509.BasicConstraints(ca=bool(authority_for or ca), path_length=None)
        builder = builder.add_extension(constraints, critical=True)
    if names:
        general = [
            x509.DNSName(name.value) if name.type == "dns" else x509.IPAddress(ipaddress.ip_address(name.value))
            for name in names
        ]
        builder = builder.add_extension(x509.SubjectAlternativeName(general), critical=False)
    if key_id:
        builder = builder.add_extension(x509.AuthorityKeyIdentifier(key_id, None, None), critical=False)
    return builder.sign(signer, None if isinstance(signer, ed25519.Ed25519PrivateKey) else hashes.SHA256())


ROOT = authority("Root X1")
MIDDLE = authority("Intermediate R3", ROOT)
KEY = generate_private_key("ec")
LEAF = pem(signed(KEY.public_key(), None, NAMES, MIDDLE, key_id=b"\x69\xff"))
FULL = LEAF + MIDDLE.pem


def test_facts() -> None:
    chain = read_chain(FULL)
    assert (chain.certificate, chain.issuers, chain.fullchain) == (LEAF, MIDDLE.pem, FULL)
    assert (chain.not_before, chain.not_after) == (BEGIN.timestamp(), BEGIN.timestamp() + 6 * 86400)
    assert (chain.issuer, chain.serial, chain.authority_key_id) == ("Intermediate R3", 0x1234, b"\x69\xff")
    assert set(chain.identifiers) == set(NAMES)
    assert chain.public_key == public_der(KEY)
    assert write_block("CERTIFICATE", chain.der) == LEAF
    assert issuer_names(chain) == ("Intermediate R3", "Root X1")
    assert "BEGIN" not in repr(chain.parsed)
    assert read_certificate(FULL) == chain


@pytest.mark.parametrize(
    "odd",
    [
        FULL.rstrip("\n"),
        FULL.replace("\n", "\r\n"),
        FULL.replace("-----\n-----", "-----\n\n\n-----"),
        f"\ufeffsubject=/CN=grün\nissuer=x\n\n{LEAF}\n   text\t\n{MIDDLE.pem}\n\nend",
        "\n".join("  " + line + "  " for line in FULL.splitlines()),
    ],
)
def test_odd_but_legal_text(odd: str) -> None:
    chain = read_chain(odd)
    assert chain.fullchain == FULL
    check_chain(chain, NAMES, public_der(KEY))


WRONG = [
    "",
    "\n",
    "<html>",
    "-----BEGIN CERTIFICATE-----",
    LEAF[:300],
    LEAF.replace("M", "?", 1),
    write_block("CERTIFICATE", b"\x30\x03\x02\x01\x01"),
    write_block("CERTIFICATE", read_chain(LEAF).der[:-1]),
    write_block("CERTIFICATE", read_chain(LEAF).der + b"\0"),
    FULL + private_pem(KEY),
    private_pem(KEY) + FULL,
    FULL + write_block("CERTIFICATE REQUEST", build_csr(KEY, NAMES)),
    FULL + write_block("X509 CRL", b"\x30\x00"),
    LEAF * (MOST_CERTIFICATES + 1),
    LEAF * 2000,
]


@pytest.mark.parametrize("text", WRONG)
def test_what_is_no_chain(text: str) -> None:
    with pytest.raises(AcmeError) as breach:
        read_chain(text)
    assert breach.value.errorcode == ("TOSSL", "ACME", "badCertificate", "200")
    with pytest.raises(ArgumentError) as refused:
        read_certificate(text)
    assert refused.value.errorcode == ("TOSSL", "VALUE", "certificate")
    assert private_pem(KEY).splitlines()[1] not in str(breach.value) + str(refused.value)


def checked(chain: Chain, names: Sequence[Identifier] = NAMES, key: bytes | None = None) -> str:
    try:
        check_chain(chain, names, key or public_der(KEY))
    except AcmeError as error:
        assert error.errorcode == ("TOSSL", "ACME", "badCertificate", "200")
        return str(error)
    return ""


def test_right_chains() -> None:
    for text in (LEAF, FULL, FULL + ROOT.pem):
        assert checked(read_chain(text)) == ""
    mixed = [
        Identifier("ip", "2001:DB8:0:0::1"),
        Identifier("dns", "EXAMPLE.com"),
        Identifier("dns", "*.example.com"),
        Identifier("dns", "example.com"),
    ]
    assert checked(read_chain(FULL), mixed) == ""


@pytest.mark.parametrize("key_type", ["rsa", "ed25519"])
def test_other_signatures(key_type: str) -> None:
    above = authority("CA", key_type=key_type)
    assert checked(read_chain(pem(signed(KEY.public_key(), None, NAMES, above)) + above.pem)) == ""


def test_a_leaf_without_constraints_is_an_end_entity() -> None:
    assert checked(read_chain(pem(signed(KEY.public_key(), None, NAMES, MIDDLE, ca=False)) + MIDDLE.pem)) == ""


def test_another_key() -> None:
    assert "another key" in checked(read_chain(FULL), key=public_der(generate_private_key("ec")))


@pytest.mark.parametrize(
    ("names", "cause"),
    [
        (NAMES[:2], "it has 2001:db8::1"),
        ((*NAMES, Identifier("dns", "www.example.com")), "it lacks www.example.com"),
        ((Identifier("dns", "b.example"),), "it lacks b.example, it has *.example.com 2001:db8::1 example.com"),
        ((), "it has "),
    ],
)
def test_other_names(names: Sequence[Identifier], cause: str) -> None:
    assert cause in checked(read_chain(FULL), names)


def test_common_names_of_the_leaf_do_not_count() -> None:
    leaf = pem(signed(KEY.public_key(), "example.com", (), MIDDLE))
    assert "lacks example.com" in checked(read_chain(leaf), [Identifier("dns", "example.com")])


def test_order_and_signatures() -> None:
    namesake = authority("Intermediate R3", ROOT)
    for text in (LEAF + ROOT.pem, LEAF + LEAF, LEAF + namesake.pem):
        assert "certificate 1 " in checked(read_chain(text))
    for text in (FULL + MIDDLE.pem, FULL + LEAF, FULL + authority("Root X1").pem):
        assert "certificate 2 " in checked(read_chain(text))


def test_a_ca_certificate_in_the_place_of_the_leaf() -> None:
    leaf = pem(signed(KEY.public_key(), None, NAMES, MIDDLE, ca=True))
    assert "end-entity" in checked(read_chain(leaf))
    assert "another key" in checked(read_chain(MIDDLE.pem + LEAF))


KEY_ID = bytes.fromhex("69885B6B87464041E1B37B847BA0AE2CDE01C8D4")


@pytest.mark.parametrize(
    ("key_id", "serial", "expected"),
    [
        (KEY_ID, 0x87654321, "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"),  # RFC 9773 section 4.1
        (KEY_ID, 0x7F, "aYhba4dGQEHhs3uEe6CuLN4ByNQ.fw"),
        (KEY_ID, 0x80, "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIA"),
        (KEY_ID, 0xFFFF, "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AP__"),
        (b"\xfb\xff\xbf", 1, "-_-_.AQ"),
    ],
)
def test_renewal_names(key_id: bytes, serial: int, expected: str) -> None:
    leaf = signed(KEY.public_key(), None, NAMES, MIDDLE, key_id=key_id, serial=serial)
    assert cert_id(read_certificate(pem(leaf))) == expected


def test_a_certificate_without_key_identifier_has_no_renewal_name() -> None:
    leaf = signed(KEY.public_key(), None, NAMES, MIDDLE)
    with pytest.raises(ArgumentError) as raised:
        cert_id(read_certificate(pem(leaf)))
    assert raised.value.errorcode == ("TOSSL", "VALUE", "certificate")


def test_an_issuer_without_common_name() -> None:
    key = generate_private_key("ec")
    organization = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Some CA")])
    builder = x509.CertificateBuilder().subject_name(organization).issuer_name(organization)
    builder = builder.public_key(key.public_key()).serial_number(1)
    builder = builder.not_valid_before(BEGIN).not_valid_after(BEGIN + datetime.timedelta(days=1))
    chain = read_certificate(pem(builder.sign(key, hashes.SHA256())))
    assert chain.issuer == "O=Some CA"
    assert issuer_names(chain) == ("O=Some CA",)
