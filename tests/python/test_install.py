"""make install: a package folder that works without the tree, and nothing left after make uninstall."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
import sysconfig
import tempfile
import venv
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

import tossl_acme
from tests.servers.certs import Certificates
from tests.servers.pebble import Pebble
from tests.tclhost import new_key

TREE = Path(__file__).resolve().parents[2]
TCLSH = os.environ.get("TCLSH", "tclsh")
NAME = f"tossl{tossl_acme.__version__}"
USE = """
    puts [package require tossl]
    puts [dict get [tossl::key::generate -type ec] type]
    set maps [open /proc/self/maps]
    puts [read $maps]
"""


def make(goal: str, **settings: str) -> str:
    """Run make in the tree, as from a shell: without the settings of a make around this test. Returns what it says."""
    outer = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "PREFIX", "DESTDIR", "TCLLIBDIR")
    environment = {name: value for name, value in os.environ.items() if name not in outer}
    words = [f"{name}={value}" for name, value in settings.items()]
    done = subprocess.run(["make", "-C", TREE, goal, *words], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def run(command: Sequence[str | Path], *, script: str = "", path: str = "") -> str:
    """What a command prints, away from the tree, with that TCLLIBPATH."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("TOSSL", "TCLLIBPATH"))}
    done = subprocess.run(
        list(command), input=script, env=environment | {"TCLLIBPATH": path}, cwd="/", capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def files(folder: Path) -> list[Path]:
    """Every file and link below a folder."""
    return [path for path in folder.rglob("*") if path.is_symlink() or path.is_file()]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where it is put for a packager: below DESTDIR, at the place that the tclsh itself knows."""
    folder = tmp_path_factory.mktemp("a stage")
    make("install", DESTDIR=str(folder))
    yield folder
    make("uninstall", DESTDIR=str(folder))
    assert not list(folder.iterdir())


@pytest.fixture(scope="module")
def package(stage: Path) -> Path:
    """The package folder on the stage."""
    (index,) = stage.rglob("pkgIndex.tcl")
    return index.parent


@pytest.fixture(scope="module")
def prefix() -> Iterator[Path]:
    """A PREFIX where every user can look, whose name means something to the shell, make, sed, Tcl and systemd."""
    place = Path(tempfile.mkdtemp(prefix="tossl-prefix-", dir="/var/tmp"))
    try:
        place.chmod(0o755)
        odd = place / "my \"prefix\" é $x [y] {z \\ & %n | # ' ;"
        make("install", PREFIX=str(odd))
        yield odd
    finally:
        shutil.rmtree(place)


def test_it_lies_where_the_tclsh_looks(stage: Path, package: Path) -> None:
    known = run([TCLSH], script="foreach folder $auto_path {puts $folder}").splitlines()
    assert package.name == NAME
    assert f"/{package.parent.relative_to(stage)}" in known


def test_modules_lie_where_the_tclsh_looks_and_lead_to_the_package(tmp_path: Path) -> None:
    """For the PREFIX of a tclsh that looks for modules below it, as a distribution's."""
    stage, outer = tmp_path / "stage", "puts [info library]; puts [info tclversion]"
    library, version = run([TCLSH], script=outer).splitlines()
    prefix = next((str(place.parent) for place in Path(library).parents if place.name in ("lib", "share")), "")
    settings = {"DESTDIR": str(stage), "PREFIX": prefix}
    make("install", **settings)
    looks = run([TCLSH], script="foreach folder [::tcl::tm::path list] {puts $folder}").splitlines()
    number = tossl_acme.__version__
    links = {f"/{path.relative_to(stage)}": path.readlink() for path in files(stage) if path.is_symlink()}
    modules = {path: target for path, target in links.items() if path.endswith(".tm")}
    (folder,) = (path for path in looks if f"{path}/tossl-{number}.tm" in modules)
    assert folder.startswith(f"{prefix}/lib/") and folder.endswith(f"/{version}")
    for name in ("tossl", "tossl/acme", "tossl/testing"):
        target = modules[f"{folder}/{name}-{number}.tm"]
        assert target.name == f"{Path(name).name}-{number}.tm"
        assert (stage / target.relative_to("/")).is_file()
    make("uninstall", **settings)
    assert not list(stage.iterdir())


def test_the_manual_lies_where_man_looks(stage: Path) -> None:
    pages = sorted((TREE / "build" / "man").glob("*.n"))
    assert pages
    assert sorted(path.name for path in (stage / "usr/local/share/man/mann").iterdir()) == [p.name for p in pages]


def test_what_shells_complete_lies_where_they_look(stage: Path) -> None:
    for shell, place in (("bash", "bash-completion/completions/tossl"), ("zsh", "zsh/site-functions/_tossl")):
        said = run([TCLSH, TREE / "bin/tossl", "completion", shell, "--config", ""])
        assert (stage / "usr/local/share" / place).read_text() == said


def test_it_works_without_the_tree(package: Path) -> None:
    version, kind, *maps = run([TCLSH], script=USE, path=f"{{{package.parent}}}").splitlines()
    assert (version, kind) == (tossl_acme.__version__, "ec")
    assert not [line for line in maps if f"{TREE}/" in line]
    assert [line for line in maps if re.search(rf"{re.escape(str(package))}/lib(tcl9)?tossl\.so$", line)]


def test_commands_written_in_tcl_find_their_files(package: Path) -> None:
    script = "package require tossl; catch {tossl::tls::socket -server x -domains x -bogus 1 0} message; puts $message"
    (said,) = run([TCLSH], script=script, path=f"{{{package.parent}}}").splitlines()
    assert said.startswith('unknown option "-bogus": must be -server')


def test_python_can_be_the_host(package: Path) -> None:
    python = package / ".venv/bin/python"
    script = (
        "import sys, tkinter, tossl_acme; tcl = tkinter.Tcl(); tossl_acme.register(tcl);"
        "print(tcl.eval('dict get [tossl::key::generate -type ec] type'), tossl_acme.__file__, *sys.path)"
    )
    kind, *places = run([python, "-c", script]).split(" ", 1)
    assert kind == "ec"
    assert f"{TREE}/" not in places[0]


def test_nothing_names_the_tree_or_the_stage(stage: Path) -> None:
    for path in files(stage):
        text = str(path.readlink()).encode() if path.is_symlink() else path.read_bytes()
        assert f"{TREE}/".encode() not in text, path
        assert str(stage).encode() not in text, path


def test_everybody_may_read_it(stage: Path) -> None:
    for path in stage.rglob("*"):
        mode = stat.S_IMODE(path.lstat().st_mode)
        wanted = 0o555 if path.is_dir() or (path.suffix == ".so" and path.name == "libtossl.so") else 0o444
        assert path.is_symlink() or mode & wanted == wanted, path


def test_the_python_package_is_whole_and_compiled(package: Path) -> None:
    (home,) = package.glob(".venv/lib/python*/site-packages/tossl_acme")
    sources = {str(path.relative_to(TREE / "tossl_acme")) for path in (TREE / "tossl_acme").rglob("*.py")}
    assert {str(path.relative_to(home)) for path in home.rglob("*.py")} == sources
    assert {path.stem.partition(".")[0] for path in (home / "__pycache__").iterdir()} >= {"__init__", "text"}
    scripts = {str(path.relative_to(TREE / "tossl_acme")) for path in (TREE / "tossl_acme").rglob("*.tcl")}
    assert {str(path.relative_to(home)) for path in home.rglob("*.tcl")} == scripts
    assert (home / "py.typed").exists()
    assert list(home.parent.glob("tossl_acme-*.dist-info/licenses/LICENSE"))
    assert not list(home.parent.glob("tossl_acme-*.dist-info/direct_url.json")), "not installed from its name"
    assert not (home.parent / "pip").exists()


def service(stage: Path, name: str = "tossl") -> dict[str, list[str]]:
    """The settings of a service that was installed, by their names."""
    text = (stage / f"usr/local/lib/systemd/system/{name}.service").read_text()
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        name, is_setting, value = line.partition("=")
        if is_setting and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


def test_the_units_name_what_is_installed(stage: Path) -> None:
    assert service(stage)["ExecStart"] == ["/usr/local/bin/tossl renew"]
    assert service(stage, "tossl-manage")["ExecStart"] == ["/usr/local/bin/tossl manage /etc/tossl/certificates"]
    assert (stage / "usr/local/share/man/man1/tossl.1").is_file()
    assert (stage / "usr/local/share/tossl/tossl.conf").is_file()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_takes_the_units(stage: Path, prefix: Path, tmp_path: Path) -> None:
    for unit in (stage / "usr/local/lib/systemd/system").iterdir():
        # It looks for the program, too.
        (tmp_path / unit.name).write_text(unit.read_text().replace("/usr/local/bin/tossl", "/bin/true"))
    units = [str(tmp_path / name) for name in ("tossl.service", "tossl.timer", "tossl-manage.service")]
    # It finds the program at an odd place, too.
    (tmp_path / "odd.service").write_bytes((prefix / "lib/systemd/system/tossl.service").read_bytes())
    units.append(str(tmp_path / "odd.service"))
    words = ["systemd-analyze", "verify", "--man=no", *units]
    done = subprocess.run(words, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("setpriv") is None, reason="needs root, and setpriv")
def test_the_service_runs_as_an_unprivileged_user_with_its_environment_alone(
    prefix: Path, pebble: Pebble, certificates: Certificates
) -> None:
    """It renews the certificate that the same user obtained with a secret of root's, by the credential."""
    place = Path(tempfile.mkdtemp(prefix="tossl-service-", dir="/var/tmp"))
    try:
        place.chmod(0o755)
        settings = (prefix / "lib/systemd/system/tossl.service").read_text()
        (start,) = re.findall(r"^ExecStart=(.*)$", settings, re.MULTILINE)
        through, program, *goal = shlex.split(start.replace("%%", "%").replace("$$", "$"))
        assert (through, goal) == ("/usr/bin/env", ["renew"])
        for name in ("store", "credentials"):
            (place / name).mkdir()
        (place / "account.pem").write_text(new_key())
        (place / "account.pem").chmod(0o600)
        shutil.copy(place / "account.pem", place / "credentials/account.pem")
        shutil.copy(certificates.ca_bundle, place / "ca.pem")
        for path in (place / "store", place / "credentials", place / "credentials/account.pem"):
            os.chown(path, 65534, 65534)
        (place / "ca.pem").chmod(0o644)
        environment = dict(
            word.replace("/var/lib/tossl", str(place / "store")).split("=", 1)
            for word in re.findall(r"^Environment=(.*)$", settings, re.MULTILINE)
        )
        environment |= {"PATH": os.environ["PATH"], "CREDENTIALS_DIRECTORY": str(place / "credentials")}
        user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs", "env", "-i"]
        user += [f"{name}={value}" for name, value in environment.items()]
        obtain = ["obtain", "unit.example.com", "--directory", pebble.directory, "--ca-bundle", str(place / "ca.pem")]
        obtain += ["--port", str(pebble.http_port), "--account-key-file", str(place / "account.pem")]
        for words in (obtain, ["renew"], ["renew", "unit.example.com", "--force"]):
            done = subprocess.run([*user, program, *words], cwd="/", capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
    finally:
        shutil.rmtree(place)


def test_the_libraries_of_the_system(tmp_path: Path) -> None:
    """A Python that has them, as a distribution's; there is no environment, and no library is copied."""
    with_libraries = tmp_path / "system"
    venv.create(with_libraries, symlinks=True)
    (site,) = with_libraries.glob("lib/python*/site-packages")
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib"))
    python = f"{with_libraries}/bin/python"
    settings = {"SYSTEM_PYTHON": "1", "NEED": "0", "PREFIX": str(tmp_path / "root"), "PYTHON": python}
    make("install", **settings)
    (folder,) = tmp_path.glob("root/lib/tossl*")
    assert not (folder / ".venv").exists()
    assert {path.suffix for path in files(folder)} == {
        ".py", ".pyc", ".tcl", ".so", ".cfg", ".typed", ".bash", ".sh", ".tm", ".zsh", "",
    }  # fmt: skip
    assert f"program = {python}\npackages = .\n" in (folder / "python.cfg").read_text()
    assert f"{tossl_acme.__version__}\nec\n" in run([TCLSH], script=USE, path=str(folder.parent))
    assert run([TCLSH, tmp_path / "root/bin/tossl", "--version"]) == f"tossl {tossl_acme.__version__}\n"
    make("uninstall", **settings)
    assert not (tmp_path / "root").exists()


def test_nothing_is_installed_for_make_where_that_is_not_wanted(tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    for name in ("apt-get", "sudo"):
        (tmp_path / name).write_text(f"#!/bin/sh\ntouch '{asked}'\n")
        (tmp_path / name).chmod(0o755)
    environment = os.environ | {
        "NEED": "0", "CC": "no-such-compiler", "TCLSH": TCLSH, "PYTHON": sys.executable,
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
    }  # fmt: skip
    words = ["sh", "build-aux/need.sh", "build"]
    done = subprocess.run(words, cwd=TREE, env=environment, capture_output=True, text=True)
    said = "tossl: missing system packages, which root can install: apt-get install gcc libc6-dev\n"
    assert (done.returncode, done.stderr) == (1, said)
    assert not asked.exists()
    done = subprocess.run(words, cwd=TREE, env=environment | {"NEED": "1"}, capture_output=True, text=True)
    assert asked.exists()


def test_a_prefix_of_ones_own(prefix: Path, tmp_path: Path) -> None:
    other = tmp_path / "tossl-0.1.0.tm"
    other.touch()
    modules = dict.fromkeys(("TCL8_6_TM_PATH", "TCL9_0_TM_PATH"), str(tmp_path))
    said = make("install", PREFIX=str(prefix), **modules)  # over itself
    listed = next(prefix.rglob("installed")).read_text().splitlines()
    assert len(set(listed)) == len(listed)
    version = tossl_acme.__version__
    assert f"{TCLSH} prefers {other}; package require tossl {version} asks for this one\n" in said
    path = said.partition("look there by itself; ")[2].partition(" makes it do so")[0]
    known = ["sh", "-c", f"{path} exec {TCLSH}"]
    assert run(known, script="puts [package require tossl]") == f"{version}\n"
    assert list((prefix / "lib" / NAME).glob("lib*tossl.so"))
    assert run([TCLSH, prefix / "bin" / "tossl", "--version"]) == f"tossl {version}\n"
    (prefix / "bin" / "other").touch()
    make("uninstall", PREFIX=str(prefix))
    assert [*prefix.rglob("*")] == [prefix / "bin", prefix / "bin" / "other"]
