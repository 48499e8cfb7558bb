"""A certificate in one call."""

from __future__ import annotations

import os

from ...context import Context, seconds
from ...errors import AcmeError, ArgumentError, error_context

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...acme.server import Server
    from ...certificates.deploy import Hooks
    from ...certificates.issuance import Issuance
    from ...certificates.key import CertificateKey
    from ...challenges.solver import SolverOptions
    from ...files import FilePath
    from ...http.dial import Connecting
    from ...http.options import ConnectionOptions
    from ...store.protocol import Store
    from ..groups import Authorities, CertificateStore, Lazy, Places, Words


def obtain_certificate(
    domains: list[str],
    *,
    name: str = "",
    force: bool = False,
    replace_names: bool = False,
    authorities: Lazy[Authorities],
    solvers: Lazy[SolverOptions],
    key: Lazy[CertificateKey],
    store: Lazy[CertificateStore | None],
    places: Places,
    hooks: Hooks | None = None,
    dry_run: bool = False,
    connection: Lazy[ConnectionOptions],
    words: Words,
    context: Context = seconds(600),
) -> dict[str, object]:
    """Returns the held certificate for these names; gets a new one if none is held, it is due, or the options differ.

    A new certificate takes one call: account, order, challenges, certificate, files. A held one costs no ACME request:
    at most one GET of its renewal information, for 5 seconds, which may fail. A certificate is due when the CA says so,
    else after 2/3 of its life, or half of a life of 10 days or less. The table under "Held" on this page lists the
    options that are compared.

    Proves every name by the first type in -challenge that the CA offers for it. http-01 needs -webroot, -port or
    -http01_response; tls-alpn-01 uses -tls_port; dns-01 and dns-account-01 need -provider and its options;
    dns-persist-01 needs the record that dns_persist01_record returns. Removes challenge files and DNS records again,
    also after an error; the result names what could not be removed. If a name cannot be proven, deactivates the pending
    authorizations.

    domains                a list of DNS names, perhaps with "*.", and IP addresses; with -csr it may be empty
    -name name             the certificate's name in the store; default: the first of domains. Two certificates for the
                           same domains, such as EC and RSA, need different names
    -force boolean         1 gets a new certificate even if one is held, and skips pauses after failures, but not those
                           that the CA demands. After waiting for another call it returns that call's certificate
    -replace_names boolean
                           1 replaces a certificate that has other domains
    -dry_run boolean       1 tries the set-up at the CA's staging end (letsencrypt, google), whose certificates nobody
                           trusts. Keeps the account there and nothing else; deploys nothing

    If -deploy raises an error, or -deploy_command ends with a status other than 0, the certificate is kept and the
    deployment is owed: the next call for that certificate tries it again, also after the process died. Both may be
    called twice with one certificate. A -deploy that does not return blocks its interpreter, like any script.

    Returns a dict:

    name         what it is kept as
    issued       1 if it was issued just now, 0 if it was held: with 1 a server has to load it
    renewable    1 if its name alone is enough to renew it: it is kept, and nothing secret was given as it is
    domains      a list of its names
    certificate  the certificate alone, PEM text
    chain        the CA's certificates above it, PEM text
    fullchain    both, as web servers need them
    private_key  PEM text; empty with -csr
    not_before   its begin, epoch seconds
    not_after    its end, epoch seconds
    issuer       its issuer's name
    serial       its serial number, hexadecimal
    directory    the CA's directory URL
    files        a dict certificate chain fullchain private_key of paths, in -files, else in the store, empty if neither
                 has files; and pem_file. With -dry_run it is empty, and so are certificate, chain, fullchain and
                 private_key
    clean_up_failed  a list of dicts of challenges that could not be removed again: domain, record or file or port,
                     message; empty as a rule
    warnings     a list of dicts warning message of what did not fail the call but has to be known; empty as a rule.
                 warning is names (it has names that were not asked for), preferred_chain (no chain leads to that
                 issuer), alternate_chain (another chain of the CA cannot be used), chain (it came without its issuer's
                 certificate), deploy (a deployment is owed), put_aside (a certificate of an earlier call cannot serve),
                 fallback (another CA of -directory is asked, or has given no account), account (that of the store has
                 ended; a new one was made), contact (the CA takes no such contact), options (another call is at
                 work on the certificate, so its renewals do not have those of this call: repeat it), layout (no links
                 can be made in the store) or store (root's is in its home folder still, or others can write to it).
                 -progress tells each as the step warning

    Once the CA has issued a certificate, no error loses it: it stays in the store, in the folder pending beside the
    certificate in force. Repeat the call: it goes on from there and orders nothing. Without a store, or if the store
    cannot be written, the error's -tossl dict has certificate, and private_key if tossl made the key. An unusable
    certificate (other names, another key, or expired) is put aside; the message names the folder.

    The call may outlast its -timeout: removing challenge files and DNS records has a time for each, as much as the
    limit, but 10 to 60 seconds. Where one uses up its time, the next ones with that provider have a second each.

    If the process is killed, repeat the call: it takes up the order in its present state, with the same key. It removes
    the challenge files of the dead call, and its DNS records if it has the same provider; else clean_up_failed names
    them. It finds an order whose answer was lost in the account's list of orders; without such a list (Let's Encrypt)
    it places another. A challenge of this package's own server (-port, -tls_port) ends with the process: if the CA was
    about to ask for it, the order becomes invalid, and the call places another.

    Errors: those of the single steps; the CA's errors begin with "Certificate not obtained: ".
    TOSSL RETRY seconds      too many failures just now, or the CA demands a pause; nothing was sent
    TOSSL VALUE name         the name cannot be used in a store
    TOSSL VALUE domains      "Failed to parse domains: " with the name and its fault; or the kept certificate has other
                             domains
    TOSSL VALUE directory    a staging certificate would replace a production one
    TOSSL VALUE private_key  the key of a revoked certificate
    TOSSL VALUE csr          likewise
    TOSSL VALUE store        the store's content is damaged, foreign, or of a later version
    TOSSL VALUE option       the option's value is wrong, or a required option is missing
    TOSSL VALUE dry_run      tossl knows no staging end of this CA
    TOSSL DNS provider kind  a DNS provider failed
    TOSSL ACME badCertificate 200
                             the CA issued an unusable certificate
    """
    files, pem_file = places
    first_name = name or _first_of(domains)
    must_ask = force or dry_run
    connecting = _connect(context, words, len(domains)) if must_ask or _is_unknown(words, first_name) else []
    try:
        from ...certificates.held import held_as_said, told_of, words_digests

        kept_in = store()
        if files is not None or (hooks is not None and hooks.command):
            _check_places(kept_in, first_name, places, hooks)
        said = words_digests(words)
        kept = None
        if kept_in is not None and not must_ask:
            kept = held_as_said(context, kept_in, first_name, said, connection)
    except BaseException:
        _drop(connecting)
        raise
    if kept is not None and kept_in is not None:
        _drop(connecting)
        certificate = told_of(context, kept_in, kept, pem_file)
    else:
        _begin_ahead(context, words, connecting, connection, kept_in, len(domains))
        from ...certificates.obtain import obtain, prove

        issuance = _issuance(domains, authorities, key, solvers, connection, pem_file, hooks)
        with context.naming("clean_up_failed"), error_context("Certificate not obtained", AcmeError):
            if dry_run:
                found = prove(context, issuance, kept_in, name)
            else:
                found = obtain(
                    context, issuance, kept_in, name=name, force=force, replace_names=replace_names, said=said
                )
        certificate = found.as_dict()
    if dry_run:
        certificate |= dict.fromkeys(("certificate", "chain", "fullchain", "private_key"), "")
    else:
        if files is not None:
            files.place(context, certificate)
        if hooks is not None or kept is None or kept.deploy_command:
            from ...certificates.deploy import Hooks, deploy_obtained

            deploy_obtained(context, kept_in, certificate, hooks or Hooks())
    return certificate | {"clean_up_failed": context.told("clean_up_failed"), "warnings": context.told("warning")}


