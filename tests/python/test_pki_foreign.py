"""Keys and requests as other programs write them: what OpenSSL and a CA take, this package takes."""

from __future__ import annotations

import itertools
import random
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import AttributeOID, NameOID

from tests.pem import write_block
from tossl_acme.errors import KeyFormatError, TosslError
from tossl_acme.identifiers import parse_identifiers
from tossl_acme.pki import der
from tossl_acme.pki.chain import read_certificate
from tossl_acme.pki.csr import csr_for, read_csr
from tossl_acme.pki.der import CONTEXT_0, CONTEXT_1, OCTET_STRING, OID, SEQUENCE, encoded, encoded_number, sequence
from tossl_acme.pki.keys import load_private_key, public_der
from tossl_acme.pki.pem import read_blocks
from tossl_acme.pki.signatures import is_issued_by

CURVES = {"prime256v1": ec.SECP256R1(), "secp384r1": ec.SECP384R1(), "secp521r1": ec.SECP521R1()}
PKCS8, SEC1, PKCS1 = "PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY"


def openssl(*words: str, text: str = "") -> str:
    """What OpenSSL writes."""
    return subprocess.run(["openssl", *words], input=text, capture_output=True, text=True, check=True).stdout


def curve_oid(name: str) -> bytes:
    return next(encoded(OID, curve.oid) for curve in der.CURVES if curve.octets == (CURVES[name].key_size + 7) // 8)


def sec1(name: str, octets: bytes, public: bytes = b"", parameters: bytes = b"") -> bytes:
    """An ECPrivateKey with these octets for its number."""
    content = encoded_number(1) + encoded(OCTET_STRING, octets) + encoded(CONTEXT_0, parameters or curve_oid(name))
    return encoded(SEQUENCE, content + (encoded(CONTEXT_1, encoded(3, b"\0" + public)) if public else b""))


def pkcs8(algorithm: bytes, key: bytes, version: int = 0, more: bytes = b"") -> str:
    content = encoded_number(version) + encoded(SEQUENCE, algorithm) + encoded(OCTET_STRING, key) + more
    return write_block(PKCS8, encoded(SEQUENCE, content))


EC_OID = encoded(OID, der.EC)


# ---- EC keys: the octets of the number ----


@pytest.mark.parametrize(("name", "zeros"), list(itertools.product(CURVES, range(4))))
def test_numbers_with_octets_too_few_or_too_many(name: str, zeros: int) -> None:
    """GnuTLS and Bouncy Castle write an integer, old OpenSSL no leading zeros; PKCS#8 and SEC1, with and without
    the public key."""
    bits = CURVES[name].key_size
    number = random.Random(f"{name}{zeros}").getrandbits(bits - 8 * zeros - 1) | 1
    key = ec.derive_private_key(number, CURVES[name])
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    shortest = (number.bit_length() + 7) // 8
    full = (bits + 7) // 8
    for size, public in itertools.product({shortest, shortest + 1, full, full + 1, full + 3}, (b"", point)):
        body = sec1(name, number.to_bytes(size, "big"), public)
        for text in (write_block(SEC1, body), pkcs8(EC_OID + curve_oid(name), body)):
            assert public_der(load_private_key(text)) == public_der(key)


@pytest.mark.parametrize("name", CURVES)
def test_numbers_that_are_not_of_the_curve(name: str) -> None:
    """0, its order and beyond."""
    order = next(curve.n for curve in der.CURVES if curve.octets == (CURVES[name].key_size + 7) // 8)
    for number in (0, order, order + 1, 1 << 600):
        text = write_block(SEC1, sec1(name, number.to_bytes(80, "big")))
        with pytest.raises(KeyFormatError, match="not within its curve"):
            load_private_key(text)
    key = load_private_key(write_block(SEC1, sec1(name, (order - 1).to_bytes(80, "big"))))
    assert isinstance(key, ec.EllipticCurvePrivateKey)


@pytest.mark.parametrize("name", CURVES)
@pytest.mark.parametrize("form", ["uncompressed", "compressed", "hybrid"])
def test_explicit_parameters(name: str, form: str) -> None:
    """A curve spelt out is the curve that it spells, and no other."""
    text = openssl("ecparam", "-name", name, "-genkey", "-param_enc", "explicit", "-conv_form", form)
    assert "EC PARAMETERS" in text
    wanted = openssl("ec", "-pubout", "-param_enc", "named_curve", "-conv_form", "uncompressed", text=text)
    for form_of_text in (text, openssl("pkcs8", "-topk8", "-nocrypt", text=text)):
        assert public_der(load_private_key(form_of_text)) == read_blocks(wanted)[0].der


def test_explicit_parameters_with_another_base_point() -> None:
    """The fault of CVE-2020-0601: right prime, right curve, a base point of somebody's choosing."""
    text = openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-param_enc", "explicit")
    base = bytes.fromhex("6b17d1f2e12c4247")
    changed = read_blocks(text)[0].der.replace(base, base[:-1] + b"\x48")
    with pytest.raises(KeyFormatError):
        load_private_key(write_block(SEC1, changed))


@pytest.mark.skipif(shutil.which("certtool") is None, reason="certtool (gnutls-bin) is not installed")
@pytest.mark.parametrize("curve", ["secp256r1", "secp384r1", "secp521r1"])
def test_keys_of_gnutls(curve: str) -> None:
    """Half of them have an octet too many; certtool writes a description before the block."""
    command = ["certtool", "--generate-privkey", "--key-type", "ecdsa", "--curve", curve]
    for _ in range(6):
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        wanted = read_blocks(openssl("pkey", "-pubout", text=text))[0].der
        assert public_der(load_private_key(text)) == wanted


def test_a_key_that_states_no_curve() -> None:
    """OpenSSL cannot read it either."""
    bare = encoded(SEQUENCE, encoded_number(1) + encoded(OCTET_STRING, b"\1" * 32))
    with pytest.raises(KeyFormatError, match="does not state its curve"):
        load_private_key(write_block(SEC1, bare))


# ---- PKCS#8 and its variants ----


@pytest.mark.parametrize("more", [b"", encoded(CONTEXT_0, b""), encoded(CONTEXT_0, encoded(SEQUENCE, b""))])
def test_attributes(more: bytes) -> None:
    """Windows and Java write some."""
    key = ec.generate_private_key(ec.SECP256R1())
    body = sec1("prime256v1", key.private_numbers().private_value.to_bytes(32, "big"))
    assert public_der(load_private_key(pkcs8(EC_OID + curve_oid("prime256v1"), body, more=more))) == public_der(key)


ED = ed25519.Ed25519PrivateKey.generate()
ED_RAW = encoded(OCTET_STRING, ED.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()))
ED_PUBLIC = ED.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
ED_OID = encoded(OID, bytes.fromhex("2b6570"))


@pytest.mark.parametrize(
    "more",
    [encoded(0x81, b"\0" + ED_PUBLIC), encoded(CONTEXT_1, encoded(3, b"\0" + ED_PUBLIC)), b""],
    ids=["implicit", "explicit", "none"],
)
def test_ed25519_with_its_public_key(more: bytes) -> None:
    """RFC 5958's version 1, as Go, Rust and OpenSSH's converters write it, tagged either way."""
    assert public_der(load_private_key(pkcs8(ED_OID, ED_RAW, 1, more))) == public_der(ED)


def test_ed25519_with_the_public_key_of_another() -> None:
    other = encoded(0x81, b"\0" + bytes(32))
    with pytest.raises(KeyFormatError, match="contradict each other"):
        load_private_key(pkcs8(ED_OID, ED_RAW, 1, other))


# ---- RSA ----

RSA = rsa.generate_private_key(65537, 2048)


def rsa_numbers(key: rsa.RSAPrivateKey) -> list[int]:
    own = key.private_numbers()
    public = own.public_numbers
    return [0, public.n, public.e, own.d, own.p, own.q, own.dmp1, own.dmq1, own.iqmp]


@pytest.mark.parametrize("zeros", [0, 1, 3])
def test_rsa_numbers_with_octets_too_few_or_too_many(zeros: int) -> None:
    """Without the leading zero they look negative; OpenSSL reads them all the same."""
    numbers = rsa_numbers(RSA)
    content = b"".join(
        encoded(2, number.to_bytes(max(1, (number.bit_length() + 7) // 8) + zeros, "big")) for number in numbers
    )
    body = encoded(SEQUENCE, content)
    for text in (write_block(PKCS1, body), pkcs8(encoded(OID, der.RSA), body)):
        assert public_der(load_private_key(text)) == public_der(RSA)
        if not zeros:
            assert read_blocks(openssl("pkey", "-pubout", text=text))[0].der == public_der(RSA)


@pytest.mark.parametrize("exponent", ["3", "17", "4294967297"])
def test_rsa_with_an_unusual_exponent(exponent: str) -> None:
    """Any odd one above 1."""
    text = openssl("genpkey", "-algorithm", "rsa", "-pkeyopt", f"rsa_keygen_pubexp:{exponent}")
    assert isinstance(load_private_key(text), rsa.RSAPrivateKey)


def test_rsa_of_three_primes() -> None:
    """Said by name: no library here signs with it."""
    text = openssl("genpkey", "-algorithm", "rsa", "-pkeyopt", "rsa_keygen_primes:3")
    with pytest.raises(KeyFormatError, match="more than two primes"):
        load_private_key(text)


# ---- the text around ----


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_text_around_a_key(form: PrivateFormat) -> None:
    """A byte order mark, CRLF, attributes of a bag, parameters before, a certificate after, words at the end."""
    key = ec.generate_private_key(ec.SECP521R1())
    pem = key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()
    parameters = openssl("ecparam", "-name", "secp521r1")
    for text in (
        "\ufeff" + pem,
        pem.replace("\n", "\r\n"),
        pem.replace("\n", "\r"),
        "Bag Attributes\n    localKeyID: 01\nKey Attributes: <No Attributes>\n" + pem,
        parameters + pem,
        pem + "that was the key\n",
        pem.rstrip("\n"),
        f"  {pem}".replace("\n", "\n  "),
    ):
        assert public_der(load_private_key(text)) == public_der(key)


@pytest.mark.parametrize("options", [["-v2", "aes-128-cbc"], ["-v1", "PBE-SHA1-3DES"]])
def test_an_encrypted_key_is_called_so(options: list[str]) -> None:
    """Whatever it is encrypted with."""
    plain = openssl("genpkey", "-algorithm", "ed25519")
    text = openssl("pkcs8", "-topk8", "-passout", "pass:x", *options, text=plain)
    with pytest.raises(KeyFormatError, match="encrypted with a passphrase") as raised:
        load_private_key(text)
    assert raised.value.errorcode == ("TOSSL", "KEY", "encrypted")


# ---- requests ----


def signed_request(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, version: int) -> bytes:
    """A request with another version, under a valid signature, as certbot before 1.29 made it."""
    plain = csr_for(key, parse_identifiers(["a.example", "b.example"])).der
    info, algorithm, _ = der.sequence(plain)
    children = info.children()
    body = encoded(SEQUENCE, encoded_number(version) + b"".join(encoded(e.tag, e.content) for e in children[1:]))
    if isinstance(key, rsa.RSAPrivateKey):
        signature = key.sign(body, padding.PKCS1v15(), hashes.SHA256())
    else:
        signature = key.sign(body, ec.ECDSA(hashes.SHA256()))
    return encoded(SEQUENCE, body + encoded(SEQUENCE, algorithm.content) + encoded(3, b"\0" + signature))


@pytest.mark.parametrize("key", [RSA, ec.generate_private_key(ec.SECP256R1())], ids=["rsa", "ec"])
@pytest.mark.parametrize("version", [1, 2])
def test_a_request_with_a_version_that_does_not_exist(
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, version: int
) -> None:
    """It is sent as it came, for its signature is for that; OpenSSL before 3.1 verifies it, later ones refuse it."""
    octets = signed_request(key, version)
    pem = write_block("CERTIFICATE REQUEST", octets)
    read = read_csr(pem)
    assert read.der == octets
    assert [name.value for name in read.identifiers] == ["a.example", "b.example"]
    assert read.public_key == public_der(key)
    if openssl("version").split()[1] < "3.1":
        openssl("req", "-verify", "-noout", text=pem)
    spoiled = octets.replace(b"a.example", b"c.example")
    with pytest.raises(TosslError, match="not signed by the key in it"):
        read_csr(write_block("CERTIFICATE REQUEST", spoiled))


def test_a_request_signed_with_pss() -> None:
    """Some hardware signs so; OpenSSL takes it."""
    key = openssl("genpkey", "-algorithm", "rsa")
    pem = openssl("req", "-new", "-key", "/dev/stdin", "-subj", "/CN=a.example", "-sigopt", "rsa_padding_mode:pss",
                  text=key)  # fmt: skip
    assert [name.value for name in read_csr(pem).identifiers] == ["a.example"]


_PSS = ("-sigopt", "rsa_padding_mode:pss")


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (("rsa",), ("-sha384",)),
        (("rsa",), _PSS),
        (("rsa",), (*_PSS, "-sha1")),
        (("rsa",), (*_PSS, "-sha512", "-sigopt", "rsa_pss_saltlen:11")),
        (("ec", "-pkeyopt", "ec_paramgen_curve:P-384"), ("-sha512",)),
        (("ed25519",), ()),
        (("ed448",), ()),
    ],
    ids=["rsa", "pss", "pss with sha1", "pss with sha512 and another salt", "ec", "ed25519", "ed448"],
)
def test_who_issued_a_certificate(kind: tuple[str, ...], options: tuple[str, ...]) -> None:
    """Whatever a CA signs with."""

    def signed() -> x509.Certificate:
        key = openssl("genpkey", "-algorithm", *kind)
        pem = openssl("req", "-x509", "-new", "-key", "/dev/stdin", "-subj", "/CN=CA", *options, text=key)
        return x509.load_pem_x509_certificate(pem.encode())

    certificate, other = signed(), signed()
    assert is_issued_by(certificate, certificate)
    assert not is_issued_by(certificate, other)


def test_a_request_signed_with_pss_and_sha1() -> None:
    """It is PSS's default hash."""
    key = openssl("genpkey", "-algorithm", "rsa")
    pem = openssl("req", "-new", "-key", "/dev/stdin", "-subj", "/CN=a.example", "-sigopt", "rsa_padding_mode:pss",
                  "-sha1", text=key)  # fmt: skip
    with pytest.raises(TosslError, match="signed with SHA-1"):
        read_csr(pem)


def test_requests_with_odd_attributes() -> None:
    """A challenge password, an unstructured name, a long subject: all of it is the CA's to judge."""
    key = ec.generate_private_key(ec.SECP256R1())
    names = x509.SubjectAlternativeName([x509.DNSName("a.example")])
    subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "x" * 64)] * 9)
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject).add_extension(names, critical=True)
    builder = builder.add_extension(x509.TLSFeature([x509.TLSFeatureType.status_request]), critical=False)
    builder = builder.add_attribute(AttributeOID.CHALLENGE_PASSWORD, b"hidden")
    builder = builder.add_attribute(AttributeOID.UNSTRUCTURED_NAME, b"unstructured")
    pem = builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()
    assert [name.value for name in read_csr(pem).identifiers] == ["a.example"]


