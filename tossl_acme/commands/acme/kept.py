"""Certificates that are kept."""

from __future__ import annotations

from ...context import Context, seconds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...store.protocol import Store


def list_certificates(*, store: Store | None) -> list[dict[str, object]]:
    """Lists the certificates that are kept; nothing is sent, and no certificate is read, only the record beside it.

    -store folder  the store of obtain_certificate, found as there; a folder that is not there, or none, holds nothing

    Returns a list of dicts, sorted by name:

    name        its name in the store, as get_certificate takes it
    domains     a list of its names
    not_before  when it begins, epoch seconds
    not_after   when it ends, epoch seconds
    issuer      the name of who issued it
    serial      its serial number, hexadecimal
    directory   the CA's directory URL
    key_type    the type of its key, as -key_type has it
    due         when it is to be renewed, epoch seconds: as the CA said last, else by its share of life
    renewable   1 if its name alone is enough to renew it: nothing secret was given as it is when it was obtained
    revoked     1 if it was revoked by revoke_certificate
    self_signed  1 if it is the self-signed one of manage -self_signed, which stands in for the first one
    last_error  a dict of why the last renewal failed: message, errorcode, at (epoch seconds), visit (a page to open);
                empty if it did not fail
    deploy_command  the -deploy_command that it is kept with, and renewals run; empty without one
    deploy_owed  1 if what is to be called with it has not ended well yet: -deploy_command, or a -deploy that failed
    deploy_error  why not; empty if it was not called yet
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
    """Gets a certificate that is kept; nothing is sent.

    name           its name in the store: -name of obtain_certificate, the first domain where that was not given
    -store folder  the store of obtain_certificate, found as there

    Returns a dict with all that list_certificates tells of it, and:

    certificate  the certificate alone, PEM text
    chain        the CA's certificates above it, PEM text
    fullchain    both, as a web server wants them
    private_key  PEM text; empty if the key is not here

    Errors:
    TOSSL VALUE name   none is kept under this name
    TOSSL VALUE store  the store's content is damaged, foreign, or of a later version
    """
    from ...certificates.listed import kept_certificate, told

    kept = kept_certificate(store, name)
    assert store is not None
    kept.check_files()
    return told(store, kept) | kept.as_dict(store)


def forget_certificate(name: str, *, store: Store | None, context: Context = seconds(60)) -> str:
    """Removes a certificate from the store: its files, its private key, and what is known of its renewal.

    Nothing is sent: the CA is not asked to revoke it.

    name           its name in the store, as get_certificate takes it
    -store folder  the store of obtain_certificate, found as there

    Returns "Certificate forgotten".

    Errors:
    TOSSL VALUE name   none is kept under this name
    TOSSL VALUE store  not a folder that can be written to
    """
    from ...certificates.listed import forget_kept, kept_certificate

    if store is None:
        kept_certificate(store, name)
    else:
        forget_kept(context, store, name)
    return "Certificate forgotten"