def _issuance(
    domains: list[str], authorities: Lazy[Authorities], key: Lazy[CertificateKey], solvers: Lazy[SolverOptions],
    connection: Lazy[ConnectionOptions], pem_file: FilePath | None, hooks: Hooks | None,
) -> Issuance:  # fmt: skip
    """Returns the request to the first of these CAs; makes its parts, which tells the mistakes in them."""
    from ...certificates.deploy import Hooks
    from ...certificates.issuance import Issuance

    identifiers = key().identifiers(domains)
    (cas, wishes), own = authorities(), hooks or Hooks()
    return Issuance(
        identifiers,
        key=key(),
        order=wishes,
        solvers=solvers(),
        connection=connection(),
        pem_file=pem_file,
        deploy_command=own.command,
        deploy_timeout=own.limit,
    ).at(cas)


def _check_places(store: Store | None, name: str, places: Places, hooks: Hooks | None) -> None:
    """Raises ArgumentError where the files could not be written, or a command would be told of none."""
    from ...certificates.node_files import check_has_files

    files, pem_file = places
    if hooks is not None:
        check_has_files(store, files or pem_file, hooks)
    if files is not None and name:
        files.check(store, name)


def _first_of(domains: list[str]) -> str:
    """Returns the first domain as an order has it, which is what its certificate is kept as."""
    first = domains[0] if domains else ""
    if first.isascii() and first == first.lower() and first[-1:] != "." and ":" not in first:
        return first
    from ...identifiers import parse_identifier

    try:
        return parse_identifier(first).value
    except ArgumentError:  # told in its place
        return first


