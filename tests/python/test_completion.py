"""What bash and zsh complete, each in a terminal of its own: a person's keys go in, and the words come out."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

TREE = Path(__file__).resolve().parents[2]
TCLSH = os.environ.get("TCLSH", "tclsh")
TAB, ALL = "\t", "\x18a"
#: Ctrl-X a has the shell put all that it would complete into the line. bash says so of its own Esc *.
SETUP = {
    "bash": """bind '"\\C-xa": insert-completions'; source ./script\n""",
    "zsh": """
        autoload -Uz compinit && compinit -u -D; source ./script
        zle -C all-matches complete-word _generic; bindkey '^Xa' all-matches
        zstyle ':completion:all-matches::::' completer _all_matches _complete
        zstyle ':completion:all-matches:*' insert yes
    """,
}
START = {"bash": ["bash", "--norc", "--noprofile", "-i", "-u"], "zsh": ["zsh", "-f", "-i"]}
SECONDS = 60


class Shell:
    """A shell in a terminal, in which `tossl` says its words."""

    def __init__(self, name: str, home: Path, script: str) -> None:
        (home / "script").write_text(script)
        known = {"PATH": f"{home}:{os.environ['PATH']}", "HOME": str(home), "TERM": "dumb", "LC_ALL": "C.UTF-8"}
        self._process, self._terminal = pty.fork()
        if self._process == 0:
            os.chdir(home)
            os.execvpe(START[name][0], START[name], known | {"PS1": "", "TOSSL_CONF": ""})
        self.run("stty cols 500; " + "; ".join(filter(None, map(str.strip, SETUP[name].splitlines()))))
        self.run("tossl() { printf '\\n'; printf '{%s}' \"$@\"; printf '\\nE%sD\\n' N; }")
        self.words("")

    def words(self, keys: str) -> list[str]:
        """Returns the words that tossl gets once these keys are pressed, and Enter."""
        self.run(f"tossl {keys}")
        seen = self._read("\nEND")
        return re.findall(r"\{(.*?)\}", seen.rpartition("\n{")[1] + seen.rpartition("\r\n{")[2].split("\r\n")[0])

    def run(self, text: str) -> None:
        """Types a line."""
        os.write(self._terminal, f"{text}\r".encode())

    def _read(self, end: str) -> str:
        seen, limit = "", time.monotonic() + SECONDS
        while end not in seen:
            assert select.select([self._terminal], [], [], limit - time.monotonic())[0], seen
            seen += os.read(self._terminal, 65536).decode()
        return seen

    def close(self) -> None:
        os.close(self._terminal)
        os.kill(self._process, 9)
        os.waitpid(self._process, 0)


def made(shell: str) -> str:
    words = [TCLSH, TREE / "bin/tossl", "completion", shell]
    return subprocess.run(words, env=os.environ | {"TOSSL_CONF": ""}, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a store, as its folders show it, and some files."""
    place = tmp_path_factory.mktemp("home")
    for store, folders in {
        ".local/share/tossl": ["example.com", "_.example.com", "0::1", "example.org"],
        "other": ["other.example"],
        "of the file": ["conf.example"],
    }.items():
        for folder in folders:
            (place / store / "certificates" / folder).mkdir(parents=True)
            (place / store / "certificates" / folder / "cert.pem").touch()
    (place / ".local/share/tossl/certificates/attempt.example/pending").mkdir(parents=True)
    (place / "ca.pem").touch()
    # A store without a folder is asked for its names.
    names = '[{"name": "of.fleet.example", "domains": ["a"]}]'
    asked = "list --json --quiet --store fleet://host/db"
    (place / "tossl").write_text(f"#!/bin/sh\n[ \"$*\" = '{asked}' ] && echo '{names}'\n")
    (place / "tossl").chmod(0o755)
    (place / "tossl.conf").write_text(f"# mine\n store =  {place}/of the file  \n")
    return place


