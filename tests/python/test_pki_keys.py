"""Private keys: every form that OpenSSL writes is read, every unusable one has its own cause, and none is shown."""

from __future__ import annotations

import base64
import re
import subprocess
from functools import cache

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tossl_acme.errors import ArgumentError, KeyFormatError
from tossl_acme.pki.keys import (
    ACME_CURVES,
    curve_name,
    generate_private_key,
    key_bits,
    key_type,
    load_private_key,
    private_pem,
    public_der,
    public_pem,
)


@cache
def openssl(command: str, stdin: str = "") -> str:
    done = subprocess.run(["openssl", *command.split()], input=stdin, capture_output=True, text=True, check=True)
    return done.stdout


def kind(text: str) -> str:
    """The kind of the refusal, after a look that its message shows nothing of the key."""
    with pytest.raises(KeyFormatError) as raised:
        load_private_key(text)
    message = str(raised.value)
    assert message.startswith("Invalid key format: ")
    for piece in re.findall(r"[A-Za-z0-9+/=]{12,}", text):
        assert piece not in message
    return raised.value.errorcode[2]


RSA = "genrsa 2048"
TRADITIONAL = "genrsa -traditional 2048"
SEC1 = "ecparam -name prime256v1 -genkey"


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (RSA, ("rsa", 2048, None)),
        (TRADITIONAL, ("rsa", 2048, None)),
        ("genrsa 3072", ("rsa", 3072, None)),
        ("genpkey -algorithm rsa-pss -pkeyopt rsa_keygen_bits:2048", ("rsa", 2048, None)),
        (SEC1, ("ec", 256, "prime256v1")),
        ("ecparam -name prime256v1 -genkey -noout", ("ec", 256, "prime256v1")),
        ("ecparam -name secp384r1 -genkey", ("ec", 384, "secp384r1")),
        ("ecparam -name secp521r1 -genkey -noout", ("ec", 521, "secp521r1")),
        ("genpkey -algorithm ec -pkeyopt ec_paramgen_curve:P-384", ("ec", 384, "secp384r1")),
        ("genpkey -algorithm ed25519", ("ed25519", 256, None)),
    ],
)
def test_what_openssl_writes_is_read(command: str, expected: tuple[str, int, str | None]) -> None:
    text = openssl(command)
    key = load_private_key(text)
    assert (key_type(key), key_bits(key), curve_name(key)) == expected
    if "rsa-pss" not in command:
        assert public_pem(key) == openssl("pkey -pubout", text)


@pytest.mark.parametrize(
    "dressed",
    [
        lambda pem: pem.replace("\n", "\r\n"),
        lambda pem: pem.replace("\n", "\r"),
        lambda pem: "\ufeff" + pem,
        lambda pem: pem.rstrip("\n"),
        lambda pem: "Bag Attributes\n    friendlyName: ü\n" + pem + "trailing: text\n",
        lambda pem: "\n".join("    " + line for line in pem.splitlines()),
        lambda pem: " ".join(pem.splitlines()),
        lambda pem: pem.replace("\n", "\n\n"),
        lambda pem: pem.replace("\n", " \t\n"),
        lambda pem: openssl("req -x509 -key /dev/stdin -subj /CN=a", pem) + pem,
        lambda pem: pem + openssl(SEC1),
    ],
)
@pytest.mark.parametrize("command", [RSA, TRADITIONAL, SEC1])
def test_pasted_keys_are_read(command: str, dressed) -> None:  # type: ignore[no-untyped-def]
    pem = openssl(command)
    assert public_der(load_private_key(dressed(pem))) == public_der(load_private_key(pem))


def body(pem: str) -> str:
    return "".join(pem.splitlines()[1:-1])


