"""The keys of accounts in a store, with the URLs that spare a new process its requests.

accounts/<CA>/key.pem           the account's key
accounts/<CA>/next.pem          the key that the CA is asked to take in its place
accounts/<CA>/next.json         the URL of the account that is to have it
accounts/<CA>/account.json      the URL and contacts of the account, for the key that is named in it
accounts/<CA>/directory.json    the CA's directory, and when it was read
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from ..acme.account import ensure_account
from ..acme.client import Client
from ..acme.clients import account_key_of, client_for
from ..acme.server import Server
from ..acme.servers import server_for
from ..context import Context
from ..errors import AcmeError, ArgumentError, HttpError, KeyFormatError, RetryError, WaitTimeout
from ..files import absolute, check_owner
from ..http.urls import shown_url
from ..pki.keys import generate_private_key, private_pem
from ..store.protocol import Lock, Store, read_texts, write_texts
from . import due
from .ca_limits import SharedLimits
from .issuance import Issuance
from .keys_apart import learn_keys
from .known import ACCOUNT, DIRECTORY, account_set, is_fresh, read_known, take_kept_account, take_kept_directory
from .lines import json_lines

_KEY, _NEXT = "key.pem", "next.pem"
_NEXT_ACCOUNT = "next.json"
#: Mode bits by which others than a folder's owner can write to it.
_OTHERS_WRITE = 0o022
#: Seconds to wait for the lock of what can be asked for again: another process may change the account's key just now.
KEEP_SECONDS = 10.0
#: Statuses with which CAs refuse a signature by a key that is not the account's.
_REFUSED_SIGNATURE = (400, 401, 403)
_T = TypeVar("_T")


def account_key_for(context: Context, store: Store | None, directory_url: str, given: str) -> str:
    """Returns the account key (PEM): the given key, else the store's for this CA, else a new key, which is stored."""
    if given:
        return given
    known = account_key(store, directory_url) if store else ""
    if known:
        return known
    pem = private_pem(generate_private_key("ec"))
    return keep_account_key(store, context, directory_url, pem) if store else pem


def account_key(store: Store, directory_url: str) -> str:
    """Returns the account key (PEM) that is kept for this CA; empty without a key.

    Raises ArgumentError "store" for a key file of another user.
    """
    pem = read_texts(store, account_set(directory_url), (_KEY,)).get(_KEY, "")
    if pem:
        _check_keys(store, directory_url)
    return pem


@contextlib.contextmanager
def _locked(store: Store, context: Context, directory_url: str) -> Iterator[Lock]:
    """Locks the set of an account; what is written to it becomes this user's, so no key in it is another's."""
    with store.locked(context, account_set(directory_url)) as lock:
        _check_keys(store, directory_url)
        yield lock


def _check_keys(store: Store, directory_url: str) -> None:
    """Raises ArgumentError "store" for a key file of another user: whoever made it can act in the account."""
    for name in (_KEY, _NEXT):
        check_owner(store.path_of(account_set(directory_url), name), "the account's key")


def _warn_of_writers(store: Store, context: Context) -> None:
    """Warns where others than its owner can put files into the store."""
    accounts = store.path_of("accounts")
    for folder in (accounts, absolute(os.path.dirname(accounts))) if accounts is not None else ():  # noqa: PTH120
        with contextlib.suppress(OSError):
            if os.stat(folder).st_mode & _OTHERS_WRITE:  # noqa: PTH116
                cause = "so they can put keys of theirs there; take the right from them (chmod go-w)"
                context.warn("warning", warning="store", message=f"others can write to {folder.shown}, {cause}")


def keep_account_key(store: Store, context: Context, directory_url: str, pem: str) -> str:
    """Keeps an account key unless there is one by now; the key that holds from here on."""
    with _locked(store, context, directory_url) as lock:
        kept = read_texts(store, lock.name)
        if known := kept.get(_KEY):
            return known
        write_texts(store, lock, kept | {_KEY: pem})
    return pem


def check_account_taken_over(store: Store, directory_url: str, pem: str) -> None:
    """Raises ArgumentError "store" where the store's account at this CA has another key than this one."""
    known = account_key(store, directory_url)
    if known and _thumbprint(known) != _thumbprint(pem):
        cause = f"the store has another account at {shown_url(directory_url)}"
        raise ArgumentError("store", f"{cause}: -replace 1 puts its key aside; another -store keeps both")


def take_over_account(
    store: Store, context: Context, directory_url: str, account: tuple[str, str, tuple[str, ...]], *, replace: bool
) -> None:
    """Keeps an account that another program made: its key (PEM), its URL where that is known, and its contacts.

    replace: also in the place of another, whose key is put aside. Raises ArgumentError "store" as
    check_account_taken_over().
    """
    pem, url, contact = account
    with _locked(store, context, directory_url) as lock:
        if not replace:
            check_account_taken_over(store, directory_url, pem)
        kept = read_texts(store, lock.name)
        known = kept.get(_KEY, "")
        if _thumbprint(known) == _thumbprint(pem):
            return
        about = {"url": url, "thumbprint": _thumbprint(pem), "contact": list(contact)}
        aside = {f"key-{time.time_ns()}.pem": known} if known else {}
        new = {_KEY: pem} | ({ACCOUNT: json_lines(about)} if url else {})
        write_texts(store, lock, forget_account_url(kept) | aside | new)


