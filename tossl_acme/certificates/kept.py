"""The files of an attempt to get a certificate, from its key to the downloaded certificate.

certificates/<NAME>/pending           a set:
                                      privkey.pem, the key, before its request leaves
                                      attempt.json, what was asked for, the order's URL, what is presented for it
                                      issued.pem, the certificate as it came
certificates/<NAME>/unusable-<time>   all of these, of a certificate that cannot serve
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..errors import AcmeError, ArgumentError, TosslError
from ..pki.csr import Csr
from ..pki.pem import certificate_blocks
from .files import CertificateFolder, with_key_aside
from .record import ATTEMPT, FILES, PENDING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .traces import Trace

_ISSUED = "issued.pem"
_KEY = FILES["private_key"]


class Attempt:
    """One attempt, which a later attempt can take up. Without a folder it stores nothing.

    asked: the part of the request (CA, names, dates, profile) that an earlier certificate must match to be used.
    """

    def __init__(self, folder: CertificateFolder | None, asked: Mapping[str, object]) -> None:
        self._folder = folder
        self._asked = dict(asked)
        self._csr: Csr | None = None
        self._made_here = False
        #: The order that this attempt placed or took up.
        self._placed_url = ""
        #: What is or may be presented, here and by an attempt that died.
        self._traces = _read_traces(self._record())
        #: The certificate as it came, once the CA has issued it, and whether it is on disk beside its key.
        self.issued = ""
        self.is_kept = False
        #: The order that was or may have been finalized.
        self.order_url = ""

    # ---- an earlier attempt ----

    @property
    def has_left_over(self) -> bool:
        """Returns whether an earlier attempt got a certificate, or placed an order or may have."""
        return bool(self._text(_ISSUED) or self._record().get("order") or self.may_have_placed)

    @property
    def may_have_placed(self) -> bool:
        """Returns whether an earlier attempt was about to place an order when it died, and may have."""
        record = self._record()
        return bool(record.get("placing")) and not record.get("order")

    @property
    def may_have_certificate(self) -> bool:
        """Returns whether the CA issued a certificate to an earlier attempt, or may have."""
        record = self._record()
        # Before this was told apart, an order was kept only when it was finalized.
        return bool(self._text(_ISSUED) or (record.get("order") and record.get("finalized", True)))

    def sweep(self) -> None:
        """Removes the files of a finished attempt, which had removed its record already."""
        if self._folder is not None and not self._text(ATTEMPT) and self.is_in_place:
            self.end()

    def left_over_key(self) -> str:
        """Returns the key (PEM) that an earlier attempt made and no CA refused; empty without one."""
        if self._record().get("made_here") is not True:
            return ""
        # The attempt may have died after its key was in its place, and before it had ended.
        return self._text(_KEY) or (self._in_force(_KEY) if self.is_in_place else "")

    @property
    def is_in_place(self) -> bool:
        """Returns whether the certificate of the earlier attempt is in force."""
        issued = "".join(self._text(_ISSUED).split())
        in_force = "".join(self._in_force(FILES["certificate"]).split()) if issued else ""
        return bool(in_force) and in_force in issued

    def left_over_order(self, csr: Csr) -> str:
        """Returns the URL of the order that was placed for the same request, with this key; empty without it."""
        return str(self._record().get("order") or "") if self.is_for(csr) else ""

    def take_up_certificate(self, csr: Csr) -> str:
        """Returns the certificate (PEM) that an earlier attempt got for this key; empty without one."""
        if self.is_for(csr):
            self._csr, self._made_here = csr, self._record().get("made_here") is True
            self.issued = self._text(_ISSUED)
            self.is_kept = True
        return self.issued

    def is_for(self, csr: Csr) -> bool:
        """Returns whether the earlier attempt was for the same request, with this key."""
        record = self._record()
        return record.get("asked") == self._asked and record.get("public_key") == _digest(csr)

    # ---- this attempt ----

    def keep_key(self, csr: Csr, *, made_here: bool) -> None:
        """Stores the CSR's key, if this process has it, before the CSR is sent. Raises ArgumentError store."""
        self._csr, self._made_here = csr, made_here
        if self._folder is None:
            return
        texts = self._folder.pending_with(csr.private_key) if csr.private_key else self._texts()
        if not self.is_for(csr) or not self.may_have_placed:
            self._write_record(texts, placing=True)
        elif texts != self._texts():
            self._folder.write(texts, PENDING)

    def keep_order(self, url: str) -> None:
        """Keeps the URL of the order that was placed. Raises ArgumentError store."""
        self._placed_url = url
        if self._record().get("order") != url:
            self._write_record()

    def keep_finalizing(self, url: str) -> None:
        """Keeps that this order is about to be finalized. Raises ArgumentError store."""
        self._placed_url = self.order_url = url
        record = self._record()
        if record.get("order") != url or not record.get("finalized") or record.get("presented") != self._presented():
            self._write_record()

    @property
    def traces(self) -> tuple[Trace, ...]:
        """Returns the challenges that are or may be presented, also by an attempt that died."""
        return tuple(self._traces.values())

    def keep_traces(self, traces: Iterable[Trace]) -> None:
        """Keeps what is about to be presented. Raises ArgumentError store."""
        self._traces |= {trace.key: trace for trace in traces}
        if self._record().get("presented", []) != self._presented():
            self._write_record()

    def drop_traces(self, traces: Iterable[Trace]) -> None:
        """Forgets what is presented no more; on disk with what is written next."""
        for trace in traces:
            self._traces.pop(trace.key, None)

    def keep_issued(self, pem: str) -> None:
        """Stores the CERTIFICATE blocks of the download, and nothing else. Raises ArgumentError store."""
        self.issued = certificate_blocks(pem)
        self.is_kept = False
        if self._folder is not None and self.issued:
            self._folder.write(self._texts() | {_ISSUED: self.issued}, PENDING)
            self.is_kept = True

    def drop_order(self) -> None:
        """Forgets the order, which has no certificate and will have none."""
        self._placed_url = self.order_url = ""
        with contextlib.suppress(TosslError):  # the next attempt asks the CA, and sees it
            self._write_record()

    def refuse_key(self) -> None:
        """Puts a key aside that the CA refused: the next attempt makes another."""
        if self._folder is not None and self._made_here:
            with contextlib.suppress(ArgumentError):
                self._folder.write(with_key_aside(self._texts()), PENDING)

    def unusable(self, error: AcmeError) -> AcmeError:
        """Puts the unusable certificate and its key aside; returns the error with their folder."""
        with contextlib.suppress(ArgumentError):
            if aside := self.put_aside():
                error.message += f"; it was put aside in {aside}"
        return error

    def waiting(self, error: AcmeError) -> AcmeError:
        """Returns the error of a certificate that is not valid yet, with the place where it is kept."""
        if self._folder is not None and self.is_kept:
            error.message += f"; it is kept in {self._folder.where(PENDING)}, and the next call puts it in use then"
        return error

    def put_aside(self) -> str:
        """Moves all files of the attempt to a folder that no later attempt uses.

        Returns that folder, quoted for a message; empty if nothing was stored. Raises ArgumentError store.
        """
        texts = self._texts()
        if self._folder is None or not texts:
            return ""
        aside = f"unusable-{time.time_ns()}"
        self._folder.write(texts, aside)
        self._folder.write({}, PENDING)
        self.issued = self.order_url = self._placed_url = ""
        return self._folder.where(aside)

    def end(self, *, ends: bool = False) -> None:
        """Removes what is needed no more, when the certificate is in its place; else the next attempt does.

        ends: whether nothing more is written under the lock, which is released then.
        """
        if self._folder is not None:
            with contextlib.suppress(ArgumentError):
                texts = self._texts()
                is_in_force = texts.get(_KEY, "") == self._in_force(_KEY)
                ended = (ATTEMPT, _ISSUED, _KEY) if is_in_force else (ATTEMPT, _ISSUED)
                self._folder.write({name: texts[name] for name in texts if name not in ended}, PENDING, ends=ends)
        self.is_kept = True

    @contextlib.contextmanager
    def not_lost(self) -> Iterator[None]:
        """Adds to an error that leaves this block the certificate and its key, unless they are on disk.

        If the certificate was not downloaded yet, and no store can take it up, adds the order's URL.
        """
        try:
            yield
        except TosslError as error:
            if not self._is_safe or (self.issued and error.errorcode[1:] == ("VALUE", "store")):
                error.details |= self._at_stake()
            raise
        except Exception as error:
            if self._is_safe:
                raise
            cause = f"internal error: {type(error).__name__}; the issued certificate is in the error's details"
            raise TosslError(cause, "INTERNAL", details=self._at_stake()) from None

    @property
    def _is_safe(self) -> bool:
        if self.issued:
            return self.is_kept
        return not self.order_url or self._folder is not None

    def _at_stake(self) -> dict[str, object]:
        what: dict[str, object] = {"certificate": self.issued} if self.issued else {"order_url": self.order_url}
        return what | ({"private_key": self._csr.private_key} if self._csr and self._made_here else {})

    # ---- files ----

    def _texts(self) -> dict[str, str]:
        return self._folder.read(PENDING) if self._folder is not None else {}

    def _text(self, name: str) -> str:
        return self._texts().get(name, "")

    def _in_force(self, name: str) -> str:
        return self._folder.read().get(name, "") if self._folder is not None else ""

    def _record(self) -> dict[str, Any]:
        try:
            record = json.loads(self._text(ATTEMPT) or "{}")
        except (ValueError, RecursionError):
            return {}
        return record if isinstance(record, dict) else {}

    def _write_record(self, texts: Mapping[str, str] | None = None, *, placing: bool = False) -> None:
        """Writes the record, with the other files of the attempt as they are unless `texts` are to take their place."""
        if self._folder is None or self._csr is None:
            return
        record = {
            "asked": self._asked,
            "public_key": _digest(self._csr),
            "made_here": self._made_here,
            "order": self._placed_url,
            "finalized": bool(self.order_url),
            "placing": placing,
            "presented": self._presented(),
        }
        others = self._texts() if texts is None else texts
        self._folder.write({**others, ATTEMPT: json.dumps(record)}, PENDING)

    def _presented(self) -> list[dict[str, Any]]:
        return [trace.as_json() for trace in self._traces.values()]


def _read_traces(record: Mapping[str, Any]) -> dict[tuple[object, ...], Trace]:
    presented = record.get("presented")
    if not presented:
        return {}
    from .traces import Trace

    found = [Trace.from_json(item) for item in presented] if isinstance(presented, list) else []
    return {trace.key: trace for trace in found if trace is not None}


def _digest(csr: Csr) -> str:
    return hashlib.sha256(csr.public_key).hexdigest()