# ---- structures that other programs write ----

EC_KEY = ec.generate_private_key(ec.SECP256R1())
SHA256, SHA1 = bytes.fromhex("2a8648ce3d040302"), bytes.fromhex("2a8648ce3d0401")
MD5_OF_RSA = bytes.fromhex("2a864886f70d010104")
NAMES = {
    "email": encoded(0x81, b"a@example.com"),
    "uri": encoded(0x86, b"https://example.com/"),
    "oid": encoded(0x88, b"\x2a\x03"),
    "other": encoded(0xA0, encoded(OID, b"\x2a\x03") + encoded(CONTEXT_0, encoded(12, b"x"))),
    "x400": encoded(0xA3, encoded(SEQUENCE, b"")),
    "directory": encoded(0xA4, encoded(SEQUENCE, b"")),
    "edi": encoded(0xA5, encoded(CONTEXT_1, encoded(12, b"party"))),
}
DOMAIN = encoded(0x82, b"a.example")


def extension(names: bytes) -> bytes:
    """Extensions with a subjectAltName alone."""
    value = encoded(OCTET_STRING, encoded(SEQUENCE, names))
    return encoded(SEQUENCE, encoded(SEQUENCE, encoded(OID, b"\x55\x1d\x11") + value))


def attribute(kind: str, value: bytes) -> bytes:
    return encoded(SEQUENCE, encoded(OID, bytes.fromhex(kind)) + encoded(0x31, value))


