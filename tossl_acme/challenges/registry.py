"""The challenge types by name, and the names that their DNS records can have."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module

from ..errors import ArgumentError
from ..identifiers import MAX_NAME_CHARS
from ..text import quoted
from .solver import ChallengeType

#: The files of the types, in the order in which messages list these. A file has its type's name: dns_account01.
FILES = ("http01", "dns01", "tls_alpn01", "dns_account01", "dns_persist01")


class ChallengeTypes(Mapping[str, ChallengeType]):
    """The types by name. A type's file is loaded when its declaration is asked for: a call needs few of them."""

    def __init__(self, files: Iterable[str]) -> None:
        self._files = {f"{file[:-2].replace('_', '-')}-{file[-2:]}": file for file in files}

    def __getitem__(self, name: str) -> ChallengeType:
        declared: ChallengeType = import_module(f".{self._files[name]}", __package__).TYPE
        return declared

    def __contains__(self, name: object) -> bool:
        return name in self._files

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


TYPES = ChallengeTypes(FILES)

_LABEL = "[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"


def is_validation_name(fqdn: str) -> bool:
    """Returns whether a name can be that of an ACME validation record: a type's labels before a domain.

    RFC 8555 section 8.4, draft-ietf-acme-dns-account-label, draft-ietf-acme-dns-persist.
    """
    from ..dns.provider import canonical_name  # a DNS provider's parts: http-01 needs none

    name = canonical_name(fqdn)
    labels = "|".join(kind.dns_label for kind in TYPES.values() if kind.dns_label)
    return len(name) <= MAX_NAME_CHARS and bool(re.fullmatch(rf"({labels})(\.{_LABEL})+", name))


def check_validation_name(fqdn: str) -> None:
    """Raises ArgumentError "record_name" for any other name: this package never deletes other records."""
    if not is_validation_name(fqdn):
        raise ArgumentError("record_name", f"{quoted(fqdn)} is not the name of an ACME validation record")
