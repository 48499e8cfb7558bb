"""The names that validation records can have: nothing else is ever deleted."""

from __future__ import annotations

import pytest

from tossl_acme.challenges.registry import check_validation_name, is_validation_name
from tossl_acme.errors import ArgumentError


@pytest.mark.parametrize(
    "name",
    [
        "_acme-challenge.example.com",
        "_ACME-Challenge.Example.COM.",
        "_acme-challenge.xn--bcher-kva.example",
        "_ujmmovf2vn55tgye._acme-challenge.www.example.org",
        "_validation-persist.example.com",
    ],
)
def test_validation_names(name: str) -> None:
    assert is_validation_name(name)
    check_validation_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "example.com",
        "www.example.com",
        "_acme-challenge",
        "_acme-challenge.",
        "_acme-challenge..com",
        "x._acme-challenge.example.com",
        "_dmarc._acme-challenge.example.com",
        "_acme-challengeX.example.com",
        "acme-challenge.example.com",
        "_acme-challenge.exa mple.com",
        "_acme-challenge.example.com/../x",
        "_acme-challenge.*.example.com",
        f"_acme-challenge.{'a' * 64}.com",
        "_acme-challenge." + "a.b" * 90,
    ],
)
def test_other_names(name: str) -> None:
    assert not is_validation_name(name)
    with pytest.raises(ArgumentError) as caught:
        check_validation_name(name)
    assert caught.value.errorcode == ("TOSSL", "VALUE", "record_name")
