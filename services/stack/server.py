"""What the supervisor knows of a server."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from services.stack.place import Place


@dataclass(frozen=True)
class Launch:
    """How a server is started."""

    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    """Variables beside those of this process; secrets travel here, for a command line can be read by everyone on the machine."""
    without: tuple[str, ...] = ()
    """Beginnings of the names of variables that the server must not inherit."""


def nothing_more(place: Place) -> None:
    """There is nothing to set up in a server that is ready."""


@dataclass(frozen=True)
class Server:
    """One server of the stack."""

    name: str
    ports: dict[str, int]
    """The usual port of each of its services; the first is the one that clients use."""
    prepare: Callable[[Place], Launch]
    """Finds or installs the program, makes the data folder whole, and says how to start. Raises ServerNotStarted with what to install."""
    ready: Callable[[Place], bool]
    """Says whether the server takes requests."""
    settings: Callable[[Place], dict[str, str]]
    """The `EARTHEYE_*` variables that lead to the server."""
    needs: tuple[str, ...] = ()
    """Servers that must be ready before it starts, and end after it."""
    furnish: Callable[[Place], None] = nothing_more
    """Makes what clients expect in a server that is ready: a bucket, a database. Done again, it changes nothing."""
    start_limit_s: float = 60.0
    stop_signal: int = 15
    """SIGTERM, where the server has no better way to end."""

    def log_file(self, place: Place) -> Path:
        """Return where the server's words go."""
        return place.folder(self.name) / "log"
