"""DNS providers: ::tossl::dns::*."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .groups import Callback


def register(name: str, *, present: Callback, cleanup: Callback, list: Callback | None = None) -> None:
    """Registers a DNS provider that is written in Tcl, usable wherever the name of a provider is.

    Replaces an earlier one of that name and interpreter. It is known in the whole process; where several interpreters
    register one name, each thread uses its own. Its prefixes are called one at a time, in this interpreter's own
    thread, also for an issuance in the background, whose calls the event loop makes. An error of theirs becomes that
    of the provider: its message, and the kind of its errorcode if that is {TOSSL DNS name kind}, else refused. The kind
    answer means that the same call may succeed in a moment: a record is then removed again later.

    name             up to 24 lower-case letters, digits, hyphens and underscores
    -present prefix  called with the name of a TXT record, without a final dot, and a value: adds the value beside the
                     existing ones
    -cleanup prefix  called with the same words: removes this value and no other; there may be none
    -list prefix     called with the name: returns a list of the TXT values there. Without it cleanup_dns needs -value

    Errors:
    TOSSL VALUE name     not such a name, or that of a provider which comes with this package
    TOSSL VALUE present  missing, or not a command prefix
    TOSSL VALUE cleanup  missing, or not a command prefix
    TOSSL VALUE list     not a command prefix
    """
    from ..dns.registered import RegisteredProvider
    from ..dns.registry import add_provider

    add_provider(RegisteredProvider(name, present, cleanup, list))


def providers() -> dict[str, list[str]]:
    """Lists the DNS providers, with the environment variables that each reads.

    tossl::help NAME describes a provider, with its fields for -credentials.

    Returns a dict by name, sorted: each value is a list of variables.
    """
    from ..dns.registry import provider_credentials

    return {
        name: [variable for credential in credentials for variable in credential.environment]
        for name, credentials in provider_credentials().items()
    }


COMMANDS = (register, providers)
