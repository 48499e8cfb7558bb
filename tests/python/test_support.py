"""`tossl support`: what is packed for a bug report, and that no secret is, wherever one stands."""

from __future__ import annotations

import json
import os
import re
import secrets
import stat
import subprocess
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import tossl_acme
from tests.memory_store import MemoryStore
from tests.servers.pebble import Pebble
from tests.tclhost import Tcl, new_key
from tossl_acme.certificates import support as support_module
from tossl_acme.certificates.listing import listing_text
from tossl_acme.certificates.support import end_of_log
from tossl_acme.files import FilePath
from tossl_acme.store.folder import FolderStore

TREE = Path(__file__).parents[2]
TCLSH = os.environ.get("TCLSH", "tclsh")
Pack = Callable[..., dict[str, str]]
LINE = "2026-11-26T07:05:59.123Z info    tossl.acme"


class Marks:
    """Secrets that nothing may show, of several forms."""

    def __init__(self) -> None:
        self.made: list[str] = []

    def word(self) -> str:
        """As people choose them: nothing but its place tells that it is one."""
        self.made.append(f"swordfish-{secrets.token_hex(4)}")
        return self.made[-1]

    def token(self) -> str:
        """As services make them."""
        self.made.append(f"v1.0-{secrets.token_urlsafe(32)}A1a")
        return self.made[-1]

    def key(self) -> str:
        """A private key, PEM; each line of it is a secret."""
        pem = new_key()
        self.made += [line for line in pem.splitlines() if not line.startswith("-----")]
        return pem

    def found_in(self, text: str) -> list[str]:
        return [mark for mark in self.made if mark in text]


def unpacked(path: Path) -> dict[str, str]:
    """The texts of an archive by the names of its members, all of which are their owner's alone."""
    with tarfile.open(path) as archive:
        found = {}
        for member in archive:
            assert member.isreg() and member.mode == 0o600
            file = archive.extractfile(member)
            assert file is not None
            found[member.name.partition("/")[2]] = file.read().decode()
    return found


