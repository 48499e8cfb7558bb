"""tossl::testing: what it makes is what it says, and nothing is left of it."""

from __future__ import annotations

import datetime
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

import tossl_acme.certificates.testing.pebble
from tossl_acme.certificates.testing.ca import issue_throwaway, start_ca
from tossl_acme.certificates.testing.guard import Guard
from tossl_acme.errors import ArgumentError, TosslError
from tossl_acme.pki.keys import private_pem
from tossl_acme.pki.throwaway import Life
from tossl_acme.pki.usages import key_usage

TREE = Path(__file__).parents[2]
TCLSH = os.environ.get("TCLSH", "tclsh")
needs_pebble = pytest.mark.skipif(shutil.which("pebble") is None, reason="needs pebble")


def has(package: str) -> bool:
    """Whether tclsh has this package."""
    return subprocess.run([TCLSH], input=f"exit [catch {{package require {package}}}]", text=True).returncode == 0


needs_tls = pytest.mark.skipif(not has("tls"), reason="needs tcltls")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """The folder for temporary files."""
    folder = tmp_path / "temporary ü"
    folder.mkdir()
    return folder


def begin(script: str, place: Path, **variables: str) -> subprocess.Popen[str]:
    """A tclsh that has read this script; its input stays open."""
    environment = {**os.environ, "TMPDIR": str(place), "TCLLIBPATH": f"{{{TREE}}}", **variables}
    process = subprocess.Popen(
        [TCLSH], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    )
    assert process.stdin
    process.stdin.write(f"package require tossl::testing\n{script}\n")
    process.stdin.flush()
    return process


def run(script: str, place: Path, **variables: str) -> str:
    """What the script prints."""
    printed, _ = begin(script, place, **variables).communicate(timeout=60)
    return printed


def until(ready: Callable[[], bool]) -> None:
    ends = time.monotonic() + 20
    while not ready():
        assert time.monotonic() < ends
        time.sleep(0.01)


def processes(place: Path) -> list[str]:
    """The processes that were started with a path in this folder."""
    lines = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    return [line.decode(errors="replace") for line in lines if os.fsencode(place) in line and b"tossl-testing" in line]


@needs_tls
def test_the_page_is_a_test_file_that_works_as_printed_also_twice_at_a_time(place: Path) -> None:
    page = (TREE / "docs" / "commands" / "testing.md").read_text("utf-8")
    (example,) = re.findall(r"^```tcl\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    file = place.parent / "page.test"
    file.write_text(example)
    environment = {**os.environ, "TMPDIR": str(place), "TCLLIBPATH": f"{{{TREE}}}"}
    both = [
        subprocess.Popen([TCLSH, file], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
        for _ in range(2)
    ]
    skipped = int(shutil.which("pebble") is None)
    for each in both:
        last = each.communicate(timeout=60)[0].splitlines()[-1]
        assert last.split() == f"page.test: Total 4 Passed {4 - skipped} Skipped {skipped} Failed 0".split()
    assert list(place.iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "options", "verdict"),
    [
        ("server", "", "OK"),
        ("server", "-purpose sslserver -verify_hostname localhost", "OK"),
        ("server", "-verify_ip 127.0.0.1 -crl_check", "OK"),
        ("server", "-purpose sslclient", "unsuitable certificate purpose|unsupported certificate purpose"),
        ("client", "-purpose sslclient", "OK"),
        ("client", "-purpose sslserver", "unsuitable certificate purpose|unsupported certificate purpose"),
        ("expired", "", "certificate has expired"),
        ("not_yet_valid", "", "certificate is not yet valid"),
        ("wrong_name", "", "OK"),
        ("wrong_name", "-verify_hostname localhost", "hostname mismatch"),
        ("revoked", "", "OK"),
        ("revoked", "-crl_check", "certificate revoked"),
        ("chain_of_three", "-untrusted CHAIN", "OK"),
        ("chain_of_three", "", "unable to get local issuer certificate"),
        ("intermediate", "", "OK"),
    ],
    ids=lambda value: value.replace(" ", "_") or "plain",
)  # fmt: skip
def test_openssl_says_the_same_of_each_kind(kinds: dict[str, dict[str, dict[str, str]]], kind: str, options: str,
                                            verdict: str) -> None:  # fmt: skip
    paths = kinds["paths"]["paths"]
    files = kinds[kind]["files"]
    words = [files["chain"] if word == "CHAIN" else word for word in options.split()]
    revocation = ["-CRLfile", paths["crl"]] if "-crl_check" in words else []
    said = subprocess.run(
        ["openssl", "verify", "-CAfile", paths["ca_bundle"], *revocation, *words, files["certificate"]],
        capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"},
    )  # fmt: skip
    assert re.search(verdict, said.stdout + said.stderr, re.IGNORECASE), said


def test_one_name_is_no_list_of_letters(tmp_path: Path) -> None:
    with start_ca("localhost", folder=str(tmp_path)) as ca:
        assert ca.as_dict()["server"]["domains"] == ["localhost"]  # type: ignore[index]


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, object]]:
    """The dict of a CA made by Python."""
    with start_ca(folder=str(tmp_path_factory.mktemp("kinds"))) as ca:
        yield {**ca.as_dict(), "paths": {"paths": {"crl": ca.crl, "ca_bundle": ca.ca_bundle}}}
        assert {path.stat().st_mode & 0o777 for path in Path(ca.folder).rglob("*.pem")} == {0o600}
    assert not Path(ca.folder).exists()