@pytest.fixture(scope="module", params=["bash", "zsh"])
def shell(request: pytest.FixtureRequest, home: Path) -> Iterator[Shell]:
    if shutil.which(request.param) is None:
        pytest.skip(f"needs {request.param}")
    opened = Shell(request.param, home, made(request.param))
    yield opened
    opened.close()


KEPT = ["*.example.com", "::1", "example.com", "example.org"]


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        (f"rene{TAB}", ["renew"]),
        (f"help re{ALL}", ["help", "renew", "revoke"]),
        (f"account {ALL}", ["account", "create", "deactivate", "show"]),
        (f"import {ALL}", ["import", "acme.sh", "certbot", "dehydrated", "lego", "naviserver"]),
        (f"directory letsencrypt-{TAB}", ["directory", "letsencrypt-staging"]),
        (f"obtain a.example --directory zero{TAB}", ["obtain", "a.example", "--directory", "zerossl"]),
        (f"revoke x --directory=zero{TAB}", ["revoke", "x", "--directory=zerossl"]),
        (f"obtain --layout={TAB}l{TAB} --eab-alg=HS2{TAB}", ["obtain", "--layout=links", "--eab-alg=HS256"]),
        (f"obtain --challenge {ALL}", ["--challenge", "dns-01", "dns-account-01", "dns-persist-01", "http-01", "obtain",
                                       "tls-alpn-01"]),
        (f"obtain --provider=cloudf{TAB} --eab-alg {ALL}",
         ["obtain", "--provider=cloudflare", "--eab-alg", "HS256", "HS384", "HS512"]),
        (f"list --log-level {ALL}", ["list", "--log-level", "debug", "error", "info", "off", "warning"]),
        (f"obtain --api-key{ALL}", ["obtain", "--api-key-env", "--api-key-file"]),
        (f"obtain --api-key-env HOM{TAB}", ["obtain", "--api-key-env", "HOME"]),
        (f"renew {ALL}", ["renew", *KEPT]),
        (f"renew --force -- {ALL}", ["renew", "--force", "--", *KEPT]),
        (f"show \\*{TAB}", ["show", "*.example.com"]),
        (f"show ::{TAB}", ["show", "::1"]),
        (f"renew --store other {ALL}", ["renew", "--store", "other", "other.example"]),
        (f"renew --store=~/other {ALL}", ["renew", "--store=~/other", "other.example"]),
        (f"renew --config tossl.conf {ALL}", ["renew", "--config", "tossl.conf", "conf.example"]),
        (f"renew --store nowhere {ALL}", ["renew", "--store", "nowhere"]),
        (f"renew --store fleet://host/db {ALL}", ["renew", "--store", "fleet://host/db", "of.fleet.example"]),
        (f"manage ca{TAB}", ["manage", "ca.pem"]),
        (f"list --store=of{TAB}", ["list", "--store=of the file"]),
        (f"obtain --ca-bundle=ca{TAB}", ["obtain", "--ca-bundle=ca.pem"]),
        (f"obtain --webroot ot{TAB} --webroot ca{TAB}", ["obtain", "--webroot", "other", "--webroot", "ca"]),
        (f"obtain --email {ALL}", ["obtain", "--email"]),
        (f"no-such {ALL}", ["no-such"]),
    ],
    ids=repr,
)
def test_words(shell: Shell, keys: str, words: list[str]) -> None:
    # zsh takes the "/" behind a folder away where the word ends.
    assert sorted(word.rstrip("/") for word in shell.words(keys)) == sorted(words)


def test_every_command(shell: Shell) -> None:
    """Each is offered, and its options, as the help has them: tests/tcl/usage.test compares these."""
    said = subprocess.run([TCLSH, TREE / "bin/tossl"], capture_output=True, text=True).stdout
    commands = set(re.findall(r"^  tossl (\w+)", said, re.MULTILINE))
    assert {"obtain", "completion"} <= commands <= set(shell.words(ALL))


def test_the_store_of_the_environment(shell: Shell, home: Path) -> None:
    shell.run(f"export TOSSL_STORE={home}/other")
    assert shell.words(f"renew {ALL}") == ["renew", "other.example"]
    shell.run("unset TOSSL_STORE")
