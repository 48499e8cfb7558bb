"""The clients that are compared: what each is run with for one certificate of some names, on an account that it has.

Each proves its names by a file in nginx's folder, and has an EC key made where it makes the key itself.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from .ground import TREE, Place
from .timing import Command, RunFailed

HERE = Path(__file__).parent
TCLSH = os.environ.get("TCLSH", "tclsh")
_SYSTEM_CA_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
_ANSWERS = ".well-known/acme-challenge"


class Client(Protocol):
    """A program that gets certificates."""

    name: str
    program: str

    def register(self, place: Place) -> None:
        """Makes an account, if that takes a call."""

    def command(self, place: Place, names: Sequence[str]) -> Command:
        """Returns what gets one certificate. What comes before it and is not counted is done here."""


class Tossl:
    name, program = "tossl", TCLSH

    def register(self, place: Place) -> None:
        pass

    def command(self, place: Place, names: Sequence[str]) -> Command:
        return Command([TCLSH, str(HERE / "issue.tcl"), *tossl_words(place), " ".join(names)])


class Floor:
    """The protocol and nothing else; `transport` is what sends the requests."""

    program = sys.executable

    def __init__(self, name: str, transport: str) -> None:
        self.name, self._transport = name, transport

    def register(self, place: Place) -> None:
        pass

    def command(self, place: Place, names: Sequence[str]) -> Command:
        return self.many(place, [names])

    def many(self, place: Place, certificates: Sequence[Sequence[str]]) -> Command:
        """Returns what gets one certificate after the other in one process."""
        words = [self._transport, place.directory, place.ca_bundle, str(place.webroot), str(place.folder / "account")]
        words += [",".join(names) for names in certificates]
        return Command([sys.executable, str(HERE / "reference.py"), *words])


class Lego:
    name, program = "lego", "lego"

    def register(self, place: Place) -> None:
        pass

    def command(self, place: Place, names: Sequence[str]) -> Command:
        account = ["--accept-tos", "--email", "me@example.com", "--path", str(place.folder)]
        way = ["--server", place.directory, "--http", "--http.webroot", str(place.webroot)]
        return Command(["lego", *account, *way, *_each("-d", names), "run"])


class AcmeTiny:
    """Takes a request that openssl made before."""

    name, program = "acme-tiny", "acme-tiny"

    def register(self, place: Place) -> None:
        quietly(["openssl", "genrsa", "-out", str(place.folder / "account.key"), "2048"])
        quietly(["openssl", "ecparam", "-genkey", "-name", "prime256v1", "-out", str(place.folder / "leaf.key")])

    def command(self, place: Place, names: Sequence[str]) -> Command:
        request, leaf = place.folder / "request.csr", place.folder / "leaf.key"
        extension = "subjectAltName=" + ",".join(f"DNS:{name}" for name in names)
        words = ["-subj", "/", "-addext", extension, "-key", str(leaf), "-out", str(request)]
        quietly(["openssl", "req", "-new", *words])
        files = ["--account-key", str(place.folder / "account.key"), "--csr", str(request)]
        files += ["--acme-dir", str(place.webroot / _ANSWERS)]
        return Command(["acme-tiny", *files, "--directory-url", place.directory, "--disable-check", "--quiet"])


class Certbot:
    name, program = "certbot", "certbot"

    def register(self, place: Place) -> None:
        agreed = ["--agree-tos", "--register-unsafely-without-email"]
        quietly(["certbot", "register", "-n", *agreed, *self._words(place)], {"REQUESTS_CA_BUNDLE": place.ca_bundle})

    def command(self, place: Place, names: Sequence[str]) -> Command:
        way = ["--webroot", "-w", str(place.webroot), "--key-type", "ecdsa", "--elliptic-curve", "secp256r1"]
        return Command(["certbot", "certonly", "-n", *way, *_each("-d", names), *self._words(place)])

    def _words(self, place: Place) -> list[str]:
        folders = [word for kind in ("config", "work", "logs") for word in (f"--{kind}-dir", f"{place.folder}/{kind}")]
        return ["--server", place.directory, *folders]


class Uacme:
    """Trusts what the system trusts, so the bundle is mounted in that place, for it alone: that needs root."""

    name, program = "uacme", "uacme"

    def register(self, place: Place) -> None:
        hook = place.folder / "hook.sh"
        answer = shlex.quote(str(place.webroot / _ANSWERS))
        lines = "#!/bin/sh", '[ "$2" = http-01 ] || exit 1', f'[ "$1" != begin ] || printf %s "$5" >{answer}/"$4"', ""
        hook.write_text("\n".join(lines))
        hook.chmod(0o755)
        quietly(self._mounted(place, ["uacme", *self._words(place), "-y", "new"]))

    def command(self, place: Place, names: Sequence[str]) -> Command:
        words = ["-h", str(place.folder / "hook.sh"), "-t", "EC", "-b", "256"]
        return Command(self._mounted(place, ["uacme", *self._words(place), *words, "issue", *names]))

    def _words(self, place: Place) -> list[str]:
        return ["-c", str(place.folder), "-a", place.directory]

    def _mounted(self, place: Place, argv: Sequence[str]) -> list[str]:
        mount = shlex.join(["mount", "--bind", place.ca_bundle, _SYSTEM_CA_BUNDLE])
        return ["unshare", "--mount", "sh", "-c", f"{mount} && exec {shlex.join(argv)}"]


class Dehydrated:
    name, program = "dehydrated", "dehydrated"

    def register(self, place: Place) -> None:
        settings = {
            "CA": place.directory,
            "BASEDIR": place.folder,
            "WELLKNOWN": place.webroot / _ANSWERS,
            "KEY_ALGO": "prime256v1",
            "CHALLENGETYPE": "http-01",
        }
        lines = (f"{name}={shlex.quote(str(value))}\n" for name, value in settings.items())
        (place.folder / "config").write_text("".join(lines))
        quietly([*self._words(place), "--register", "--accept-terms"], {"CURL_CA_BUNDLE": place.ca_bundle})

    def command(self, place: Place, names: Sequence[str]) -> Command:
        return Command([*self._words(place), "--cron", *_each("--domain", names)])

    def _words(self, place: Place) -> list[str]:
        return ["dehydrated", "--config", str(place.folder / "config")]


class Caddy:
    """A web server that gets a certificate for each name; done once they are in its folder."""

    name, program = "caddy", "caddy"

    def register(self, place: Place) -> None:
        pass

    def command(self, place: Place, names: Sequence[str]) -> Command:
        challenges = {"http": {"alternate_port": place.behind}, "tls-alpn": {"disabled": True}}
        issuer = {"module": "acme", "ca": place.directory, "trusted_roots_pem_files": [place.ca_bundle]}
        policy = {"subjects": list(names), "key_type": "p256", "issuers": [{**issuer, "challenges": challenges}]}
        config = {
            "admin": {"disabled": True},
            "storage": {"module": "file_system", "root": str(place.folder)},
            "apps": {"tls": {"certificates": {"automate": list(names)}, "automation": {"policies": [policy]}}},
        }
        path = place.folder / "config.json"
        path.write_text(json.dumps(config))
        until = [f"certificates/*/{name}/{name}.json" for name in names]
        return Command(["caddy", "run", "--config", str(path)], until, place.folder)


FLOOR = Floor("floor", "requests")
CURL = Floor("floor, by libcurl", "curl")
TOSSL = Tossl()
#: As tclsh finds it where it is installed by Debian's packages.
AS_MODULE = dict.fromkeys(("TCL8_6_TM_PATH", "TCL9_0_TM_PATH"), str(TREE / "modules"))
LEGO = Lego()
#: Programs that a user would take instead.
OTHERS: Sequence[Client] = (LEGO, AcmeTiny(), Certbot(), Uacme(), Dehydrated(), Caddy())


def is_installed(client: Client) -> bool:
    return shutil.which(client.program) is not None


def version(client: Client) -> str:
    """Returns the installed version: of Debian's package where the program is out of one."""
    path = os.path.realpath(shutil.which(client.program) or client.program)
    owner = _said(["dpkg", "-S", path]).partition(":")[0]
    return _said(["dpkg-query", "-W", "-f", "${Version}", owner]) if owner else "not Debian's"


