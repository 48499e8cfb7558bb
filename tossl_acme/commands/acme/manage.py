"""Certificates that keep themselves."""

from __future__ import annotations

from ...errors import ArgumentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Protocol, TypeVar

    from ...certificates.managed import Managed
    from ...context import Context
    from ...files import FilePath
    from ...tcl.callbacks import Callback
    from ...tcl.jobs import Jobs

    _Made = TypeVar("_Made", covariant=True)

    class Declared(Protocol[_Made]):
        """Reads what a script declares. See tcl.declared."""

        def path(self, argument: str, word: str) -> FilePath | None: ...
        def read_from(self, context: Context, argument: str, text: str) -> Mapping[str, _Made]: ...


#: Seconds that self-signed certificates may take which are put in place before the call returns.
_BEGIN_SECONDS = 60.0


def manage(
    certificates: str,
    *,
    wanted: Declared[Managed],
    on_renewed: Callback | None = None,
    on_error: Callback | None = None,
    parallel: int = 8,
    progress: Callback | None = None,
    command: Callback | None = None,
    jobs: Jobs,
) -> str:
    """Keeps a set of certificates while the event loop runs: obtains those that are missing, renews those that are due.

    It works in the background, beside the script and its other jobs. The section "Managed" on this page says when a
    certificate is renewed, and what happens if something is wrong.

    Checks the whole set first: a wrong declaration is an error of this call, which names the certificate; nothing is
    sent then. The options behind the set are those of obtain_certificate, for all certificates of the set. A
    certificate's own option overrides them; its own -webroot, -port or -http01_response overrides all three.

    With a store in a database it answers the CA for other machines as well, while it runs: "One issues, all serve" on
    this page.

    The set says what there is to be: a certificate whose domains have changed is replaced. Certificates that are in the
    store and not in the set are left alone.

    certificates        a dict: name {domains list ?-option value ...?}, where name is the certificate's name in the
                        store; or the path of a file that contains such a dict in UTF-8, and is read again when it
                        changes. In a file, lines that begin with # are comments
    -on_renewed prefix  called with the certificate's dict, as obtain_certificate returns it, for each new certificate:
                        issued here (issued 1), or by another process with the same store (issued 0). Where several
                        machines use the store, or TOSSL_NODE is set, also at the start for one that came meanwhile
    -on_error prefix    called with a dict for each failure: name (empty if it concerns all), message, errorcode, next
                        (when it is tried again, epoch seconds), retry_after and visit where the CA said so, and
                        clean_up_failed where a challenge could not be removed again; and once a day for
                        a permanent DNS record that is about to end (TOSSL WARNING persist_until). Without it nothing
                        is written or called: list_certificates and the log tell of failures
    -parallel count     number of certificates that are obtained at the same time
    -progress prefix    called with a dict for each step, whose keys step and name say what is done for which
                        certificate; step unmanaged: a certificate has left the set
    -command prefix     called with the job's token once the job has ended

    Returns the token of a job at once. The job runs until tossl::job::cancel or the end of the interpreter ends it. It
    is not among the jobs that job::configure -parallel counts.

    Errors:
    TOSSL VALUE certificates  neither a dict nor a file that can be read
    TOSSL VALUE pem_file      two certificates have the same -pem_file, as where it stands behind the set
    TOSSL VALUE parallel      less than 1
    TOSSL VALUE node          TOSSL_NODE cannot name this machine in a store
    TOSSL RESOURCE kind       no job was started: the process has no descriptors, or the system no threads left
    """
    from ...certificates.declaration import DeclaredFile
    from ...certificates.heartbeat import Heartbeat
    from ...certificates.manage import Manager
    from ...certificates.managed import check_apart
    from ...certificates.nodes import node_name
    from ...certificates.record import folder_name
    from ...certificates.reports import Reports
    from ...certificates.stand_in import put_stand_in
    from ...context import seconds

    if parallel < 1:
        raise ArgumentError("parallel", "-parallel: must be at least 1")
    node = node_name()
    path = wanted.path("certificates", certificates)

    def read(context: Context, text: str) -> Mapping[str, Managed]:
        found = wanted.read_from(context, "certificates", text)
        for name in found:
            folder_name(name)
        check_apart(found)
        return found

    source = DeclaredFile(path, read) if path is not None else None
    context = seconds(_BEGIN_SECONDS).begin()
    found = read(context, certificates) if source is None else source.read(context) or {}
    for name, one in found.items():
        if one.stand_in:
            put_stand_in(context, name, one)
    reports = Reports(_teller(on_renewed), _teller(on_error))

    managers: list[Manager] = []

    def serve(context: Context) -> None:
        heartbeat = Heartbeat(context, node)
        managers.append(Manager(context, found, reports, source, parallel=parallel, heartbeat=heartbeat))
        managers[0].serve()

    def reload() -> None:
        for manager in managers:
            manager.look_soon()

    return jobs.serve(serve, progress=progress, done=command, reload=reload)


def _teller(prefix: Callback | None) -> Callable[[dict[str, object]], None]:
    return (lambda facts: prefix.tell(facts)) if prefix is not None else (lambda facts: None)


COMMANDS = (manage,)
