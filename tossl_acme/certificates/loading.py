"""What the stores have of a declared set: read at first, and again once other processes have changed it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial

from ..context import Context
from ..context.workers import Works
from ..errors import ArgumentError, Cancelled, ForkedError, TosslError
from . import due
from .agenda import Agenda
from .errands import Errands
from .nodes import NODES
from .reports import Teller
from .rounds import Rounds
from .turns import Turns
from .upkeep import NEVER, Upkeep
from .watched import Watch, changed_names, load_many, load_some, load_windows

#: Looks at what other processes have done that are begun within a minute.
_SEEN_A_MINUTE = 200


class Loader:
    """Reads for one manage, and plans what follows from it. Its methods are for one thread.

    entries: the set, which manage changes.
    """

    def __init__(
        self, context: Context, entries: Mapping[str, Upkeep], agenda: Agenda, rounds: Rounds, teller: Teller
    ) -> None:
        self._context = context
        self._entries = entries
        self._agenda = agenda
        self._rounds = rounds
        self._teller = teller
        self._in_folders = Turns(lambda entry: not entry.managed.store.is_shared)
        self._with_files = Turns(lambda entry: entry.managed.has_own_files)
        self._watches: dict[str, Watch] = {}

    @property
    def has_watches(self) -> bool:
        """Returns whether ask_stores() is of use: a store is one that several machines use."""
        return bool(self._watches)

    def has_told(self, message: str) -> bool:
        """Returns whether this is why a store cannot be asked."""
        return any(watch.problem == message for watch in self._watches.values())

    def load_changed(self, entries: Iterable[Upkeep]) -> None:
        """Reads what is kept of those that are new in the set, or declared in another way."""
        self._in_folders.begin_anew(self._entries)
        self._with_files.begin_anew(self._entries)
        shared: dict[str, list[Upkeep]] = {}
        for entry in entries:
            store = entry.managed.store
            if store.is_shared:
                place = store.where(NODES)
                if place not in self._watches:
                    self._watches[place] = Watch(store)
                shared.setdefault(place, []).append(entry)
            else:
                self._context.check("the certificates")
                self.load(entry)
        for place, group in shared.items():
            self._load_from(self._watches[place], group)

    def load(self, entry: Upkeep) -> None:
        entry.load(len(self._entries))
        self._loaded(entry)

    def _loaded(self, entry: Upkeep) -> None:
        self._agenda.plan(entry)
        self._teller.tell_other(entry.name, entry.other)

    # ---- stores that several machines use ----

    def ask_stores(self, errands: Errands, askers: Works) -> None:
        """Asks each of them what has changed."""
        for watch in self._watches.values():
            if watch.may_ask():
                errands.begin(askers, watch.ask, partial(self._take_changes, watch, watch.problem))

    def _load_from(self, watch: Watch, entries: list[Upkeep]) -> None:
        def load() -> None:
            watch.begin()
            load_many(watch.store, entries, len(self._entries), self._loaded)

        self._read_from(watch, load)

    def _read_from(self, watch: Watch, read: Callable[[], None]) -> None:
        try:
            read()
        except (Cancelled, ForkedError):
            raise
        except TosslError as error:  # they are read once the store says what has changed
            watch.lose(error.message)
            self._teller.tell_failed("", error)

    def _take_changes(self, watch: Watch, before: str, changed: frozenset[str] | None) -> None:
        if watch.problem:
            if not before:
                self._teller.tell_failed("", ArgumentError("store", watch.problem))
            return
        if changed is None:
            mine = [entry for entry in self._entries.values() if watch.has(entry.managed.store) and not entry.is_busy]
            self._load_from(watch, mine)
            return
        certificates, renewals, asked = changed_names(changed)
        for bucket in asked:
            self._rounds.hear(watch.store.where(NODES), bucket)
        news: list[Upkeep] = []
        windows: list[Upkeep] = []
        for name in certificates | renewals:
            entry = self._entries.get(name)
            if entry is None or not watch.has(entry.managed.store):
                continue
            if name not in certificates:
                windows.append(entry)
            elif entry.is_busy:
                entry.is_stale = True
            else:
                news.append(entry)
        self._load_news(watch, news)
        self._read_from(watch, lambda: load_windows(watch.store, windows, self._loaded))

    def _load_news(self, watch: Watch, news: list[Upkeep]) -> None:
        serials = {entry.name: entry.serial for entry in news}

        def loaded(entry: Upkeep) -> None:
            self._loaded(entry)
            self._compare(entry, serials[entry.name])
            if entry.deploy_at == NEVER:
                entry.take_whole()

        self._read_from(watch, lambda: load_some(watch.store, news, len(self._entries), loaded))

    # ---- folders ----

    def see_others(self) -> None:
        """Looks whether other processes have changed some of the certificates, where the store does not say that."""
        for entry in self._in_folders.next(_SEEN_A_MINUTE, self._entries):
            if entry.is_busy:
                continue
            try:
                version = entry.read_version()
            except TosslError:  # whoever renews it meets that again
                continue
            if version != entry.version:
                before = entry.serial
                self.load(entry)
                self._compare(entry, before)

    def see_files(self) -> None:
        """Looks whether somebody has changed this machine's own files of some of the certificates."""
        for entry in self._with_files.next(_SEEN_A_MINUTE, self._entries):
            if entry.has_changed_files():
                self.load(entry)

    def _compare(self, entry: Upkeep, before: str) -> None:
        """Has a certificate delivered that is another than the one before."""
        if entry.serial not in ("", before):
            entry.begin_anew()
            entry.is_news, entry.deploy_at = entry.serial != entry.told, due.now()
            self._agenda.plan(entry)
