"""Private keys and other secrets of a store are sealed before they leave the process, and no byte of them is kept."""

from __future__ import annotations

import base64
import json
import logging
import os
import re
import resource
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from tests.killing import Killer, opened
from tests.memory_store import MemoryStore
from tests.servers.certs import Certificates
from tests.servers.pebble import ChallTestSrv, Pebble
from tests.servers.postgresql import PostgreSQL
from tests.servers.sinks import ChallTestSrvSink
from tests.tclhost import Tcl, new_key
from tossl_acme.certificates.dns_accounts import DnsAccounts
from tossl_acme.context import Context
from tossl_acme.errors import ArgumentError
from tossl_acme.files import absolute
from tossl_acme.pki.keys import load_private_key
from tossl_acme.pki.sealing import generate_sealing_key
from tossl_acme.store.folder import FolderStore
from tossl_acme.store.options import FolderOptions
from tossl_acme.store.postgresql.store import PostgreSQLStore
from tossl_acme.store.protocol import Store
from tossl_acme.store.reseal import seal_anew
from tossl_acme.store.sealed import MARK, SealedStore, SealKey, SealKeyFile
from tossl_acme.text import Secret

NAME = "certificates/example.com"
KEY, OTHER = generate_sealing_key(), generate_sealing_key()
PEM = new_key()
VALUES = {"privkey.pem": PEM.encode(), "cert.pem": b"-----BEGIN CERTIFICATE-----\n", "certificate.json": b"{}"}


def sealed(inner: Store, *keys: str) -> SealedStore:
    return SealedStore(inner, SealKey("-seal_key", "\n".join(keys)) if keys else None)


def refused(action: Callable[[], object], argument: str = "seal_key") -> str:
    with pytest.raises(ArgumentError) as caught:
        action()
    assert caught.value.errorcode == ("TOSSL", "VALUE", argument)
    return caught.value.message


def put(store: Store, context: Context, name: str = NAME, part: str = "", values: dict[str, bytes] = VALUES) -> None:
    with store.locked(context, name) as lock:
        store.write(lock, values, part)


def forms_of(pem: str) -> list[bytes]:
    """Everything by which a private key could be known: its lines, its DER's scalar in hex, base64 and as bytes."""
    numbers = load_private_key(pem).private_numbers()  # type: ignore[union-attr]
    scalar = numbers.private_value.to_bytes(32, "big")  # type: ignore[union-attr]
    lines = [line.encode() for line in pem.splitlines() if "-----" not in line]
    # The third line of a key on P-256 is of its public half alone, which a certificate has, too.
    return [*lines[:2], scalar, scalar.hex().encode(), base64.urlsafe_b64encode(scalar).rstrip(b"=")]


