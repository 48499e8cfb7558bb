"""What this process remembers between commands: the one cache."""

from __future__ import annotations

import hashlib
import threading

from ..acme.client import Client
from ..acme.directory import directory_url
from ..acme.jws import AccountKey
from ..acme.server import Server
from ..challenges.responders import Responders
from ..challenges.solver import Proof, Solver
from ..context import Scope
from ..dns.published import Published
from ..http.client import Route, Web


class Session:
    """Connections, directories, accounts and presented challenges, shared by all interpreters and threads.

    A client is found by directory, account key and route: an order on a known account costs one request.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._webs: dict[object, Web] = {}
        self._servers: dict[tuple[str, Web], Server] = {}
        self._keys: dict[bytes, AccountKey] = {}
        self._clients: dict[tuple[Server, str], Client] = {}
        self.responders = Responders()
        self.published = Published()
        self._presenting = threading.RLock()
        self._presented: dict[tuple[str, str], tuple[Solver, Proof]] = {}

    def web(self, route: Route) -> Web:
        way = route.in_force()
        with self._lock:
            if way not in self._webs:
                self._webs[way] = Web(route)
            return self._webs[way]

    def server(self, directory: str, route: Route) -> Server:
        """The CA for a directory URL or a CA's short name."""
        url = directory_url(directory)
        web = self.web(route)
        with self._lock:
            return self._servers.setdefault((url, web), Server(url, web))

    def client(self, directory: str, account_key: str, route: Route) -> Client:
        """The client of an account key (PEM text) at a CA; the key is parsed once."""
        key = self.account_key(account_key)
        server = self.server(directory, route)
        with self._lock:
            return self._clients.setdefault((server, key.thumbprint), Client(server, key))

    def account_key(self, pem: str) -> AccountKey:
        digest = hashlib.sha256(pem.encode("utf-8", "surrogatepass")).digest()
        key = self._keys.get(digest) or AccountKey.from_pem(pem)
        return self._keys.setdefault(digest, key)

    def present(self, solver: Solver, proof: Proof) -> None:
        """Presents a challenge until clean_up(), in the place of an earlier one with its domain and token."""
        with self._presenting:
            self.clean_up(proof)
            solver.present(Scope(30).begin(), proof)
            self._presented[proof.domain, proof.token] = solver, proof

    def clean_up(self, proof: Proof) -> bool:
        """Removes what present() presented for this domain and token, by whatever key; whether there was anything."""
        with self._presenting:
            earlier = self._presented.pop((proof.domain, proof.token), None)
            if earlier is None:
                return False
            solver, shown = earlier
            solver.clean_up(Scope(30).begin(), shown)
            return True


SESSION = Session()
