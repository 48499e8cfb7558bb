"""The hooks that are called with a new certificate: a script's prefix and a shell command. A failed hook stays owed.

deploy/NAME         a set with, for each kind of hook (`script`, `command`) that was called, the certificate with which
                    it ended well last; `error`, the last failure, and `failed_at`, epoch seconds
deploy.NODE/NAME    the same of one node: where several machines use the store, or TOSSL_NODE is set, each has its own
                    hooks; and `told`, the certificate that manage on it has told of last, and `told_at`

A hook is owed until it has succeeded for the certificate in force. The next call for that certificate calls it again,
also if the process died before it or in it. So a hook has to accept the same certificate twice.
"""

from __future__ import annotations

from ..errors import ArgumentError, Cancelled, ForkedError, TosslError, WaitTimeout
from .due import is_time, now
from .nodes import is_named, node_name
from .record import folder_name, read_kept

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..context import Context
    from ..store.protocol import Lock, Readable, Store
    from .record import KeptCertificate

    #: Called with a context and the certificate's dict.
    Hook = Callable[[Context, Mapping[str, object]], object]

#: How long a command of the shell may take, or a script where another thread waits for it, in seconds.
DEPLOY_SECONDS = 60.0
#: How long another one at work on the same certificate is waited for, in seconds: it deploys, or it is still owed.
_LOCK_SECONDS = 5.0
#: What the names of its sets begin with.
DEPLOYMENTS = "deploy"
_KINDS = ("script", "command")
#: The mark of a certificate that manage on a node has told of, and when that was.
_TOLD, _TOLD_AT = "told", "told_at"
#: Digits of a time.
_MOST_DIGITS = 18
#: All marks, which are the values of their set.
MARKS = (*_KINDS, "error", "failed_at", _TOLD, _TOLD_AT)
_FILES = ("certificate", "chain", "fullchain", "private_key", "pem_file")


class Hooks:
    """The hooks to call. script: a script's prefix. command: for sh. limit: seconds for each."""

    __slots__ = ("command", "limit", "script")

    def __init__(self, script: Hook | None = None, command: str = "", limit: float = DEPLOY_SECONDS) -> None:
        self.script = script
        self.command = command
        self.limit = limit

    def kinds(self) -> list[str]:
        """Returns the kinds that there are."""
        return [kind for kind in _KINDS if getattr(self, kind)]

    def call(self, kind: str, context: Context, name: str, certificate: Mapping[str, object]) -> None:
        """Calls one. Raises whatever it raises."""
        if kind == "script":
            assert self.script is not None
            self.script(context.narrowed(self.limit), certificate)
            return
        from .command import run_command

        if not certificate["files"]:
            raise ArgumentError("deploy_command", "a deploy command reads files, and nothing is stored")
        run_command(context, self.command, command_environment(name, certificate), self.limit)


def deploy(
    context: Context, store: Store | None, name: str, certificate: Mapping[str, object], hooks: Hooks, *,
    is_news: bool = False,
) -> bool:  # fmt: skip
    """Calls the hooks that are owed for this certificate; returns whether nothing is owed any more.

    certificate: what obtain_certificate returns. is_news: whether some are owed, as far as is known. What fails is a
    warning `deploy`, and is kept as owed; without a store there is nobody to keep it. Raises Cancelled alone.
    """
    kinds = hooks.kinds()
    if not kinds:
        return True
    if store is None:
        failures = [_called(hooks, kind, context, name, certificate) for kind in kinds]
        return not any(failures)
    try:
        if not is_news and not _left(kinds, _marks(store, name), certificate):
            return True
        with store.locked(context.narrowed(_LOCK_SECONDS), _set(store, name)) as lock:
            return _deployed(context, store, lock, name, certificate, hooks)
    except WaitTimeout:
        return _told(context, name, "another one is at it just now")
    except ArgumentError as error:  # the store
        return _told(context, name, error.message)


def deploy_obtained(context: Context, store: Store | None, certificate: Mapping[str, object], hooks: Hooks) -> bool:
    """Deploys what obtain_certificate returns: one that is held with the command given, else its own."""
    name = str(certificate["name"])
    if store is not None and not certificate["issued"] and not hooks.command:
        hooks = Hooks(hooks.script, *kept_command(store, name))
    return deploy_one(context, store, name, certificate, hooks)


