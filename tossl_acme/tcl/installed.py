"""Makes the package that pip has installed known to tclsh: `python -m tossl_acme --tcl-install`.

The files for Tcl are in lib/tcltk/tossl of the installation. tclsh finds them by TCLLIBPATH, or by a
pkgIndex.tcl in a folder where it looks, which leads there.
"""

from __future__ import annotations

import os
import shlex
import shutil
import string
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

__all__ = ["add_index", "remove_index", "show_path"]

_MARK = "# tossl of "
# tclsh itself reads on after an error. Without the version it would prefer a module of another to this package.
_LOAD = "if {[catch {package require -exact tossl VERSION} message]} {puts stderr $message; exit 1}"
#: The oldest Tcl of each kind, which younger ones heed too, and its library.
_MODULE_PATHS = {"TCL8_6_TM_PATH": "libtossl", "TCL9_0_TM_PATH": "libtcl9tossl"}
_NAMES = ("tclsh", "tclsh8.6", "tclsh9.0", "tclsh9.1")


def _stop(text: str) -> None:
    sys.exit(f"tossl_acme: {text}")


def _files_for_tcl() -> Path:
    """Returns the package folder of this installation."""
    for file in metadata.files("tossl-acme") or ():
        if file.name == "pkgIndex.tcl" and file.parent.name == "tossl":
            return Path(os.path.normpath(file.locate())).parent
    sys.exit(
        "tossl_acme: this installation is for Python alone: it has no libraries for Tcl. pip builds them where a C"
        " compiler and the headers of Tcl and Python are there (Debian: gcc, tcl-dev, python3-dev); a wheel for this"
        " system and this Python has them; `make` in tossl's tree builds there"
    )


# ---- the Python that it names ----


def _name_python(folder: Path) -> None:
    """Writes python.cfg, unless its own words lead to this Python: those of an environment do."""
    if Path(sys.prefix, "bin", "python").exists() and folder.parents[2] == Path(sys.prefix):
        return
    text = (
        "# The Python that tossl runs in. See docs/ARCHITECTURE.md.\n"
        f"program = {sys.executable}\npackages = {Path(__file__).parents[2]}\n"
        "mend = install tossl-acme anew, with the pip of a Python that is there\n"
    )
    path = folder / "python.cfg"
    if path.read_text("utf-8", "surrogateescape") != text:
        path.write_text(text, "utf-8", "surrogateescape")


# ---- tclsh ----


def _shells() -> list[str]:
    """Returns the tclsh that TCLSH names, else those in the PATH."""
    chosen = os.environ.get("TCLSH")
    found = filter(None, map(shutil.which, [chosen] if chosen else _NAMES))
    shells = list({os.path.realpath(path): path for path in found}.values())
    if not shells:
        _stop(f"there is no {chosen or 'tclsh'} in the PATH (Debian: apt-get install tcl)")
    return shells


def _ask(shell: str, script: str, path: str = "") -> subprocess.CompletedProcess[bytes]:
    left_out = ("TCLLIBPATH", "TOSSL_PYTHON", *_MODULE_PATHS)
    environment = {name: value for name, value in os.environ.items() if name not in left_out}
    return subprocess.run(  # noqa: S603 - a tclsh of the user's PATH
        [shell], input=script.encode(), env=environment | {"TCLLIBPATH": path}, capture_output=True, cwd="/"
    )


def _library_path(folder: Path) -> str:
    """Returns a Tcl list of the folder that has the package's folder."""
    return _braced(str(folder.parent))


def _braced(text: str) -> str:
    """Returns a word of Tcl."""
    plain = text.replace("/", "").replace(".", "").replace("-", "").replace("_", "").isalnum()
    return text if plain else "{" + text + "}" if not set("{}\\") & set(text) else _escaped(text)


def _escaped(text: str) -> str:
    return "".join(c if c.isalnum() or c in "/.-_" else f"\\{c}" for c in text)


def _places(shell: str) -> list[Path]:
    """Returns the folders where a tclsh looks for packages."""
    return [Path(os.fsdecode(line)) for line in _ask(shell, "puts [join $auto_path \\n]").stdout.splitlines()]


def _try(shells: list[str], folder: Path) -> list[str]:
    """Returns those that can load the package; says why the others cannot. Stops without any."""
    good = []
    script = _LOAD.replace("VERSION", metadata.version("tossl-acme"))
    for shell in shells:
        said = _ask(shell, script, _library_path(folder))
        if said.returncode == 0:
            good.append(shell)
        else:
            reason = os.fsdecode(said.stderr.strip().partition(b"\n")[0]) or f"exit status {said.returncode}"
            print(f"tossl_acme: {shell}: {reason}", file=sys.stderr)
    if not good:
        _stop("nothing was installed: no tclsh can load tossl")
    return good