@contextlib.contextmanager
def changing_account_key(
    store: Store, context: Context, directory_url: str, pem: str, account_url: str = ""
) -> Iterator[None]:
    """Puts another key in the place of the one kept, when the block ends well; from its beginning both are on disk.

    An error leaves next.pem: the CA may have accepted that key. complete_key_change() asks it.
    """
    with _locked(store, context, directory_url) as lock:
        kept = read_texts(store, lock.name)
        if kept.get(_NEXT) != pem:
            kept = _with_next_aside(kept)
        write_texts(store, lock, kept | {_NEXT: pem, _NEXT_ACCOUNT: json.dumps({"url": account_url})})
        yield
        write_texts(store, lock, _changed(kept, pem))


def complete_key_change(store: Store, context: Context, server: Server) -> None:
    """Ends a change of the account's key whose process died, or that heard no answer: the CA knows which key it has.

    One request, and only where such a change is open; a key that the CA does not know is put aside. Raises what the
    request does.
    """
    name = account_set(server.url)
    if not read_texts(store, name, (_NEXT,)):
        return
    with _locked(store, context, server.url) as lock:
        kept = read_texts(store, name)
        pem = kept.get(_NEXT)
        if pem is None:
            return
        url = _account_url(context, server, pem)
        is_changed = bool(url) and url == (_asked_account(kept) or url)
        write_texts(store, lock, _changed(kept, pem) if is_changed else _with_next_aside(kept))
    context.tell("account_key", changed=is_changed)


def _account_url(context: Context, server: Server, pem: str) -> str:
    """Returns the URL of the account that this key has at the CA; empty without an account."""
    try:
        # Asked anew: what this process knows of the key may be from before.
        return Client(server, account_key_of(pem)).account_url(context)
    except KeyFormatError:
        return ""
    except AcmeError as error:
        if error.kind != "accountDoesNotExist":
            raise
        return ""


def _changed(kept: Mapping[str, str], pem: str) -> dict[str, str]:
    """Returns the account's set once the CA has accepted that key."""
    rest = forget_account_url({name: text for name, text in kept.items() if name not in (_NEXT, _NEXT_ACCOUNT)})
    return rest | {_KEY: pem}


def _with_next_aside(kept: Mapping[str, str]) -> dict[str, str]:
    """Returns the account's set, with the next key under a name by which it is kept but not used."""
    aside = {f"next-{time.time_ns()}.pem": kept[_NEXT]} if _NEXT in kept else {}
    return {name: text for name, text in kept.items() if name not in (_NEXT, _NEXT_ACCOUNT)} | aside


