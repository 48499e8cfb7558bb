"""bundle.py WHEELS FOLDER: make one archive for machines with tclsh and the C library alone, without Python or network.

It has the wheel in WHEELS (folders, with ":" between them), the libraries that it needs, and the Python that runs this:
its standard library, libpython and each shared library that these need. All of it is found by relative paths, so it may
be unpacked anywhere. CONTENTS names each part, its version and licence. The same parts give the same bytes; times are
SOURCE_DATE_EPOCH. The shared libraries have names of their own in it: others of the process may be of another version.
"""

import fnmatch
import hashlib
import lzma
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from importlib import metadata
from pathlib import Path

from packaging.utils import canonicalize_name

VERSION = sysconfig.get_python_version()
#: What a tool or a test is for, or a screen, and what would bring a large library that tossl does not call.
LEFT_OUT = [
    "__pycache__",
    "site-packages",
    "dist-packages",
    "config-*",
    "test",
    "tests",
    "idlelib",
    "tkinter",
    "turtledemo",
    "turtle.py",
    "lib2to3",
    "ensurepip",
    "distutils",
    "pydoc_data",
    "sqlite3",
    "curses",
    "dbm",
    "EXTERNALLY-MANAGED",
    "sitecustomize.py",
    "_sysconfigdata__*_debug*",
    "_tkinter.*",
    "_sqlite3.*",
    "_curses*",
    "readline.*",
    "_dbm.*",
    "_gdbm.*",
    "nis.*",
    "ossaudiodev.*",
    "_crypt.*",
    "crypt.py",
    "_test*",
    "*_ctypes_test*",
    "_xx*",
    "xx*",
    "__phello__*",
]
#: Parts of the C library and of the compiler, which every system with glibc has.
OF_THE_SYSTEM = re.compile(r"(ld-linux.*|lib(c|m|dl|rt|pthread|util|resolv|nsl|gcc_s))\.so\.\d+$")
PYTHON_CFG = f"""\
# The Python in this folder. See docs/ARCHITECTURE.md of tossl.
home = python
version = {VERSION}
library = python/lib/libpython{VERSION}.so.1.0
packages = site-packages
mend = unpack all of tossl's archive again
"""
LICENSES = "licenses"
TCLS = {"tossl-tcl8": "Tcl 8.6", "tossl-tcl9": "Tcl 9"}


def run(*words, **options):
    """Return what a program prints."""
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True, **options).stdout


def tool(name):
    """Return the path of a program of this environment."""
    return str(Path(sys.executable).with_name(name))


# ---- the parts ----


def add_package(wheels, folder):
    """Install the wheel and what it needs; its files for Tcl become the folder itself."""
    stage = folder / "stage"
    names = [*os.environ.get("EXTRAS", "").split()]
    wanted = f"tossl-acme{'[' + ','.join(names) + ']' if names else ''}"
    run(
        *(sys.executable, "-m", "pip", "--isolated", "-q", "--disable-pip-version-check", "install", "--no-index"),
        *("--ignore-installed", "--no-compile", "--no-warn-script-location", "--prefix", str(stage)),
        *(word for wheel in wheels for word in ("-f", str(wheel))),
        *("--only-binary", ":all:", wanted),
    )
    shutil.move(next(stage.glob("lib*/python*/site-packages")), folder / "site-packages")
    for path in (stage / "lib/tcltk/tossl").iterdir():
        other = re.match(r"tossl-tcl\d-python(.*)\.so$", path.name)
        if other is None or other.group(1) == VERSION:
            shutil.move(path, folder / path.name)
    shutil.move(stage / "share", folder / "share")
    (folder / "bin").mkdir()
    text = (stage / "bin/tossl").read_text()
    assert "lib/tcltk/tossl cli" in text
    (folder / "bin/tossl").write_text(text.replace("lib/tcltk/tossl cli", "cli"))
    (folder / "python.cfg").write_text(PYTHON_CFG)
    shutil.rmtree(stage)


