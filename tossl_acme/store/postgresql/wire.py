"""One connection, spoken to by libpq's own functions that do not wait: whatever waits here waits in a Context.

Each statement is sent by itself, unprepared, and nothing is kept in the session: another may have it next, as pgbouncer
lends it by transactions.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import time
from collections.abc import Iterator

from psycopg import Error, pq

from ...context import Context
from ...errors import ResourceError
from ...text import quoted
from .failures import BrokenError, RefusedError, failed_connection, lost_connection
from .url import DatabaseUrl, Host

AWAITED = "the database"
#: Seconds for a connection to one address; with more of them each gets a share, of so many seconds at least.
CONNECT_SECONDS = 5.0
_LEAST_SHARE_SECONDS = 2.0
#: Seconds for the answer to one statement: all of them are small.
_ANSWER_SECONDS = 10.0
#: Descriptors 0 to 2 are the program's, also where it has closed them.
_STANDARD = (0, 1, 2)

Rows = list[tuple[bytes, ...]]


class Wire:
    """A connection that is open."""

    def __init__(self, connection: pq.abc.PGconn) -> None:
        self._connection = connection
        #: When it was last used, for whoever keeps it.
        self.used_at = time.monotonic()
        #: How far the server's clock is ahead of the monotonic one, at least and at most; infinite where the server has
        #: not told its time.
        self._ahead = self._most_ahead = float("inf")

    @property
    def is_free(self) -> bool:
        """Returns whether it can be used for something else."""
        connection = self._connection
        idle = pq.TransactionStatus.IDLE
        return connection.status == pq.ConnStatus.OK and connection.transaction_status == idle

    def take_time(self, at: float) -> None:
        """Takes what the server's clock said in the last answer, epoch seconds."""
        self._ahead, self._most_ahead = at - time.monotonic(), at - self.used_at

    def sends_at(self) -> float:
        """Returns the time now by the server's clock, or a little later: by what an answer takes."""
        return time.monotonic() + self._most_ahead

    def gives_up_at(self, context: Context) -> float:
        """Returns until when the answer to a statement is awaited that is sent now, by the server's clock."""
        return time.monotonic() + min(_ANSWER_SECONDS, context.remaining()) + self._ahead

    def execute(self, context: Context, statement: str, *values: str | bytes) -> Rows:
        """Returns the rows of one statement; a text is sent as text, bytes as bytea.

        Raises RefusedError, BrokenError, and what the context raises; the wire is not free behind the last two.
        """
        self.used_at = time.monotonic()
        ends = self.used_at + _ANSWER_SECONDS
        connection = self._connection
        sent = [value if isinstance(value, bytes) else value.encode() for value in values]
        formats = [pq.Format.BINARY if isinstance(value, bytes) else pq.Format.TEXT for value in values]
        try:
            connection.send_query_params(statement.encode(), sent, None, formats, pq.Format.BINARY)
            while connection.flush():
                self._await(context, ends, select.POLLIN | select.POLLOUT)
                connection.consume_input()
            results = list(self._results(context, ends))
        except Error as error:
            raise lost_connection(str(error)) from None
        return self._rows(results, statement.split(None, 1)[0])

    def _results(self, context: Context, ends: float) -> Iterator[pq.abc.PGresult]:
        connection = self._connection
        while True:
            while connection.is_busy():
                self._await(context, ends, select.POLLIN)
                connection.consume_input()
            result = connection.get_result()
            if result is None:
                return
            yield result

    def _rows(self, results: list[pq.abc.PGresult], statement: str) -> Rows:
        rows: Rows = []
        for result in results:
            if result.status == pq.ExecStatus.TUPLES_OK:
                for row in range(result.ntuples):
                    values = (result.get_value(row, column) for column in range(result.nfields))
                    rows.append(tuple(bytes(value or b"") for value in values))
            elif result.status != pq.ExecStatus.COMMAND_OK:
                raise self._refused(result, statement)
        return rows

    def _refused(self, result: pq.abc.PGresult, statement: str) -> RefusedError | BrokenError:
        state = (result.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode()
        message = (result.error_field(pq.DiagnosticField.MESSAGE_PRIMARY) or result.error_message).decode(
            "utf-8", "replace"
        )
        if not state:
            return lost_connection(message)
        role, database = self._connection.user.decode(), self._connection.db.decode()
        return RefusedError(state, message, role, database, statement=statement)

    def _await(self, context: Context, ends: float, events: int) -> None:
        if not _is_ready(context, self._connection.socket, events, ends):
            raise BrokenError(f"no answer within {_ANSWER_SECONDS:g} s")

    def close(self) -> None:
        """Closes it. A statement that is not answered yet may still be done."""
        with contextlib.suppress(Error):
            self._connection.finish()

    def leave(self) -> None:
        """Closes this process's end in a forked child: the connection is the parent's."""
        with contextlib.suppress(Error, OSError):
            os.close(self._connection.socket)


def open_wire(context: Context, url: DatabaseUrl) -> Wire:
    """Returns a connection to the first address of the URL's hosts that has one.

    Raises BrokenError of the last address, and what the context raises.
    """
    context.check(AWAITED)
    ends = time.monotonic() + min(CONNECT_SECONDS, context.remaining())
    failure = BrokenError("it has no address", is_final=True)
    attempts: list[tuple[Host, str]] = []
    for host in url.hosts:
        try:
            attempts += [(host, address) for address in _addresses(context, host, ends)]
        except BrokenError as error:
            failure = error
    for number, (host, address) in enumerate(attempts):
        left = ends - time.monotonic()
        share = max(min(left, _LEAST_SHARE_SECONDS), left / (len(attempts) - number))
        try:
            return Wire(_connected(context, url, url.conninfo(host, address), time.monotonic() + share))
        except BrokenError as error:
            failure = error
    raise failure


def _addresses(context: Context, host: Host, ends: float) -> list[str]:
    """Returns the addresses of a host; an empty one where libpq is to find it."""
    if not host.is_to_be_resolved:
        return [""]
    try:
        # getaddrinfo() cannot be stopped: its thread ends by itself.
        found = context.run(
            lambda: socket.getaddrinfo(host.name, None, type=socket.SOCK_STREAM),
            AWAITED,
            max(0.0, ends - time.monotonic()),
        )
    except TimeoutError:
        raise BrokenError(f"no name server told the address of {host.name}") from None
    except (OSError, UnicodeError) as error:
        is_final = getattr(error, "errno", None) in (socket.EAI_NONAME, None)
        raise BrokenError(
            f"{host.name} has no address: {getattr(error, 'strerror', '') or error}", is_final=is_final
        ) from None
    return list(dict.fromkeys(str(each[4][0]) for each in found))


def _connected(context: Context, url: DatabaseUrl, conninfo: bytes, ends: float) -> pq.abc.PGconn:
    begun = pq.PGconn.connect_start
    with _standard_descriptors_taken():
        # Of a service libpq finds the host itself, and its address, which may last.
        connection = begun(conninfo) if b"host" in conninfo else context.run(lambda: begun(conninfo), AWAITED)
        try:
            status = int(pq.PollingStatus.WRITING)
            while connection.status != pq.ConnStatus.BAD and status not in (
                pq.PollingStatus.OK,
                pq.PollingStatus.FAILED,
            ):
                events = select.POLLIN if status == pq.PollingStatus.READING else select.POLLOUT
                if not _is_ready(context, connection.socket, events, ends):
                    raise BrokenError("timed out")
                status = connection.connect_poll()
            if connection.status == pq.ConnStatus.BAD or status == pq.PollingStatus.FAILED:
                lines = bytes(connection.error_message).decode("utf-8", "replace").splitlines()
                words = "; ".join(line.strip() for line in lines)
                error = failed_connection(words, needs_password=connection.needs_password)
                error.message = _with_advice(error, connection, url)
                raise error
            connection.nonblocking = 1
        except BaseException as error:
            _finish(connection)
            if isinstance(error, Error):
                raise BrokenError(str(error)) from None
            raise
    return connection


def _with_advice(error: BrokenError, connection: pq.abc.PGconn, url: DatabaseUrl) -> str:
    words = error.message
    if connection.needs_password and error.is_final:
        if open_passwords := url.open_passwords():
            return f"{words}; {quoted(open_passwords)} does not count, for others have rights on it: chmod 600"
        return f"{words}; PGPASSWORD, a service file or .pgpass says the password"
    return words


def _finish(connection: pq.abc.PGconn) -> None:
    with contextlib.suppress(Error):
        connection.finish()


def _is_ready(context: Context, descriptor: int, events: int, ends: float) -> bool:
    """Waits until the socket can be used; returns False if that is not so in time. Raises what the context raises."""
    poll = select.poll()  # select() takes no descriptor beyond 1023
    poll.register(descriptor, events)
    while True:
        left = ends - time.monotonic()
        pause = context.poll_seconds(AWAITED, max(0.0, left))
        if poll.poll(pause * 1000):
            return True
        if left <= 0:
            return False


@contextlib.contextmanager
def _standard_descriptors_taken() -> Iterator[None]:
    """Has something stand at descriptors 0 to 2 while libpq makes its socket, which stays where it is made."""
    taken: list[int] = []
    try:
        for descriptor in _STANDARD:
            try:
                os.fstat(descriptor)
            except OSError:
                taken.append(os.open(os.devnull, os.O_RDWR))
    except OSError as error:
        raise ResourceError("descriptors", f"no descriptor is left: {error.strerror}") from None
    try:
        yield
    finally:
        for descriptor in taken:
            os.close(descriptor)
