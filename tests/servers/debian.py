"""Server programs of a later Debian release, taken out of its packages without installing them.

apt gets separate sources, lists and a cache for this below ``build/``; the machine's own are neither read nor
changed, except for the mirror that it uses and the keys that it trusts.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
from contextlib import suppress
from pathlib import Path

from .process import ServerError

_BUILD = Path(__file__).resolve().parents[2] / "build"
_WITHIN = 120.0


def program_of(package: str, program: str, release: str = "trixie") -> Path:
    """The path of a program out of that release's package; ServerError says why it cannot be had."""
    installed = Path("/", program)
    if f"VERSION_CODENAME={release}\n" in Path("/etc/os-release").read_text() and installed.exists():
        return installed
    home = _BUILD / "debian" / release
    found = home / package / program
    home.mkdir(parents=True, exist_ok=True)
    with (home / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not found.exists():
            _unpack(_downloaded(package, release, home), home / package)
    if not os.access(found, os.X_OK):
        raise ServerError(f"Debian {release}'s package {package} has no {program}")
    return found


def _downloaded(package: str, release: str, home: Path) -> Path:
    for folder in ("lists/partial", "cache/archives/partial", "state", "debs"):
        (home / folder).mkdir(parents=True, exist_ok=True)
    (home / "state" / "status").touch()
    sources = home / "sources.list"
    sources.write_text(f"deb {_mirror()} {release} main\n")
    options = {
        "Dir::Etc::sourcelist": sources,
        "Dir::Etc::sourceparts": "-",
        "Dir::State": home / "state",
        "Dir::State::lists": home / "lists",
        "Dir::State::status": home / "state" / "status",
        "Dir::Cache": home / "cache",
        "Acquire::Languages": "none",
        "Acquire::Retries": "1",
        "Acquire::http::Timeout": "20",
        "APT::Sandbox::User": "root",
    }
    named = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    # Its cache is built once, for the download.
    _run(["apt-get", *named, "-o", "pkgCacheFile::Generate=false", "-qq", "update"], home)
    _run(["apt-get", *named, "-qq", "download", package], home / "debs")
    return max((home / "debs").glob(f"{package}_*.deb"), key=lambda path: path.stat().st_mtime)


def _mirror() -> str:
    """Where this machine gets its own Debian from."""
    with suppress(OSError):
        targets = subprocess.run(
            ["apt-get", "indextargets", "--format", "$(REPO_URI)"], capture_output=True, text=True, check=False
        )
        for uri in targets.stdout.split():
            if uri.rstrip("/").endswith("/debian"):
                return uri
    raise ServerError("this machine's apt names no Debian mirror")


def _unpack(package: Path, folder: Path) -> None:
    _run(["dpkg", "-x", str(package), str(folder)], package.parent)


def _run(argv: list[str], cwd: Path) -> None:
    try:
        done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, timeout=_WITHIN, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ServerError(f"{argv[0]}: {error}") from None
    if done.returncode:
        raise ServerError(f"{argv[0]} failed: {(done.stderr or done.stdout).strip()[-500:]}")
