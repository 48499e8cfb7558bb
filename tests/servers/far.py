"""A relay that makes a server seem far away: `python -m tests.servers.far HOST:PORT` prints its port and serves."""

from __future__ import annotations

import argparse
import asyncio
from collections import deque

#: A CA is 30 to 150 ms away from most.
ROUND_TRIP_SECONDS = 0.06


class _Side(asyncio.Protocol):
    """One end of a connection; what arrives here is sent at the other end, half a round trip later."""

    def __init__(self, delay: float) -> None:
        self.other: _Side | None = None
        self._delay = delay
        self._transport: asyncio.Transport | None = None
        #: Pieces on their way to this end; None is its end.
        self.coming: deque[bytes | None] = deque()
        #: When the next piece may leave, by the loop's clock.
        self.leaves = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._send(data)

    def connection_lost(self, error: Exception | None) -> None:
        self._send(None)

    def _send(self, piece: bytes | None) -> None:
        if self.other is not None:
            loop = asyncio.get_running_loop()
            self.leaves = max(self.leaves, loop.time())
            self.other.coming.append(piece)
            loop.call_at(self.leaves + self._delay, self.other.arrive)

    def arrive(self) -> None:
        piece = self.coming.popleft()
        if self._transport is None:
            return
        if piece is None:
            self._transport.close()
        else:
            self._transport.write(piece)


class _Near(_Side):
    """The client's end."""

    def __init__(self, host: str, port: int, delay: float) -> None:
        super().__init__(delay)
        self._far = (host, port)
        self._connecting: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        assert isinstance(transport, asyncio.Transport)
        far = _Side(self._delay)
        self.other, far.other = far, self
        loop = asyncio.get_running_loop()
        # The loopback interface has connected already: far away, that takes a round trip.
        self.leaves = loop.time() + 2 * self._delay
        self._connecting = loop.create_task(self._connect(transport, far))

    async def _connect(self, transport: asyncio.Transport, far: _Side) -> None:
        try:
            await asyncio.get_running_loop().create_connection(lambda: far, *self._far)
        except OSError:
            transport.abort()
            return


async def serve(host: str, port: int, round_trip: float = ROUND_TRIP_SECONDS, at: int = 0) -> asyncio.Server:
    """Returns a listening relay to HOST:PORT. `at`: its own port, 0 for a free one."""
    loop = asyncio.get_running_loop()
    return await loop.create_server(lambda: _Near(host, port, round_trip / 2), "127.0.0.1", at)


async def _run(host: str, port: int, round_trip: float, at: int) -> None:
    server = await serve(host, port, round_trip, at)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> None:
    """Relay until the process is ended."""
    parser = argparse.ArgumentParser(prog="python -m tests.servers.far", description=__doc__)
    parser.add_argument("server", metavar="HOST:PORT")
    parser.add_argument("--round-trip", type=float, default=ROUND_TRIP_SECONDS, metavar="SECONDS")
    parser.add_argument("--port", type=int, default=0, help="where it listens; else a free port")
    options = parser.parse_args()
    host, _, port = options.server.rpartition(":")
    asyncio.run(_run(host, int(port), options.round_trip, options.port))


if __name__ == "__main__":
    main()