def support(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    outer = {name: value for name, value in os.environ.items() if not name.startswith("TOSSL_")}
    done = subprocess.run(
        [TCLSH, TREE / "bin/tossl", "support", *words],
        env=outer | {"TOSSL_CONF": ""} | environment, cwd=folder, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture
def packed_by(tcl: Tcl, tmp_path: Path) -> Pack:
    """Packs within this process, and unpacks."""

    def pack(**options: object) -> dict[str, str]:
        words = " ".join(f"-{name} {{{value}}}" for name, value in options.items())
        output = tmp_path / f"{secrets.token_hex(4)}.tar.gz"
        tcl.eval(f"tossl::support -output {{{output}}} {words}")
        return unpacked(output)

    return pack


def settings_with_secrets(marks: Marks, binding: Path) -> str:
    """Returns a configuration file with a secret wherever one can stand."""
    return (
        f"# api-key = {marks.word()}\ndirectory = letsencrypt\napi-key = {marks.word()}\neab-kid = {marks.word()}\n"
        f"proxy = http://me:{marks.word()}@proxy.example:3128\ndeploy-command = curl -u me:{marks.word()} localhost\n"
        f"eab-hmac-key-file = {binding}\nno-such-option = {marks.word()}\n{marks.word()}\n"
        f"endpoint = https://dns.example/api?key={marks.word()}\nresolvers = {marks.token()}\n"
    )


def test_no_secret_is_packed_wherever_it_stands(pebble: Pebble, tcl: Tcl, tmp_path: Path) -> None:
    """In the store of a real certificate, the configuration, the environment, and the log."""
    marks = Marks()
    account, binding = tmp_path / "account.pem", tmp_path / "binding"
    account.write_text(marks.key())
    binding.write_text(f"{marks.word()}\n")
    store, log, conf = tmp_path / "store", tmp_path / "tossl.log", tmp_path / "tossl.conf"
    tcl.acme(
        "obtain_certificate", "support.example.com", directory=pebble.directory, port=pebble.http_port, store=store,
        account_key_file=account, deploy_command=f"true --password {marks.word()}",
    )  # fmt: skip
    for path in store.rglob("*.pem"):
        if "key" in path.name:
            marks.made += [line for line in path.read_text().splitlines() if "-----" not in line]
    assert "certificates/support.example.com" in FolderStore(FilePath(str(store))).names()
    (store / "accounts/dns").mkdir()
    (store / "accounts/dns/acmedns.json").write_text(json.dumps({"password": marks.word(), "token": marks.token()}))
    conf.write_text(settings_with_secrets(marks, binding))
    word, password = marks.word(), marks.word()
    environment = {
        "HTTPS_PROXY": f"http://me:{password}@127.0.0.1:3128", "CLOUDFLARE_API_TOKEN": word, "MY_SECRET": marks.word(),
        "TOSSL_TEST_KEY": marks.key(), "AWS_SECRET_ACCESS_KEY": marks.token(),
    }  # fmt: skip
    hidden = [
        f"GET https://ca.example/new?nonce={marks.word()} status=200", f"the answer had {word}, and {password}",
        f"Authorization: Bearer {marks.word()} more", f"api_key={marks.word()} hmac_key='{marks.word()}'",
        f"the key {marks.token()} is wrong", f"of a file: {binding.read_text().strip()}",
        f"https://me:{marks.word()}@ca.example/dir", f"at https://hooks.example/{secrets.token_hex(3)}/{marks.token()}",
        f"key {' '.join(marks.key().splitlines())} end",
    ]  # fmt: skip
    log.write_text("".join(f"{LINE} {line}\n" for line in [*hidden, "order valid"]) + f"{marks.key()}{marks.word()}\n")

    done = support(tmp_path, "--config", str(conf), "--store", str(store), "--log-file", str(log), **environment)

    (archive,) = tmp_path.glob("tossl-support-20*-*.tar.gz")
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    texts = unpacked(archive)
    assert marks.found_in("".join(texts.values()) + done.stdout + done.stderr) == []
    # What it is for is there all the same.
    assert set(texts) == {
        "README.txt", "versions.txt", "environment.txt", "tossl.conf", "store.txt", "certificates.json", "log.txt",
    }  # fmt: skip
    assert f"tossl {tossl_acme.__version__}" in texts["versions.txt"] and "cryptography" in texts["versions.txt"]
    assert 'HTTPS_PROXY = "http://127.0.0.1:3128"' in texts["environment.txt"]
    assert '2: directory = "letsencrypt"' in texts["tossl.conf"]
    assert f'7: eab_hmac_key_file = "{binding}"' in texts["tossl.conf"]
    assert re.search(
        r"^-rw------- .* certificates/support.example.com/.*privkey.pem$", texts["store.txt"], re.MULTILINE
    )
    (held,) = json.loads(texts["certificates.json"])
    assert (held["domains"], held["has_deploy_command"]) == (["support.example.com"], True)
    assert f"{LINE} order valid\n" in texts["log.txt"]
    assert len(texts["log.txt"].splitlines()) == len(hidden) + 2  # the last says of the rest that it is left out
    # It shows what it packed, and that the configuration file is wrong.
    assert all(
        re.search(rf"^ +{len(text.encode())}  {name} ", done.stdout, re.MULTILINE) for name, text in texts.items()
    )
    assert f"packed       {archive}\n" in done.stdout and "Nothing was sent" in done.stdout
    assert done.stderr == f'tossl: {conf}:9: expected a line "name = value"\n'


def test_nothing_to_pack_and_settings_that_are_wrong_are_told(tmp_path: Path) -> None:
    (tmp_path / "conf").write_text("seal-key-file = /dev/null/key\n")
    environment = {"TOSSL_CONF": str(tmp_path / "conf"), "TOSSL_LOG": "debug:/dev/null/log"}
    done = support(tmp_path, "--store", "nowhere", "--output", "r.tgz", "--json", **environment)
    texts = unpacked(tmp_path / "r.tgz")
    assert "is not there" in texts["store.txt"]
    assert json.loads(texts["certificates.json"]) == []
    assert texts["log.txt"] == "no log is written to a file: --log-file names one\n"
    assert texts["tossl.conf"].endswith('1: seal_key_file = "/dev/null/key"\n')
    said = json.loads(done.stdout)
    assert said["file"] == str(tmp_path / "r.tgz")
    assert [member["name"] for member in said["members"]] == list(texts)
    assert sorted(re.findall("/dev/null/log|/dev/null/key", done.stderr)) == ["/dev/null/key", "/dev/null/log"]


def test_a_damaged_store(tmp_path: Path, packed_by: Pack) -> None:
    for name, text in {
        "a.example": "{",
        "b.example": "[1]",
        "c.example": "",
        "d.example": '{"issuance": {"x": 1}}',
    }.items():
        (tmp_path / "store/certificates" / name).mkdir(parents=True)
        (tmp_path / "store/certificates" / name / "certificate.json").write_text(text)
        (tmp_path / "store/certificates" / name / "cert.pem").write_text(text)
    (tmp_path / "store/certificates/a.example/privkey.pem").symlink_to("../../../nowhere")
    (tmp_path / "store/certificates/a.example/\x1b[31mred").touch()
    texts = packed_by(store=tmp_path / "store")
    assert "damaged" in texts["certificates.json"]
    assert "privkey.pem -> ../../../nowhere" in texts["store.txt"]
    assert "?[31mred" in texts["store.txt"] and "\x1b" not in texts["store.txt"]


@pytest.mark.parametrize("content", ["no folder", "later"])
def test_a_store_that_is_none(tmp_path: Path, packed_by: Pack, content: str) -> None:
    store = tmp_path / "store"
    if content == "later":
        (store / "certificates/a.example").mkdir(parents=True)
        (store / "format").write_text("99\n")
    else:
        store.write_text("a file")
    texts = packed_by(store=store)
    assert re.search("cannot be read: .*(Not a directory|later version)", texts["certificates.json"])
    assert "store" in texts["store.txt"]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be another user")
def test_a_store_without_rights(tmp_path: Path) -> None:
    (tmp_path / "store/certificates").mkdir(parents=True, mode=0o700)
    (tmp_path / "store").chmod(0o711)
    for folder in (tmp_path, *tmp_path.parents[:-2]):
        folder.chmod(folder.stat().st_mode | 0o011)
    said = tmp_path / "said"
    with said.open("w") as out:
        if (child := os.fork()) == 0:
            os.seteuid(65534)
            out.write(listing_text(FolderStore(FilePath(str(tmp_path / "store")))))
            out.flush()
            os._exit(0)
    os.waitpid(child, 0)
    assert ".: cannot be read: Permission denied" in said.read_text()


def test_a_store_without_files_is_listed_by_its_values() -> None:
    store = MemoryStore()
    store.sets = {"accounts/ca-1": {"key.pem": b"x" * 241}, "certificates/a.example": {"cert.pem": b"y", "b": b""}}
    lines = listing_text(store).splitlines()
    assert lines[1:] == ["accounts/ca-1: key.pem=241", "certificates/a.example: b=0 cert.pem=1"]


def test_of_a_huge_log_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(support_module, "MOST_LOG_BYTES", 1 << 15)
    log = tmp_path / "log"
    line = f"{LINE} a line of it\n"
    with log.open("w") as file:
        file.truncate(1 << 32)  # of zeros, which no disk has to hold
        file.seek(0, os.SEEK_END)
        file.write(line * 3000 + f"{LINE} the last\n")
    text = end_of_log(str(log))
    assert 1 << 14 < len(text) <= 1 << 15
    assert text.endswith(f"{LINE} the last\n")
    assert set(text.splitlines()[:-1]) == {line.rstrip()}


def test_a_log_that_was_just_rotated(tmp_path: Path) -> None:
    (tmp_path / "log.1").write_text(f"{LINE} before\n")
    (tmp_path / "log").write_text(f"{LINE} after\n")
    assert end_of_log(str(tmp_path / "log")) == f"{LINE} before\n{LINE} after\n"


def test_a_log_that_is_none(tmp_path: Path, packed_by: Pack) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, told in ((tmp_path / "pipe", "no plain file"), (tmp_path / "gone", "not there"), (tmp_path, "directory")):
        assert told in packed_by(log=path, store=tmp_path / "none")["log.txt"]


def test_an_archive_that_cannot_be_written(tcl: Tcl, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("mine")
    (tmp_path / "link").symlink_to("nowhere")
    for name, cause in (("there", "is there already"), ("link", "is there already"), ("no/such", "No such file")):
        failed = tcl.eval(
            f"catch {{tossl::support -output {{{tmp_path / name}}} -store {{}}}} m o; list $m [dict get $o -errorcode]"
        )
        assert cause in failed and "TOSSL VALUE output" in failed
    assert (tmp_path / "there").read_text() == "mine"
    assert not (tmp_path / "nowhere").exists()


def test_the_usual_archives_of_one_second_have_names_of_their_own(
    tcl: Tcl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(time, "strftime", lambda *_: "20261126-120000")
    made = [tcl.eval("dict get [tossl::support -store {} -output {}] file") for _ in range(3)]
    assert made == [f"{tmp_path}/tossl-support-20261126-120000{end}.tar.gz" for end in ("", "-2", "-3")]
    refused = tcl.eval("catch {tossl::support -store {} -output tossl-support-20261126-120000-3.tar.gz} m; set m")
    assert refused == f'"{made[2]}" is there already, and is not overwritten'