def tossl_words(place: Place) -> list[str]:
    """Returns the words of bench scripts that say where the CA is and how names are proven."""
    return [place.directory, place.ca_bundle, str(place.webroot), str(place.folder / "store")]


def environment(place: Place) -> dict[str, str]:
    """Returns what each client's process gets: they trust the CA's server in different ways."""
    trusted = dict.fromkeys(
        ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "LEGO_CA_CERTIFICATES", "SSL_CERT_FILE"), place.ca_bundle
    )
    own = {"HOME": str(place.folder), "TCLLIBPATH": f"{{{TREE}}}", "TOSSL_HOME": str(place.folder / "store")}
    outer = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    return outer | trusted | own | AS_MODULE


def quietly(argv: Sequence[str], more: dict[str, str] | None = None) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, env=os.environ | (more or {}), stdin=subprocess.DEVNULL)
    if done.returncode:
        raise RunFailed(f"{argv[0]} ended with {done.returncode}: {(done.stdout + done.stderr)[-2000:]}")


def _said(argv: Sequence[str]) -> str:
    try:
        return subprocess.run(argv, capture_output=True, text=True).stdout.strip()
    except OSError:
        return ""


def _each(option: str, names: Sequence[str]) -> list[str]:
    return [word for name in names for word in (option, name)]
