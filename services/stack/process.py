"""Processes that outlive the command that starts them, found again by number and time of start."""

import json
import os
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from eartheye.errors import ServerNotStarted
from services.stack.place import write_private

PID_FILE = "process.json"
LOOK_EVERY_S = 0.05
ONCE_NOTED = 'read -r noted && exec "$@" </dev/null'
"""Shell that becomes the program when it is given a line; where who starts it ends before that, it ends too."""


@dataclass(frozen=True)
class Process:
    """A process of the stack. Its number alone says little: once it has ended, the number may go to a stranger."""

    pid: int
    started: str
    """Boot of the machine and clock tick of the start, which no other process of this number has."""

    def is_alive(self) -> bool:
        """Say whether it still runs."""
        alive = start_mark(self.pid) == self.started
        if not alive:
            with suppress(ChildProcessError):  # where it is ours, its number is given back; a server could take a number for a process
                os.waitpid(self.pid, os.WNOHANG)
        return alive

    def end(self, stop_signal: int, limit_s: float) -> bool:
        """End it and the processes that it started.

        Args:
            stop_signal: asks it to end.
            limit_s: how long it may take; then it is killed.

        Returns:
            Whether it ended by itself.
        """
        if self.is_alive():
            os.kill(self.pid, stop_signal)
        deadline = time.monotonic() + limit_s
        while self.is_alive():
            if time.monotonic() > deadline:
                os.killpg(self.pid, signal.SIGKILL)
                return False
            time.sleep(LOOK_EVERY_S)
        return True

    def end_remnants(self, folder: Path) -> None:
        """Kill what it started and what outlived it, for that still holds its port; without harm while it runs itself.

        Args:
            folder: where it worked. A process of its group that works elsewhere is a stranger's, whose number the group happens to have.
        """
        while not self.is_alive() and (left := _group(self.pid, folder)):
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(LOOK_EVERY_S)


def _group(number: int, folder: Path) -> list[int]:
    """Return the processes of a group that work in a folder. Source: proc_pid_stat(5), field 5 (group)."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            if not _has_ended(fields) and int(fields[2]) == number and _works_in(entry, folder.resolve()):
                found.append(int(entry.name))
        except OSError:  # it has just ended, or is another user's
            continue
    return found


def _works_in(process: Path, folder: Path) -> bool:
    """Say whether one of a process's threads works in a folder, or none works anywhere any more: then it is about to end."""
    places = []
    for thread in (process / "task").iterdir():
        with suppress(FileNotFoundError):  # the thread has ended, which the first one can before the others
            places.append((thread / "cwd").readlink())
    return not places or any(place.is_relative_to(folder) for place in places)


def start_mark(pid: int) -> str | None:
    """Return the mark of a process that runs, None where there is none. Source: proc_pid_stat(5), field 22 (start)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if _has_ended(fields) else f"{boot}/{fields[19]}"


def _has_ended(fields: list[str]) -> bool:
    """Say whether a process is over: one whose first thread has ended holds its files and ports until the last one has.

    Args:
        fields: of its stat file, from the third on.

    Source: proc_pid_stat(5), fields 3 (state) and 20 (threads).
    """
    return fields[0] in "ZX" and int(fields[17]) <= 1


def start(command: list[str], environment: dict[str, str], folder: Path, log_file: Path) -> Process:
    """Note a process in its folder and start it, in a session of its own, with its words in a file; killed midway, this leaves none.

    Args:
        command: program and arguments.
        environment: all of its variables.
        folder: where it works and is noted.
        log_file: its words are added there.

    Raises:
        ServerNotStarted: it cannot be noted; it is ended then, for nobody would find it again.
    """
    with log_file.open("ab") as output:
        child = subprocess.Popen(
            ["/bin/sh", "-c", ONCE_NOTED, "sh", *command],
            env=environment,
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    assert child.stdin  # it is a pipe
    process = Process(child.pid, start_mark(child.pid) or "ended at once")
    try:
        write_private(folder / PID_FILE, json.dumps({"pid": process.pid, "started": process.started}))
    except ServerNotStarted:
        child.stdin.close()
        child.wait()
        raise
    with suppress(BrokenPipeError), child.stdin:  # it has been ended meanwhile
        child.stdin.write(b"noted\n")
    child.returncode = 0  # it is not waited for: it outlives this process
    return process


def noted(folder: Path) -> Process | None:
    """Return the process that was started for a folder, alive or not; None where none was, or its note is damaged."""
    try:
        fields = json.loads((folder / PID_FILE).read_text())
        return Process(int(fields["pid"]), str(fields["started"]))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def forget(folder: Path) -> None:
    """Remove the note of a process that has ended."""
    (folder / PID_FILE).unlink(missing_ok=True)