def test_text_that_is_no_key() -> None:
    pem = openssl(RSA)
    short = body(openssl("genpkey -algorithm ed25519"))[:40]
    broken = base64.b64encode(base64.b64decode(body(pem))[:-9]).decode()
    for text in (
        "",
        " \n\t",
        "account.key",
        "-----BEGIN PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\n!!!!\n-----END PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
        f"-----BEGIN PRIVATE KEY-----\n{broken}\n-----END PRIVATE KEY-----",
        f"-----BEGIN PRIVATE KEY-----\n{body(pem)[:-1]}\n-----END PRIVATE KEY-----",
        f"-----BEGIN EC PRIVATE KEY-----\n{short}\n-----END EC PRIVATE KEY-----",
        pem[: len(pem) // 2],
        pem.replace("\n", "\\n", 3),
        body(pem),
        pem.replace("PRIVATE KEY", "OPENSSH PRIVATE KEY"),
        pem.replace("PRIVATE KEY", "SOMETHING"),
        '{"kty": "EC", "crv": "P-256"}',
        "\x00" * 100,
        "\ud800",
        "-----BEGIN PRIVATE KEY-----" * 20000,
        "x" * (1 << 20),
        openssl("ecparam -name prime256v1"),
    ):
        assert kind(text) == "format", text[:60]


def test_public_things() -> None:
    key = openssl(RSA)
    for text in (
        openssl("pkey -pubout", key),
        openssl("rsa -RSAPublicKey_out", key),
        openssl("req -new -key /dev/stdin -subj /CN=a", key),
        openssl("req -x509 -key /dev/stdin -subj /CN=a", key),
    ):
        assert kind(text) == "public"


@pytest.mark.parametrize(
    "command",
    [
        "genrsa -aes128 -passout pass:secret 2048",
        "genrsa -traditional -aes128 -passout pass:secret 2048",
        "genpkey -algorithm ed25519 -aes256 -pass pass:secret",
    ],
)
def test_encrypted_keys(command: str) -> None:
    assert kind(openssl(command)) == "encrypted"


@pytest.mark.parametrize("bits", [512, 1024, 2040])
@pytest.mark.parametrize("form", ["genrsa", "genrsa -traditional"])
def test_weak_keys(form: str, bits: int) -> None:
    assert kind(openssl(f"{form} {bits}")) == "weak"


@pytest.mark.parametrize("bits", [4201, 200_003])
def test_keys_that_are_too_large(bits: int) -> None:
    """No prime is tested, which would take minutes."""
    p, q = (1 << bits) - 1, (1 << bits + 2) - 1  # no primes, but that is not what is looked at
    with pytest.raises(KeyFormatError) as raised:
        load_private_key(rsa_pem(p, q))
    assert raised.value.errorcode == ("TOSSL", "KEY", "size")


@pytest.mark.parametrize("curve", ["prime192v1", "secp224r1", "secp256k1", "brainpoolP256r1", "sect233k1"])
def test_other_curves(curve: str) -> None:
    assert kind(openssl(f"ecparam -name {curve} -genkey")) == "curve"


@pytest.mark.parametrize(
    "command", ["genpkey -algorithm ed448", "genpkey -algorithm x25519", "genpkey -algorithm x448"]
)
def test_other_types(command: str) -> None:
    assert kind(openssl(command)) == "type"


def test_dsa() -> None:
    key = generate_private_key("dsa")
    assert kind(private_pem(key)) == "type"
    form = PrivateFormat.TraditionalOpenSSL
    assert kind(key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()) == "type"


def der(*numbers: int) -> bytes:
    def tlv(tag: int, value: bytes) -> bytes:
        size = len(value)
        octets = (size.bit_length() + 7) // 8
        length = bytes([size]) if size < 128 else bytes([0x80 + octets]) + size.to_bytes(octets, "big")
        return bytes([tag]) + length + value

    return tlv(0x30, b"".join(tlv(2, number.to_bytes(number.bit_length() // 8 + 1, "big")) for number in numbers))


def rsa_pem(p: int, q: int, /, **changed: int) -> str:
    e = 65537
    d = pow(e, -1, (p - 1) * (q - 1))
    numbers = {"v": 0, "n": p * q, "e": e, "d": d, "p": p, "q": q}
    numbers |= {"dp": d % (p - 1), "dq": d % (q - 1), "qi": pow(q, -1, p)} | changed
    text = base64.b64encode(der(*numbers.values())).decode()
    return f"-----BEGIN RSA PRIVATE KEY-----\n{text}\n-----END RSA PRIVATE KEY-----"


def test_damaged_rsa_keys() -> None:
    """A wrong number in the key would make a wrong signature, from which the primes can be computed."""
    sound = rsa.generate_private_key(65537, 2048).private_numbers()
    p, q = sound.p, sound.q
    assert load_private_key(rsa_pem(p, q))
    for name, number in {
        "n": p * q + 2,
        "e": 65539,
        "d": sound.d + 2,
        "p": p + 2,
        "q": q + 2,
        "dp": sound.dmp1 + 1,
        "dq": sound.dmq1 + 1,
        "qi": sound.iqmp + 1,
    }.items():
        assert kind(rsa_pem(p, q, **{name: number})) == "format", name
    for name in ("n", "e", "d", "p", "q", "dp", "dq", "qi"):
        for number in (0, 1):
            assert kind(rsa_pem(p, q, **{name: number})) in ("format", "weak"), (name, number)


def test_ec_keys_with_another_public_key() -> None:
    pems = [openssl("ecparam -name prime256v1 -genkey -noout"), private_pem(ec.generate_private_key(ec.SECP256R1()))]
    for pem in pems:
        other = public_der(ec.generate_private_key(ec.SECP256R1()))[-65:]
        raw = base64.b64decode(body(pem))
        at = raw.index(public_der(load_private_key(pem))[-65:])
        mixed = base64.b64encode(raw[:at] + other + raw[at + 65 :]).decode()
        label = pem.splitlines()[0].strip("-").removeprefix("BEGIN ")
        assert kind(f"-----BEGIN {label}-----\n{mixed}\n-----END {label}-----") == "format"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (("rsa",), ("rsa", 2048, None)),
        (("RSA", 3072), ("rsa", 3072, None)),
        (("ec",), ("ec", 256, "prime256v1")),
        (("ec", 384), ("ec", 384, "secp384r1")),
        (("ec", 521), ("ec", 521, "secp521r1")),
        (("ec", 256, "P-256"), ("ec", 256, "prime256v1")),
        (("ec", None, "SECP256R1"), ("ec", 256, "prime256v1")),
        (("ec", None, "p-384"), ("ec", 384, "secp384r1")),
        (("ec", None, "secp256k1"), ("ec", 256, "secp256k1")),
        (("ec", None, "brainpoolp384r1"), ("ec", 384, "brainpoolP384r1")),
        (("ed25519",), ("ed25519", 256, None)),
        (("ed25519", 256), ("ed25519", 256, None)),
        (("dsa", 2048), ("dsa", 2048, None)),
    ],
)
def test_generated_keys(given: tuple[str, int, str], expected: tuple[str, int, str | None]) -> None:
    key = generate_private_key(*given)
    assert (key_type(key), key_bits(key), curve_name(key)) == expected
    pem = private_pem(key)
    assert pem.startswith("-----BEGIN PRIVATE KEY-----\n")
    assert openssl("pkey -pubout", pem) == public_pem(key)
    assert openssl("pkey -check -noout", pem).strip() == "Key is valid"
    if expected[0] in ("rsa", "ed25519") or expected[2] in ACME_CURVES:
        assert public_der(load_private_key(pem)) == public_der(key)


@pytest.mark.parametrize(
    ("argument", "given"),
    [
        ("type", ("",)),
        ("type", ("ed448",)),
        ("type", ("rsa ",)),
        ("bits", ("rsa", 1024)),
        ("bits", ("rsa", 2047)),
        ("bits", ("rsa", 2049)),
        ("bits", ("rsa", 8200)),
        ("bits", ("rsa", -2048)),
        ("bits", ("rsa", 0)),
        ("bits", ("dsa", 1024)),
        ("bits", ("dsa", 4096)),
        ("bits", ("ec", 0)),
        ("bits", ("ec", 255)),
        ("bits", ("ec", 384, "prime256v1")),
        ("bits", ("ec", 0, "prime256v1")),
        ("bits", ("ed25519", 255)),
        ("curve", ("rsa", None, "prime256v1")),
        ("curve", ("rsa", None, "")),
        ("curve", ("ed25519", None, "ed25519")),
        ("curve", ("dsa", 2048, "P-256")),
        ("curve", ("ec", None, "")),
        ("curve", ("ec", None, "P-257")),
        ("curve", ("ec", None, "secp192r1")),
    ],
)
def test_bad_choices(argument: str, given: tuple[str, int, str]) -> None:
    with pytest.raises(ArgumentError) as raised:
        generate_private_key(*given)
    assert raised.value.errorcode == ("TOSSL", "VALUE", argument)
