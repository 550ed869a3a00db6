"""A server of the stack that starts in a moment."""

import socket
import sys

from services.stack.place import LOOPBACK, Place, free_port
from services.stack.server import Launch, Server
from tests.waiting import LIMIT_S

LISTEN = """
import os, socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("listening", os.environ.get("SECRET"), flush=True)
while True:
    listener.accept()[0].close()
"""


def answers(port: int) -> bool:
    """Return whether anybody takes a connection there."""
    try:
        socket.create_connection((LOOPBACK, port), timeout=10).close()
    except OSError:
        return False
    return True


def small_server(name: str = "small", script: str = LISTEN, needs: tuple[str, ...] = (), limit_s: float = LIMIT_S) -> Server:
    """Return a server that runs a program of Python with its port as the argument, and its password in SECRET."""

    def prepare(place: Place) -> Launch:
        return Launch([sys.executable, "-S", "-c", script, str(place.ports[name])], {"SECRET": place.secret(name)})

    return Server(
        name=name,
        ports={name: free_port()},
        prepare=prepare,
        ready=lambda place: answers(place.ports[name]),
        settings=lambda place: {"EARTHEYE_S3_ENDPOINT": place.address(name), "EARTHEYE_S3_SECRET_KEY": f"it's {place.secret(name)}"},
        needs=needs,
        start_limit_s=limit_s,
    )
