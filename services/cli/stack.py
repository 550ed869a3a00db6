"""Commands of the local stack: real servers on this machine."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from services.cli.inputs import LocalPath

stack = App(name="stack", help="Start, look after and end the local servers: PostgreSQL, MinIO, Kafka, MLflow, Triton.")
NOT_RUNNING = 3
"""Exit code that tools which look after servers have for one that does not run. Source: Linux Standard Base, "Init Script Actions"."""

Folder = Annotated[LocalPath, Parameter(name="--folder")]


@stack.command
def up(folder: Folder = Path(".stack")) -> None:
    """Start the servers that do not run, on loopback, and write their addresses to `.stack/env`.

    What runs is left alone; what has died is started again with its data. What has to be built or downloaded is kept in the user's cache
    folder. A server that cannot be had here is named with what to install, and the others start (exit code 2).

    Example: `eartheye stack up; set -a; . .stack/env; set +a`

    Parameters
    ----------
    folder
        The stack's folder: data, logs, secrets.
    """
    from eartheye.errors import ServerNotStarted
    from eartheye.settings import load
    from services.stack.local_stack import servers, write_environment
    from services.stack.place import Place
    from services.stack.supervisor import start_all

    place = Place(folder, load().cache)
    chosen = servers()
    findings = start_all(chosen, place, _tell)
    environment = write_environment(place, chosen, findings)
    print(f"\nTo use them: set -a; . {environment}; set +a")
    if missing := [finding.server for finding in findings if finding.state == "failed"]:
        raise ServerNotStarted(f"not started: {', '.join(missing)}; the reasons are above")


@stack.command
def status(folder: Folder = Path(".stack")) -> None:
    """Show how each server is.

    The exit code is 0 where all of them run, and 3 where one does not, as with `systemctl status` and `supervisorctl status`.

    Example: `eartheye stack status`

    Parameters
    ----------
    folder
        The stack's folder.
    """
    from rich.console import Console
    from rich.table import Column, Table

    from eartheye.settings import load
    from services.stack.local_stack import servers
    from services.stack.place import Place
    from services.stack.supervisor import look

    place = Place(folder, load().cache)
    table = Table(*(Column(title, overflow="fold") for title in ("server", "state", "address", "process", "log")))
    findings = [look(server, place) for server in servers()]
    for server, found in zip(servers(), findings, strict=True):
        table.add_row(server.name, found.state, found.address, str(found.pid or ""), str(server.log_file(place)))
    console = Console(highlight=False)
    console.print(table)
    for found in findings:
        if found.words:
            console.print(f"{found.server} {found.state}; {found.words}", soft_wrap=True)
    if any(found.state != "running" for found in findings):
        sys.exit(NOT_RUNNING)


@stack.command
def logs(name: str, *, follow: bool = False, lines: int = 50, folder: Folder = Path(".stack")) -> None:
    """Show the end of a server's log.

    Example: `eartheye stack logs kafka --follow`

    Parameters
    ----------
    name
        The server.
    follow
        Go on with what it says, until Ctrl-C.
    lines
        How many lines of the past to show.
    folder
        The stack's folder.
    """
    from eartheye.errors import InvalidSettings
    from eartheye.settings import load
    from services.stack.local_stack import servers
    from services.stack.log_reading import read_on
    from services.stack.place import Place

    known = {server.name: server for server in servers()}
    if name not in known:
        raise InvalidSettings(f"there is no server '{name}': name one of {', '.join(known)}")
    with _while_read():
        for line in read_on(known[name].log_file(Place(folder, load().cache)), lines, follow):
            print(line, flush=follow)
        sys.stdout.flush()


@stack.command
def down(folder: Folder = Path(".stack")) -> None:
    """End the servers. Their data stay, and are there when they start again.

    Example: `eartheye stack down`

    Parameters
    ----------
    folder
        The stack's folder.
    """
    from eartheye.settings import load
    from services.stack.local_stack import servers
    from services.stack.place import Place
    from services.stack.supervisor import stop_all

    stop_all(servers(), Place(folder, load().cache), _tell)


def _tell(finding) -> None:  # type: ignore[no-untyped-def]
    """Print what became of a server; where nobody reads it, the others are started or ended all the same."""
    words = f"  {finding.words}" if finding.words else ""
    with _while_read():
        print(f"{finding.server:<9} {finding.state:<8} {finding.address:<16} {finding.seconds:5.1f} s{words}".rstrip(), flush=True)


@contextmanager
def _while_read() -> Iterator[None]:
    """Print in a block until whoever reads, as `head`, has read enough.

    Source: Python's library reference, module signal, "Note on SIGPIPE".
    """
    try:
        yield
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is still buffered is written at the end of the process