def deploy_one(
    context: Context, store: Store | None, name: str, certificate: Mapping[str, object], hooks: Hooks
) -> bool:  # fmt: skip
    """Does what deploy() does, and keeps that this node is there: it may have no manage, and no run over all."""
    is_done = deploy(context, store, name, certificate, hooks)
    if store is not None and hooks.kinds():
        from .timers import keep_own_timer

        keep_own_timer(context, store)
    return is_done


def _deployed(
    context: Context, store: Store, lock: Lock, name: str, certificate: Mapping[str, object], hooks: Hooks
) -> bool:
    marks = _marks(store, name)
    is_done = True
    left = _left(hooks.kinds(), marks, certificate)
    for kind in left:
        failure = _called(hooks, kind, context, name, certificate)
        if failure:
            marks |= {kind: marks.get(kind, ""), "error": failure, "failed_at": str(int(now()))}
            is_done = False
        else:
            marks[kind] = _identity(certificate)
        if is_done:
            marks.pop("error", None)
            marks.pop("failed_at", None)
        _write(store, lock, marks, ends=kind == left[-1])
    return is_done


def mark_told(context: Context, store: Store, certificate: Mapping[str, object]) -> None:
    """Keeps that manage on this node has told of this certificate. Raises ArgumentError store."""
    name = str(certificate["name"])
    told = {_TOLD: _identity(certificate), _TOLD_AT: str(int(now()))}
    if store.is_shared:
        store.put(context, _set(store, name), {mark: text.encode() for mark, text in told.items()})
        return
    with store.locked(context, _set(store, name)) as lock:  # with those of before it was told a name
        _write(store, lock, {**_marks(store, name), **told})


def _write(store: Store, lock: Lock, marks: Mapping[str, str], *, ends: bool = True) -> None:
    store.write(lock, {name: text.encode("utf-8", "replace") for name, text in marks.items()}, ends=ends)


def _called(hooks: Hooks, kind: str, context: Context, name: str, certificate: Mapping[str, object]) -> str:
    """Calls a hook; returns its failure, empty where it ended well. Raises Cancelled."""
    context.tell("deploying", name=name)
    try:
        hooks.call(kind, context, name, certificate)
    except (Cancelled, ForkedError):
        raise
    except TosslError as error:
        from ..text import clean

        failure = clean(error.message) or "it failed without a word"
        _told(context, name, failure)
        return failure
    context.tell("deployed", name=name)
    return ""


def _told(context: Context, name: str, cause: str) -> bool:
    context.warn("warning", warning="deploy", message=f"{name} is not deployed: {cause}")
    return False


def owed(store: Store, kept: KeptCertificate) -> dict[str, object]:
    """Returns what is owed for the certificate in force: a dict deploy_owed (a boolean) and deploy_error (a text).

    The command that it is kept with is owed until it has ended well, a script's prefix where one was called before.
    """
    return debts_of(kept, _marks(store, kept.name))


def owed_of(kept: KeptCertificate, values: Mapping[str, bytes]) -> dict[str, object]:
    """Returns what owed() does, of a set of this node's marks."""
    return debts_of(kept, _texts(values))


def debts_of(kept: KeptCertificate, marks: Mapping[str, str]) -> dict[str, object]:
    """Returns what owed() does, of these marks."""
    kinds = (["command"] if kept.deploy_command else []) + (["script"] if "script" in marks else [])
    left = [kind for kind in kinds if marks.get(kind) != _identity_of(kept)]
    return {"deploy_owed": bool(left), "deploy_error": marks.get("error", "") if left else ""}


class Marks:
    """What this node has done with a certificate, as it was read."""

    __slots__ = ("_is_nodes", "_marks")

    def __init__(self, store: Readable, name: str) -> None:
        self._is_nodes = has_own_marks(store)
        self._marks = _marks(store, name)

    def owes(self, kept: KeptCertificate, hooks: Hooks) -> bool:
        """Returns whether any of these hooks has not ended well yet for the certificate in force."""
        return any(self._marks.get(kind) != _identity_of(kept) for kind in hooks.kinds())

    def is_news(self, kept: KeptCertificate) -> bool:
        """Returns whether manage on this node has yet to tell of it; known where marks are a node's own."""
        return self._is_nodes and self._marks.get(_TOLD) != _identity_of(kept)


