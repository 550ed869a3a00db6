"""Starting, looking after and ending the servers of a stack."""

import os
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from subprocess import SubprocessError, TimeoutExpired
from typing import Literal

from eartheye.errors import InvalidSettings, PortTaken, ServerNotStarted, UserError
from eartheye.telemetry import get_logger
from services.stack import process
from services.stack.place import Place, is_free, make_private
from services.stack.server import Server

log = get_logger(__name__)

LOOK_EVERY_S = 0.1
STOP_LIMIT_S = 30.0
ATTEMPTS_AFTER_A_CRASH, PAUSE_S = 5, 2.0
"""The children of a server that was killed go a moment after it, and PostgreSQL does not start beside them."""
LAST_LINES = 15

State = Literal["running", "started", "not answering", "died", "stopped", "failed", "ended", "killed"]


@dataclass(frozen=True)
class Finding:
    """What was found of a server, or came of an attempt."""

    server: str
    state: State
    address: str = ""
    words: str = ""
    """Why, or what to know."""
    pid: int | None = None
    seconds: float = 0.0
    """How long the attempt took."""


def start_all(servers: Sequence[Server], place: Place, tell: Callable[[Finding], None]) -> list[Finding]:
    """Start the servers that do not run, those that do not need each other at the same time. What runs is left alone.

    Args:
        servers: the stack; a server stands after those that it needs.
        place: the stack's folder.
        tell: is told of each server as soon as it is clear what became of it.

    Returns:
        For each server `running`, `started`, or `failed` with the reason.

    Raises:
        ServerNotStarted: this is no Linux, or what is remembered of the stack is lost or damaged.
    """
    if sys.platform != "linux":
        raise ServerNotStarted("the local stack runs on Linux: elsewhere take the containers of docker/compose.yaml")
    with place.alone(), ThreadPoolExecutor(len(servers), thread_name_prefix="stack") as pool:
        for server in servers:
            _refuse_a_stranger(server, place)
            _end_remnants(server, place)
        moved = {server.name: _choose_ports(server, place) for server in servers}
        ends: dict[str, Future[Finding]] = {}

        def bring_up(server: Server) -> Finding:
            began = time.monotonic()
            try:
                for needed in server.needs:
                    if ends[needed].result().state == "failed":
                        raise ServerNotStarted(f"it needs {needed}")
                try:
                    was_alive = _start(server, place)
                except PortTaken:  # building a program may take minutes
                    moved[server.name] = place.choose_ports(server.ports)
                    was_alive = _start(server, place)
                state: State = "running" if was_alive else "started"
                words = "; ".join(moved[server.name])
            except TimeoutExpired as late:
                state, words = "failed", f"`{shlex.join(late.cmd)}` did not end within {late.timeout:.3g} s"
            except (UserError, OSError, SubprocessError) as reason:  # also a full disk
                state, words = "failed", str(reason)
            finding = _finding(server, place, state, words, time.monotonic() - began)
            tell(finding)
            return finding

        for server in servers:
            ends[server.name] = pool.submit(bring_up, server)
        findings = [end.result() for end in ends.values()]
        for number, server in enumerate(servers):
            if findings[number].state != "failed" and not _is_alive(server, place):  # the disk may be full since
                words = f"it was up, and has died; the end of {server.log_file(place)}:\n{last_words(server, place)}"
                findings[number] = _finding(server, place, "failed", words)
                tell(findings[number])
        return findings


def stop_all(servers: Sequence[Server], place: Place, tell: Callable[[Finding], None]) -> list[Finding]:
    """End the servers, those first that need others. Their data stay.

    Args:
        servers: the stack.
        place: its folder.
        tell: is told of each server.

    Returns:
        For each server `ended`, `killed` where it did not end by itself, or `stopped` where it did not run.

    Raises:
        InvalidSettings: no stack is there.
    """
    if not place.kept.exists() and not any(_has_left_something(server, place) for server in servers):
        raise InvalidSettings(f"there is no stack in {place.root}: name the folder of one with --folder")
    findings = []
    with place.alone():
        for server in reversed(servers):
            began, folder = time.monotonic(), place.folder(server.name)
            state: State = "stopped"
            if (running := process.noted(folder)) and running.is_alive():
                state = "ended" if running.end(server.stop_signal, STOP_LIMIT_S) else "killed"
            _end_remnants(server, place)
            process.forget(folder)
            findings.append(_finding(server, place, state, "", time.monotonic() - began))
            tell(findings[-1])
    return findings


