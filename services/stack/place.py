"""The folder of a local stack: ports, secrets and the data of each server, for its owner alone."""

import fcntl
import json
import os
import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eartheye.errors import ServerNotStarted
from eartheye.telemetry import get_logger

log = get_logger(__name__)

LOOPBACK = "127.0.0.1"
KEPT = "stack.json"
SECRET_BYTES = 24
FREE_PORTS = range(20000, 32768)


class Place:
    """Where a stack lies, and what is remembered of it between two commands.

    Args:
        root: the stack's folder.
        cache: the user's cache folder, where programs are built and installed once.

    Raises:
        ServerNotStarted: the right to read what is remembered there is missing.
    """

    def __init__(self, root: Path, cache: Path) -> None:
        self.root = root.resolve()
        self.kept = self.root / KEPT
        self.cache = cache
        self.ports: dict[str, int] = {}
        """Port of each service, by name; chosen when its server is started."""
        self._secrets: dict[str, str] = {}
        self._damaged = False
        self._writing = threading.RLock()
        self._recall()

    def folder(self, server: str) -> Path:
        """Return a server's own folder."""
        return self.root / server

    def address(self, service: str) -> str:
        """Return host and port of a service."""
        return f"{LOOPBACK}:{self.ports[service]}"

    def secret(self, name: str) -> str:
        """Return a password of the stack: made at random when it is first asked for, and kept."""
        with self._writing:
            if name not in self._secrets:
                self._secrets[name] = secrets.token_urlsafe(SECRET_BYTES)
                self.save()
            return self._secrets[name]

    def choose_ports(self, wanted: dict[str, int]) -> list[str]:
        """Choose the ports of a server that is about to start: those it had, else its usual ones, else free ones.

        Args:
            wanted: the usual port of each of its services.

        Returns:
            A word on each service whose usual port is taken.
        """
        words = []
        with self._writing:
            for service, usual in wanted.items():
                others = {port for name, port in self.ports.items() if name != service}
                known = self.ports.get(service, usual)
                self.ports[service] = next((port for port in (known, usual) if port not in others and is_free(port)), 0) or free_port()
                if self.ports[service] != usual and (usual in others or not is_free(usual)):
                    words.append(f"port {usual} is taken, {service} is on {self.ports[service]}")
            self.save()
        return words

    def require_memory(self) -> None:
        """See to it that what is remembered is understood; to end servers and to read their logs it is not needed.

        Raises:
            ServerNotStarted: it is damaged.
        """
        if self._damaged:
            raise ServerNotStarted(f"{self.kept} is damaged: restore it, or run `eartheye stack down` and move {self.root} away")

    def save(self) -> None:
        """Remember ports and secrets.

        Raises:
            ServerNotStarted: there is no room, or no right to write there, or what is remembered is damaged.
        """
        self.require_memory()
        with self._writing:
            write_private(self.kept, json.dumps({"ports": self.ports, "secrets": self._secrets}, indent=2))

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the stack for this process; another command says so and waits. The lock goes with the process, however it ends."""
        make_private(self.root)
        path = self.root / ".lock"
        with _writing(path):
            lock = path.open("w")
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                log.info("another command is at work on this stack, waiting for its end", folder=str(self.root))
                fcntl.flock(lock, fcntl.LOCK_EX)
            self._recall()  # the command that held it before may have changed it
            yield

    def _recall(self) -> None:
        self._damaged = False
        try:
            remembered = json.loads(self.kept.read_text())
            self.ports, self._secrets = dict(remembered["ports"]), dict(remembered["secrets"])
        except (FileNotFoundError, NotADirectoryError):
            return
        except PermissionError as error:
            raise ServerNotStarted(
                f"{self.kept} cannot be read ({error.strerror}): it is for its owner alone, choose another --folder"
            ) from None
        except (ValueError, KeyError, TypeError):
            self._damaged = True


def make_private(folder: Path) -> None:
    """Make a folder that only its owner may enter; one that is there already is the user's, and stays as it is.

    Raises:
        ServerNotStarted: there is no room, or no right to write there.
    """
    with _writing(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def write_private(path: Path, content: str) -> None:
    """Write a file that only its owner may read; it is there whole or not at all.

    Raises:
        ServerNotStarted: there is no room, or no right to write there.
    """
    make_private(path.parent)
    draft = path.with_name(f"{path.name}.part")
    with _writing(path):
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(content)
        draft.replace(path)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Tell what the system has against writing."""
    try:
        yield
    except OSError as error:
        raise ServerNotStarted(
            f"{path} cannot be written ({error.strerror}): make room or give the right, or choose another --folder"
        ) from error


def past_proxies() -> dict[str, str]:
    """Return the variables by which clients ask servers of this machine themselves, and not a proxy that the environment names."""
    known = [host for name in ("no_proxy", "NO_PROXY") for host in os.environ.get(name, "").split(",") if host]
    hosts = ",".join(dict.fromkeys([*known, LOOPBACK, "localhost"]))
    return {"no_proxy": hosts, "NO_PROXY": hosts}


def is_free(port: int) -> bool:
    """Say whether a server could listen on a port of this machine."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port that was in use a moment ago is free
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """Return a port that nobody listens on, at random.

    It is none of those that Linux hands to clients (32768 and above): one of them could get it while the server is away for a moment.
    """
    return next(port for port in iter(lambda: FREE_PORTS.start + secrets.randbelow(len(FREE_PORTS)), None) if is_free(port))
