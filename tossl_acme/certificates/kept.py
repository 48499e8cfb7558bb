"""The files of an attempt to get a certificate, from its key to the downloaded certificate.

certificates/<NAME>/pending/privkey.pem    the key, before its request is sent
certificates/<NAME>/pending/attempt.json   the request, and the order's URL before it is finalized
certificates/<NAME>/pending/issued.pem     the certificate as downloaded
certificates/<NAME>/unusable-<time>/       all of these, of an unusable certificate
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import AcmeError, ArgumentError, TosslError
from ..pki.csr import Csr
from ..pki.pem import certificate_blocks
from .files import FILES, CertificateFolder

_PENDING = "pending"
_RECORD = f"{_PENDING}/attempt.json"
_ISSUED = f"{_PENDING}/issued.pem"
_KEY = f"{_PENDING}/{FILES['private_key']}"


class Attempt:
    """One attempt, which a later attempt can take up. Without a folder it stores nothing.

    asked: the part of the request (CA, names, dates, profile) that an earlier certificate must match to be used.
    """

    def __init__(self, folder: CertificateFolder | None, asked: Mapping[str, object]) -> None:
        self._certificate = folder
        self._folder = folder.folder if folder is not None else None
        self._asked = dict(asked)
        self._csr: Csr | None = None
        self._made_here = False
        #: The certificate as downloaded, and whether it is on disk beside its key.
        self.issued = ""
        self.is_kept = False
        #: The order that was or may have been finalized.
        self.order_url = ""

    # ---- an earlier attempt ----

    @property
    def has_left_over(self) -> bool:
        """Returns whether an earlier attempt got a certificate, or finalized its order."""
        return bool(self._text(_ISSUED) or self._record().get("order"))

    def sweep(self) -> None:
        """Removes the files of a finished attempt, which had removed its record already."""
        if self._folder is not None and not self._text(_RECORD) and self.is_in_place:
            self.end()

    def left_over_key(self) -> str:
        """Returns the key (PEM) that an earlier attempt made and no CA refused; empty without one."""
        if self._record().get("made_here") is not True:
            return ""
        # The process may have died when its key was in place, before the attempt was finished.
        return self._text(_KEY) or (self._text(FILES["private_key"]) if self.is_in_place else "")

    @property
    def is_in_place(self) -> bool:
        """Returns whether the certificate of the earlier attempt is in force."""
        in_force = "".join(self._text(FILES["certificate"]).split())
        return bool(in_force) and in_force in "".join(self._text(_ISSUED).split())

    def left_over_order(self, csr: Csr) -> str:
        """Returns the URL of the order that was, or may have been, finalized with this key; empty without one."""
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
        if self._certificate is None:
            return
        if csr.private_key:
            self._certificate.keep_key(csr.private_key)
        if not self.is_for(csr):
            self._write_record("")

    def keep_order(self, url: str) -> None:
        """Stores the URL of an order before it is finalized. Raises ArgumentError store."""
        self._write_record(url)
        self.order_url = url

    def keep_issued(self, pem: str) -> None:
        """Stores the CERTIFICATE blocks of the download, and nothing else. Raises ArgumentError store."""
        self.issued = certificate_blocks(pem)
        self.is_kept = False
        if self._folder is not None and self.issued:
            self._folder.write(_ISSUED, self.issued)
            self.is_kept = True

    def drop_order(self) -> None:
        """Forgets an order that will never have a certificate."""
        self.order_url = ""
        with contextlib.suppress(TosslError):  # the next attempt asks the CA
            self._write_record("")

    def refuse_key(self) -> None:
        """Puts a key aside that the CA refused: the next attempt makes another."""
        if self._folder is not None and self._made_here:
            with contextlib.suppress(ArgumentError):
                self._folder.put_aside(_KEY)

    def unusable(self, error: AcmeError) -> AcmeError:
        """Puts the unusable certificate and its key aside; returns the error with their folder."""
        with contextlib.suppress(ArgumentError):
            if aside := self.put_aside():
                error.message += f"; it was put aside in {aside}"
        return error

    def put_aside(self) -> str:
        """Moves all files of the attempt to a folder that no later attempt uses.

        Returns that folder, quoted for a message; empty if nothing was stored. Raises ArgumentError store.
        """
        aside = f"unusable-{time.time_ns()}"
        if self._folder is None or not self._folder.rename(_PENDING, aside):
            return ""
        self._folder.sync()
        self.issued = self.order_url = ""
        return (self._folder.path / aside).shown

    def end(self) -> None:
        """Removes the attempt's files when the certificate is in place. Raises ArgumentError store."""
        if self._folder is not None:
            self._folder.remove(_RECORD)
            with contextlib.suppress(ArgumentError):  # without the record the next attempt removes the rest
                self._folder.remove(_ISSUED)
                self._folder.remove_folder(_PENDING)
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

    def _text(self, name: str) -> str:
        return self._folder.read(name) if self._folder is not None else ""

    def _record(self) -> dict[str, Any]:
        try:
            record = json.loads(self._text(_RECORD) or "{}")
        except (ValueError, RecursionError):
            return {}
        return record if isinstance(record, dict) else {}

    def _write_record(self, order: str) -> None:
        if self._folder is None or self._csr is None:
            return
        record = {"asked": self._asked, "public_key": _digest(self._csr), "made_here": self._made_here, "order": order}
        self._folder.write(_RECORD, json.dumps(record, indent=1))


def _digest(csr: Csr) -> str:
    return hashlib.sha256(csr.public_key).hexdigest()
