"""Asks CAs when they want held certificates to be renewed (RFC 9773): once for all who use a store.

In a store that several machines use, a round of questions takes the lock of one set, for all certificates of a bucket:

asked/<BUCKET>/asked.json    by a certificate's ARI name: when its CA was asked, and when it may be asked again

renewal/<NAME> is written there only where the window is new or another; of an unchanged answer the bucket knows.
Whoever asks looks at both. In the folder of one machine each certificate is asked about by itself, and renewal/<NAME>
has it all.
Nothing that loads slowly is imported where nobody is asked.
"""

from __future__ import annotations

from ..errors import AcmeError, ArgumentError, Cancelled, ForkedError, TosslError, WaitTimeout
from . import due
from .due import Suggestion
from .record import read_json
from .suggested import Renewal, renewal_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..acme.server import Server
    from ..context import Context
    from ..http.options import ConnectionOptions
    from ..store.protocol import Readable, Store
    from .suggested import Held

#: Seconds that the CA has for its answer: nobody waits for a certificate meanwhile.
ASK_SECONDS = 5.0
#: What the names of the buckets' sets begin with.
ASKED = "asked"
_ASKED_VALUE = "asked.json"
_BUCKETS = 256
#: Seconds for the question with the wait for another who asks, and what is read and written for it.
_QUESTION_SECONDS = 20.0
#: A round asks nothing more when so many seconds are left of it: for one answer, and to keep what it has.
_LAST_SECONDS = ASK_SECONDS + 5.0
#: So many seconds after the time of its next question a bucket forgets a certificate: it is there no more.
_FORGOTTEN_SECONDS = 86400.0


def due_time(
    context: Context,
    store: Store,
    held: Held,
    connection: Callable[[], ConnectionOptions],
    unanswered: set[str] | None = None,
) -> float:
    """Returns when the certificate is due, epoch seconds.

    The CA is asked where its Retry-After is over: one GET, for 5 s. That it fails is no error: what it said before
    holds, else the share of life. connection: returns how the CA is reached; called where it is asked. unanswered: the
    directory URLs of CAs that are not asked any more, for they have just given no answer; one more is added.
    """
    suggestion = Renewal.read(store, held.name).of(held)
    silent = unanswered if unanswered is not None else set()
    if held.cert_id and held.directory not in silent and suggestion.may_ask(due.now(), held.not_after):
        suggestion = ask_once(context, store, held, connection(), silent)
    return due.due_at(held.not_before, held.not_after, suggestion)


def ask_once(context: Context, store: Store, held: Held, connection: ConnectionOptions, silent: set[str]) -> Suggestion:
    """Asks the CA for all with this store, unless another has done so meanwhile; returns what is known then.

    silent: as `unanswered` of due_time(). A store that cannot be locked or written to keeps nobody from asking.
    """
    known = Renewal.read(store, held.name).of(held)
    part = context.narrowed(_QUESTION_SECONDS)
    try:
        if store.is_shared:
            bucket = bucket_of(held)
            known = _Asked.read(store, bucket).of(held, known)
            if known.may_ask(due.now(), held.not_after):
                known = ask_round(part, store, bucket, [Asking(held, known, connection)], silent)[0][held.name]
            return known
        with store.locked(part, renewal_name(held.name)) as lock:
            renewal = Renewal.read(store, held.name)
            known = renewal.of(held)
            if known.may_ask(due.now(), held.not_after):
                known = _Askers(context, store, silent).ask(Asking(held, known, connection))
                try:
                    store.write(lock, Renewal(held.cert_id, known, renewal.last_error).as_values())
                except (ArgumentError, WaitTimeout) as error:
                    _tell_not_kept(context, held.name, error)
    except (ArgumentError, WaitTimeout) as error:
        _tell_not_kept(context, held.name, error)
        known = _Askers(context, store, silent).ask(Asking(held, known, connection))
    return known


class Asking:
    """A certificate whose CA is to be asked, what is known of its answers, and how that CA is reached."""

    __slots__ = ("connection", "held", "known")

    def __init__(self, held: Held, known: Suggestion, connection: ConnectionOptions) -> None:
        self.held, self.known, self.connection = held, known, connection


def bucket_of(held: Held) -> str:
    """Returns the bucket in which this certificate is asked about, on each machine the same."""
    from zlib import crc32

    return f"{crc32(f'{held.directory} {held.name}'.encode()) % _BUCKETS:02x}"


def bucket_set(bucket: str) -> str:
    """Returns the name of the set of a bucket."""
    return f"{ASKED}/{bucket}"


def ask_round(
    context: Context, store: Store, bucket: str, questions: Iterable[Asking], silent: set[str]
) -> tuple[dict[str, Suggestion], int]:
    """Asks about those of a bucket whose Retry-After is over.

    Returns what is known of each then, by its name in the store, and how many questions that took.

    It ends where a CA gives no answer, or the context's time runs out; what it has then is kept all the same. Those
    that were not asked any more keep a retry_at that is over. silent: as `unanswered` of due_time(). Raises WaitTimeout
    where another is at work on the bucket, and ArgumentError "store" where it cannot be locked or read.
    """
    found: dict[str, Suggestion] = {}
    count = 0
    with store.locked(context, bucket_set(bucket)) as lock:
        asked = _Asked.read(store, bucket)
        askers = _Askers(context, store, silent)
        try:
            for question in questions:
                held = question.held
                known = asked.of(held, question.known)
                if known.may_ask(due.now(), held.not_after) and held.directory not in silent and _has_time(context):
                    answer = askers.ask(question)
                    count += 1
                    known = asked.note(held, answer)
                    if not answer.is_like(question.known):
                        known = _keep_window(context, store, held, known)
                found[held.name] = known
        finally:
            if asked.is_new:
                try:
                    store.write(lock, asked.as_values(due.now()))
                except (ArgumentError, WaitTimeout) as error:
                    _tell_not_kept(context, bucket_set(bucket), error)
    return found, count