# ---- its index ----


def _may_write(folder: Path) -> bool:
    while not folder.exists():
        folder = folder.parent
    return folder.is_dir() and os.access(folder, os.W_OK)


def _choose(shell: str) -> Path:
    """Returns where a tclsh shall find it: below /usr/local, else in a folder that is no distribution's."""
    places = [place for place in _places(shell) if _may_write(place)]

    def rank(place: Path) -> int:
        return 0 if place.is_relative_to("/usr/local") else 1 if not place.is_relative_to("/usr") else 2

    if not places:
        _stop(
            f"nothing was installed: this user may not write where {shell} looks for packages. Name a folder, or"
            f' set TCLLIBPATH: eval "$({shlex.join([sys.executable, "-m", "tossl_acme", "--tcl"])})"'
        )
    return min(places, key=rank)


def _as_tcl(path: Path) -> str:
    """Returns a word for a path; one that is not ASCII has the bytes of the file's name in every locale."""
    text = str(path)
    if text.isascii():
        return _braced(text)
    plain = set(b"/" + string.ascii_letters.encode() + string.digits.encode())
    escapes = "".join(chr(byte) if byte in plain else f"\\x{byte:02x}" for byte in os.fsencode(path))
    return f'[encoding convertfrom [encoding system] "{escapes}"]'


def _index(folder: Path) -> bytes:
    """Returns the three lines. A Python that was removed leaves every other package of Tcl alone."""
    uninstall = shlex.join([sys.executable, "-m", "tossl_acme", "--tcl-uninstall"])
    return os.fsencode(
        f"{_MARK}{sys.executable}; this removes it: {uninstall}\n"
        "apply {dir {if {[file exists [file join $dir pkgIndex.tcl]]} {source [file join $dir pkgIndex.tcl]}}} \\\n"
        f"    {_as_tcl(folder)}\n"
    )


def _write(place: Path, folder: Path) -> None:
    path = place / "tossl" / "pkgIndex.tcl"
    if path.parent.resolve() == folder.resolve():  # of a system's pip, into /usr/local
        print(f"tossl_acme: tclsh finds {path} already, which pip uninstall removes")
        return
    if path.exists() and not path.read_bytes().startswith(_MARK.encode()):
        _stop(f"{path} is not of --tcl-install: it is left as it is")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_index(folder))
    print(f"tossl_acme: wrote {path}")


# ---- the words of a terminal ----


def show_path() -> None:
    """Prints the lines for a shell that let tclsh find the package: `eval "$(... --tcl)"`."""
    folder = _files_for_tcl()
    _name_python(folder)
    _export("TCLLIBPATH", _library_path(folder), " ")
    modules = folder / "modules"
    for name, library in _MODULE_PATHS.items():
        if any(folder.glob(f"{library}.*")) and _may_be_in(modules, os.environ.get(name, "")):
            _export(name, str(modules), os.pathsep)


def _may_be_in(modules: Path, others: str) -> bool:
    """Returns whether a module path takes the folder: Tcl refuses folders within each other, and loads nothing then."""
    return os.pathsep not in str(modules) and not any(
        modules != (other := Path(text)) and (modules.is_relative_to(other) or other.is_relative_to(modules))
        for text in others.split(os.pathsep)
    )


def _export(name: str, path: str, separator: str) -> None:
    others = os.environ.get(name, "")
    text = path if not others or path in others.split(separator) else f"{path}{separator}{others}"
    sys.stdout.buffer.write(os.fsencode(f"export {name}={shlex.quote(text)}\n"))


def add_index(place: Path | None) -> None:
    """Writes a pkgIndex.tcl where each tclsh looks that can load the package, or below `place`."""
    folder = _files_for_tcl()
    _name_python(folder)
    good = _try(_shells(), folder)
    for each in [place] if place else dict.fromkeys(map(_choose, good)):
        _write(each.absolute(), folder)


def _written(place: Path | None) -> Iterator[Path]:
    """Yields the files that this Python's installation has written."""
    places = [place] if place else dict.fromkeys(found for shell in _shells() for found in _places(shell))
    for each in places:
        path = each / "tossl" / "pkgIndex.tcl"
        if path.is_file() and path.read_bytes().startswith(os.fsencode(f"{_MARK}{sys.executable};")):
            yield path


def remove_index(place: Path | None) -> None:
    """Removes what add_index() wrote."""
    paths = list(_written(place))
    for path in paths:
        path.unlink()
        for folder in path.parents[:2]:
            if folder.name in ("tossl", "tcltk") and not any(folder.iterdir()):
                folder.rmdir()
        print(f"tossl_acme: removed {path}")
    if not paths:
        _stop(f"{sys.executable} has no pkgIndex.tcl {f'in {place}' if place else 'where a tclsh of the PATH looks'}")