def test_the_certificates_names_and_sizes(place: Path) -> None:
    printed = run(
        """
        set names {a.example.com 10.0.0.1 *.name.invalid wrong.name.invalid}
        set ca [tossl::testing ca start -names $names -key_type ec384]
        puts [dict get $ca server domains]
        puts [dict get $ca wrong_name domains]
        puts [expr {[dict get $ca server fullchain] eq [dict get $ca server certificate]}]
        puts [regexp -all BEGIN [dict get $ca chain_of_three fullchain]]
        foreach {kind path} [dict get $ca server files] {
            set file [open $path]
            puts [expr {[read $file] eq [dict get $ca server $kind]}]
            close $file
        }
        puts [file isdirectory [dict get $ca store]]
        exec openssl pkey -in [dict get $ca client files private_key] -noout -text
        puts [exec openssl pkey -in [dict get $ca client files private_key] -noout -text | grep -c secp384r1]
        """,
        place,
    )
    assert printed.splitlines() == [
        "a.example.com 10.0.0.1 *.name.invalid wrong.name.invalid", "wrong.name1.invalid", "1", "2",
        "1", "1", "1", "1", "1", "1",
    ]  # fmt: skip


def test_certificates_one_by_one(place: Path) -> None:
    printed = run(
        r"""
        proc verify {certificate args} {
            set file [open [file join $::env(TMPDIR) root.pem] w]
            puts $file [dict get $certificate root]
            close $file
            catch {exec openssl verify -CAfile [file join $::env(TMPDIR) root.pem] {*}$args -untrusted \
                [dict get $certificate files fullchain] [dict get $certificate files certificate] 2>@1} said
            file delete [file join $::env(TMPDIR) root.pem]
            return [regexp -inline {OK|expired|not yet valid} $said]
        }
        set now [clock seconds]
        puts [verify [tossl::testing::certificate] -purpose sslserver]
        puts [verify [tossl::testing::certificate -client 1] -purpose sslclient]
        puts [verify [tossl::testing::certificate -not_after [expr {$now - 3600}]]]
        puts [verify [tossl::testing::certificate -not_before [expr {$now + 3600}]]]
        puts [verify [tossl::testing::certificate -not_before 0 -not_after 1]]
        set root [tossl::testing::certificate -ca 1 -key_type ed25519]
        set intermediate [tossl::testing::certificate -ca 1 -issuer $root]
        set leaf [tossl::testing::certificate -issuer $intermediate -names b.example.com -key_type rsa]
        puts "[verify $leaf] [regexp -all BEGIN [dict get $leaf fullchain]] [dict get $leaf domains]"
        puts [expr {[dict get $leaf root] eq [dict get $root certificate]}]
        set ca [tossl::testing::ca start]
        foreach issuer [list $ca [dict get $ca root] [dict get $ca intermediate]] {
            set leaf [tossl::testing::certificate -issuer $issuer]
            puts [expr {[dict get $leaf root] eq [dict get $ca root certificate]}][verify $leaf]
        }
        puts [dict get [tossl::testing::certificate -client 1] domains]
        puts [dict get [tossl::key::self_signed localhost] domains]
        """,
        place,
    )
    assert printed.splitlines() == [
        "OK", "OK", "expired", "{not yet valid}", "expired", "OK 2 b.example.com", "1", "1OK", "1OK", "1OK", "client",
        "localhost",
    ]  # fmt: skip
    assert list(place.iterdir()) == []