class _Asked:
    """What a bucket knows. is_new: whether the store does not have it yet."""

    __slots__ = ("_beat", "_known", "is_new")

    def __init__(self, known: dict[str, tuple[float, float]]) -> None:
        self._known = known
        self.is_new = False
        #: When those are asked about again that Retry-After keeps from it now.
        self._beat = min((retry_at for _, retry_at in known.values() if retry_at > due.now()), default=0.0)

    @classmethod
    def read(cls, store: Readable, bucket: str) -> _Asked:
        """Returns what the store has; ignores damaged values."""
        values = store.read(bucket_set(bucket)) or {}
        try:
            data = read_json(values.get(_ASKED_VALUE, b"{}").decode())
        except ValueError:
            data = {}
        found = data.items() if isinstance(data, dict) else ()
        return cls({cert_id: (each[0], each[1]) for cert_id, each in found if _is_entry(each)})

    def of(self, held: Held, known: Suggestion) -> Suggestion:
        """Returns what is known of a certificate, with what the bucket has of it.

        Unless that was asked since by a version of tossl that keeps no buckets: its Retry-After holds, too.
        """
        times = self._known.get(held.cert_id)
        if times is None:
            return known
        found = known.asked(*times)
        is_since = known.asked_at > found.asked_at and found.may_ask(due.now(), held.not_after)
        return known if is_since else found

    def note(self, held: Held, answer: Suggestion) -> Suggestion:
        """Takes an answer, and returns it with the time of the next question.

        A certificate that is new here joins the others: it waits for the first time at which they are asked about after
        its own Retry-After.
        """
        retry_at = answer.retry_at
        if self._beat and held.cert_id not in self._known:
            retry_at += (self._beat - retry_at) % (retry_at - answer.asked_at)
        found = answer.asked(int(answer.asked_at), -int(-retry_at // 1))
        self._known[held.cert_id] = found.asked_at, found.retry_at
        self.is_new = True
        return found

    def as_values(self, at: float) -> dict[str, bytes]:
        """Returns the set that read() reads."""
        from json import dumps

        known = {cert_id: each for cert_id, each in self._known.items() if at < each[1] + _FORGOTTEN_SECONDS}
        return {_ASKED_VALUE: dumps(known, separators=(",", ":")).encode()}


def _is_entry(data: object) -> bool:
    return isinstance(data, list) and len(data) == 2 and due.is_time(data[0]) and due.is_time(data[1])


class _Askers:
    """Asks CAs; an answer that is of no use is no error. silent: as `unanswered` of due_time()."""

    __slots__ = ("_context", "_server", "_silent", "_store", "_way")

    def __init__(self, context: Context, store: Store, silent: set[str]) -> None:
        self._context, self._store, self._silent = context, store, silent
        self._way: tuple[str, ConnectionOptions] | None = None
        self._server: Server | None = None

    def ask(self, question: Asking) -> Suggestion:
        """Returns what is known once the CA was asked."""
        from ..acme.renewal import renewal_info

        context, held, known = self._context, question.held, question.known
        try:
            server = self._server_of(held.directory, question.connection)
            info = renewal_info(server, context.narrowed(ASK_SECONDS), held.cert_id)
        except (Cancelled, ForkedError):
            raise
        except TosslError as error:
            context.check("renewal information")
            if not isinstance(error, AcmeError):  # else it has answered
                self._silent.add(held.directory)
            context.tell("renewal_info_failed", name=held.name, message=error.message)
            return known.failed(due.now(), held.not_before, held.not_after)
        found = known.answered(info, due.now())
        said = {"start": found.start, "end": found.end, "chosen": round(found.chosen)}
        context.tell("renewal_info", name=held.name, **said, explanation_url=found.explanation)
        return found

    def _server_of(self, directory: str, connection: ConnectionOptions) -> Server:
        from ..acme.servers import server_for
        from .known import take_directory

        if self._server is None or self._way != (directory, connection):
            server = server_for(directory, connection)
            take_directory(self._store, server)
            self._way, self._server = (directory, connection), server
        return self._server


def _keep_window(context: Context, store: Store, held: Held, found: Suggestion) -> Suggestion:
    """Keeps a window that is new here; returns it with the time that another has chosen in it, if one has."""
    try:
        with store.locked(context, renewal_name(held.name)) as lock:
            renewal = Renewal.read(store, held.name)
            kept = renewal.of(held).asked(found.asked_at, found.retry_at)
            if (kept.start, kept.end, kept.explanation) == (found.start, found.end, found.explanation):
                return kept
            store.write(lock, Renewal(held.cert_id, found, renewal.last_error).as_values())
    except (ArgumentError, WaitTimeout) as error:
        _tell_not_kept(context, held.name, error)
    return found


def _has_time(context: Context) -> bool:
    return context.remaining() > _LAST_SECONDS


def _tell_not_kept(context: Context, name: str, error: TosslError) -> None:
    context.check("renewal information")
    context.tell("not_kept", name=name, message=error.message)
