"""Where a database is: a URL taken apart as libpq reads it, and shown without secrets.

What the URL leaves out, libpq takes from PGHOST, PGUSER, PGPASSWORD and the like, a service file, and .pgpass.
"""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from psycopg import Error, pq
from psycopg.conninfo import make_conninfo

from ...errors import ArgumentError
from ...text import clean

#: Of libpq's options, those that are secret.
_SECRET = ("password", "sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key")
_HIDDEN = "(hidden)"
_PORTS = 65536
_LAST_ASCII = 127
_USUAL_PORT = "5432"
#: ASCII that stands in a user's or a database's name as it is; other scripts' letters do as well.
_PLAIN = "!$'()*+,;="
#: A silent peer is given up long before TCP would do so. In seconds, but for the one that is in milliseconds.
_USUAL = {
    "client_encoding": "UTF8",
    "fallback_application_name": "tossl",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
}


class Host(NamedTuple):
    """One of the servers that a URL names. Both empty: libpq finds it."""

    name: str
    address: str
    port: str

    @property
    def is_to_be_resolved(self) -> bool:
        """Returns whether a name server is asked for its address; a socket's folder begins with "/" or "@"."""
        if self.address or not self.name or self.name.startswith(("/", "@")):
            return False
        try:
            return not ipaddress.ip_address(self.name)
        except ValueError:
            return True

    @property
    def shown(self) -> str:
        """Returns it as in a URL, without the usual port."""
        name = self.name or self.address or "localhost"
        if name.startswith(("/", "@")):
            name = name.replace("/", "%2F").replace("@", "%40")
        elif ":" in name:
            name = f"[{name}]"
        return name if self.port in ("", _USUAL_PORT) else f"{name}:{self.port}"


class DatabaseUrl:
    """A URL of a database. Its repr() and all that it shows are without its secrets.

    Raises ArgumentError "store" for one that libpq cannot read.
    """

    def __init__(self, word: str) -> None:
        try:
            _check_word(word)
            given = _options(pq.Conninfo.parse(word.encode()))
            found = _options(pq.Conninfo.get_defaults()) | given
            self.hosts = _hosts(found if "service" not in given else given)
        except (Error, UnicodeError, ValueError):
            # libpq's own words quote the URL, with its password.
            usable = "postgresql://USER@HOST:PORT/DATABASE is, with / @ : ? and % in a part as %2F %40 %3A %3F and %25"
            cause = f"is no usable URL of a database: {usable}"
            raise ArgumentError("store", f"{_shown_word(word)} {cause}") from None
        self._given = given
        self._secrets = sorted({found[name] for name in _SECRET if found.get(name)}, key=len, reverse=True)
        self.shown = _shown(found, given, self.hosts)
        self._passfile = None if found.get("password") else found.get("passfile", "~/.pgpass")
        #: What two URLs with the same connections have in common.
        self.key = make_conninfo(**{name: value for name, value in (found | given).items() if value})

    def __repr__(self) -> str:
        return f"DatabaseUrl({self.shown})"

    def conninfo(self, host: Host, address: str = "") -> bytes:
        """Returns what libpq connects with to one of the hosts, at this address of it."""
        options = dict(self._given)
        for name, value in (("host", host.name), ("hostaddr", address or host.address), ("port", host.port)):
            if value:
                options[name] = value
            elif host.name or host.address:
                options.pop(name, None)
        for name, value in _USUAL.items():
            options.setdefault(name, value)
        if open_passwords := self.open_passwords():
            options["passfile"] = f"{open_passwords}.none"
        if len(self.hosts) > 1:
            options.setdefault("target_session_attrs", "read-write")
        return make_conninfo(**options).encode()

    def open_passwords(self) -> str:
        """Returns the file of passwords that libpq does not read, for others have rights on it; else an empty text.

        It would say so on standard error, which is the program's.
        """
        if self._passfile is None:
            return ""
        path = Path(self._passfile).expanduser()
        try:
            return str(path) if path.exists() and (not path.is_file() or path.stat().st_mode & 0o077) else ""
        except OSError:
            return ""

    def without_secrets(self, text: str) -> str:
        """Returns libpq's or the server's words, fit for a message: the one place where they become ours."""
        for secret in self._secrets:
            text = text.replace(secret, _HIDDEN)
        return clean(text)


def _options(found: list[pq.ConninfoOption]) -> dict[str, str]:
    return {option.keyword.decode(): option.val.decode() for option in found if option.val}


def _check_word(word: str) -> None:
    """Raises ValueError for a word that libpq reads in another way than whoever wrote it.

    A slash in a password would make the rest of it the name of the database, and an at sign that of the host, which
    messages show.
    """
    authority, _, path = word.partition("://")[2].partition("?")[0].partition("/")
    if authority.count("@") > 1 or "@" in path or not word.isprintable():
        raise ValueError("not escaped")


def _hosts(found: dict[str, str]) -> tuple[Host, ...]:
    names, addresses = found.get("host", "").split(","), found.get("hostaddr", "").split(",")
    count = max(len(names), len(addresses))
    ports = found.get("port", "").split(",")
    if len(ports) == 1:
        ports *= count
    if not all(not port or (port.isdigit() and 0 < int(port) < _PORTS) for port in ports):
        raise ValueError("no port")  # it may be a password
    if count != len(ports) or (found.get("host") and found.get("hostaddr") and len(names) != len(addresses)):
        raise ValueError("hosts and ports do not match")
    pad = ("",) * count
    return tuple(Host(*each) for each in zip((*names, *pad), (*addresses, *pad), ports, strict=False))


def _shown(found: dict[str, str], given: dict[str, str], hosts: tuple[Host, ...]) -> str:
    if "service" in given and "host" not in given:
        return clean(f"postgresql://?service={_escaped(given['service'])}")
    user = f"{_escaped(found['user'])}@" if found.get("user") else ""
    database = _escaped(found.get("dbname") or found.get("user", ""))
    return clean(f"postgresql://{user}{','.join(host.shown for host in hosts)}/{database}")


def _escaped(name: str) -> str:
    """Returns a name as in a URL; letters of other scripts stay readable."""
    return "".join(char if ord(char) > _LAST_ASCII else quote(char, safe=_PLAIN) for char in name)


def _shown_word(word: str) -> str:
    """Returns of a URL that cannot be read what is no secret for sure: its scheme."""
    return f'"{word.partition("://")[0]}://..."'
