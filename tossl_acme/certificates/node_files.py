"""A certificate's files in a folder of this machine's own, whatever keeps the certificate: for web servers.

FOLDER/<NAME>/cert.pem, chain.pem, fullchain.pem, privkey.pem    written whole, as a store in a folder writes them

They belong to the machine: no record in the store names them, and each call says where they are.
"""

from __future__ import annotations

import contextlib
import os

from ..errors import ArgumentError, TosslError
from ..files import Folder, refusals
from ..store.folder import FolderStore
from ..store.options import FILES as LAYOUT_FILES
from ..store.options import LINKS, Access
from ..store.sets import POINTER
from .record import FILES, folder_name, sha256

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..context import Context
    from ..files import FilePath
    from ..store.options import FolderOptions
    from ..store.protocol import Store
    from .deploy import Hooks
    from .record import KeptCertificate

_FOLDER_MODE = 0o700
#: CAs begin a certificate's life up to an hour before they issue it: so much later is another order.
_MOST_LATER_SECONDS = 86400


class NodeFiles:
    """The folder. options: layout and rights of what is written. Errors are ArgumentError "files"."""

    __slots__ = ("_folder", "_options", "path")

    def __init__(self, path: FilePath, options: FolderOptions) -> None:
        self.path = path
        self._options = options
        self._folder = FolderStore(path, options.for_all)

    def check(self, store: Store | None, name: str) -> None:
        """Raises ArgumentError where the files could not be written: before anything is ordered."""
        own = os.path.realpath(self.path / folder_name(name))
        kept = store.path_of("certificates") if store is not None else None
        root = os.path.realpath(os.path.dirname(kept)) if kept is not None else ""  # noqa: PTH120 - pathlib loads slowly
        if root and (_is_below(own, root) or _is_below(root, own)):
            cause = f"the store is {root}, and has the certificate's files itself"
            raise ArgumentError("files", f"cannot write {self.path.shown}: {cause}; give another folder, or no -files")
        with refusals("files", self.path), Folder.open(self.path, mode=_FOLDER_MODE) as opened:
            if not opened.is_writable():
                raise ArgumentError("files", f"cannot write {self.path.shown}: it is not this user's to write to")
        with _of_files():
            self._check_free(folder_name(name))

    def keep(self, context: Context, certificate: Mapping[str, object]) -> dict[str, FilePath]:
        """Writes the files of a certificate unless they are there; returns their paths.

        certificate: what obtain_certificate returns.
        """
        folder = folder_name(str(certificate["name"]))
        texts = {file: str(certificate[kind] or "") for kind, file in FILES.items()}
        has_key = bool(texts[FILES["private_key"]])
        values = {file: text.encode() for file, text in texts.items() if has_key or file != FILES["private_key"]}
        with _of_files():
            before = self._folder.read(folder)
            if before != values or not self._are_as_asked(folder):
                self._check_free(folder)
                self._check_not_newer(folder, before or {}, certificate)
                with self._folder.locked(context, folder) as lock:
                    self._folder.write(lock, values)
                context.tell("written", name=str(certificate["name"]), folder=self._folder.path_of(folder))
        return self.paths(folder, has_key=has_key)

    def place(self, context: Context, certificate: dict[str, object]) -> None:
        """Writes the files of a certificate, as keep(); its dict names these then."""
        found = certificate["files"]
        assert isinstance(found, dict)
        others = {kind: path for kind, path in found.items() if kind not in FILES}
        certificate["files"] = {**self.keep(context, certificate), **others}

    def paths(self, folder: str, *, has_key: bool) -> dict[str, FilePath]:
        """Returns the paths of the files in a certificate's folder, by the names of the values that they hold."""
        kinds = [kind for kind in FILES if has_key or kind != "private_key"]
        return {kind: self._folder.path_of(folder, FILES[kind]) for kind in kinds}

    def paths_of(self, name: str) -> list[FilePath]:
        """Returns the paths of all files of a certificate, whether they are there or not."""
        return list(self.paths(folder_name(name), has_key=True).values())

    def holds(self, kept: KeptCertificate) -> bool:
        """Returns whether the files are those of the certificate in force; reads nothing but them."""
        try:
            with _of_files():
                values = self._folder.read(folder_name(kept.name)) or {}
        except TosslError:  # whoever writes them meets that again
            return False
        digests = kept.record["digests"]
        return bool(digests) and {file: sha256(content) for file, content in values.items()} == digests

    def _are_as_asked(self, folder: str) -> bool:
        """Returns whether layout, mode and group are what this call says of them."""
        path, asked = self._folder.path_of(folder, FILES["certificate"]), self._options
        with refusals("files", path):
            layout = LINKS if os.path.islink(path) else LAYOUT_FILES  # noqa: PTH114
            status = os.stat(path)  # noqa: PTH116
        found = Access(status.st_mode & 0o777, status.st_gid)
        return asked.layout in ("", layout) and asked.access(found).is_of(status)

    def _check_not_newer(self, folder: str, before: Mapping[str, bytes], certificate: Mapping[str, object]) -> None:
        """Raises ArgumentError where the files are of a much newer certificate: it came from another store."""
        text = before.get(FILES["fullchain"], b"").decode("utf-8", "replace")
        if not text or text == certificate["fullchain"]:
            return
        from ..pki.chain import read_certificate

        try:
            later = read_certificate(text).not_before - int(str(certificate["not_before"]))
        except TosslError:  # what stands there is no certificate: it is replaced
            return
        if later > _MOST_LATER_SECONDS:
            where = self._folder.path_of(folder).shown
            cause = f"{where} has a certificate that is newer than the store's by {later // 86400} days"
            advice = "this machine was given another -store before, or the store is an old copy"
            raise ArgumentError("files", f"{cause}: {advice}; give all the same, or move that folder away to go on")

    def _check_free(self, folder: str) -> None:
        """Raises ArgumentError where files with these names are another program's."""
        if self._folder.version(folder).startswith(".."):
            return
        for file in FILES.values():
            path = self._folder.path_of(folder, file)
            is_ours = os.path.islink(path) and os.readlink(path) == f"{POINTER}/{file}"  # noqa: PTH114, PTH115
            if os.path.lexists(path) and not is_ours:
                raise ArgumentError("files", f"{path.shown} is not tossl's: move it away, or give another folder")


def check_has_files(store: Store | None, place: object, hooks: Hooks) -> None:
    """Raises ArgumentError "deploy_command" where a command would be told of files, and there are none.

    place: where this machine's own are; nothing where it has none.
    """
    if hooks.command and not place:
        if store is None:
            raise ArgumentError("deploy_command", "-deploy_command needs a store: it is told of files")
        if store.path_of("certificates") is None:
            cause = "-deploy_command is told of files, and this store has none: -files or -pem_file writes them"
            raise ArgumentError("deploy_command", cause)


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder.rstrip('/')}/")


@contextlib.contextmanager
def _of_files() -> Iterator[None]:
    """A `with` around the use of the folder: its errors are those of -files."""
    try:
        yield
    except ArgumentError as error:
        if error.errorcode[2:] != ("store",):
            raise
        raise ArgumentError("files", error.message) from None