def test_a_root_ends_as_it_is_told(place: Path) -> None:
    printed = run(
        """
        foreach ends {{-not_after 1000000} {-not_before 4000000000} {-not_before 5 -not_after 6} {}} {
            set root [tossl::testing::certificate -ca 1 {*}$ends]
            puts "[dict get $root not_before] [dict get $root not_after]"
            exec openssl x509 -noout -in [dict get [tossl::testing::certificate -issuer $root] files certificate]
        }
        """,
        place,
    )
    day, now = 86400, time.time()
    ends = [[int(end) for end in line.split()] for line in printed.splitlines()]
    assert [ends[0][1], ends[1][0], *ends[2]] == [1000000, 4000000000, 5, 6]
    assert ends[0][0] < 0
    assert ends[1][1] > 4000000000 + 400 * day
    assert ends[3][0] < now - 400 * day < now + 400 * day < ends[3][1]


def test_no_folder_is_the_usual_one_and_one_that_was_removed_is_made_anew(place: Path) -> None:
    printed = run(
        """
        puts [dict get [tossl::testing::certificate -folder /dev/null -folder {}] files certificate]
        puts [dict get [tossl::testing::ca start -folder {}] folder]
        set mine [file join $::env(TMPDIR) mine]
        for {set i 0} {$i < 2} {incr i} {
            file mkdir $mine
            puts [dict get [tossl::testing::certificate -folder $mine] files certificate]
            file delete -force $mine
        }
        """,
        place,
    )
    made = [Path(line) for line in printed.splitlines()]
    assert [made[0].parent.parent.parent, made[1].parent] == [place] * 2
    assert [path.parent.parent.parent for path in made[2:]] == [place / "mine"] * 2
    assert list(place.iterdir()) == []