def _is_unknown(words: Words, name: str) -> bool:
    """Returns whether a look at the disk is enough to say that no certificate of that name is held."""
    from ...store.options import lacks, present_store

    path = words["store"] if "store" in words else present_store()
    return lacks(path, f"certificates/{name}") and name[:1] not in "*:"  # these have folders of other names


def _connect(context: Context, words: Words, count: int) -> list[Connecting]:
    """Begins to connect to the CA: what obtaining needs loads meanwhile."""
    from ...acme.public_cas import likely_url
    from ...http.dial import connect_ahead

    return connect_ahead(context, likely_url(_directory(words)), words.get("proxy", ""), count)


def _directory(words: Words) -> str:
    return words.get("directory") or os.environ.get("TOSSL_DIRECTORY", "")


def _begin_ahead(
    context: Context, words: Words, connecting: list[Connecting], connection: Lazy[ConnectionOptions],
    store: Store | None, count: int,
) -> None:  # fmt: skip
    """Begins to connect to the CA, unless that is begun, and to fetch its nonces, while modules load."""
    from ...acme.public_cas import directory_url

    connecting = connecting or _connect(context, words, count)
    try:
        url = directory_url(_directory(words))
    except ArgumentError:  # a list of CAs, or a mistake, which is told in its place
        _drop(connecting)
        return
    from ...certificates.ahead import begin_ahead

    begin_ahead(context, url, connecting, connection, store, count)


def _drop(connecting: list[Connecting]) -> None:
    for one in connecting:
        one.drop()


def get_account_key(
    server: Server, *, generate: bool = False, store: Store | None, context: Context = seconds(60)
) -> str:
    """Returns the account key that obtain_certificate keeps in its store for this CA.

    Sends nothing, except after a change_account_key that died: then it asks the CA which key is valid.

    -generate boolean  generates a key, and keeps it, if none is kept: create_account makes its account
    -store folder      the store of obtain_certificate, found as there

    Returns the private key, PEM text.

    Errors:
    TOSSL VALUE store  no key is kept for this CA; or -generate without a store
    """
    from ...certificates.accounts import account_key, account_key_for, complete_key_change

    if store is not None:
        complete_key_change(store, context, server)
    key = account_key(store, server.url) if store else ""
    if not key and generate and store is not None:
        key = account_key_for(context, store, server.url, "")
    if not key:
        from ...http.urls import shown_url

        raise ArgumentError("store", f"no account key is stored for {shown_url(server.url)}")
    return key


COMMANDS = (get_account_key, obtain_certificate)