def add_python(folder):
    """Copy the standard library and libpython."""
    home = folder / "python" / "lib" / f"python{VERSION}"

    def left_out(place, names):
        del place
        return {name for name in names if any(fnmatch.fnmatch(name, pattern) for pattern in LEFT_OUT)}

    shutil.copytree(sysconfig.get_path("stdlib"), home, ignore=left_out)
    said = run(sys.executable, "-I", str(Path(__file__).with_name("libpython.py")))
    library = Path(dict(word.split("=", 1) for word in shlex.split(said))["PYTHON_LIBRARY"])
    shutil.copy(library, home.parent / f"libpython{VERSION}.so.1.0")
    return library.resolve()


def is_elf(path):
    """Return whether it is a program or library."""
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def needed(path):
    """Return the names of the libraries that it is linked with, those of the system left out."""
    names = run(tool("patchelf"), "--print-needed", str(path)).split()
    return [name for name in names if not OF_THE_SYSTEM.match(name)]


def where_is(path):
    """Return the paths of a file's libraries, by their names, as the system's loader finds them."""
    return {name: Path(at) for name, at in re.findall(r"(\S+) => (/\S+)", run("ldd", str(path)))}


def add_libraries(folder):
    """Copies each shared library that the files need, under a new name. Returns the original paths."""
    place = folder / "python" / "lib"
    todo = sorted(path for path in folder.rglob("*") if is_elf(path) and "site-packages" not in path.parts)
    came = {}
    while todo:
        path = todo.pop(0)
        at = where_is(came.get(path.name, path))
        for name in needed(path):
            own = place / f"tossl-{name}"
            if own.name not in came:
                came[own.name] = at[name].resolve()
                shutil.copy(at[name], own)
                run(tool("patchelf"), "--set-soname", own.name, str(own))
                todo.append(own)
            run(tool("patchelf"), "--replace-needed", name, own.name, str(path))
        if path.is_relative_to(folder / "python"):
            way = os.path.relpath(place, path.parent)
            run(tool("patchelf"), "--set-rpath", "$ORIGIN" if way == "." else f"$ORIGIN/{way}", str(path))
    return came


def compile_all(folder):
    """Compile for a folder that nobody may write to; no path of this machine is in it, and no time."""
    run(
        *(sys.executable, "-I", "-m", "compileall", "-q", "-s", str(folder), "-p", "", "--invalidation-mode"),
        *("unchecked-hash", str(folder / "python"), str(folder / "site-packages")),
        env=os.environ | {"PYTHONHASHSEED": "0"},
    )


# ---- what is in it ----


def name_package(path):
    """Return the name, version and licence file of the system's package that has a file."""
    for each in (path, Path("/", *path.parts[2:])) if path.parts[1] == "usr" else (path,):
        done = subprocess.run(["dpkg", "-S", str(each)], capture_output=True, text=True)
        if done.returncode == 0:
            name = done.stdout.split(",")[0].rpartition(": ")[0].partition(":")[0]
            version = run("dpkg-query", "-W", "-f", "${Version}\n", name).splitlines()[0]
            return name, version, Path("/usr/share/doc", name, "copyright")
    sys.exit(f"tossl: no package of the system has {path}: its version and licence are not known")


def list_system(folder, came, libpython):
    """Return lines on Python and the shared libraries; copy their licences."""
    lines = {}
    base = Path(sys.base_prefix, "lib", f"python{VERSION}", "LICENSE.txt")
    for own, path in sorted({"libpython": libpython, **came}.items()):
        if path.is_relative_to("/usr") or not base.is_file():
            name, version, text = name_package(path)
        else:
            name, version, text = "python", platform.python_version(), base
        shutil.copy(text, folder / LICENSES / f"{name}.txt")
        lines.setdefault(name, (version, f"{LICENSES}/{name}.txt", []))[2].append(own)
    return [f"{name} {version}  {text}  {' '.join(files)}" for name, (version, text, files) in sorted(lines.items())]


