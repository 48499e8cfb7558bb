"""The wheel: what pip installs is found by tclsh. `make test-install` does the same in a bare Debian."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

import tossl_acme

TREE = Path(__file__).resolve().parents[2]
TCLSH = shutil.which(os.environ.get("TCLSH", "tclsh")) or "tclsh"
VERSION = tossl_acme.__version__
HERE = f"cp3{sys.version_info.minor}"
USE = "puts [package require tossl]; puts [dict get [tossl::key::generate -type ec] type]"


def run(
    command: Sequence[str | Path], *, script: str = "", status: int = 0, folder: str | Path = "/", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run it, away from the tree, with TCLSH as the only tclsh."""
    outer = {name: value for name, value in os.environ.items() if not name.startswith(("TOSSL", "TCLLIBPATH", "PIP_"))}
    done = subprocess.run(
        list(command),
        input=script,
        env=outer | {"TCLSH": TCLSH} | environment,
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
    )
    assert done.returncode == status, done.stderr
    return done


def pip(*words: str | Path, **environment: str) -> None:
    run([sys.executable, "-m", "pip", "--isolated", "-q", "--disable-pip-version-check", *words], **environment)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For the Tcl and the Python of the tests, built without the network."""
    folder = tmp_path_factory.mktemp("wheel")
    outer = {name: value for name, value in os.environ.items() if not name.startswith("MAKE") and name != "MFLAGS"}
    subprocess.run(["make", "-s", "-C", TREE, "completion"], env=outer, check=True, capture_output=True)
    run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder], folder=TREE, TOSSL_WHEEL="tcl")
    (made,) = folder.iterdir()
    return made


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That of an environment with the wheel, and with the libraries of the tests."""
    place = tmp_path_factory.mktemp("an umläut") / "my tossl"
    run([sys.executable, "-m", "venv", "--without-pip", place])
    program = place / "bin" / "python"
    pip("--python", program, "install", "--no-index", "--no-deps", "--no-compile", wheel)
    (packages,) = place.glob("lib/python*/site-packages")
    (packages / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return program


def test_a_wheel_has_what_tcl_needs_and_names_what_it_is_for(wheel: Path) -> None:
    name = f"tossl_acme-{VERSION}"
    assert wheel.name.startswith(f"{name}-{HERE}-none-")
    assert "-any" not in wheel.name
    files = set(zipfile.ZipFile(wheel).namelist())
    tcl = f"{name}.data/data/lib/tcltk/tossl"
    libraries = {path for path in files if path.endswith(sysconfig.get_config_var("SHLIB_SUFFIX"))}
    assert {Path(path).name.rpartition("-")[2] for path in libraries} >= {
        f"python{sysconfig.get_python_version()}{sysconfig.get_config_var('SHLIB_SUFFIX')}"
    }
    assert all(path.startswith(tcl) for path in libraries)
    commands = {f"{tcl}/cli/{path.name}" for path in (TREE / "cli").iterdir()}
    assert files >= {f"{tcl}/modules/{name}-{VERSION}.tm" for name in ("tossl", "tossl/acme", "tossl/testing")}
    assert files >= commands | {f"{tcl}/pkgIndex.tcl", f"{tcl}/python.cfg", f"{name}.data/scripts/tossl"}
    share = f"{name}.data/data/share"
    assert files >= {f"{share}/bash-completion/completions/tossl", f"{share}/zsh/site-functions/_tossl"}


def test_tclsh_finds_what_pip_installed_until_it_is_told_otherwise(python: Path, tmp_path: Path) -> None:
    run([python, "-m", "tossl_acme", "--tcl-install", tmp_path])
    (index,) = tmp_path.rglob("*.*")
    assert index == tmp_path / "tossl" / "pkgIndex.tcl"
    assert len(index.read_text().splitlines()) == 3
    for locale in ("C", "C.UTF-8"):
        said = run([TCLSH], script=USE, TCLLIBPATH=str(tmp_path), LC_ALL=locale)
        assert (said.stdout.split(), said.stderr) == ([VERSION, "ec"], "")
    (tmp_path / "tossl link").symlink_to(python.parent / "tossl")
    assert run([TCLSH, tmp_path / "tossl link", "--version"]).stdout == f"tossl {VERSION}\n"
    run([python, "-m", "tossl_acme", "--tcl-uninstall", tmp_path])
    assert [path.name for path in tmp_path.iterdir()] == ["tossl link"]
    again = run([python, "-m", "tossl_acme", "--tcl-uninstall", tmp_path], status=1)
    assert again.stderr == f"tossl_acme: {python} has no pkgIndex.tcl in {tmp_path}\n"


def test_a_shell_takes_the_line_that_lets_tclsh_find_it(python: Path) -> None:
    script = f'eval "$("{python}" -m tossl_acme --tcl)" && exec "{TCLSH}"'
    said = run(["sh", "-c", script], script=f"{USE}; puts $auto_path", TCLLIBPATH="/one {/an other}").stdout
    assert said.split()[:2] == [VERSION, "ec"]
    assert "/one {/an other}" in said


def test_the_module_that_a_shell_is_told_of_is_found_without_a_search(python: Path, tmp_path: Path) -> None:
    (tmp_path / "pkgIndex.tcl").write_text("puts searched")
    script = f'eval "$("{python}" -m tossl_acme --tcl)" && exec "{TCLSH}"'
    settings = {"TCLLIBPATH": str(tmp_path), "TCL8_6_TM_PATH": "/no/such", "TCL9_0_TM_PATH": "/no/such"}
    use = f"{USE}; puts [lsearch [::tcl::tm::path list] /no/such]; catch {{package require no-such-package}}"
    said = run(["sh", "-c", script], script=use, **settings).stdout.split()
    assert said[:2] == [VERSION, "ec"]
    assert int(said[2]) >= 0
    assert said[3:] == ["searched"]


def test_a_shell_is_told_of_no_module_path_that_tcl_would_refuse_or_has_no_library_for(python: Path) -> None:
    """Tcl's module path takes no folders within each other: with these, the first `package require` would fail."""
    (modules,) = python.parents[1].glob("lib/tcltk/tossl/modules")
    built = {place.name for place in modules.parent.glob("lib*tossl.*")}
    for other, taken in ((python.parents[1], False), (modules / "x", False), (modules, True), (Path("/one"), True)):
        others = f"/two:{other}"
        said = run([python, "-m", "tossl_acme", "--tcl"], TCL8_6_TM_PATH=others, TCL9_0_TM_PATH=others).stdout
        for name, library in (("TCL8_6_TM_PATH", "libtossl.so"), ("TCL9_0_TM_PATH", "libtcl9tossl.so")):
            assert (name in said) == (taken and library in built)


def test_nothing_is_written_where_no_tclsh_can_load_it(python: Path, tmp_path: Path) -> None:
    (bridge,) = python.parents[1].glob("lib/tcltk/tossl/tossl-tcl*")
    bridge.rename(tmp_path / bridge.name)
    try:
        said = run([python, "-m", "tossl_acme", "--tcl-install", tmp_path / "place"], status=1).stderr
    finally:
        (tmp_path / bridge.name).rename(bridge)
    reason, end = said.splitlines()
    assert reason.startswith(f"tossl_acme: {TCLSH}: ") and "this tossl is built for " in reason
    assert end == "tossl_acme: nothing was installed: no tclsh can load tossl"
    assert not (tmp_path / "place").exists()


def test_nothing_of_others_is_overwritten_or_broken(python: Path, tmp_path: Path) -> None:
    index = tmp_path / "tossl" / "pkgIndex.tcl"
    index.parent.mkdir()
    index.write_text("# mine\n")
    said = run([python, "-m", "tossl_acme", "--tcl-install", tmp_path], status=1).stderr
    assert said == f"tossl_acme: {index} is not of --tcl-install: it is left as it is\n"
    assert index.read_text() == "# mine\n"
    index.unlink()
    run([python, "-m", "tossl_acme", "--tcl-install", tmp_path])
    index.write_text(index.read_text().replace("tossl/lib", "gone/lib"))
    said = run([TCLSH], script="puts [catch {package require no_such_one}]", TCLLIBPATH=str(tmp_path))
    assert (said.stdout, said.stderr) == ("1\n", ""), "of a Python that was removed"


def test_an_installation_where_tclsh_looks_needs_no_other_file(python: Path) -> None:
    """As that of a system's own pip, into /usr/local."""
    place = python.parents[1] / "lib/tcltk"
    before = (place / "tossl/pkgIndex.tcl").read_bytes()
    done = run([python, "-m", "tossl_acme", "--tcl-install", place])
    assert f"tclsh finds {place}/tossl/pkgIndex.tcl already" in done.stdout
    assert (place / "tossl/pkgIndex.tcl").read_bytes() == before


def test_a_python_whose_packages_are_elsewhere(wheel: Path, tmp_path: Path) -> None:
    """As of `pip install --user`: an isolated Python does not look there by itself."""
    pip("install", "--no-index", "--no-deps", "--no-compile", "--ignore-installed", "--prefix", tmp_path, wheel)
    (packages,) = tmp_path.glob("lib/python*/site-packages")
    words = [sys.executable, "-m", "tossl_acme", "--tcl-install", tmp_path / "place"]
    run(words, PYTHONPATH=str(packages))
    said = run([TCLSH], script=f"{USE}; puts [read [open /proc/self/maps]]", TCLLIBPATH=str(tmp_path / "place"))
    assert said.stdout.split()[:2] == [VERSION, "ec"]
    assert str(tmp_path / "lib/tcltk/tossl/tossl-tcl") in said.stdout


def test_an_installation_for_python_alone_says_so(python: Path) -> None:
    for word in ("--tcl", "--tcl-install"):
        said = run([sys.executable, "-m", "tossl_acme", word], status=1)
        assert said.stderr.startswith("tossl_acme: this installation is for Python alone")
    said = run([python, "-m", "tossl_acme", "--tcl", "x"], status=1)
    assert said.stderr == "tossl_acme: too many words behind --tcl\n"
    said = run([python, "-m", "tossl_acme", "--tcl-install"], status=1, TCLSH="/nowhere/tclsh")
    assert said.stderr == "tossl_acme: there is no /nowhere/tclsh in the PATH (Debian: apt-get install tcl)\n"
