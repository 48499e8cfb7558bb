"""Renewal by name."""

from __future__ import annotations

from ...context import Context, seconds
from ...errors import AcmeError, ArgumentError, error_context

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...certificates.node_files import NodeFiles
    from ...store.protocol import Store
    from ..groups import Callback, CertificateStore


def renew_certificate(
    name: str,
    *,
    force: bool = False,
    http01_response: bool = False,
    deploy: Callback | None = None,
    store: CertificateStore | None,
    files: NodeFiles | None,
    context: Context = seconds(600),
) -> dict[str, object]:
    """Renews a certificate that obtain_certificate has kept, if it is due; else returns it as it is.

    A certificate is due at one random time in the window of its CA's renewal information (RFC 9773), which is kept
    until the window changes. The CA is asked once its Retry-After is over, for 5 s at most; a missing answer is no
    error. Without a window a certificate is due at two thirds of its life, or at half of a life of 10 days or less; at
    95 % of its life in any case. The new certificate is ordered with the options of the last call of
    obtain_certificate: challenge, provider, key type, profile, CAs.

    After three failures within an hour for the same names at the same CA, raises TOSSL RETRY seconds and sends nothing;
    -force 1 asks all the same. A Retry-After of the CA is kept to the second, also with -force 1.

    name            its name in the store: the first domain, or what -name of obtain_certificate said
    -force boolean  1 renews it although it is not due, and through pauses after failures
    -http01_response boolean
                    1: this program's own web server answers, with http01_response: needed for a certificate that was
                    obtained with -http01_response 1, for it may be another program that renews it
    -deploy prefix  as in obtain_certificate; the -deploy_command that is kept with it is run in any case

    Returns a dict as obtain_certificate does: issued is 1 if it was renewed. The call may outlast its -timeout to clean
    up, as obtain_certificate may.

    Errors: those of obtain_certificate; the CA's errors begin with "Certificate not renewed: ".
    TOSSL VALUE name     no such certificate is kept; or it is due, and was obtained with a literal secret
    TOSSL VALUE http01_response
                         it was obtained with -http01_response 1, and that is not given here: nothing was sent
    TOSSL RETRY seconds  the CA must not be asked now; -tossl has visit if a person has to open a page first
    """
    from ...certificates.renew import renew

    with context.naming("clean_up_failed"), error_context("Certificate not renewed", AcmeError):
        done = renew(
            context,
            _required(store),
            name,
            force=force,
            script=deploy.call if deploy else None,
            http01_response=http01_response,
            files=files,
        )
    found = done.as_dict()
    return found | {"clean_up_failed": context.told("clean_up_failed"), "warnings": context.told("warning")}


def renew_certificates(
    *,
    within: float | None = None,
    http01_response: bool = False,
    deploy: Callback | None = None,
    store: CertificateStore | None,
    files: NodeFiles | None,
    context: Context = seconds(3600),
) -> dict[str, object]:
    """Renews all kept certificates that are due, first the one that expires first.

    For cron, a timer or an after script: costs nothing if no certificate is due. When each is due: see
    renew_certificate. A failure does not stop the rest. A later call tries again: after 1, 10 and 100 minutes, then
    after a day, but never later than after a tenth of the life that is left, or a minute if that is longer. A
    Retry-After of the CA is kept to the second. If the CA has paused an account or names until a person opens a page,
    only renew_certificate tries again.

    -within seconds  the time until the next call: renews a certificate that becomes due before that. Default: the usual
                     time between calls, which the store keeps
    -http01_response boolean
                     as in renew_certificate: without it certificates that need it are skipped
    -deploy prefix   as in obtain_certificate, called for each renewed certificate. The -deploy_command that is kept
                     with each is run in any case. A deployment that is owed is called again

    Returns a dict:

    renewed  a list of dicts as obtain_certificate returns them
    failed   a list of dicts name message errorcode, with retry_after and visit if the CA named them
    waiting  the same, of certificates that are due while their CA must not be asked; retry_after is the seconds until
             then, 0 if a person has to open visit first
    skipped  a list of dicts name message due, of certificates that this command does not renew: revoked, obtained with
             a literal secret, or due and answered by another program's web server
    next     when the next one is due, epoch seconds; 0 without any
    clean_up_failed  a list of dicts of challenges that could not be removed again, as obtain_certificate has them
    warnings  a list of dicts warning message, as obtain_certificate has them

    The call may outlast its -timeout to clean up, as obtain_certificate may.

    Errors:
    TOSSL VALUE within  less than 0
    TOSSL VALUE store   there is no store, or it cannot be read
    """
    from ...certificates.renew import renew_all

    if within is not None and within < 0:
        raise ArgumentError("within", "-within: must be a number of seconds, 0 or more")
    script = deploy.call if deploy else None
    found = renew_all(context, _required(store), within, script, http01_response=http01_response, files=files)
    told = {"clean_up_failed": context.told("clean_up_failed"), "warnings": context.told("warning")}
    return found.as_dict() | told


def _required(store: Store | None) -> Store:
    if store is None:
        raise ArgumentError("store", "-store must not be empty here: certificates are renewed in the store")
    return store


COMMANDS = (renew_certificate, renew_certificates)
