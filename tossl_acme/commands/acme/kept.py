"""Certificates that are kept."""

from __future__ import annotations

from ...context import Context, seconds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...store.protocol import Store


def list_certificates(*, store: Store | None) -> list[dict[str, object]]:
    """Lists the kept certificates. Sends nothing; reads only their records.

    -store folder  the store of obtain_certificate, found as there; a missing folder, and an empty word, list nothing

    Returns a list of dicts, sorted by name:

    name        its name in the store, as get_certificate takes it
    domains     a list of its names
    not_before  when it begins, epoch seconds
    not_after   when it ends, epoch seconds
    issuer      its issuer's name
    serial      its serial number, hexadecimal
    directory   the CA's directory URL
    key_type    the type of its key, as -key_type has it
    due         when it is due, epoch seconds: as the CA said last, else by its share of life
    explanation_url  the CA's page that says why it is due then (RFC 9773 section 4.2); empty without one
    renewable   1 if its name alone is enough to renew it: no literal secret was given
    revoked     1 if it was revoked by revoke_certificate
    self_signed  1 if it is the self-signed one of manage -self_signed, which stands in for the first one
    last_error  a dict of the last renewal's error: message, errorcode, at (epoch seconds), visit (a page to open);
                empty after a success
    deploy_command  its -deploy_command, which renewals run; empty without one
    deploy_owed  1 if a deployment is owed: -deploy_command has not succeeded yet, or -deploy has failed
    deploy_error  the last deployment's error; empty if it was not called yet
    persist_until  when the first of its permanent records ends (dns-persist-01), epoch seconds, as seen when it was
                obtained; 0 without an end
    warnings    a list of dicts warning message: persist_until, if a permanent record ends before the renewal or within
                30 days
    files       a dict certificate chain fullchain private_key of paths, the last of which is missing where the key is
                not here
    damaged     the reason why the record cannot be read; then only name is beside it
    """
    from ...certificates.listed import all_told

    return all_told(store) if store is not None else []


def get_certificate(name: str, *, store: Store | None) -> dict[str, object]:
    """Returns a kept certificate. Sends nothing.

    name           its name in the store: -name of obtain_certificate, else the first domain
    -store folder  the store of obtain_certificate, found as there

    Returns a dict with the members of list_certificates but for damaged, and:

    certificate  the certificate alone, PEM text
    chain        the CA's certificates above it, PEM text
    fullchain    both, as web servers need them
    private_key  PEM text; empty if the key is not here

    Errors:
    TOSSL VALUE name   no certificate has this name
    TOSSL VALUE store  the store's content is damaged, foreign, or of a later version
    """
    from ...certificates.listed import kept_certificate, told

    kept = kept_certificate(store, name)
    assert store is not None
    kept.check_files()
    return told(store, kept) | kept.as_dict(store)


def forget_certificate(name: str, *, store: Store | None, context: Context = seconds(60)) -> str:
    """Removes a certificate from the store, with its private key and all that is kept about its renewal.

    Sends nothing: the certificate is not revoked.

    name           its name in the store, as get_certificate takes it
    -store folder  the store of obtain_certificate, found as there

    Returns "Certificate forgotten".

    Errors:
    TOSSL VALUE name   no certificate has this name
    TOSSL VALUE store  the folder cannot be written
    """
    from ...certificates.listed import forget_kept, kept_certificate

    if store is None:
        kept_certificate(store, name)
    else:
        forget_kept(context, store, name)
    return "Certificate forgotten"
