"""Secrets hide in whatever shows them."""

from __future__ import annotations

from tossl_acme.text import Secret


def test_no_text_of_it_has_the_value() -> None:
    for secret in (Secret("hush"), Secret("hush", file="/run/key"), Secret("hush", env="API_TOKEN")):
        assert "hush" not in f"{secret} {secret!r} {[secret]} {{'a': secret}}"
        assert secret.value == "hush"
    assert repr(Secret("hush", env="API_TOKEN")) == "Secret(env='API_TOKEN')"


def test_equal_by_value_and_origin() -> None:
    assert Secret("hush") == Secret("hush")
    assert len({Secret("hush"), Secret("hush"), Secret("hush", file="f"), Secret("other")}) == 3
    assert Secret("hush") != "hush"
