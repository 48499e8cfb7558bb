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

from tests.pem import write_block
from tossl_acme.acme.renewal import cert_id
from tossl_acme.errors import AcmeError, ArgumentError
from tossl_acme.identifiers import Identifier
from tossl_acme.pki.chain import (
    MOST_CERTIFICATES,
    CertificateChain,
    check_begun,
    check_leads_up,
    check_leaf,
    issuer_names,
    read_certificate,
    read_chain,
    unwanted_identifiers,
)
from tossl_acme.pki.csr import csr_for
from tossl_acme.pki.keys import generate_private_key, private_pem, public_der

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
    assert checked(chain) == ""


@pytest.mark.parametrize("where", ["first", "last"])
def test_a_chain_among_many_strangers(where: str) -> None:
    """The leaf decides, not the number of those who came along."""
    strangers = "".join(authority(f"CA {number}").pem for number in range(2 * MOST_CERTIFICATES))
    chain = read_chain(FULL + strangers if where == "first" else strangers + FULL, public_der(KEY))
    assert chain.fullchain == FULL
    assert chain.dropped == 2 * MOST_CERTIFICATES
    assert checked(chain) == ""


def test_a_chain_has_an_end() -> None:
    above, texts = None, []
    for number in range(MOST_CERTIFICATES + 2):
        above = authority(f"CA {number}", above)
        texts.append(above.pem)
    leaf = pem(signed(KEY.public_key(), None, NAMES, above))
    chain = read_chain(leaf + "".join(texts))
    assert chain.fullchain == leaf + "".join(texts[: -MOST_CERTIFICATES : -1])


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
    FULL + write_block("CERTIFICATE REQUEST", csr_for(KEY, NAMES).der),
    FULL + write_block("X509 CRL", b"\x30\x00"),
    LEAF * 2000,
]


@pytest.mark.parametrize("text", WRONG, ids=map(str, range(len(WRONG))))
def test_what_is_no_chain(text: str) -> None:
    with pytest.raises(AcmeError) as breach:
        read_chain(text)
    assert breach.value.errorcode == ("TOSSL", "ACME", "badCertificate", "200")
    with pytest.raises(ArgumentError) as refused:
        read_certificate(text)
    assert refused.value.errorcode == ("TOSSL", "VALUE", "certificate")
    assert private_pem(KEY).splitlines()[1] not in str(breach.value) + str(refused.value)


@pytest.mark.parametrize(
    "text",
    ["-----BEGIN PRIVATE KEY-----", "-----BEGIN X509 CRL-----", "-----BEGIN CERTIFICATE REQUEST-----", "-----BEGIN",
     "-----BEGINCERTIFICATE-----", "-----BEGIN certificate-----"],
)  # fmt: skip
@pytest.mark.parametrize("where", ["before", "behind", "in a comment"])
def test_a_begin_of_anything_else_is_refused(text: str, where: str) -> None:
    """RFC 8555 section 11.4: whether or not a whole block follows."""
    sent = {"before": f"{text}\n{FULL}", "behind": f"{FULL}{text}\n", "in a comment": f"{LEAF}# {text} x\n{MIDDLE.pem}"}
    with pytest.raises(AcmeError) as breach:
        read_chain(sent[where])
    assert breach.value.errorcode == ("TOSSL", "ACME", "badCertificate", "200")


#: When the certificates here are in force.
NOW = BEGIN.timestamp() + 3600


def checked(
    chain: CertificateChain, names: Sequence[Identifier] = NAMES, key: bytes | None = None, now: float = NOW
) -> str:
    try:
        check_leaf(chain, names, key or public_der(KEY), now)
        check_begun(chain, now)
        check_leads_up(chain)
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
        ((*NAMES, Identifier("dns", "www.example.com")), "it lacks www.example.com"),
        ((Identifier("dns", "b.example"),), "it lacks b.example, it has *.example.com 2001:db8::1 example.com"),
    ],
)
def test_other_names(names: Sequence[Identifier], cause: str) -> None:
    assert cause in checked(read_chain(FULL), names)


def test_common_names_of_the_leaf_do_not_count() -> None:
    leaf = pem(signed(KEY.public_key(), "example.com", (), MIDDLE))
    assert "lacks example.com" in checked(read_chain(leaf), [Identifier("dns", "example.com")])


TOP = authority("Root X2")
CROSS = pem(signed(ROOT.key.public_key(), "Root X1", (), TOP, ca=True))
STRANGER = authority("Nobody").pem
NAMESAKE = authority("Intermediate R3", ROOT).pem
GARBAGE = write_block("CERTIFICATE", b"\x30\x03\x02\x01\x01")