def own_request(
    names: bytes = DOMAIN, algorithm: bytes = encoded(OID, SHA256), more: bytes = b"", before: bytes = b""
) -> str:
    attributes = before + attribute("2a864886f70d01090e", extension(names)) + more
    public = EC_KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    info = encoded(
        SEQUENCE, encoded_number(0) + encoded(SEQUENCE, b"") + public + encoded(CONTEXT_0, attributes)
    )
    signature = EC_KEY.sign(info, ec.ECDSA(hashes.SHA1() if SHA1 in algorithm else hashes.SHA256()))
    outer = encoded(SEQUENCE, info + encoded(SEQUENCE, algorithm) + encoded(3, b"\0" + signature))
    return write_block("CERTIFICATE REQUEST", outer)


def own_certificate(names: bytes, version: int = 2, public: bytes = b"") -> str:
    public = public or EC_KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    life = encoded(SEQUENCE, encoded(0x17, b"260101000000Z") + encoded(0x17, b"270101000000Z"))
    name, algorithm = encoded(SEQUENCE, b""), encoded(SEQUENCE, encoded(OID, SHA256))
    info = encoded(
        SEQUENCE,
        encoded(CONTEXT_0, encoded_number(version)) + encoded_number(1) + algorithm + name + life + name + public
        + encoded(0xA3, extension(names)),
    )  # fmt: skip
    signature = EC_KEY.sign(info, ec.ECDSA(hashes.SHA256()))
    return write_block("CERTIFICATE", encoded(SEQUENCE, info + algorithm + encoded(3, b"\0" + signature)))


