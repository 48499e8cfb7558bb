"""The options that open a DNS provider: whoever proves names by http-01 needs no more of the DNS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..errors import ArgumentError
from ..http.options import ConnectionOptions
from ..text import Secret, quoted

#: The key of ProviderOptions.by_name for all other names.
DEFAULT_NAME = "default"


@dataclass(frozen=True, repr=False)
class ProviderOptions:
    """A script's options for its DNS provider, plain data.

    credentials: by field; those that are no secrets as text. credentials_text: lines KEY=value, of a file or a
    variable. by_name: the providers of single names and zones, by these; DEFAULT_NAME is for all others, and `name` is
    empty then.
    """

    name: str
    credentials: Mapping[str, Secret | str] = field(default_factory=dict)
    zone_id: str = ""
    endpoint: str = ""
    connection: ConnectionOptions = field(default_factory=ConnectionOptions)
    credentials_text: Secret | None = None
    by_name: Mapping[str, ProviderOptions] = field(default_factory=dict)

    def for_name(self, *names: str) -> ProviderOptions:
        """Returns the options for the first of the names that by_name has a key for: itself, or a zone above it.

        The longest key counts. Raises ArgumentError "provider" if neither these names nor DEFAULT_NAME have one.
        """
        if not self.by_name:
            return self
        from .provider import canonical_name

        for name in map(canonical_name, names):
            labels = name.split(".")
            for zone in (".".join(labels[at:]) for at in range(len(labels))):
                if zone in self.by_name:
                    return self.by_name[zone]
        if DEFAULT_NAME not in self.by_name:
            name = canonical_name(names[-1])
            raise ArgumentError("provider", f"-provider has no entry for {quoted(name)}, and no {DEFAULT_NAME}")
        return self.by_name[DEFAULT_NAME]