def found_in(folder: Path, pems: list[str]) -> list[str]:
    """The files below a folder that hold a private key in any form."""
    forms = [b"PRIVATE KEY", *(form for pem in pems for form in forms_of(pem))]
    contents = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and not path.is_symlink()}
    assert contents
    return [str(path) for path, content in contents.items() if any(form in content for form in forms)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def plain(folder: Path) -> FolderStore:
    return FolderStore(absolute(folder))


# ---- what is sealed ----


def test_keys_are_sealed_wherever_they_are(plain: FolderStore, folder: Path, context: Context) -> None:
    """In force, on their way, put aside, of accounts; also under a name that says nothing, and as a JWK."""
    store = sealed(plain, KEY)
    jwk = json.dumps({"kty": "EC", "crv": "P-256", "d": "AAECAwQFBgcICQoLDA0ODw"}).encode()
    put(store, context)
    put(store, context, part="pending", values={"privkey.pem": PEM.encode(), "privkey-1.pem": PEM.encode(), "x": jwk})
    put(store, context, "answers/a", values={"answer": b"text\n" + PEM.encode()})
    put(store, context, "accounts/ca-1", values={"key.pem": b"raw key", "next-12.pem": b"other", "account.json": b"{}"})
    DnsAccounts(store, context).setdefault("acme-dns.json", '{"password": "wE4kPass"}')
    assert found_in(folder, [PEM]) == []
    everything = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    for secret in (b"raw key", b"other", b"AAECAwQFBgcICQoLDA0ODw", b"wE4kPass"):
        assert secret not in everything
    assert (folder / NAME / "cert.pem").read_bytes() == VALUES["cert.pem"]
    assert store.read(NAME) == VALUES
    assert (store.read("answers/a") or {})["answer"].endswith(PEM.encode())
    assert dict(DnsAccounts(store, context)) == {"acme-dns.json": '{"password": "wE4kPass"}'}


def test_no_path_of_a_sealed_value_is_told(plain: FolderStore, context: Context) -> None:
    put(plain, context)
    assert sealed(plain, KEY).path_of(NAME, "privkey.pem") == plain.path_of(NAME, "privkey.pem")
    put(sealed(plain, KEY), context)
    for store in (sealed(plain, KEY), sealed(plain)):
        assert store.path_of(NAME, "privkey.pem") is None
        assert store.path_of(NAME, "cert.pem") == plain.path_of(NAME, "cert.pem")
        assert store.path_of(NAME) == plain.path_of(NAME)


def test_what_does_not_change_is_not_sealed_anew(plain: FolderStore, folder: Path, context: Context) -> None:
    """Or else every change of an attempt's record would replace its key's file, too."""
    store = sealed(plain, KEY)
    put(store, context)
    before = (folder / NAME / "privkey.pem").read_bytes()
    put(store, context, values=VALUES | {"certificate.json": b"[]"})
    assert (folder / NAME / "privkey.pem").read_bytes() == before
    again = sealed(plain, KEY)
    put(again, context, values=again.read(NAME) or {})
    assert (folder / NAME / "privkey.pem").read_bytes() == before


# ---- without the key, and with another ----


def test_without_a_key_the_error_names_the_option(plain: FolderStore, context: Context) -> None:
    put(sealed(plain, KEY), context)
    store = sealed(plain)
    for message in (refused(lambda: store.read(NAME)), str(dict(store.read_all("certificates"))[NAME])):
        assert "privkey.pem" in message
        assert "is sealed: give -seal_key_file" in message
        assert "TOSSL_SEAL_KEY_FILE" in message
    # What needs no key is read: whoever lists has none.
    assert store.read(NAME, ("certificate.json",)) == {"certificate.json": b"{}"}
    assert dict(store.read_all("certificates", ("certificate.json",))) == {NAME: {"certificate.json": b"{}"}}
    assert store.list("certificates") == [NAME]


@pytest.mark.parametrize("key", ["", KEY], ids=["without", "with"])
def test_whoever_lists_loads_no_cryptography(plain: FolderStore, folder: Path, context: Context, key: str) -> None:
    put(sealed(plain, KEY), context)
    script = (
        "import sys; from tossl_acme.certificates.listed import all_told\n"
        "from tossl_acme.store.folder import FolderStore\n"
        "from tossl_acme.files import absolute; from tossl_acme.store.sealed import SealedStore, SealKey\n"
        "key = SealKey('-seal_key', sys.argv[2]) if sys.argv[2] else None\n"
        "(found,) = all_told(SealedStore(FolderStore(absolute(sys.argv[1])), key))\n"
        "print(found['name'], 'cryptography' in sys.modules)"
    )
    argv = [sys.executable, "-c", script, str(folder), key]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    assert done.stdout == "example.com False\n"


def test_without_a_key_no_secret_is_written_among_sealed_ones(plain: FolderStore, context: Context) -> None:
    put(sealed(plain, KEY), context, "accounts/ca-1", values={"key.pem": b"key"})
    store = sealed(plain)
    assert "is not written, for keys in this store are sealed" in refused(lambda: put(store, context))
    assert store.read(NAME) is None
    put(store, context, "renewal/example.com", values={"renewal.json": b"{}"})


def test_a_store_that_is_sealed_while_another_has_read_ahead(database_url: str, context: Context) -> None:
    """Whoever takes a lock after that looks for the mark anew."""
    inner, accounts = PostgreSQLStore(database_url), "accounts/ca-1"
    with sealed(inner).reading_ahead([accounts]):
        with ThreadPoolExecutor(1) as pool:
            pool.submit(put, sealed(inner, KEY), context, accounts, values={"key.pem": b"key"}).result()
        assert "keys in this store are sealed" in refused(lambda: put(sealed(inner), context))
    assert inner.read(NAME) is None


def test_what_is_not_sealed_yet_is_read_and_sealed_by_the_next_write(
    plain: FolderStore, folder: Path, context: Context
) -> None:
    put(sealed(plain), context)
    store = sealed(plain, KEY)
    assert store.read(NAME) == VALUES
    assert b"PRIVATE KEY" in (folder / NAME / "privkey.pem").read_bytes()
    put(store, context)
    assert b"PRIVATE KEY" not in (folder / NAME / "privkey.pem").read_bytes()
    assert store.read(NAME) == VALUES


def test_another_key_is_refused_before_anything_is_written(plain: FolderStore, folder: Path, context: Context) -> None:
    put(sealed(plain, KEY), context)
    before = sorted(folder.rglob("*"))
    store = sealed(plain, OTHER)
    message = refused(lambda: store.read(NAME))
    assert re.search(r"privkey.pem\S* is sealed with another key \(\w{16}\), which -seal_key does not have", message)
    assert "is sealed with another key" in refused(lambda: put(store, context, "accounts/new"))
    assert sorted(folder.rglob("*")) == before


def test_two_keys_rotate(plain: FolderStore, context: Context) -> None:
    """Each machine knows the new key before any seals with it; then the old one is needed no more."""
    put(sealed(plain, KEY), context)
    put(sealed(plain, KEY, OTHER), context, "accounts/a", values={"key.pem": b"1"})
    put(sealed(plain, OTHER, KEY), context, "accounts/b", values={"key.pem": b"2"})
    assert "another key" in refused(lambda: sealed(plain, KEY).read("accounts/b"))
    assert "another key" in refused(lambda: sealed(plain, OTHER).read("accounts/a"))
    assert seal_anew(context, sealed(plain, OTHER, KEY)) == (3, 3)
    store = sealed(plain, OTHER)
    assert (store.read(NAME), store.read("accounts/a")) == (VALUES, {"key.pem": b"1"})
    put(store, context, "accounts/a", values={"key.pem": b"3"})
    assert "another key" in refused(lambda: put(sealed(plain, KEY), context))


# ---- damage ----


def damaged(token: bytes) -> dict[str, bytes]:
    head, _, body = token.partition(b"\n")
    middle = len(body) // 2
    changed = bytes([body[middle] ^ 1 if body[middle] ^ 1 != 0x0A else body[middle] ^ 2])
    return {
        "cut off": token[: len(token) // 2],
        "empty": head + b"\n",
        "without an end of line": head,
        "changed": head + b"\n" + body[:middle] + changed + body[middle + 1 :],
        "of a later form": b"tossl-sealed 2 " + token[len(b"tossl-sealed 1 ") :],
        "nothing": b"tossl-sealed ",
    }


@pytest.mark.parametrize("how", sorted(damaged(b"x" * 40 + b"\n" + b"y" * 40)))
def test_a_token_that_is_not_as_it_was_sealed(context: Context, how: str) -> None:
    memory = MemoryStore()
    put(sealed(memory, KEY), context)
    values = memory.sets[NAME]
    values["privkey.pem"] = damaged(values["privkey.pem"])[how]
    with pytest.raises(ArgumentError) as caught:
        sealed(memory, KEY).read(NAME)
    assert caught.value.errorcode[1:] in (("VALUE", "store"), ("VALUE", "seal_key"))
    assert "privkey.pem" in caught.value.message
    assert values["privkey.pem"][-20:].decode() not in caught.value.message or how in (
        "without an end of line",
        "nothing",
    )


@pytest.mark.parametrize("place", ["certificates/other.example", f"{NAME}/pending", "accounts/ca-1"])
def test_a_value_opens_in_its_own_place_alone(context: Context, place: str) -> None:
    """Whoever can write to a database could else give one certificate the key of another."""
    memory = MemoryStore()
    put(sealed(memory, KEY), context)
    memory.sets[place] = {"key.pem": b"", "privkey.pem": memory.sets[NAME]["privkey.pem"]}
    message = refused(lambda: sealed(memory, KEY).read(place), "store")
    assert f"was sealed as {NAME}/privkey.pem, and moved here from there" in message
    memory.sets[place] = {"key.pem": memory.sets[NAME]["privkey.pem"]}
    assert "moved here" in refused(lambda: sealed(memory, KEY).read(place), "store")


# ---- the file of the keys ----


def test_the_file_of_the_keys(
    plain: FolderStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, context: Context
) -> None:
    file = tmp_path / "keys"
    monkeypatch.setenv("TOSSL_SEAL_KEY_FILE", str(file))

    def store() -> SealedStore:
        return SealedStore(plain, SealKey.given(None))

    def write(text: str, mode: int = 0o600) -> None:
        file.write_text(text)
        file.chmod(mode)

    # It is not read before it is needed.
    assert store().read(NAME) is None
    assert "TOSSL_SEAL_KEY_FILE: cannot read" in refused(lambda: put(store(), context))
    for text, cause in (
        ("", "it has no sealing key"),
        ("# a comment alone\n\n", "it has no sealing key"),
        (f"{KEY}\n{KEY[:20]}\n", "line 2 is no sealing key"),
        (f"{KEY} {OTHER}\n", "line 1 is no sealing key"),
    ):
        write(text)
        message = refused(lambda: put(store(), context))
        assert cause in message
        assert KEY[:20] not in message
    write(f"{KEY}\n", 0o640)
    assert "others can read or change" in refused(lambda: put(store(), context))
    assert not (tmp_path / "store").exists()
    write(f"\ufeff# in use since May\r\n\r\n  {KEY}  # the first\r\n{OTHER}")
    put(store(), context)
    assert sealed(plain, KEY).read(NAME) == VALUES


@pytest.mark.parametrize("how", ["environment", "option"])
def test_a_process_takes_keys_that_change_while_it_runs(
    plain: FolderStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, context: Context, how: str
) -> None:
    """As manage has to, which runs for months: what it seals with the old key, nobody could open once that is gone."""
    file = tmp_path / "keys"

    def write(*keys: str) -> None:
        file.write_text("".join(f"{key}\n" for key in keys))
        file.chmod(0o600)

    write(KEY)
    monkeypatch.setenv("TOSSL_SEAL_KEY_FILE", str(file))
    secret = Secret(f"{KEY}\n", file=str(file)) if how == "option" else None
    runs = SealedStore(plain, SealKey.given(secret))
    put(runs, context)
    write(KEY, OTHER)
    put(sealed(plain, OTHER, KEY), context, "accounts/a", values={"key.pem": b"1"})
    assert runs.read("accounts/a") == {"key.pem": b"1"}
    write(OTHER, KEY)
    seal_anew(context, sealed(plain, OTHER, KEY))
    put(runs, context)
    put(runs, context, "accounts/b", values={"key.pem": b"2"})
    for half_written in ("", f"{OTHER[:20]}"):
        write(half_written)
        assert runs.read("accounts/b") == {"key.pem": b"2"}
    file.unlink()
    put(runs, context, "accounts/c", values={"key.pem": b"3"})
    new = sealed(plain, OTHER)
    assert [new.read(name) for name in new.names() if name != MARK] == [
        {"key.pem": b"1"}, {"key.pem": b"2"}, {"key.pem": b"3"}, VALUES,
    ]  # fmt: skip
    third = generate_sealing_key()
    write(third)  # another store's: it is refused as at the start of a process
    message = refused(lambda: put(runs, context, "accounts/d", values={"key.pem": b"4"}))
    assert "which" in message
    assert "does not have" in message


def test_keys_that_others_could_read_count_once_they_cannot(tmp_path: Path) -> None:
    """Whoever writes the file, and then takes the rights from others, changes nothing in it any more."""
    file = tmp_path / "keys"
    file.write_text(f"{KEY}\n")
    file.chmod(0o600)
    runs = SealKeyFile("-seal_key_file", str(file))
    old = runs.keys().ids
    file.write_text(f"{OTHER}\n")
    file.chmod(0o644)
    assert runs.keys().ids == old
    file.chmod(0o600)
    assert runs.keys().ids == SealKey("-seal_key", OTHER).keys().ids


def test_keys_that_cannot_be_read_just_now_are_read_by_the_next_use(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The process has no descriptor left; also a file that was wrong when its text was given."""
    file = tmp_path / "keys"
    file.write_text(f"{KEY}\n")
    file.chmod(0o600)
    runs = SealKeyFile("-seal_key_file", str(file), KEY[:20])
    assert "no sealing key" in refused(runs.keys)
    assert runs.keys().ids == SealKey("-seal_key", KEY).keys().ids
    file.write_text(f"{OTHER}\n")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with caplog.at_level(logging.WARNING, "tossl.store"):
        resource.setrlimit(resource.RLIMIT_NOFILE, (1, limits[1]))
        try:
            found = [runs.keys().ids for _ in range(3)]
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert found == [SealKey("-seal_key", KEY).keys().ids] * 3
    assert [record.getMessage()[:34] for record in caplog.records] == ["the sealing keys stay as they were"]
    assert runs.keys().ids == SealKey("-seal_key", OTHER).keys().ids


# ---- sealed anew ----


def test_no_byte_of_an_open_key_is_left_in_the_folder(plain: FolderStore, folder: Path, context: Context) -> None:
    """A folder keeps the set before, too."""
    put(sealed(plain), context)
    put(sealed(plain), context, part="pending", values={"privkey.pem": PEM.encode()})
    put(sealed(plain), context, "renewal/example.com", values={"renewal.json": b"{}"})
    put(sealed(plain), context, "accounts/dns", values={"acme-dns.json": b"wE4kPass"})
    store = sealed(plain, KEY)
    put(store, context)
    assert len(found_in(folder, [PEM])) == 2
    assert seal_anew(context, store) == (4, 3)
    assert found_in(folder, [PEM]) == []
    assert not [path for path in folder.rglob("*") if path.is_file() and b"wE4kPass" in path.read_bytes()]
    assert sealed(plain, KEY).read(f"{NAME}/pending") == {"privkey.pem": PEM.encode()}
    assert seal_anew(context, SealedStore(MemoryStore(), SealKey("-seal_key", KEY))) == (0, 0)


class LateStore(FolderStore):
    """Another process writes to it once its sets are counted."""

    then: Callable[[], object] | None = None

    def names(self) -> list[str]:
        found, then = super().names(), self.then
        self.then = None
        if then is not None:
            then()
        return found


@pytest.mark.parametrize("has_begun", [True, False])
def test_what_others_add_while_a_store_is_sealed_is_sealed_or_refused(
    folder: Path, context: Context, has_begun: bool
) -> None:
    """has_begun: whether the other has written a part of it before."""
    store, other = LateStore(absolute(folder)), SealedStore(FolderStore(absolute(folder)))
    refused: list[ArgumentError] = []
    with ExitStack() as held:
        lock = held.enter_context(other.locked(context, "certificates/late"))
        if has_begun:
            other.write(lock, {"privkey.pem": b"-----BEGIN PRIVATE KEY-----"}, "pending")
            other.delete(lock, "pending")

        def add() -> None:
            with held:
                try:
                    other.write(lock, {"privkey.pem": b"-----BEGIN PRIVATE KEY-----"})
                except ArgumentError as error:
                    refused.append(error)

        store.then = add
        seal_anew(context, SealedStore(store, SealKey("-seal_key", generate_sealing_key())))
    assert [error.errorcode[-1] for error in refused] == ([] if has_begun else ["seal_key"])
    found = store.read("certificates/late")
    assert (found is not None) is has_begun
    assert b"PRIVATE KEY" not in (found or {}).get("privkey.pem", b"")


def test_a_store_is_opened_for_good(plain: FolderStore, folder: Path, context: Context) -> None:
    put(sealed(plain, KEY), context)
    assert "no sealing key" in refused(lambda: seal_anew(context, sealed(plain), unseal=True))
    assert "another key" in refused(lambda: seal_anew(context, sealed(plain, OTHER), unseal=True))
    assert "is sealed" in refused(lambda: sealed(plain).read(NAME))
    assert seal_anew(context, sealed(plain, KEY), unseal=True) == (1, 1)
    assert (folder / NAME / "privkey.pem").read_text() == PEM
    put(sealed(plain), context)
    assert MARK not in plain.names()


# ---- as a script meets it, before a real CA ----


def files_of(server: PostgreSQL) -> dict[Path, bytes]:
    """All files of a cluster, those of its log of transactions too, with everything that was committed."""
    role = server.url_of("tossl", "postgres")
    with psycopg.connect(role, autocommit=True) as connection:
        connection.execute("CHECKPOINT")
    return {path: path.read_bytes() for path in (server.folder / "data").rglob("*") if path.is_file()}


@dataclass
class Kept:
    """Where a store is, and all bytes of it."""

    word: str
    contents: Callable[[], dict[Path, bytes]]
    #: The files that servers can read.
    files: list[str]

    def holding(self, *forms: bytes) -> list[str]:
        """The files with any of these in them."""
        return [str(path) for path, content in self.contents().items() if any(form in content for form in forms)]


@pytest.fixture(params=["folder", "postgresql"])
def kept(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kept:
    if request.param == "postgresql":
        monkeypatch.setenv("TOSSL_LEASE_SECONDS", "1")
        server: PostgreSQL = request.getfixturevalue("postgresql")
        server.empty()
        return Kept(server.url, lambda: files_of(server), [])
    folder = tmp_path / "world" / "store"
    return Kept(
        str(folder),
        lambda: {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()},
        ["certificate", "chain", "fullchain"],
    )


def test_a_certificate_of_a_real_ca_whose_process_is_killed(
    calm_pebble: Pebble, certificates: Certificates, challtestsrv: ChallTestSrv, tmp_path: Path, tcl: Tcl, kept: Kept
) -> None:
    """While it is obtained, and afterwards, no file has a byte of the account's key or the certificate's."""
    key_file = tmp_path / "sealing keys"
    key_file.write_text(f"{KEY}\n")
    key_file.chmod(0o600)
    killer, seal = Killer(), {"seal_key_file": key_file}
    options = {"-store": kept.word, "-seal_key_file": key_file, "-pem_file": tmp_path / "server.pem"}
    with opened(
        tmp_path / "world", calm_pebble.directory, certificates, ChallTestSrvSink(challtestsrv), killer, **options
    ) as world:
        killer.kill_at("finalize", after=True)
        assert world.run().status == -9
        killed = kept.contents()
        killer.stop()
        again = world.again()
        assert again.status == 0, again.err
        got = tcl.as_dict(again.out)
        account = tcl.acme("get_account_key", world.proxy.directory, store=kept.word, **seal)
        forms = [form for pem in (got["private_key"], account) for form in forms_of(pem)]
        assert world.spent("newOrder") == world.spent("finalize") == 1
        assert [str(path) for path, content in killed.items() if any(form in content for form in forms)] == []
        assert kept.holding(*forms) == []
        # What is not secret is found so, and so would be a key.
        assert kept.holding(got["certificate"].splitlines()[2].encode())
        assert sorted(tcl.as_dict(got["files"])) == [*kept.files, "pem_file"]
        assert got["private_key"] in (tmp_path / "server.pem").read_text()
        # Held, listed and shown: without the key, where none is needed.
        assert tcl.as_dict(world.again().out)["private_key"] == got["private_key"]
        (listed,) = tcl.dicts(tcl.acme("list_certificates", store=kept.word))
        assert sorted(tcl.as_dict(listed["files"])) == kept.files
        refusal = tcl.failure("get_certificate", world.name, store=kept.word)
        assert refusal.code == ("TOSSL", "VALUE", "seal_key")
        refusal = tcl.failure("get_certificate", world.name, store=kept.word, seal_key_file=tmp_path / "none")
        assert refusal.code == ("TOSSL", "VALUE", "seal_key_file")
        # Opened, a key is found.
        assert tcl.eval(f"tossl::store::reseal -unseal 1 -store {kept.word} -seal_key {KEY}").endswith("sealed 2")
        assert kept.holding(*forms)


def test_the_environment_names_the_key_for_every_command(
    tcl: Tcl, plain: FolderStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, context: Context
) -> None:
    file = tmp_path / "keys"
    file.write_text(tcl.eval("tossl::store::generate_key"))
    file.chmod(0o600)
    put(sealed(plain), context)
    monkeypatch.setenv("TOSSL_SEAL_KEY_FILE", str(file))
    monkeypatch.setenv("TOSSL_STORE", str(tmp_path / "store"))
    assert tcl.eval("tossl::store::reseal") == "sets 1 sealed 1"
    assert found_in(tmp_path / "store", [PEM]) == []
    monkeypatch.delenv("TOSSL_SEAL_KEY_FILE")
    assert "no sealing key" in tcl.eval("catch tossl::store::reseal message; set message")
    assert tcl.eval(f"tossl::store::reseal -unseal 1 -seal_key_file {file}") == "sets 1 sealed 1"
    assert plain.read(NAME) == VALUES


# ---- copied ----


def copied(tcl: Tcl, source: object, target: object, **options: object) -> dict[str, str]:
    words = [word for name, value in options.items() for word in (f"-{name}", f"{{{value}}}")]
    return tcl.as_dict(tcl.eval(" ".join(["tossl::store::copy", str(source), str(target), *words])))


def failed(tcl: Tcl, source: object, target: object, **options: object) -> tuple[str, str]:
    words = [word for name, value in options.items() for word in (f"-{name}", f"{{{value}}}")]
    script = " ".join(["tossl::store::copy", str(source), str(target), *words])
    message = tcl.eval(f"catch {{{script}}} message options; set message")
    return message, tcl.eval("dict get $options -errorcode")


ALL_SETS: dict[tuple[str, str], dict[str, bytes]] = {
    (NAME, ""): VALUES,
    (NAME, "pending"): {"privkey.pem": PEM.encode(), "attempt.json": b'{"presented": []}', "issued.pem": b"x"},
    (NAME, "unusable-12"): {"privkey.pem": PEM.encode()},
    ("certificates/_.on-its-way.example", "pending"): {"privkey.pem": PEM.encode()},
    ("accounts/ca-1", ""): {"key.pem": PEM.encode(), "account.json": b"{}"},
    ("accounts/dns", ""): {"acme-dns.json": b'{"password": "p"}'},
    ("limits/1234", ""): {"limits.json": b"{}"},
    ("deploy/example.com", ""): {"script": b"1 2"},
    ("renewal/example.com", ""): {"renewal.json": b"{}"},
    ("revoked/ab", ""): {"serial": b"1\n"},
    ("runs/renew_certificates", ""): {"runs.json": b"[]"},
    ("deploy.www1/example.com", ""): {"script": b"1 2"},
}


def fill(store: Store, context: Context) -> None:
    for (name, part), values in ALL_SETS.items():
        put(store, context, name, part, values)


def contents(store: Store) -> dict[str, dict[str, bytes] | None]:
    return {name: store.read(name) for name in store.names() if name != MARK}


def test_a_copy_has_every_set_with_its_parts(tcl: Tcl, tmp_path: Path, context: Context) -> None:
    source, target = tmp_path / "a", tmp_path / "b"
    fill(FolderStore(absolute(source)), context)
    before = contents(FolderStore(absolute(source)))
    assert len(before) == len(ALL_SETS)
    for name in ("nodes/www1", "answers/example.com", "served/www1:1"):  # of those who use the source just now
        put(FolderStore(absolute(source)), context, name, values={"x": b"x"})
    assert copied(tcl, source, target, file_mode="0640") == {"copied": "12", "same": "0"}
    assert contents(FolderStore(absolute(target))) == before
    assert (target / NAME / "privkey.pem").stat().st_mode & 0o777 == 0o640
    assert (target / "accounts/ca-1/key.pem").stat().st_mode & 0o777 == 0o600
    # Made again, and back.
    assert copied(tcl, source, target) == {"copied": "0", "same": "12"}
    assert copied(tcl, target, source) == {"copied": "0", "same": "12"}
    message, code = failed(tcl, source, source)
    assert (code, "into itself" in message) == ("TOSSL VALUE target", True)


def test_from_a_folder_into_a_database_and_back(
    tcl: Tcl, tmp_path: Path, context: Context, database_url: str, postgresql: PostgreSQL
) -> None:
    first, back = tmp_path / "a", tmp_path / "b"
    fill(FolderStore(absolute(first)), context)
    wanted = contents(FolderStore(absolute(first)))
    assert copied(tcl, first, database_url, seal_key=KEY) == {"copied": "12", "same": "0"}
    database = PostgreSQLStore(database_url)
    assert contents(sealed(database, KEY)) == wanted
    everything = b"".join(files_of(postgresql).values())
    assert not [form for form in forms_of(PEM) if form in everything]
    assert failed(tcl, database_url, back)[1] == "TOSSL VALUE seal_key"
    assert not back.exists()
    assert copied(tcl, database_url, back, source_seal_key=KEY, unseal=1) == {"copied": "12", "same": "0"}
    assert contents(FolderStore(absolute(back))) == wanted
    assert copied(tcl, back, database_url, seal_key=KEY) == {"copied": "0", "same": "12"}
    # A new key, and then a conflict.
    assert seal_anew(context, sealed(database, OTHER, KEY)) == (12, 6)
    assert seal_anew(context, sealed(database, OTHER, KEY)) == (12, 0)
    assert contents(sealed(database, OTHER)) == wanted
    put(FolderStore(absolute(back)), context, "accounts/ca-1", values={"key.pem": b"another"})
    assert failed(tcl, back, database_url, seal_key=OTHER)[1] == "TOSSL VALUE overwrite"
    message, code = failed(tcl, database_url, database_url, seal_key=OTHER)
    assert (code, "into itself" in message) == ("TOSSL VALUE target", True)
    for other in (KEY, ""):
        assert failed(tcl, database_url, tmp_path / "c", seal_key=other)[1] == "TOSSL VALUE seal_key"


def test_a_store_by_another_word_is_not_copied_into_itself(
    tcl: Tcl, tmp_path: Path, context: Context, database_url: str
) -> None:
    """Nor into a folder in its own; nor is one that is not there."""
    source = tmp_path / "a"
    put(FolderStore(absolute(source)), context)
    (tmp_path / "link").symlink_to(source)
    for target in (tmp_path / "link", tmp_path / "b/../a", source / "sub", tmp_path):
        assert failed(tcl, source, target)[1] == "TOSSL VALUE target"
    put(PostgreSQLStore(database_url), context)
    by_name = database_url.replace("127.0.0.1", "localhost")
    assert failed(tcl, database_url, by_name)[1] == "TOSSL VALUE target"
    assert failed(tcl, tmp_path / "none", tmp_path / "new")[1] == "TOSSL VALUE source"
    assert not (tmp_path / "new").exists()
    assert sorted(path.name for path in source.iterdir() if path.name[0] != ".") == ["certificates", "format"]


def test_what_differs_is_a_conflict_before_anything_is_written(tcl: Tcl, tmp_path: Path, context: Context) -> None:
    source, target = tmp_path / "a", tmp_path / "b"
    fill(FolderStore(absolute(source)), context)
    store = FolderStore(absolute(target))
    put(store, context, "renewal/example.com", values={"renewal.json": b"[]"})
    put(store, context, "renewal/own.example", values={"renewal.json": b"[1]"})
    before = contents(store)
    message, code = failed(tcl, source, target)
    assert code == "TOSSL VALUE overwrite"
    assert "renewal/example.com" in message
    assert contents(store) == before
    assert copied(tcl, source, target, overwrite=1) == {"copied": "12", "same": "0"}
    assert contents(store) == contents(FolderStore(absolute(source))) | {
        "renewal/own.example": {"renewal.json": b"[1]"}
    }


def test_sealed_copies(tcl: Tcl, tmp_path: Path, context: Context) -> None:
    """Open to sealed, sealed to sealed with another key, sealed without a word about it, and back to open."""
    files = {}
    for name, key in (("old", KEY), ("new", OTHER)):
        files[name] = tmp_path / name
        files[name].write_text(key)
        files[name].chmod(0o600)
    fill(FolderStore(absolute(tmp_path / "a")), context)
    wanted = contents(FolderStore(absolute(tmp_path / "a")))

    def check(store: str, *keys: str) -> None:
        place = tmp_path / store
        assert contents(sealed(FolderStore(absolute(place)), *keys)) == wanted
        assert bool(found_in(place, [PEM])) == (not keys)

    copied(tcl, tmp_path / "a", tmp_path / "b", seal_key_file=files["old"])
    check("b", KEY)
    check("a")
    assert failed(tcl, tmp_path / "b", tmp_path / "c")[1] == "TOSSL VALUE seal_key"
    assert failed(tcl, tmp_path / "b", tmp_path / "c", seal_key_file=files["new"])[1] == "TOSSL VALUE seal_key"
    copied(tcl, tmp_path / "b", tmp_path / "c", seal_key_file=files["new"], source_seal_key_file=files["old"])
    check("c", OTHER)
    copied(tcl, tmp_path / "c", tmp_path / "d", source_seal_key_file=files["new"])
    check("d", OTHER)
    copied(tcl, tmp_path / "d", tmp_path / "e", seal_key_file=files["new"], unseal=1)
    check("e")
    # What is the same, but open, is sealed.
    assert copied(tcl, tmp_path / "d", tmp_path / "e", seal_key_file=files["new"])["copied"] == "6"
    assert contents(sealed(FolderStore(absolute(tmp_path / "e")), OTHER)) == wanted


def test_a_copy_that_ended_half_way_is_made_again(
    tcl: Tcl, tmp_path: Path, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = tmp_path / "a", tmp_path / "b"
    fill(FolderStore(absolute(source)), context)
    write, count = FolderStore.write, iter(range(100))

    def full(store: FolderStore, *words: object, ends: bool = False) -> None:
        if next(count) == 5:
            raise ArgumentError("store", "no space left on device")
        write(store, *words, ends=ends)  # type: ignore[arg-type]

    monkeypatch.setattr(FolderStore, "write", full)
    assert "no space left" in failed(tcl, source, target)[0]
    assert copied(tcl, source, target) == {"copied": "7", "same": "5"}
    assert contents(FolderStore(absolute(target))) == contents(FolderStore(absolute(source)))


def test_a_store_of_the_earlier_form_is_copied(tcl: Tcl, tmp_path: Path) -> None:
    old = tmp_path / "old"
    (old / "certificates/example.com/pending").mkdir(parents=True)
    (old / "accounts/ca-1").mkdir(parents=True)
    (old / "accounts/ca-1/key.pem").write_text(PEM)
    for name, content in VALUES.items():
        (old / NAME / name).write_bytes(content)
    (old / NAME / "pending/privkey.pem").write_text(PEM)
    assert copied(tcl, old, tmp_path / "new") == {"copied": "3", "same": "0"}
    store = FolderStore(absolute(tmp_path / "new"), FolderOptions())
    assert (store.read(NAME), store.read("accounts/ca-1")) == (VALUES, {"key.pem": PEM.encode()})
    assert store.read(f"{NAME}/pending") == {"privkey.pem": PEM.encode()}


def test_a_strangers_key_is_not_copied(
    tcl: Tcl, tmp_path: Path, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be this user's in the copy."""
    source = tmp_path / "a"
    fill(FolderStore(absolute(source)), context)
    if os.geteuid() == 0:
        os.chown((source / NAME / "privkey.pem").resolve(), 12345, -1)
    else:
        stranger = os.geteuid() + 1
        monkeypatch.setattr(os, "geteuid", lambda: stranger)
    message, code = failed(tcl, source, tmp_path / "b")
    assert (code, "neither root nor the user of this process" in message) == ("TOSSL VALUE store", True)
    assert not (tmp_path / "b").exists()