PASSWORD = attribute("2a864886f70d010907", encoded(12, b"x"))


@pytest.mark.parametrize(
    "text",
    [
        own_request(algorithm=encoded(OID, SHA256) + b"\x05\0"),
        own_request(more=PASSWORD),
        own_request(before=PASSWORD),
        own_request(before=PASSWORD, more=attribute("2a864886f70d010902", encoded(12, b"y"))),
    ],
    ids=["null", "more", "before", "around"],
)
def test_requests_of_mbed_tls_and_tpms(text: str) -> None:
    """NULL beside ecdsa-with-SHA256; attributes in any order."""
    assert [name.value for name in read_csr(text).identifiers] == ["a.example"]


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (own_request(algorithm=encoded(OID, SHA1)), "signed with SHA-1, which CAs refuse; make it with SHA-256"),
        (own_request(algorithm=encoded(OID, MD5_OF_RSA)), "signed with MD5, which CAs refuse; make it with SHA-256"),
        (own_request(encoded(0x82, b"192.0.2.1")), "must be IP:192.0.2.1"),
        (own_request(encoded(0x82, "bücher.example".encode())), "A-labels"),
        (own_request(encoded(0x82, b"a.exa\0mple")), "neither a domain name nor an address"),
        (own_request(encoded(0x87, b"\1" * 8)), "neither a domain name nor an address"),
        (own_request(NAMES["email"]), "of the type email"),
        (own_request(DOMAIN + NAMES["edi"]), "of the type edi"),
        (own_request(more=attribute("2a864886f70d01090e", extension(DOMAIN)) + b"\x30\x80"), "not DER"),
        (own_request().replace("\n", "\\n"), "string map"),
        ("0\x82\x01\x00\x02\x01\x030\x82", "openssl pkcs12"),
        ("0\x82\x01\x00damaged", "not DER"),
        ("0\x82\x01\udcff", "openssl req -inform DER"),
        ("0\x82\x01\ufffd", "openssl req -inform DER"),
    ],
    ids=["sha1", "md5", "address", "unicode", "nul", "network", "mail", "edi", "damage", "env", "p12", "der", "text",
         "torn"],
)
def test_a_request_that_cannot_serve_is_told_why(text: str, cause: str) -> None:
    with pytest.raises(TosslError) as raised:
        read_csr(text)
    assert raised.value.errorcode == ("TOSSL", "VALUE", "csr")
    assert cause in raised.value.message
    assert "{" not in raised.value.message.replace("{\\\\n \\n}", "")