def ca_of(uses: tuple[str, ...] | None, path_length: int | None) -> dict[str, str]:
    """A CA made elsewhere, with this key usage and path length."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "made elsewhere")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + datetime.timedelta(1))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
    if uses is not None:
        builder = builder.add_extension(key_usage(*uses), critical=True)
    pem = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()
    return {"certificate": pem, "private_key": private_pem(key)}


def test_a_ca_issues_only_what_it_may() -> None:
    """RFC 5280 section 4.2.1.3 (key usage) and 4.2.1.9 (path length)."""
    life = Life.of()
    for may in (ca_of(None, None), ca_of(("key_cert_sign",), 0)):
        assert issue_throwaway(["a.example"], may, life=life).above
    with pytest.raises(ArgumentError, match=r"^-issuer cannot issue: its key usage .*keyCertSign"):
        issue_throwaway(["a.example"], ca_of(("crl_sign", "digital_signature"), None), life=life)
    above = ca_of(("key_cert_sign",), 1)
    inner = issue_throwaway(None, above, life=life, is_authority=True).as_dict()
    issuer = {name: str(inner[name]) for name in ("certificate", "private_key", "root")}
    assert len(issue_throwaway(["a.example"], issuer, life=life).above) == 2
    for refused in (ca_of(None, 0), issuer):
        with pytest.raises(ArgumentError, match=r"^-issuer .*: the CAs below CN=made elsewhere .* allows [01]$"):
            issue_throwaway(None, refused, life=life, is_authority=True)


BAD = {
    "certificate -names {}": "VALUE names",
    "certificate -names {a..b}": "VALUE names",
    "certificate -names \\{": "VALUE names",
    "certificate -ca 1 -names a": "VALUE names",
    "certificate -ca 1 -client 1": "VALUE client",
    "certificate -key_type dsa": "VALUE key_type",
    "certificate -not_after 12x": "VALUE not_after",
    "certificate -not_after 1e30": "VALUE not_after",
    "certificate -not_before -1e30": "VALUE not_before",
    "certificate -not_before 5 -not_after 5": "VALUE not_after",
    "certificate -issuer x": "VALUE issuer",
    "certificate -issuer {}": "VALUE issuer",
    "certificate -issuer {a b}": "VALUE issuer",
    "certificate -issuer [dict create certificate {} private_key {}]": "VALUE issuer",
    "certificate -issuer [dict create certificate x private_key y]": "VALUE issuer",
    "certificate -issuer [dict replace $root certificate [dict get $root private_key]]": "VALUE issuer",
    "certificate -issuer [dict replace $root private_key [dict get $root certificate]]": "VALUE issuer",
    "certificate -issuer [dict replace $root certificate [string range [dict get $root certificate] 0 300]]":
        "VALUE issuer",
    "certificate -issuer [dict replace $root private_key [dict get $leaf private_key]]": "VALUE issuer",
    "certificate -issuer [dict replace $root chain nonsense]": "VALUE issuer",
    "certificate -issuer $leaf": "VALUE issuer",
    "certificate -issuer [dict get $root certificate]": "VALUE issuer",
    "certificate -issuer {folder /tmp}": "VALUE issuer",
    "certificate -folder [dict get $root private_key]": "VALUE folder",
    "certificate -folder /dev/null": "RESOURCE files",
    "ca start -names {}": "VALUE names",
    "ca start -names {{a b}}": "VALUE names",
    "ca start -key_type x": "VALUE key_type",
    "ca start -acme maybe": "VALUE acme",
    "ca start -timeout 0": "VALUE timeout",
    "ca start -key_type rsa4096 -timeout 0.001": "TIMEOUT CA",
    "ca start -acme 1": "PACKAGE pebble",
    "ca stop x": "VALUE ca",
    "ca stop {a b}": "VALUE ca",
    "ca stop $root": "VALUE ca",
}  # fmt: skip


def test_bad_input_is_refused_before_anything_is_made(place: Path) -> None:
    script = """
        set root [tossl::testing::certificate -ca 1]
        set leaf [tossl::testing::certificate -issuer $root]
        set before [glob -nocomplain [file join $env(TMPDIR) *]]
        set env(PATH) /nowhere-at-all
        proc try {words} {
            if {[catch {uplevel #0 tossl::testing $words} message options]} {
                puts "[lrange [dict get $options -errorcode] 1 end]|[string map {"\\n" { }} $message]"
            } else {
                puts "none|$words"
            }
        }
    """
    script += "".join(f"\ntry {{{words}}}" for words in BAD)
    script += "\nputs [expr {$before eq [glob -nocomplain [file join $env(TMPDIR) *]]}]\n"
    *lines, same = run(script.replace("[dict create", "[dict create"), place).splitlines()
    assert [line.partition("|")[0] for line in lines] == list(BAD.values())
    assert same == "1"
    assert not any("PRIVATE" in line or "MI" in line.partition("|")[2][:40] for line in lines)
    assert any("apt install pebble" in line for line in lines)


ENDS: dict[str, Callable[[subprocess.Popen[str]], object]] = {
    "exit": lambda process: process.communicate("exit 0\n", timeout=20),
    "error": lambda process: process.communicate("apply {{} {error x}}; exit 1\n", timeout=20),
    "SIGTERM": lambda process: process.send_signal(signal.SIGTERM),
    "SIGKILL": lambda process: process.send_signal(signal.SIGKILL),
    "interp_delete": lambda process: process.communicate("interp delete inner; puts gone; gets stdin\n", timeout=20),
    "namespace_delete": lambda process: process.communicate("inner eval {namespace delete ::tossl}\n", timeout=20),
    "stop": lambda process: process.communicate("inner eval {tossl::testing ca stop $ca}\n", timeout=20),
}


#: With an ACME server; the others have certificates alone.
WITH_PEBBLE = ("SIGKILL", "interp_delete")


def test_nothing_is_left_however_it_ends(place: Path) -> None:
    """All at a time."""
    has_pebble = shutil.which("pebble") is not None
    started = {
        way: begin(
            f"""
            interp create inner
            inner eval [list set auto_path $auto_path]
            inner eval {{package require tossl::testing}}
            inner eval {{set ca [tossl::testing ca start -acme {int(has_pebble and way in WITH_PEBBLE)}]}}
            puts [inner eval {{dict get $ca folder}}]
            flush stdout
            """,
            place,
        )
        for way in ENDS
    }
    for process in started.values():
        assert process.stdout
        folder = Path(process.stdout.readline().strip())
        assert len(processes(folder)) >= 1
    assert len(processes(place)) >= len(ENDS) + has_pebble * 2 * len(WITH_PEBBLE)
    assert len(list(place.iterdir())) == len(ENDS)
    for way, process in started.items():
        ENDS[way](process)
        process.wait(20)
    until(lambda: list(place.iterdir()) == [] and processes(place) == [])


def test_the_folder_alone_is_not_left_after_sigkill_either(place: Path) -> None:
    process = begin("puts [llength [tossl::testing::certificate]]; flush stdout", place)
    assert process.stdout
    assert process.stdout.readline() == "22\n"
    assert len(list(place.iterdir())) == 1
    process.kill()
    process.wait(20)
    until(lambda: list(place.iterdir()) == [])


@needs_pebble
def test_an_interpreter_that_is_deleted_in_the_midst_of_the_start(place: Path) -> None:
    printed = run(
        """
        foreach pause {0 100} {
            interp create inner
            inner eval [list set auto_path $auto_path]
            inner eval {package require tossl::testing; tossl::testing ca start -acme 1 -command list}
            after $pause {set ::go 1}
            vwait ::go
            interp delete inner
        }
        puts deleted
        flush stdout
        while {[llength [glob -nocomplain [file join $env(TMPDIR) *]]]} {after 10 {set ::go 1}; vwait ::go}
        puts gone
        """,
        place,
    )
    assert printed == "deleted\ngone\n"
    until(lambda: processes(place) == [])


@needs_pebble
def test_the_event_loop_goes_on_while_it_starts_and_a_job_can_be_cancelled(place: Path) -> None:
    printed = run(
        """
        proc tick {} {incr ::ticks; after 5 tick}
        tick
        proc note {what} {lappend ::steps [dict get $what step]}
        set job [tossl::testing ca start -acme 1 -progress note -command list]
        tossl::job::wait $job
        puts $steps
        puts [expr {$ticks > 3}]
        puts [string match https://* [dict get [tossl::job::result $job] directory]]
        set job [tossl::testing ca start -acme 1 -command list]
        tossl::job::cancel $job
        puts [tossl::job::wait $job]
        """,
        place,
    )
    assert printed.splitlines() == ["ca_made ca_serves", "1", "1", "cancelled"]
    assert list(place.iterdir()) == []


@needs_pebble
def test_a_port_that_somebody_else_takes_first(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        sample = tossl_acme.certificates.testing.pebble.random.sample
        tries = iter((silent.getsockname()[1],))

        def choose(ports: range, k: int) -> list[int]:
            return [*tries, *sample(ports, k=k)][:k]

        monkeypatch.setattr("tossl_acme.certificates.testing.pebble.random.sample", choose)
        with start_ca(acme=True, folder=str(place)) as ca:
            assert ca.directory.startswith("https://127.0.0.1:")
            assert str(silent.getsockname()[1]) not in ca.directory
    assert list(place.iterdir()) == []


def test_a_pebble_that_does_not_start_says_why(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = place.parent / "bin"
    folder.mkdir()
    (folder / "pebble").write_text("#!/bin/sh\necho no such luck >&2\nexit 3\n")
    (folder / "pebble").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    with pytest.raises(TosslError, match="no such luck") as caught:
        start_ca(acme=True, folder=str(place))
    assert caught.value.errorcode == ("TOSSL", "RESOURCE", "pebble")
    assert list(place.iterdir()) == []


def test_what_a_guard_held_is_left_alone_when_it_ends_twice(place: Path) -> None:
    """Its descriptors' numbers are others' by then."""
    first = Guard()
    first.end()
    with (place / "other").open("w") as other, (place / "another").open("w") as another:
        first.end()
        assert (other.tell(), another.tell()) == (0, 0)
    assert [path.read_text() for path in place.iterdir()] == ["", ""]


def test_a_child_that_is_forked_neither_ends_it_nor_keeps_it(place: Path) -> None:
    reader, writer = os.pipe()
    with start_ca(folder=str(place)) as ca:
        child = os.fork()
        if child == 0:
            os.close(writer)
            os.read(reader, 1)  # it outlives the CA
            os._exit(0)
        assert Path(ca.ca_bundle).exists()
    assert list(place.iterdir()) == []
    os.close(writer)
    assert os.waitpid(child, 0)[1] == 0
    os.close(reader)


@pytest.mark.skipif(not has("Thread"), reason="needs the package Thread")
def test_a_ca_ends_with_the_interpreter_that_has_it_and_no_other_thread(place: Path) -> None:
    """A job's thread has ended, and the next thread may have its number."""
    printed = run(
        """
        package require Thread
        proc there {ca} {file isdirectory [dict get $ca folder]}
        tossl::job::wait [set job [tossl::testing ca start -command list]]
        set mine [tossl::job::result $job]
        set thread [thread::create -joinable]
        thread::send $thread [list set auto_path $auto_path]
        set its [thread::send $thread {package require tossl::testing; tossl::testing ca start}]
        puts "[there $mine] [there $its]"
        thread::release $thread
        thread::join $thread
        puts "[there $mine] [there $its]"
        """,
        place,
    )
    assert printed.splitlines() == ["1 1", "1 0"]
    assert list(place.iterdir()) == []


@pytest.mark.skipif(not has("Tclx"), reason="needs the package Tclx")
def test_a_forked_child_has_certificates_of_its_own_and_leaves_its_parents(place: Path) -> None:
    printed = run(
        """
        package require Tclx
        set ca [tossl::testing ca start]
        set one [tossl::testing::certificate]
        if {[set child [fork]] == 0} {
            tossl::testing::ca stop
            puts [file exists [dict get [tossl::testing::certificate] files certificate]]
            flush stdout
            exit
        }
        wait $child
        puts [file exists [dict get $one files certificate]][file exists [dict get $ca ca_bundle]]
        """,
        place,
    )
    assert printed.splitlines() == ["1", "11"]
    until(lambda: list(place.iterdir()) == [])


def test_tcltest_gets_the_constraint(place: Path) -> None:
    printed = run(
        """
        puts [tossl::testing constraints]
        package require tcltest
        tossl::testing::constraints
        puts [tcltest::testConstraint tossl_pebble]
        set env(PATH) /nowhere-at-all
        tossl::testing::constraints
        puts [tcltest::testConstraint tossl_pebble]
        """,
        place,
    )
    there = str(int(shutil.which("pebble") is not None))
    assert printed.splitlines() == [f"tossl_pebble {there}", there, "0"]


@pytest.mark.parametrize("order", ["tossl", "tossl::acme", ""], ids=lambda name: name or "alone")
def test_the_package_stands_beside_the_others_and_alone(place: Path, order: str) -> None:
    names = run(
        f"if {{{{{order}}} ne {{}}}} {{package require {order or 'tossl'}}}; puts [lsort [namespace children ::tossl]];"
        " puts [package provide tossl]; puts [llength [tossl::testing::certificate]]"
        "; puts [namespace ensemble configure ::tossl::testing -subcommands]", place,
    ).splitlines()  # fmt: skip
    assert "::tossl::testing" in names[0].split()
    assert ("::tossl::acme" in names[0].split()) == bool(order)
    assert (names[1] != "") == (order == "tossl")
    assert names[2:] == ["22", "ca certificate constraints"]


def test_a_client_trusts_a_self_signed_certificate_that_it_is_given(place: Path) -> None:
    printed = run("puts [dict get [tossl::key::self_signed {localhost 127.0.0.1}] fullchain]", place)
    trust = ssl.create_default_context(cadata=printed)
    (place / "one.pem").write_text(printed)
    said = subprocess.run(
        ["openssl", "verify", "-CAfile", place / "one.pem", "-purpose", "sslserver", "-verify_hostname", "localhost",
         place / "one.pem"], capture_output=True, text=True,
    )  # fmt: skip
    assert said.stdout.endswith("OK\n"), said
    assert trust.cert_store_stats()["x509"] == 1