def node_state(kept: KeptCertificate, values: Mapping[str, bytes]) -> dict[str, object]:
    """Returns what a node has done with a certificate, of its set of marks.

    A dict has (whether manage there has told of the certificate in force), at (when, epoch seconds; 0 if it has not),
    deploy_owed, deploy_error.
    """
    marks = _texts(values)
    has, at = marks.get(_TOLD) == _identity_of(kept), marks.get(_TOLD_AT, "")
    is_number = at.isdecimal() and len(at) <= _MOST_DIGITS
    return {"has": has, "at": int(at) if has and is_number else 0, **debts_of(kept, marks)}


def has_own_marks(store: Readable) -> bool:
    """Returns whether each node has marks of its own: others use the store, or this one is told its name."""
    return store.is_shared or is_named()


def room_of_node(node: str) -> str:
    """Returns what the names of the sets begin with that hold a node's marks."""
    return f"{DEPLOYMENTS}.{node}"


def own_room(store: Readable) -> str:
    """Returns what the names of the sets begin with that hold this node's marks. Raises ArgumentError "node"."""
    return room_of_node(node_name()) if has_own_marks(store) else DEPLOYMENTS


def marks_name(store: Readable, name: str) -> str:
    """Returns the name of the set of this node's marks of a certificate."""
    return _set(store, name)


def kept_command(store: Store, name: str) -> tuple[str, float]:
    """Returns the command that a certificate is kept with, empty without one, and how long it may take."""
    kept = read_kept(store, name, record_alone=True)
    return kept_hook(kept.issuance) if kept is not None else ("", DEPLOY_SECONDS)


def kept_hook(issuance: Mapping[str, object]) -> tuple[str, float]:
    """Returns the deploy command of a kept issuance, empty without one, and how long it may take."""
    command, limit = issuance.get("deploy_command"), issuance.get("deploy_timeout")
    return (
        command if isinstance(command, str) and is_command_text(command) else "",
        float(limit) if isinstance(limit, int | float) and is_time(limit) and limit > 0 else DEPLOY_SECONDS,
    )


def is_command_text(command: str) -> bool:
    """Returns whether a shell can be given this: no NUL, no half of a character."""
    try:
        return b"\0" not in command.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False


def forget_hooks(context: Context, store: Store, name: str) -> None:
    """Removes what is kept of a certificate's hooks, on all nodes. Raises ArgumentError store."""
    from .nodes import read_nodes
    from .timers import read_timers

    nodes = [node.name for node in read_nodes(store)] + list(read_timers(store))
    rooms = [DEPLOYMENTS, own_room(store), *map(room_of_node, nodes)]
    for place in dict.fromkeys(f"{room}/{folder_name(name)}" for room in rooms):
        if store.read(place) is not None:
            with store.locked(context, place) as lock:
                store.delete(lock)


def command_environment(name: str, certificate: Mapping[str, object]) -> dict[str, str]:
    """Returns the variables that a command gets besides those of the process."""
    files = certificate["files"]
    domains = certificate["domains"]
    assert isinstance(files, dict)
    assert isinstance(domains, list)
    paths = {kind: str(files.get(kind, "")) for kind in _FILES}
    return {
        "TOSSL_NAME": name,
        "TOSSL_DOMAINS": " ".join(map(str, domains)),
        **{f"TOSSL_{kind.upper()}": path for kind, path in paths.items()},
        "TOSSL_ISSUER": str(certificate["issuer"]).replace("\0", ""),
        "TOSSL_SERIAL": str(certificate["serial"]),
        "TOSSL_NOT_BEFORE": str(certificate["not_before"]),
        "TOSSL_NOT_AFTER": str(certificate["not_after"]),
    }


def _left(kinds: list[str], marks: Mapping[str, str], certificate: Mapping[str, object]) -> list[str]:
    return [kind for kind in kinds if marks.get(kind) != _identity(certificate)]


def _identity(certificate: Mapping[str, object]) -> str:
    """Tells one certificate of a name from another."""
    return f"{certificate['serial']} {certificate['not_after']}"


def _identity_of(kept: KeptCertificate) -> str:
    return f"{kept.serial} {kept.not_after}"


def _marks(store: Readable, name: str) -> dict[str, str]:
    values = store.read(_set(store, name))
    if values is None and not store.is_shared:  # those of before it was told a name
        values = store.read(f"{DEPLOYMENTS}/{folder_name(name)}")
    return _texts(values or {})


def _texts(values: Mapping[str, bytes]) -> dict[str, str]:
    return {kind: text.decode("utf-8", "replace") for kind, text in values.items()}


def _set(store: Readable, name: str) -> str:
    return f"{own_room(store)}/{folder_name(name)}"