def test_a_request_of_javas_keytool_for_a_dsa_key(tmp_path: Path) -> None:
    """It has NULL beside the signature's algorithm: no damage."""
    path = tmp_path / "key.pem"
    path.write_text(openssl("genpkey", "-genparam", "-algorithm", "DSA", "-pkeyopt", "dsa_paramgen_bits:1024"))
    path.write_text(openssl("genpkey", "-paramfile", str(path)))
    (block,) = read_blocks(openssl("req", "-new", "-key", str(path), "-subj", "/CN=a.example"))
    body, algorithm, signature = sequence(block.der)
    with_null = encoded(SEQUENCE, encoded(OID, algorithm.children()[0].content) + encoded(5, b""))
    der = encoded(body.tag, body.content) + with_null + encoded(signature.tag, signature.content)
    with pytest.raises(KeyFormatError, match="of type DSA"):
        read_csr(write_block("CERTIFICATE REQUEST", encoded(SEQUENCE, der)))


def test_a_certificate_of_two_thousand_names() -> None:
    names = b"".join(encoded(0x82, f"n{number}.example".encode()) for number in range(2000))
    assert len(read_certificate(own_certificate(names)).identifiers) == 2000


@pytest.mark.parametrize("kind", NAMES)
def test_names_of_certificates_are_read_as_what_they_are(kind: str) -> None:
    """They matter to nobody who revokes, renews or downloads it."""
    chain = read_certificate(own_certificate(DOMAIN + NAMES[kind]))
    assert [name.type for name in chain.identifiers] == ["dns", kind]
    assert chain.as_dict()["domains"] == ["a.example"]
    assert read_certificate(own_certificate(NAMES[kind])).as_dict()["domains"] == []


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (own_certificate(DOMAIN, 3), "it has a version that does not exist"),
        (own_certificate(DOMAIN, 200), "it has a version that does not exist"),
        (write_block("CERTIFICATE", b"\x30\x03\x02\x01\x00"), "it is damaged"),
        (own_certificate(DOMAIN).replace("\n", "\\n"), "string map"),
        ("0\x82\x01\x00\x02\x01\x030\x82", "openssl pkcs12"),
        ("0\x82\x01\x000\x82\x01\x00", "openssl x509 -inform DER"),
        ("\xff\xfe" + "\0".join(own_certificate(DOMAIN)), "UTF-16"),
    ],
    ids=["version 4", "version 201", "damaged", "env", "p12", "der", "utf16"],
)
def test_what_is_no_certificate_is_told_in_our_words(text: str, cause: str) -> None:
    with pytest.raises(TosslError) as raised:
        read_certificate(text)
    assert raised.value.errorcode == ("TOSSL", "VALUE", "certificate")
    assert cause in raised.value.message
    assert "ParseError" not in raised.value.message


