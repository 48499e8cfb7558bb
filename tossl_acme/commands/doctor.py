"""::tossl::doctor: why certificates cannot be had."""

from __future__ import annotations

from ..context import Context, seconds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..challenges.solver import SolverOptions
    from ..http.options import ConnectionOptions
    from ..store.protocol import Store
    from .groups import Authorities, Lazy, TclFacts, Words

#: The command is in ::tossl itself.
NAMESPACE = ""


def doctor(
    names: list[str] = [],  # noqa: B006 - only read
    *,
    authorities: Lazy[Authorities],
    solvers: Lazy[SolverOptions],
    store: Store | None,
    as_kept: bool = True,
    count_limits: bool = False,
    connection: ConnectionOptions,
    tcl: TclFacts,
    words: Words,
    context: Context = seconds(180),
) -> list[dict[str, object]]:
    """Looks at all that certificates for these names need. Orders nothing, and makes no account.

    Looks at the machine, the store, the CAs and each name, side by side. Whatever is wrong is in the result, and no
    error. Presents a throw-away token as a challenge's would be, and asks for it over each address of a name, as a CA
    does: at port 80 or 443, without a proxy, along redirects. With a DNS provider, writes a throw-away TXT record at
    each name, and removes it again.

    names  a list of names of kept certificates, or of names in them: these certificates are looked at with the options
           that they were obtained with. Other names are looked at together, with the options given here, as
           obtain_certificate takes them. Empty is all that are kept; without any, machine, store and CA
    -store folder  the store of obtain_certificate, found as there
    -as_kept boolean
           0 looks at all names with the options given here, whatever is kept
    -count_limits boolean
           1 counts Let's Encrypt's published limits also for other CAs

    Returns a list of dicts, in the order of the checks:

    check    python libraries tcl; store space owner rights records; ca proxy clock terms account profile; options
             challenge held error renewal deploy limits; addresses port redirect nat; caa cname txt persist credentials
    subject  the name, the CA's URL or the path that it is about
    status   ok, warning or failed
    message  the reason
    advice   the way to mend it; empty with ok
    facts    a dict of what was found, such as address, port and redirects, or errorcode

    Errors:
    TOSSL VALUE names  not names, or no domain names
    """
    from ..certificates.doctor import examine
    from ..certificates.doctor.chosen import Given, examination

    given = Given(authorities, solvers, connection, words, as_kept)
    looked_at = examination(context, names, store, given, tcl, counts=count_limits)
    return [finding.as_dict() for finding in examine(context, looked_at)]


COMMANDS = (doctor,)
