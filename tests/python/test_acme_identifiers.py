"""What a user types as a name, and what is sent for it."""

from __future__ import annotations

import pytest

from tossl_acme.errors import ArgumentError
from tossl_acme.identifiers import Identifier, check_provable_by_dns, parse_identifier, parse_identifiers
from tossl_acme.text import quoted

LONG = ".".join(["a" * 63] * 3 + ["b" * 61])


@pytest.mark.parametrize(
    ("typed", "kind", "sent"),
    [
        ("example.com", "dns", "example.com"),
        ("EXAMPLE.Com.", "dns", "example.com"),
        ("*.Example.com", "dns", "*.example.com"),
        ("bücher.example", "dns", "xn--bcher-kva.example"),
        ("*.Bücher.example", "dns", "*.xn--bcher-kva.example"),
        ("faß.example", "dns", "xn--fa-hia.example"),
        ("xn--bcher-kva.example", "dns", "xn--bcher-kva.example"),
        ("localhost", "dns", "localhost"),
        (LONG, "dns", LONG),
        ("192.0.2.1", "ip", "192.0.2.1"),
        ("2001:DB8:0:0::1", "ip", "2001:db8::1"),
        ("::ffff:192.0.2.1", "ip", "::ffff:c000:201"),
    ],
)
def test_a_name_is_sent_in_its_normal_form(typed: str, kind: str, sent: str) -> None:
    """A-labels (RFC 8555 section 7.1.4); addresses as RFC 5952 section 4 writes them (RFC 8738 section 3)."""
    assert parse_identifiers([typed]) == (Identifier(kind, sent),)


@pytest.mark.parametrize(
    "typed",
    [
        "",
        " ",
        "a b.example",
        "a\tb.example",
        "a\0b.example",
        "a.example\n",
        "a\u200bb.example",
        LONG + "c",
        "a" * 64 + ".example",
        "*",
        "*.",
        "*.com.*",
        "a.*.example",
        "a*.example",
        "**.example",
        "*.*.example",
        ".example",
        "a..example",
        "-a.example",
        "a-.example",
        "a_b.example",
        "http://a.example",
        "a.example/",
        "a.example:80",
        "a@example",
        "1.2.3",
        "192.0.2.256",
        "*.192.0.2.1",
        "192.0.2.0/24",
        "[2001:db8::1]",
        "fe80::1%eth0",
        "xn--\u00fc.example",
        "\u2100.example",
        "\ud800.example",
    ],
)
def test_what_is_no_name_is_refused(typed: str) -> None:
    """With the errorcode of the argument, whatever it holds."""
    with pytest.raises(ArgumentError, match="Failed to parse domains: ") as raised:
        parse_identifiers([typed])
    assert raised.value.errorcode == ("TOSSL", "VALUE", "domains")
    assert raised.value.message.isprintable()


@pytest.mark.parametrize(
    "line",
    [
        "MHcCAQEEIIrYSSNQFaA2Hwf1duRSxKtLYX5CB04fSeQ6tF1aY/PuoAoGCCqGSM49",
        "MHcCAQEEIIrYSSNQF/A2Hwf1duRSxKtL/X5CB04fSeQ6tF1a/QPuoAoGCCqG/M49",
        "AwEHoUQDQgAEPR3tU2Fta9ktY+6P9G0cWO+0kETA6SFs38GecTyudlHz6xvCdz8q",
    ],
)
def test_a_line_of_a_key_is_not_shown(line: str) -> None:
    """Base64 with a slash in it is no path."""
    with pytest.raises(ArgumentError) as raised:
        parse_identifiers([line])
    assert not any(line[at : at + 6] in raised.value.message for at in range(len(line)))


@pytest.mark.parametrize("path", ["https://a.example/", "/srv/", "./srv/", "../srv/", "~/srv/"])
def test_a_url_or_a_path_is_shown(path: str) -> None:
    """Whatever its parts are called."""
    assert path in quoted(f"{path}site-1-of-all-the-sites-2")