def list_packages(folder):
    """Return lines on the Python packages; their licences are in site-packages."""
    lines = []
    for package in metadata.distributions(path=[str(folder / "site-packages")]):
        about = package.metadata
        name = canonicalize_name(about["Name"])
        files = sorted(map(str, package.files or ()))
        texts = [f"site-packages/{file}" for file in files if re.search(r"dist-info/.*(LICEN|COPYING|NOTICE)", file)]
        licence = about["License-Expression"] or about["License"]
        if not licence or "\n" in licence or len(licence) > 60:
            found = [value for key, value in about.items() if key == "Classifier" and value.startswith("License ::")]
            licence = "; ".join(value.rpartition(" :: ")[2] for value in found)
        if not licence or not texts:
            sys.exit(f"tossl: {name} {package.version} says no licence, or has no text of it")
        lines.append(f"{name} {package.version}  {licence}  {' '.join(texts)}")
    return sorted(lines)


def name_glibc(folder):
    """Return the version of glibc that the files need."""
    found = {(2, 17)}
    for path in filter(is_elf, folder.rglob("*")):
        found |= {(int(a), int(b)) for a, b in re.findall(rb"\0GLIBC_(\d+)\.(\d+)", path.read_bytes())}
    return "{}.{}".format(*max(found))


def describe(folder, came, libpython):
    """Write CONTENTS and SHA256SUMS."""
    (folder / LICENSES).mkdir()
    system = list_system(folder, came, libpython)
    glibc = name_glibc(folder)
    tcls = {path.name.partition("-python")[0] for path in folder.glob("tossl-tcl*")}
    lines = [
        f"{folder.name}: tossl for {' and '.join(TCLS[tcl] for tcl in sorted(tcls))}, with Python",
        f"{platform.python_version()}. It needs glibc {glibc} or later.",
        "",
        "Python and shared libraries: package, version, licence, files in python/lib",
        *(f"    {line}" for line in system),
        "",
        "Python packages: name, version, licence, texts",
        *(f"    {line}" for line in list_packages(folder)),
        "",
        f"Of Python's standard library were left out: {' '.join(LEFT_OUT)}",
    ]
    (folder / "CONTENTS").write_text("\n".join(lines) + "\n")
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    sums = (f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder)}\n" for path in files)
    (folder / "SHA256SUMS").write_text("".join(sums))
    return glibc


# ---- the archive ----


def pack(folder, path):
    """Write the archive: sorted, with one time and no owner."""
    time = int(os.environ.get("SOURCE_DATE_EPOCH") or 1580601600)  # that of hatchling's wheels
    with lzma.open(path, "wb", preset=9 | lzma.PRESET_EXTREME) as out, tarfile.open(fileobj=out, mode="w|") as tar:
        for each in [folder, *sorted(folder.rglob("*"))]:
            entry = tar.gettarinfo(each, str(each.relative_to(folder.parent)))
            entry.uid = entry.gid = 0
            entry.uname = entry.gname = "root"
            entry.mtime = time
            is_program = each.is_dir() or is_elf(each) or each.parent.name == "bin"
            entry.mode = 0o755 if is_program else 0o644
            with each.open("rb") if entry.isreg() else open(os.devnull, "rb") as data:  # noqa: PTH123
                tar.addfile(entry, data)


def main(wheels, target):
    """Make the archive in the target's folder, and its checksum beside it."""
    (wheel,) = Path(wheels[0]).glob("tossl_acme-*.whl")
    name = f"tossl-{wheel.name.split('-')[1]}-linux-{platform.machine()}"
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made, name)
        folder.mkdir()
        add_package(wheels, folder)
        libpython = add_python(folder)
        came = add_libraries(folder)
        compile_all(folder)
        glibc = describe(folder, came, libpython)
        path = Path(target, f"{name}.tar.xz")
        pack(folder, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_name(f"{path.name}.sha256").write_text(f"{digest}  {path.name}\n")
    print(f"tossl: made {path}, {path.stat().st_size / 1e6:.1f} MB, for glibc {glibc} and later")


main(sys.argv[1].split(":"), sys.argv[2])
