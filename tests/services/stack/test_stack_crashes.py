"""What a server that was killed leaves behind, and how it starts again."""

import dataclasses
import json
import os
import platform
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from services.stack.place import free_port, is_free
from services.stack.process import PID_FILE, noted, start
from services.stack.supervisor import look, start_all, stop_all
from tests.services.stack.small_server import LISTEN, answers, small_server
from tests.waiting import LIMIT_S, wait_until

LAST_THREAD = """
import ctypes, os, socket, sys, threading, time
def work():
    while not os.path.exists("go"):
        time.sleep(0.01)
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
threading.Thread(target=work).start()
ctypes.CDLL(None).syscall(60, 0)  # exit of the first thread alone
"""
END_AT_THE_FIRST_START = (
    """
import pathlib, sys
seen = pathlib.Path("seen")
if not seen.exists():
    seen.touch(); sys.exit("something of the one before is still there")
"""
    + LISTEN
)
KILLED_BEFORE_THE_NOTE = """
import os, signal, sys
from pathlib import Path
from services.stack import process

process.write_private = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
folder = Path(sys.argv[1])
process.start(["/bin/sh", "-c", "echo started; sleep 600"], {}, folder, folder / "log")
"""


def test_what_has_died_is_started_again_where_it_was(up, place):
    server = small_server()
    (first,) = up(server)
    noted(place.folder("small")).end(signal.SIGKILL, LIMIT_S)
    assert look(server, place).state == "died"
    (second,) = up(server)
    assert (second.state, second.address) == ("started", first.address)
    assert second.pid != first.pid


def test_a_server_that_dies_while_it_is_looked_at_is_started_again(up, place):
    server = small_server()
    (first,) = up(server)
    os.kill(first.pid, signal.SIGSTOP)  # it neither answers nor is gone
    looked = threading.Timer(0.5, lambda: os.kill(first.pid, signal.SIGKILL))
    looked.start()
    ready = lambda place: noted(place.folder("small")).pid != first.pid and answers(place.ports["small"])  # noqa: E731
    (second,) = start_all([dataclasses.replace(server, ready=ready)], place, lambda finding: None)
    assert (second.state, second.address) == ("started", first.address)


def test_a_server_that_dies_while_the_others_come_up_is_named(up, place):
    short = small_server(script=LISTEN.replace("while True:", "for once in range(1):") + "sys.exit('no room')")
    later = small_server("later", needs=("small",))
    ready = lambda place: not noted(place.folder("small")).is_alive() and answers(place.ports["later"])  # noqa: E731
    findings = up(short, dataclasses.replace(later, ready=ready))
    assert [finding.state for finding in findings] == ["failed", "started"]
    assert "it was up, and has died; the end of " in findings[0].words
    assert findings[0].words.endswith("no room")


def test_after_a_crash_a_start_that_fails_is_tried_again(up, place, monkeypatch):
    monkeypatch.setattr("services.stack.supervisor.PAUSE_S", 0.1)
    (first,) = up(small_server())
    noted(place.folder("small")).end(signal.SIGKILL, LIMIT_S)
    (second,) = up(small_server(script=END_AT_THE_FIRST_START))
    assert (second.state, second.address) == ("started", first.address)
    assert "something of the one before is still there" in (place.folder("small") / "log").read_text()


def test_children_that_outlive_a_killed_server_are_ended_before_it_starts_again(up, place):
    server = small_server(script=f"import os\nif os.fork(): os.wait()\n{LISTEN}")
    (first,) = up(server)
    os.kill(first.pid, signal.SIGKILL)
    wait_until(lambda: look(server, place).state == "died")
    assert answers(place.ports["small"])
    (second,) = up(server)
    assert (second.state, second.address, second.words) == ("started", first.address, "")
    os.kill(second.pid, signal.SIGKILL)
    wait_until(lambda: look(server, place).state == "died")
    (ended,) = stop_all([server], place, lambda finding: None)
    assert ended.state == "stopped"
    assert not answers(place.ports["small"])


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the number of a system call is that of x86-64")
def test_a_start_that_is_killed_before_its_note_leaves_nothing_that_runs(tmp_path):
    killed = subprocess.run([sys.executable, "-c", KILLED_BEFORE_THE_NOTE, str(tmp_path)])
    assert killed.returncode == -signal.SIGKILL

    def at_work():
        places = []
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it has just ended
                places.append((process / "cwd").readlink())
        return tmp_path in places

    wait_until(lambda: not at_work())
    assert (tmp_path / "log").read_text() == ""


def test_a_remnant_holds_its_port_until_its_last_thread_has_ended(up, place):
    server = small_server(script=f"import os\nif os.fork(): os.wait()\n{LAST_THREAD}")
    (first,) = up(server)
    os.kill(first.pid, signal.SIGKILL)
    wait_until(lambda: look(server, place).state == "died")
    (second,) = up(small_server())
    assert (second.state, second.address) == ("started", first.address)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the number of a system call is that of x86-64")
def test_a_process_is_alive_until_its_last_thread_has_ended(place):
    port = free_port()
    place.folder("small").mkdir(parents=True)
    command = [sys.executable, "-S", "-c", LAST_THREAD, str(port)]
    running = start(command, {}, place.folder("small"), place.root / "log")
    while Path(f"/proc/{running.pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
        assert running.is_alive()
    assert running.is_alive()
    assert not is_free(port)
    (place.folder("small") / "go").touch()
    wait_until(lambda: not running.is_alive())
    assert is_free(port)


def test_a_stale_pid_file_ends_nobody(up, place):
    stranger = subprocess.Popen(["sleep", "600"])
    try:
        server = small_server()
        folder = place.folder("small")
        place.save()
        folder.mkdir(parents=True)
        (folder / PID_FILE).write_text(json.dumps({"pid": stranger.pid, "started": "another boot/17"}))
        assert look(server, place).state == "died"
        assert stop_all([server], place, lambda finding: None)[0].state == "stopped"
        (folder / PID_FILE).write_text(json.dumps({"pid": stranger.pid, "started": "another boot/17"}))
        assert up(server)[0].state == "started"
        assert noted(folder).pid != stranger.pid
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_damaged_pid_file_is_none(up, place):
    place.save()
    place.folder("small").mkdir(parents=True)
    (place.folder("small") / PID_FILE).write_text("{")
    assert up(small_server())[0].state == "started"
