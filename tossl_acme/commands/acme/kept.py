"""Certificates that are kept."""

from __future__ import annotations

from ...context import Context, seconds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...files import FilePath
    from ...store.protocol import Store


def list_certificates(*, store: Store | None) -> list[dict[str, object]]:
    """Lists the kept certificates. Sends nothing; reads only their records.

    -store folder  the store of obtain_certificate, found as there; a missing folder, and an empty word, list nothing

    Returns a list of dicts, sorted by name:

    name        its name in the store, as get_certificate takes it
    domains     a list of its names
    not_before  when it begins, epoch seconds
    not_after   when it ends, epoch seconds
    issued_at   when it was obtained, epoch seconds; 0 if it is not known
    issuer      its issuer's name
    serial      its serial number, hexadecimal
    directory   the CA's directory URL
    key_type    the type of its key, as -key_type has it
    due         when it is due, epoch seconds: as the CA said last, else by its share of life
    explanation_url  the CA's page that says why it is due then (RFC 9773 section 4.2); empty without one
    renewable   1 if its name alone is enough to renew it: no literal secret was given
    revoked     1 if it was revoked by revoke_certificate
    self_signed  1 if it is the self-signed one of manage -self_signed, which stands in for the first one
    last_error  a dict of the last renewal's error: message, errorcode, at (epoch seconds), visit (a page to open), node
                (where it failed); empty after a success
    deploy_command  its -deploy_command, which renewals run; empty without one
    deploy_owed  1 if a deployment is owed: -deploy_command has not succeeded yet, or -deploy has failed
    deploy_error  the last deployment's error; empty if it was not called yet
    node        the node that obtained it: TOSSL_NODE there, else the host's name; empty if that was not kept
    nodes       a list of dicts, one for each node that keeps certificates with manage, where several machines use the
                store, or TOSSL_NODE is set: node, has (1 once its files are there and its -on_renewed was called for
                this certificate), at (when, epoch seconds; 0 if not yet), deploy_owed, deploy_error
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


def check_certificates(
    files: list[FilePath] = [],  # noqa: B006 - only read
    *,
    warn: float | None = None,
    critical: float | None = None,
    silent: float = 900,
    prometheus: FilePath | None = None,
    store: Store | None,
) -> dict[str, object]:
    """Says what will happen to certificates unless somebody acts, for programs that watch. Sends nothing.

    Without files it looks at the store's records: at the end of each certificate, at renewals that are late, fail, or
    that the CA has paused, at deployments that are owed, permanent DNS records (dns-persist-01) that are about to end,
    names that were asked for within two days in vain, and at the heartbeat of manage. That none has ever run is no
    fault; one that died is.

    files                 a list of PEM files to look at instead of the store, with or without chain and key: the first
                          certificate of each counts
    -warn seconds         how long before its end a certificate is a warning; default: 10 days, and no more than a
                          quarter of its life
    -critical seconds     how long before its end it is critical; default: 3 days, and no more than a tenth of its life
    -silent seconds       how long manage may have told nothing of itself, unless it was ended
    -prometheus path      a file that gets all of it as metrics, for node_exporter's textfile collector: written whole,
                          mode 0644; "-" leaves the text in the result
    -store folder         the store of obtain_certificate, found as there

    Returns a dict:

    state         ok, warning, critical, or unknown where something could not be looked at and the rest is ok
    status        the exit status of a monitoring plugin: 0 to 3, in that order
    text          the output of such a plugin: a line with figures behind a bar, then a line for each finding
    metrics       the metrics; empty unless -prometheus is "-"
    certificates  a list of dicts: name or file, state, problems (a list of texts, the worst first), and of those that
                  can be read domains (a list), not_before, not_after, due, last_success (when it was obtained, 0 if it
                  is not known), failures (since then), paused, last_error, deploy_owed, persist_until; of a file the
                  first three
    nodes         a list of dicts, for each machine where manage has run: node, state, problems, heartbeat (when it was
                  last seen at work), ended, certificates, failing (of these), process, version
    others        a list of dicts for what is neither: name or store, state, problems

    Errors:
    TOSSL VALUE warn        less than 0, or less than -critical
    TOSSL VALUE critical    less than 0
    TOSSL VALUE silent      less than 0
    TOSSL VALUE files       not a list of paths
    TOSSL VALUE prometheus  the file cannot be written
    """
    from ...certificates.check import Thresholds, report_on_files, report_on_store
    from ...certificates.plugin import exit_status, plugin_text

    thresholds = Thresholds(warn, critical, silent)
    report = report_on_files(files, thresholds) if files else report_on_store(store, thresholds)
    metrics = ""
    if prometheus:
        from ...certificates.metrics import metrics_text, write_metrics

        metrics = metrics_text(report)
        if prometheus.given != "-":
            write_metrics(prometheus, metrics)
            metrics = ""
    return {
        "state": report.state,
        "status": exit_status(report.state),
        "text": plugin_text(report),
        "metrics": metrics,
        "certificates": [verdict.as_dict() for verdict in report.certificates],
        "nodes": [verdict.as_dict() for verdict in report.nodes],
        "others": [verdict.as_dict() for verdict in report.others],
    }


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


COMMANDS = (list_certificates, get_certificate, check_certificates, forget_certificate)