def _asked_account(kept: Mapping[str, str]) -> str:
    """Returns the URL of the account for the next key; empty if it is not known."""
    try:
        return str(json.loads(kept.get(_NEXT_ACCOUNT, "{}"))["url"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return ""


def put_key_aside(store: Store, context: Context, directory_url: str, thumbprint: str) -> str:
    """Keeps the key of an account that has ended under another name, if it is the one that is kept for this CA.

    Returns that name, empty if it is not.
    """
    if _thumbprint(account_key(store, directory_url)) != thumbprint:
        return ""
    with _locked(store, context, directory_url) as lock:
        kept = forget_account_url(read_texts(store, lock.name))
        if _thumbprint(kept.get(_KEY, "")) != thumbprint:
            return ""
        aside = f"key-{time.time_ns()}.pem"
        kept[aside] = kept.pop(_KEY)
        write_texts(store, lock, kept)
        return f"{lock.name}/{aside}"


def with_account(context: Context, store: Store | None, issuance: Issuance, work: Callable[[Client], _T]) -> _T:
    """Returns the work's result with the account of this issuance; once more where its key does not count any more.

    With a new account where that has ended, once: the old key stays in the store, under another name. With the key that
    the store has by now where another process has changed it meanwhile, each time. Raises AcmeError unauthorized for a
    key that was given.
    """
    has_ended = False
    while True:
        client = client_of_issuance(store, context, issuance)
        try:
            return work(client)
        except AcmeError as error:
            from ..acme.ended import account_has_ended

            if not has_ended and account_has_ended(client, context, error):
                has_ended = True
                _end_account(context, store, issuance, client, error)
            elif not has_changed_key(context, store, issuance, client, error):
                raise


def _end_account(
    context: Context, store: Store | None, issuance: Issuance, client: Client, error: AcmeError
) -> None:  # fmt: skip
    """Puts the key of an account that has ended aside. Raises AcmeError where it was given, or there is no store."""
    named = f"the account at {shown_url(issuance.directory)}"
    if store is None or issuance.account_key:
        raise error.within(f"{named} of the key given by -account_key has ended; give another key") from None
    aside = put_key_aside(store, context, issuance.directory, client.key.thumbprint)
    kept = f"; the key of the old one is kept as {aside}" if aside else ""
    context.warn("warning", warning="account", message=f"{named} has ended, a new one is made{kept}")


def has_changed_key(
    context: Context, store: Store | None, issuance: Issuance, client: Client, error: AcmeError
) -> bool:
    """Returns whether another process has changed the account's key since: the CA refuses what the old one signs."""
    if store is None or issuance.account_key or error.status not in _REFUSED_SIGNATURE:
        return False
    with contextlib.suppress(ArgumentError, WaitTimeout, AcmeError, HttpError):
        complete_key_change(store, context, client.server)  # the one that may be in the midst of it comes first
        return _thumbprint(account_key(store, issuance.directory)) not in ("", client.key.thumbprint)
    return False


def _thumbprint(pem: str) -> str:
    try:
        return account_key_of(pem).thumbprint if pem else ""
    except KeyFormatError:
        return ""


def client_of_issuance(store: Store | None, context: Context, issuance: Issuance) -> Client:
    """Returns the client that asks for a certificate: with the key given, else the store's, else a new one.

    What an earlier process has kept of account and directory is taken; the CA's answers check it.
    """
    if store is not None:
        _warn_of_writers(store, context)
    given = issuance.account_key.value if issuance.account_key else ""
    if store is not None and not given:
        complete_key_change(store, context, server_for(issuance.directory, issuance.connection))
    client = client_for(
        issuance.directory, account_key_for(context, store, issuance.directory, given), issuance.connection
    )
    if store is not None:
        kept = read_known(store, issuance.directory)
        if is_fresh(kept.get(DIRECTORY), due.now()):
            take_kept_directory(kept, client.server)
        take_kept_account(kept, client)
    if given and not client.knows_account:
        learn_keys(store)
    return client


def make_accounts(context: Context, store: Store | None, issuances: Iterable[Issuance]) -> None:
    """Makes the accounts at CAs that may be asked later, in the night. What fails there is a warning.

    Nothing is sent for those that are known. Raises ArgumentError where a binding is missing.
    """
    for issuance in issuances:

        limits = SharedLimits(context, store, issuance)

        def ensure(client: Client, one: Issuance = issuance, limits: SharedLimits = limits) -> Client:
            if not client.knows_account:
                limits.check(client)
            with limits.kept():
                ensure_account(client, context, one.account)
            return client

        try:
            client = with_account(context, store, issuance, ensure)
        except (AcmeError, HttpError, RetryError) as error:
            cause = f"{shown_url(issuance.directory)}, which is to be asked where others fail, gave no account"
            context.warn("warning", warning="fallback", message=f"{cause}: {error.message}")
            continue
        if store is not None:
            keep_known(store, context, client)


def keep_known(store: Store, context: Context, client: Client) -> None:
    """Keeps the account's URL and the directory, where the CA told them anew. Nothing fails where that cannot be."""
    url, contact = client.known_account
    directory = client.server.known_directory
    kept = read_known(store, client.server.url)
    known: dict[str, dict[str, Any]] = {}
    if url and contact is not None:
        known[ACCOUNT] = {"url": url, "thumbprint": client.key.thumbprint, "contact": list(contact)}
    if directory is not None and not client.server.has_kept_directory:
        is_new = kept.get(DIRECTORY, {}).get("directory") != directory.as_dict()
        if is_new or not is_fresh(kept.get(DIRECTORY), due.now()):
            known[DIRECTORY] = {"read_at": due.now(), "directory": directory.as_dict()}
    if all(kept.get(name) == value for name, value in known.items()):
        return
    try:
        with _locked(store, context.narrowed(KEEP_SECONDS), client.server.url) as lock:
            texts = {name: json_lines(value) for name, value in known.items()}
            write_texts(store, lock, read_texts(store, lock.name) | texts)
    except (ArgumentError, WaitTimeout) as error:
        context.tell("not_kept", name=account_set(client.server.url), message=error.message)


def keep_own_account(context: Context, store: Store | None, client: Client) -> None:
    """Keeps what is known of the account, if the client's key is the one that the store keeps for this CA."""
    if store is not None:
        with contextlib.suppress(ArgumentError):
            if _thumbprint(account_key(store, client.server.url)) == client.key.thumbprint:
                keep_known(store, context, client)


def forget_account_url(texts: dict[str, str]) -> dict[str, str]:
    """Returns an account's set without what is known of the account: its key is another, or it has ended."""
    return {name: text for name, text in texts.items() if name != ACCOUNT}