@pytest.mark.parametrize(
    ("sent", "used"),
    [
        (FULL + MIDDLE.pem, FULL),
        (LEAF * 3 + MIDDLE.pem * 9, FULL),
        (FULL + LEAF, FULL),
        (MIDDLE.pem + LEAF, FULL),
        (ROOT.pem + MIDDLE.pem + LEAF, FULL + ROOT.pem),
        (LEAF + ROOT.pem + MIDDLE.pem, FULL + ROOT.pem),
        (FULL + STRANGER, FULL),
        (STRANGER + FULL, FULL),
        (LEAF + STRANGER + MIDDLE.pem, FULL),
        (LEAF + NAMESAKE + MIDDLE.pem, FULL),
        (FULL + GARBAGE, FULL),
        (GARBAGE + FULL, FULL),
        (TOP.pem + CROSS + MIDDLE.pem + LEAF, FULL + CROSS + TOP.pem),
        (FULL + CROSS, FULL + CROSS),
    ],
    ids=map(str, range(14)),
)
def test_chains_in_any_order(sent: str, used: str) -> None:
    """Twice, out of order, with strangers: what leads up from the leaf is used."""
    for chain in (read_chain(sent, public_der(KEY)), read_chain(sent.replace("\n", "\r\n"), public_der(KEY))):
        assert chain.fullchain == used
        assert checked(chain) == ""


def test_the_leaf_is_found_by_its_key_or_by_what_it_is() -> None:
    other = pem(signed(generate_private_key("ec").public_key(), None, NAMES, MIDDLE))
    for sent in (other + FULL, FULL + other, MIDDLE.pem + other + LEAF):
        assert read_chain(sent, public_der(KEY)).certificate == LEAF
    assert read_certificate(MIDDLE.pem + LEAF).certificate == LEAF


@pytest.mark.parametrize(
    "sent",
    [LEAF + STRANGER, LEAF + ROOT.pem, LEAF + NAMESAKE, STRANGER + LEAF, LEAF + GARBAGE],
    ids=["stranger", "root", "namesake", "stranger first", "garbage"],
)
def test_chains_that_do_not_lead_up(sent: str) -> None:
    """The leaf is as it should be; what came with it is not."""
    chain = read_chain(sent, public_der(KEY))
    assert chain.fullchain == LEAF
    assert not chain.leads_up
    assert "does not lead up" in checked(chain)
    check_leaf(chain, NAMES, public_der(KEY), NOW)


def test_a_ca_certificate_in_the_place_of_the_leaf() -> None:
    leaf = pem(signed(KEY.public_key(), None, NAMES, MIDDLE, ca=True))
    assert "end-entity" in checked(read_chain(leaf))


@pytest.mark.parametrize(
    ("days", "fault"),
    [
        (-400, "not valid yet"),
        (-1.1, "not valid yet"),
        (-0.9, ""),
        (0, ""),
        (5.9, ""),
        (6, "expired"),
        (400, "expired"),
    ],
)
def test_dates_of_the_leaf(days: float, fault: str) -> None:
    """Accepts a certificate that begins within a day, for clocks differ; refuses an expired one."""
    found = checked(read_chain(FULL), now=BEGIN.timestamp() + days * 86400)
    assert fault in found if fault else found == ""


def test_dates_above_the_leaf_do_not_count() -> None:
    """Let's Encrypt's cross-sign of DST Root CA X3 had expired for years."""
    key = generate_private_key("ec")
    long_ago = (
        x509.CertificateBuilder().subject_name(name("Old")).issuer_name(name("Older")).public_key(key.public_key())
    )
    long_ago = long_ago.serial_number(7).not_valid_before(datetime.datetime(2001, 1, 1, tzinfo=datetime.UTC))
    expired = long_ago.not_valid_after(datetime.datetime(2002, 1, 1, tzinfo=datetime.UTC))
    above = Authority(key, expired.sign(generate_private_key("ec"), hashes.SHA256()))  # type: ignore[arg-type]
    chain = read_chain(pem(signed(KEY.public_key(), None, NAMES, above)) + above.pem)
    assert checked(chain) == ""
    assert len(chain.certificates) == 2


def test_more_names_than_asked_for() -> None:
    """Returns names of any kind; they are not an error."""
    others = [x509.RFC822Name("a@example.com"), x509.UniformResourceIdentifier("https://example.com/"),
              x509.RegisteredID(x509.ObjectIdentifier("1.2.3")), x509.DirectoryName(name("d")),
              x509.OtherName(x509.ObjectIdentifier("1.2.3"), b"\x0c\x01x")]  # fmt: skip
    names = x509.SubjectAlternativeName([x509.DNSName("example.com"), x509.DNSName("More.example.com"), *others])
    builder = x509.CertificateBuilder().subject_name(name(None)).issuer_name(MIDDLE.certificate.subject)
    builder = builder.public_key(KEY.public_key()).serial_number(9).not_valid_before(BEGIN)
    builder = builder.not_valid_after(BEGIN + datetime.timedelta(days=6)).add_extension(names, critical=True)
    chain = read_chain(pem(builder.sign(MIDDLE.key, hashes.SHA256())) + MIDDLE.pem)  # type: ignore[arg-type]
    assert checked(chain, NAMES[:1]) == ""
    unwanted = [identifier.type for identifier in unwanted_identifiers(chain, NAMES[:1])]
    assert unwanted == ["dns", "email", "uri", "oid", "directory", "other"]
    assert chain.as_dict()["domains"] == ["example.com", "more.example.com"]


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