def test_no_name_at_all_is_refused() -> None:
    """An order is for something."""
    with pytest.raises(ArgumentError, match="no domain names"):
        parse_identifiers([])


def test_more_names_than_a_certificate_has_are_refused() -> None:
    names = [f"{number}.example" for number in range(5001)]
    assert len(parse_identifiers(names[1:])) == 5000
    with pytest.raises(ArgumentError, match="5001 names are more than the 5000"):
        parse_identifiers(names)


def test_a_name_is_asked_for_once() -> None:
    """In the order in which names were first given."""
    found = parse_identifiers(["b.example", "a.example", "B.example.", "bücher.example", "xn--bcher-kva.example"])
    assert [identifier.value for identifier in found] == ["b.example", "a.example", "xn--bcher-kva.example"]


@pytest.mark.parametrize("odd", [None, 7, [], "example.com", {}])
def test_what_a_server_sends_is_never_trusted_to_be_a_name(odd: object) -> None:
    """It becomes text to be compared, which equals no name."""
    assert Identifier.from_json(odd) == Identifier("", "")


@pytest.mark.parametrize(
    ("kind", "value", "normal"),
    [
        ("dns", "*.Example.COM", "*.example.com"),
        ("dns", "Example.COM.", "example.com"),
        ("ip", "2001:DB8:0:0::1", "2001:db8::1"),
        ("ip", "::FFFF:192.0.2.1", "::ffff:c000:201"),
    ],
)
def test_equal_names_are_equal_in_their_normal_form(kind: str, value: str, normal: str) -> None:
    """Whoever wrote them: a user, a CA, a certificate."""
    assert Identifier(kind, value).normal == Identifier(kind, normal)
    assert Identifier.from_json({"type": kind, "value": value}) == Identifier(kind, normal)


@pytest.mark.parametrize(
    ("value", "ordered"),
    [
        ("Bücher.example", "xn--bcher-kva.example"),
        ("*.bücher.example.", "*.xn--bcher-kva.example"),
        ("faß.example", "xn--fa-hia.example"),
        ("ü..example", "ü..example"),
    ],
)
def test_a_server_may_write_a_name_in_unicode(value: str, ordered: str) -> None:
    """In an authorization for an ordered A-label."""
    assert Identifier.from_json({"type": "dns", "value": value}).value == ordered


@pytest.mark.parametrize(("kind", "value"), [("ip", "300.0.0.1"), ("ip", ""), ("email", "a@example.com"), ("", "")])
def test_what_has_no_normal_form_stays_as_it_was_sent(kind: str, value: str) -> None:
    """It equals no name that is ordered."""
    assert Identifier.from_json({"type": kind, "value": value}) == Identifier(kind, value)
    with pytest.raises(ValueError):
        _ = Identifier(kind, value).normal


def test_a_wildcard_is_proven_by_its_base() -> None:
    """RFC 8555 section 7.1.3: the authorization is for the name without "*."."""
    wildcard, plain = parse_identifiers(["*.example.com", "example.com"])
    assert (wildcard.wildcard, plain.wildcard) == (True, False)
    assert wildcard.base == plain.base == plain


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1"])
def test_no_dns_record_proves_an_address(address: str) -> None:
    """RFC 8738 section 7."""
    with pytest.raises(ArgumentError, match="RFC 8738") as raised:
        check_provable_by_dns(parse_identifier(address))
    assert raised.value.errorcode == ("TOSSL", "VALUE", "domain")
    check_provable_by_dns(parse_identifier("*.example.com"))


def test_a_single_name_is_refused_under_its_argument() -> None:
    """An argument called domain is not called domains in the error."""
    with pytest.raises(ArgumentError, match="Failed to parse domains: ") as raised:
        parse_identifier("a b")
    assert raised.value.errorcode == ("TOSSL", "VALUE", "domain")