def look(server: Server, place: Place) -> Finding:
    """Say how a server is: `running`, `not answering`, `died` or `stopped`.

    Raises:
        ServerNotStarted: what is remembered of the stack is lost or damaged.
    """
    _refuse_a_stranger(server, place)
    running = process.noted(place.folder(server.name))
    if running is None:
        return _finding(server, place, "stopped")
    if not running.is_alive():
        return _finding(server, place, "died", f"its last words: {last_words(server, place, 1)}")
    return _finding(server, place, "running" if server.ready(place) else "not answering")


def last_words(server: Server, place: Place, lines: int = LAST_LINES) -> str:
    """Return the end of a server's log."""
    log_file = server.log_file(place)
    return "\n".join(log_file.read_text(errors="replace").splitlines()[-lines:]) if log_file.exists() else ""


def _has_left_something(server: Server, place: Place) -> bool:
    return any((place.folder(server.name) / part).exists() for part in (process.PID_FILE, "data"))


def _refuse_a_stranger(server: Server, place: Place) -> None:
    """Refuse a server that was started, and of which nothing is remembered: other passwords do not open its data."""
    place.require_memory()
    if not place.kept.exists() and _has_left_something(server, place):
        raise ServerNotStarted(
            f"there is no {place.kept}, and {place.folder(server.name)} was made with the ports and passwords in it: "
            f"restore it, or run `eartheye stack down` and move {place.root} away"
        )


def _end_remnants(server: Server, place: Place) -> None:
    if before := process.noted(place.folder(server.name)):
        before.end_remnants(place.folder(server.name))


def _is_alive(server: Server, place: Place) -> bool:
    running = process.noted(place.folder(server.name))
    return running is not None and running.is_alive()


def _choose_ports(server: Server, place: Place) -> list[str]:
    return [] if _is_alive(server, place) else place.choose_ports(server.ports)


def _start(server: Server, place: Place) -> bool:
    """Start a server unless it runs, and wait until it is ready; say whether it ran already."""
    running = process.noted(place.folder(server.name))
    if running is not None and running.is_alive():
        end = _wait_until_ready(server, place, running)
        if end == "silent":
            raise ServerNotStarted(
                f"it runs (process {running.pid}) and does not answer within {server.start_limit_s:g} s: look at {server.log_file(place)}; "
                "`eartheye stack down` ends it"
            )
        if end == "ready":
            server.furnish(place)
            return True
    attempts = ATTEMPTS_AFTER_A_CRASH if running is not None else 1
    while True:
        launched = _launch(server, place)
        end = _wait_until_ready(server, place, launched)
        if end == "ready":
            server.furnish(place)
            return False
        attempts -= 1
        if end == "silent" or not attempts:
            break
        time.sleep(PAUSE_S)
    launched.end(server.stop_signal, STOP_LIMIT_S)
    process.forget(place.folder(server.name))
    what = "ended at its start" if end == "ended" else f"did not answer within {server.start_limit_s:g} s and was ended"
    raise ServerNotStarted(f"it {what}; the end of {server.log_file(place)}:\n{last_words(server, place)}")


def _launch(server: Server, place: Place) -> process.Process:
    folder = place.folder(server.name)
    make_private(folder)
    _end_remnants(server, place)
    launch = server.prepare(place)
    if taken := [service for service in server.ports if not is_free(place.ports[service])]:
        raise PortTaken(
            f"another program has just taken port {place.ports[taken[0]]}: run `eartheye stack up` again, it takes another port"
        )
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("EARTHEYE_", *launch.without))}
    launched = process.start(launch.command, inherited | launch.environment, folder, server.log_file(place))
    log.debug("server started", server=server.name, pid=launched.pid)
    return launched


def _wait_until_ready(server: Server, place: Place, running: process.Process) -> Literal["ready", "ended", "silent"]:
    deadline = time.monotonic() + server.start_limit_s
    while not server.ready(place):
        if not running.is_alive():
            return "ended"
        if time.monotonic() > deadline:
            return "silent"
        time.sleep(LOOK_EVERY_S)
    return "ready"


def _finding(server: Server, place: Place, state: State, words: str = "", seconds: float = 0.0) -> Finding:
    running = process.noted(place.folder(server.name))
    service = next(iter(server.ports))
    address = place.address(service) if service in place.ports and state in ("running", "started", "not answering") else ""
    return Finding(server.name, state, address, words, running.pid if running and running.is_alive() else None, seconds)