@pytest.mark.parametrize("size", [0, 1, 31, 33, 64])
def test_a_raw_key_of_the_wrong_length(size: int) -> None:
    """In a certificate it is a key that nobody uses; a private one is refused by name."""
    public = encoded(
        SEQUENCE, encoded(SEQUENCE, encoded(OID, b"\x2b\x65\x70")) + encoded(3, b"\0" + b"\1" * size)
    )
    assert read_certificate(own_certificate(DOMAIN, public=public)).public_key == b""
    private = pkcs8(encoded(OID, b"\x2b\x65\x70"), encoded(OCTET_STRING, b"\1" * size))
    with pytest.raises(KeyFormatError):
        load_private_key(private)


# ---- whatever else ----


def _seeds() -> list[tuple[str, bytes]]:
    keys = [RSA, ec.generate_private_key(ec.SECP384R1()), ED]
    found = [(PKCS8, key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())) for key in keys]
    found += [("CERTIFICATE REQUEST", csr_for(key, parse_identifiers(["a.example", "192.0.2.1"])).der) for key in keys]
    form = PrivateFormat.TraditionalOpenSSL
    found += [(PKCS1, keys[0].private_bytes(Encoding.DER, form, NoEncryption()))]
    found += [(SEC1, keys[1].private_bytes(Encoding.DER, form, NoEncryption()))]
    names = "subjectAltName=DNS:a,URI:http://x/,email:a@b,IP:192.0.2.1,otherName:1.2.3;UTF8:x,dirName:d"
    pem = openssl("req", "-x509", "-newkey", "ed25519", "-nodes", "-keyout", "/dev/null", "-subj", "/C=DE/CN=x",
                  "-addext", names.removesuffix(",dirName:d"))  # fmt: skip
    return [*found, ("CERTIFICATE", read_blocks(pem)[0].der)]


