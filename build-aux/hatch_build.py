"""Puts into the wheel, beside the Python package, what Tcl needs: the libraries, cli/, bin/tossl, the man pages
and what shells complete.

The environment says whether: TOSSL_WHEEL=pure leaves it out, TOSSL_WHEEL=tcl fails where it cannot be built; else it
is built where a compiler and the headers of Tcl and Python are there. PYTHONS names the Pythons to build for (the
default is the one that runs this), TCLSH the Tcl; CC, CFLAGS and LDFLAGS count as in `make`.
"""

import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

#: Below the prefix of the installation.
PLACE = "lib/tcltk/tossl"
PYTHON_CFG = """\
# The Python that tossl runs in; paths are relative to this folder. See docs/ARCHITECTURE.md.
program = ../../../bin/python
mend = install tossl-acme anew, with the pip of a Python that is there
"""
#: What shells complete, as `make completion` makes it: where they look for it, below the prefix.
COMPLETIONS = {"tossl": "share/bash-completion/completions", "_tossl": "share/zsh/site-functions"}
FOLLOWED = "[file dirname [file normalize [file join [info script] x]]]"  # its links too
CLI_IN_PREFIX = f"set cli [file join [file dirname [file dirname {FOLLOWED}]] {PLACE} cli]"
#: What glibc has had since 2012; Pythons that are older than this do not matter.
LOWEST_GLIBC = (2, 17)


def settings(python):
    """Return the environment for the scripts beside this, for that Python."""
    return {"TCLSH": "tclsh"} | os.environ | {"PYTHON": python}


def run(script, *words, python=sys.executable):
    """Return what a script beside this prints, by lines; it fails as the script does."""
    return subprocess.run(
        ["sh", f"build-aux/{script}", *words], env=settings(python), check=True, stdout=subprocess.PIPE, text=True
    ).stdout.splitlines()


def pythons():
    """Return the paths of the Pythons to build for."""
    return shlex.split(os.environ.get("PYTHONS", "")) or [sys.executable]


def find_lack():
    """Return what is missing to build for Tcl, or None."""
    compiler = shlex.split(os.environ.get("CC") or "cc")[0]
    if not shutil.which("sh") or not shutil.which(compiler):
        return f"no C compiler {compiler}"
    if subprocess.run(["sh", "build-aux/tclconfig.sh"], env=settings(""), capture_output=True).returncode:
        return "no tclsh with its tclConfig.sh (Debian: tcl-dev; TCLSH= names another)"
    for python in pythons():
        ask = [python, "-I", "-c", "import sysconfig; print(sysconfig.get_path('include'))"]
        headers = Path(subprocess.run(ask, check=True, stdout=subprocess.PIPE, text=True).stdout.strip())
        if not (headers / "Python.h").is_file():
            return f"no {headers}/Python.h (Debian: python3-dev)"
        check = subprocess.run([python, "-I", "build-aux/libpython.py"], capture_output=True, text=True)
        if check.returncode:
            return check.stderr.strip().removeprefix("tossl: ")
    return None


def fill(folder):
    """Make the package folder as Tcl sees it; return the libraries' names."""
    names = run("build.sh", "loaders", str(folder))
    for python in pythons():
        names += run("build.sh", "bridges", str(folder), python=python)
    for name in ("pkgIndex.tcl", "mounted.tcl"):
        shutil.copy(name, folder)
    run("modules.sh", str(folder))
    shutil.copytree("cli", folder / "cli")
    (folder / "python.cfg").write_text(PYTHON_CFG)
    return names


def write_command(path):
    """Write bin/tossl for a prefix; a link may lead to it."""
    text, count = re.subn("^set cli .*$", CLI_IN_PREFIX, Path("bin/tossl").read_text(), flags=re.MULTILINE)
    if count != 1:
        raise RuntimeError("bin/tossl has changed")
    path.write_text(text)
    path.chmod(0o755)


def name_platform(libraries):
    """Return the platform of the wheel's tag: of the newest glibc that the libraries need."""
    if sys.platform == "darwin":
        major, minor = (sysconfig.get_config_var("MACOSX_DEPLOYMENT_TARGET") or "11.0").split(".")[:2]
        return f"macosx_{major}_{minor}_{platform.machine()}"
    needed = {LOWEST_GLIBC}
    for library in libraries:
        found = re.findall(rb"GLIBC_(\d+)\.(\d+)", library.read_bytes())
        needed |= {(int(major), int(minor)) for major, minor in found}
    machine = sysconfig.get_platform().removeprefix("linux-")
    if len(needed) == 1 and platform.libc_ver()[0] != "glibc":
        return f"linux_{machine}"
    return "manylinux_{}_{}_{}".format(*max(needed), machine)


def name_tag(folder, names):
    """Return the wheel's tag: of the Pythons that it has bridges for. Other Pythons build the sdist."""
    versions = {match.group(1) for name in names if (match := re.search(r"-python3\.(\d+)\.", name))}
    interpreters = ".".join(f"cp3{minor}" for minor in sorted(versions, key=int))
    return f"{interpreters}-none-{name_platform([folder / name for name in names])}"


class ForTcl(BuildHookInterface):
    """What hatchling calls before it builds."""

    PLUGIN_NAME = "custom"

    def initialize(self, version, build_data):
        """Add the files for Tcl, and what `make man completion` has made."""
        os.chdir(self.root)
        made = {page: f"share/man/man{page.suffix[1:]}" for page in sorted(Path("build/man").glob("*.[1n]"))}
        completions = {Path("build/completion", name): place for name, place in COMPLETIONS.items()}
        made |= {path: place for path, place in completions.items() if path.is_file()}
        wanted = os.environ.get("TOSSL_WHEEL", "")
        if self.target_name == "sdist":
            build_data["force_include"] |= {str(path.absolute()): str(path) for path in made}
        elif version != "editable" and wanted != "pure":
            lack = find_lack() if "shared_data" in build_data else "hatchling is older than 1.24"
            if lack is None:
                self.add(build_data, made)
            elif wanted == "tcl":
                sys.exit(f"tossl: cannot build for Tcl: {lack}")
            else:
                self.app.display_warning(f"tossl: the wheel is for Python alone: {lack}")

    def add(self, build_data, made):
        """Build for Tcl, and name the files."""
        self.made = tempfile.TemporaryDirectory()
        folder = Path(self.made.name, "tossl")
        folder.mkdir()
        names = fill(folder)
        write_command(Path(self.made.name, "command"))
        # each by its name: of a folder, hatchling leaves out what git ignores
        shared = {path: f"{PLACE}/{path.relative_to(folder)}" for path in folder.rglob("*") if path.is_file()}
        shared |= {path.absolute(): f"{place}/{path.name}" for path, place in made.items()}
        build_data["shared_data"] |= {str(path): place for path, place in sorted(shared.items())}
        build_data["shared_scripts"][str(Path(self.made.name, "command"))] = "tossl"
        build_data["pure_python"] = False
        build_data["tag"] = name_tag(folder, names)

    def finalize(self, version, build_data, artifact_path):
        """Remove what was built: it is in the wheel."""
        if hasattr(self, "made"):
            self.made.cleanup()
