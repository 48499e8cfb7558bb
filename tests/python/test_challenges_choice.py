"""The words of -challenge: who proves which name."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tossl_acme.challenges.choice import choose
from tossl_acme.challenges.dns01 import Dns01
from tossl_acme.challenges.http01 import HttpServerSolver
from tossl_acme.challenges.registry import TYPES
from tossl_acme.challenges.solver import SolverOptions
from tossl_acme.challenges.tls_alpn01 import TlsAlpn01
from tossl_acme.dns.options import ProviderOptions
from tossl_acme.errors import ArgumentError, DnsError
from tossl_acme.identifiers import parse_identifiers

NAMES = parse_identifiers(["one.example", "*.one.example", "two.example", "2001:db8::1"])
PROVIDER = ProviderOptions("generic", {}, endpoint="https://dns.example")


def types(*words: str, provider: ProviderOptions | None = PROVIDER) -> list[list[str]]:
    """The challenge types for each of NAMES."""
    options = SolverOptions(words, port=0, tls_port=0, provider=provider)
    chosen = choose(options, NAMES)
    assert tuple(chosen) == NAMES
    return [[solver.challenge_type for solver in solvers] for solvers in chosen.values()]


def test_a_list_is_for_every_name() -> None:
    assert types("tls-alpn-01", "dns-01", "tls-alpn-01") == [["tls-alpn-01", "dns-01"]] * 4


def test_without_words_the_provider_decides() -> None:
    assert types() == [["dns-01"]] * 4
    assert types(provider=None) == [["http-01"]] * 4


def test_a_dict_has_a_list_for_each_name() -> None:
    words = ("ONE.example", "dns-01", "*.one.example", "dns-account-01 dns-01", "default", "http-01", "2001:DB8::1",
             "tls-alpn-01")  # fmt: skip
    assert types(*words) == [["dns-01"], ["dns-account-01", "dns-01"], ["http-01"], ["tls-alpn-01"]]


def test_every_type_can_be_made_and_each_is_made_once() -> None:
    chosen = choose(SolverOptions(tuple(TYPES), port=0, tls_port=0, provider=PROVIDER), NAMES)
    assert [solver.challenge_type for solver in chosen[NAMES[0]]] == list(TYPES)
    assert all(chosen[name] == chosen[NAMES[0]] for name in NAMES)
    assert {HttpServerSolver, Dns01, TlsAlpn01} <= {type(solver) for solver in chosen[NAMES[0]]}


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        (["dns-02"], "nor one of http-01, dns-01"),
        (["http-01", "dns-02"], "nor one of http-01, dns-01"),
        (["one.example"], "nor one of http-01, dns-01"),
        (["nonsense", "http-01"], "nor one of http-01, dns-01"),
        (["one.example", "http-02", "default", "http-01"], "nor one of http-01, dns-01"),
        (["default", ""], "has an empty list"),
        (["three.example", "http-01", "default", "http-01"], "is not among the domains"),
        (["a..b", "http-01", "default", "http-01"], "has an empty label"),
        (["one.example", "http-01"], "and no default"),
    ],
)
def test_words_that_choose_nothing(words: list[str], cause: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        types(*words)
    assert caught.value.errorcode == ("TOSSL", "VALUE", "challenge")
    assert cause in caught.value.message


@pytest.mark.parametrize(
    ("options", "argument"),
    [
        (lambda: SolverOptions(("http-01",)), "webroot"),
        (lambda: SolverOptions(("http-01",), port=65536), "port"),
        (lambda: SolverOptions(("tls-alpn-01",), tls_port=-1), "port"),
        (lambda: SolverOptions(("dns-01",)), "provider"),
        (lambda: SolverOptions(("dns-account-01",)), "provider"),
        (lambda: SolverOptions(("dns-01",), provider=PROVIDER, resolvers=("a b",)), "resolvers"),
        (lambda: SolverOptions(("dns-01",), provider=ProviderOptions("generic")), "endpoint"),
        (lambda: SolverOptions(("dns-01",), provider=PROVIDER, propagation_timeout=-1), "propagation_timeout"),
    ],
    ids=range(8),
)
def test_what_a_type_needs_is_asked_for_before_anything_is_sent(
    options: Callable[[], SolverOptions], argument: str
) -> None:
    with pytest.raises(ArgumentError) as caught:
        choose(options(), NAMES)
    assert caught.value.errorcode == ("TOSSL", "VALUE", argument)


def test_a_provider_that_is_none() -> None:
    with pytest.raises(DnsError) as caught:
        choose(SolverOptions(provider=ProviderOptions("nonesuch")), NAMES)
    assert caught.value.errorcode == ("TOSSL", "DNS", "nonesuch", "unsupported")