@pytest.mark.parametrize(("label", "seed"), _seeds(), ids=lambda value: value if isinstance(value, str) else "")
def test_damaged_structures_are_refused_by_name(label: str, seed: bytes) -> None:
    """An octet changed, put in or left out anywhere: read or refused, in silence, with the right errorcode."""
    chance = random.Random(label)
    code = {"CERTIFICATE REQUEST": ("VALUE", "csr"), "CERTIFICATE": ("VALUE", "certificate")}.get(label, ("KEY",))
    for _ in range(1500):
        octets = bytearray(seed)
        at = chance.randrange(len(octets)) if chance.random() < 0.5 else chance.randrange(min(80, len(octets)))
        match chance.randrange(4):
            case 0:
                del octets[at]
            case 1:
                octets.insert(at, chance.randrange(256))
            case _:
                octets[at] = chance.choice((*range(7), 0x30, 0x31, 0x80, 0xA0, 0xFF, chance.randrange(256)))
        text = write_block(label, bytes(octets))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the test after this one is about them
            try:
                {"CERTIFICATE REQUEST": read_csr, "CERTIFICATE": read_certificate}.get(label, load_private_key)(text)
            except TosslError as error:
                assert error.errorcode[1 : 1 + len(code)] == code or error.errorcode[1] == "KEY"
                assert "ParseError" not in error.message  # the library's words, for its programmers


def test_oddities_are_read_in_silence(tmp_path: Path) -> None:
    """What the library warns of is no line on stderr."""
    pem = openssl("req", "-x509", "-newkey", "ed25519", "-nodes", "-keyout", "/dev/null", "-subj", "/CN=x",
                  "-set_serial", "0")  # fmt: skip
    (tmp_path / "odd.pem").write_text(pem)
    program = (
        "import sys; from pathlib import Path; from tossl_acme.pki.chain import read_certificate;"
        "read_certificate(Path(sys.argv[1]).read_text())"
    )
    done = subprocess.run([sys.executable, "-c", program, tmp_path / "odd.pem"], capture_output=True, text=True,
                          check=True, cwd=Path(__file__).parents[2])  # fmt: skip
    assert done.stderr == ""
