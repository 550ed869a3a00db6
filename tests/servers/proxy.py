"""A TCP proxy that breaks answers off or holds them back, as networks do."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

CHUNK_BYTES = 65536


class BreakingProxy:
    """Passes requests on to a server, and of chosen answers only the first bytes back, then closes the connection.

    Args:
        upstream: host and port of the server.
        passing_bytes: given a request line, how many bytes of its answer get through; None for all.
    """

    def __init__(self, upstream: str, passing_bytes: Callable[[str], int | None]) -> None:
        self.requests: list[str] = []
        self.flowing = threading.Event()
        """While this is not set, answers are held back, as by a server that hangs."""
        self.flowing.set()
        self._host, _, self._port = upstream.partition(":")
        self._passing_bytes = passing_bytes
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"127.0.0.1:{self._listener.getsockname()[1]}"

    def serve(self) -> None:
        with suppress(OSError):  # the listener was closed: the test is over
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection((self._host, int(self._port)))
                passing: list[int | None] = [None]
                for pump in (self._requests, self._answers):
                    threading.Thread(target=pump, args=(client, server, passing), daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _requests(self, client: socket.socket, server: socket.socket, passing: list[int | None]) -> None:
        with suppress(OSError):
            while data := client.recv(CHUNK_BYTES):
                line = data.split(b"\r\n", 1)[0]
                if line.endswith(b" HTTP/1.1"):
                    self.requests.append(line.decode())
                    passing[0] = self._passing_bytes(self.requests[-1])
                server.sendall(data)
        _end(client, server)

    def _answers(self, client: socket.socket, server: socket.socket, passing: list[int | None]) -> None:
        with suppress(OSError):
            while data := server.recv(CHUNK_BYTES):
                self.flowing.wait()
                left = passing[0]
                client.sendall(data[:left])
                if left is not None:
                    passing[0] = max(left - len(data), 0)
                    if len(data) >= left:
                        break
        _end(client, server)


@contextmanager
def breaking_proxy(upstream: str, passing_bytes: Callable[[str], int | None]) -> Iterator[BreakingProxy]:
    """Run a proxy in the background."""
    proxy = BreakingProxy(upstream, passing_bytes)
    threading.Thread(target=proxy.serve, daemon=True).start()
    try:
        yield proxy
    finally:
        proxy.flowing.set()
        proxy.close()


def _end(*sockets: socket.socket) -> None:
    for each in sockets:
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
        each.close()
