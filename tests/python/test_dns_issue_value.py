"""The value of CAA issue properties and dns-persist-01 records (RFC 8659 section 4.2)."""

from __future__ import annotations

import pytest

from tossl_acme.dns.issue_value import parse_issue_value


@pytest.mark.parametrize(
    ("text", "issuer", "parameters"),
    [
        ("ca1.example.net", "ca1.example.net", {}),
        ("ca1.example.net; account=230123", "ca1.example.net", {"account": "230123"}),
        (
            "  CA1.Example.net\t;  Account = 230123 ; policy=ev  ",
            "ca1.example.net",
            {"account": "230123", "policy": "ev"},
        ),
        (
            "ca.example; accounturi=https://ca.example/acct?a=b&c",
            "ca.example",
            {"accounturi": "https://ca.example/acct?a=b&c"},
        ),
        (";", "", {}),
        ("", "", {}),
        ("; a=b", "", {"a": "b"}),
        ("ca.example; a=", "ca.example", {"a": ""}),
        ("ca.example; a=1;", "ca.example", {"a": "1"}),
    ],
)
def test_what_a_value_says(text: str, issuer: str, parameters: dict[str, str]) -> None:
    found = parse_issue_value(text)
    assert (found.issuer, dict(found.parameters)) == (issuer, parameters)


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("%%%%%", "no domain name"),
        ("-ca.example", "no domain name"),
        ("ca..example", "no domain name"),
        ("ca.example.", "no domain name"),
        ("ca.example a=b", "no domain name"),
        ("ca.example; a", "tag=value"),
        ("ca.example; a=b c", "tag=value"),
        ("ca.example; a_b=c", "tag=value"),
        ("ca.example;; a=b", "tag=value"),
        ("ca.example; a=b; A=c", "two parameters a"),
        ("ca.example; a=" + "b" * 70_000, "too long"),
        ("ca.example; a=\u00e9", "tag=value"),
    ],
    ids=lambda value: value[:24],
)
def test_a_malformed_value_says_what_is_wrong(text: str, cause: str) -> None:
    with pytest.raises(ValueError, match=cause):
        parse_issue_value(text)
