"""Certificates that another program got."""

from __future__ import annotations

from ...context import Context, seconds
from ...errors import ArgumentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...certificates.node_files import NodeFiles
    from ...challenges.solver import SolverOptions
    from ...files import FilePath
    from ...http.options import ConnectionOptions
    from ..groups import CertificateStore, Lazy


def _programs() -> Sequence[str]:
    from ...certificates.imported import names_of_programs

    return tuple(names_of_programs())


#: The words in braces below, and those that an argument may have.
TEXTS = {"import_programs": _programs}
CHOICES = {"program": _programs}


def import_certificate(
    program: str,
    path: FilePath,
    *,
    names: list[str] = [],  # noqa: B006 - only read
    directory: str = "",
    email: str = "",
    replace: bool = False,
    dry_run: bool = False,
    pem_file: FilePath | None = None,
    links: bool = False,
    solvers: Lazy[SolverOptions],
    store: CertificateStore | None,
    files: NodeFiles | None,
    connection: Lazy[ConnectionOptions],
    context: Context = seconds(60),
) -> dict[str, object]:
    """Takes the certificates of another ACME program into the store, with keys and accounts. Sends nothing.

    Each certificate is checked before anything is written: its key fits, its chain can be read, it has not expired, its
    account is there, and it is known how its names are proven. The tree is only read, but for -links. From then
    on renew_certificate renews it, under the same account and with the name of the certificate that it replaces (RFC
    9773): take the other program's timer away. Notes tell of hooks, which are not taken over.

    Names are proven as the tree has it (certbot: standalone and webroot; acme.sh: standalone, alpn and webroot;
    dehydrated: http-01 where WELLKNOWN ends with /.well-known/acme-challenge). Where it has no record of that, or the
    other program's own plugin proved them, give -webroot, -port, -http01_response, or -provider with its options: they
    are for all certificates of the call, so choose the certificates by -names. No secret of a DNS provider is copied:
    messages name the file or variable that it is in.

    program                {import_programs}
    path                   its folder: certbot's --config-dir (/etc/letsencrypt), acme.sh's --config-home (~/.acme.sh),
                           lego's --path (.lego), the folder with dehydrated's config or its BASEDIR, the sslpath of
                           NaviServer's module letsencrypt (modules/nsssl)
    -names list            the certificates to take, as the program names them; default: all
    -directory url         the CA, as directory_url, where the program keeps only its host (lego, naviserver)
    -email address         whose account is meant, where the program has several at one CA (lego)
    -replace boolean       1 also takes what would replace another certificate of that name, or another account at that
                           CA, whose key is put aside in the store
    -dry_run boolean       1 checks and tells the same, and writes nothing
    -pem_file path         as in obtain_certificate, for one certificate: written now and by each renewal. Those of
                           NaviServer's module are written by renewals in any case
    -links boolean         1 makes the files that servers read (certbot's live/, dehydrated's certs/, lego's
                           certificates/, where acme.sh installed) links to those in -files, else in the store, so that
                           their configuration need not change; each file of before stays beside it, as
                           NAME.before-tossl

    Returns a dict:

    imported  a list of dicts, one for each certificate that was taken, or would be: name, domains (a list), not_after
              (epoch seconds), directory, account (its URL; empty if the program has not kept it), source (where it was
              found), renewable (0 if a secret was given as it is), notes (a list of what has to be known), files (as in
              list_certificates; empty with -dry_run)
    skipped   a list of dicts name source message, one for each certificate that was not taken, with the cause
    accounts  a list of dicts directory url source of the accounts that were taken with them

    Errors:
    TOSSL VALUE program    not one of these programs
    TOSSL VALUE path       not a folder of this program, or it cannot be read
    TOSSL VALUE names      the tree has no such certificate
    TOSSL VALUE directory  neither an https URL nor a CA's short name
    TOSSL VALUE pem_file   the file cannot be written, or there are several certificates
    TOSSL VALUE store      -store is empty
    """
    from ...acme.public_cas import directory_url
    from ...certificates.foreign.tree import Tree
    from ...certificates.imported import Wishes, import_tree

    if store is None:
        raise ArgumentError("store", "-store must not be empty here: certificates are kept in the store")
    try:
        ca = directory_url(directory) if directory else ""
    except ArgumentError as error:
        raise ArgumentError("directory", error.message) from None
    wishes = Wishes(
        tuple(names), solvers(), connection(), pem_file, replace=replace, links=links, is_trial=dry_run, files=files
    )
    return import_tree(context, program, Tree(path, ca, email), store, wishes)


COMMANDS = (import_certificate,)
