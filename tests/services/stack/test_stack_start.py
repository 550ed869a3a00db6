"""How servers start and end, and what is told of one that does not."""

import dataclasses
import os
import re
import socket
import subprocess
from pathlib import Path

import pytest

from eartheye.errors import ServerNotStarted
from services.stack import kafka
from services.stack.place import LOOPBACK, Place, free_port
from services.stack.process import PID_FILE, noted, start, start_mark
from services.stack.server import Launch
from services.stack.supervisor import last_words, look, start_all, stop_all
from tests.services.stack.small_server import small_server
from tests.waiting import wait_until

SAY_AND_END = "import sys; print('the disk is on fire'); sys.exit(3)"
SAY_AND_SLEEP = "import time; print('still thinking', flush=True); time.sleep(600)"


def test_servers_outlive_the_command_and_are_found_by_the_next(up, place):
    server = small_server()
    (first,) = up(server)
    (second,) = up(server)
    assert (first.state, second.state) == ("started", "running")
    assert first.pid == second.pid
    assert look(server, Place(place.root, place.cache)).state == "running"
    assert os.getsid(first.pid) == first.pid
    (ended,) = stop_all([server], place, lambda finding: None)
    assert (ended.state, start_mark(first.pid)) == ("ended", None)
    assert look(server, place).state == "stopped"


def test_a_server_that_dies_at_its_start_is_told_with_its_last_words(up, place):
    good, bad = small_server(), small_server("bad", SAY_AND_END)
    dependent = small_server("dependent", needs=("bad",))
    found = {finding.server: finding for finding in up(good, bad, dependent)}
    assert found["small"].state == "started"
    assert (found["bad"].state, found["dependent"].state) == ("failed", "failed")
    assert "ended at its start" in found["bad"].words
    assert "the disk is on fire" in found["bad"].words
    assert found["dependent"].words == "it needs bad"


def test_a_server_that_never_answers_is_ended(up, place):
    server = small_server(script=SAY_AND_SLEEP, limit_s=1.0)

    def is_ready(place: Place) -> bool:
        wait_until(lambda: last_words(server, place))
        return False

    (found,) = up(dataclasses.replace(server, ready=is_ready))
    assert "did not answer within 1 s and was ended" in found.words
    assert "still thinking" in found.words
    assert noted(place.folder("small")) is None


def test_a_server_that_runs_and_falls_silent_is_left_to_its_owner(up, place):
    server = small_server()
    (first,) = up(server)
    deaf = dataclasses.replace(server, ready=lambda place: False, start_limit_s=0.5)
    (found,) = start_all([deaf], place, lambda finding: None)
    assert (found.state, found.pid) == ("failed", first.pid)
    assert f"it runs (process {first.pid}) and does not answer" in found.words
    assert look(deaf, place).state == "not answering"


def test_a_tool_that_does_not_end_fails_its_server_alone(up, place):
    def hang(place: Place) -> Launch:
        subprocess.run(["sleep", "60"], timeout=0.1, check=False)
        raise AssertionError("it ended")

    slow = dataclasses.replace(small_server("slow"), prepare=hang)
    first, second = up(small_server(), slow)
    assert (first.state, second.state) == ("started", "failed")
    assert re.fullmatch(r"`sleep 60` did not end within 0\.\d+ s", second.words)


def test_a_server_that_cannot_be_furnished_is_told_and_furnished_the_next_time(up, place):
    def refuse(place: Place) -> None:
        raise ServerNotStarted("it runs, and does not make the bucket: no room")

    server = small_server()
    (first,) = up(dataclasses.replace(server, furnish=refuse))
    assert (first.state, first.words) == ("failed", "it runs, and does not make the bucket: no room")
    (second,) = up(server)
    assert (second.state, second.pid) == ("running", first.pid)


def test_a_server_that_cannot_be_noted_is_ended(place):
    folder = place.folder("small")
    (folder / f"{PID_FILE}.part").mkdir(parents=True)  # in the way of the note
    with pytest.raises(ServerNotStarted, match=r"process\.json cannot be written \(Is a directory\)"):
        start(["sleep", "600"], {}, folder, place.root / "log")
    assert [cwd for cwd in Path("/proc").glob("[0-9]*/cwd") if os.path.realpath(cwd) == str(folder)] == []


def test_a_port_that_is_taken_while_the_program_is_built_gives_another(up, place):
    server = small_server()
    with socket.socket() as stranger:

        def build(place: Place) -> Launch:
            if place.ports["small"] == server.ports["small"]:
                stranger.bind((LOOPBACK, server.ports["small"]))
                stranger.listen()
            return server.prepare(place)

        (found,) = up(dataclasses.replace(server, prepare=build))
    assert (found.state, found.address) == ("started", f"127.0.0.1:{place.ports['small']}")
    assert found.words == f"port {server.ports['small']} is taken, small is on {place.ports['small']}"


def test_a_taken_port_gives_another_and_says_so(up, place):
    server = small_server()
    with socket.create_server((LOOPBACK, server.ports["small"])):
        (found,) = up(server)
        assert found.words == f"port {server.ports['small']} is taken, small is on {place.ports['small']}"
        assert found.address == f"127.0.0.1:{place.ports['small']}"
        assert place.ports["small"] != server.ports["small"]


def test_a_port_that_was_chosen_once_is_kept_without_a_word_that_the_usual_one_is_taken(place):
    usual = free_port()
    place.ports["small"] = kept = free_port()
    assert place.choose_ports({"small": usual}) == []
    assert place.ports["small"] == kept


def test_no_mark_of_a_new_broker_is_taken_for_an_option(monkeypatch):
    drawn = iter(["-3tGfZTiyTn1xnUSYVyAAA", "bNnpGmfZTiyTn1xnUSYVyA"])
    monkeypatch.setattr(kafka.secrets, "token_urlsafe", lambda size: next(drawn))
    assert kafka.cluster_id() == "bNnpGmfZTiyTn1xnUSYVyA"
    monkeypatch.undo()
    assert len(kafka.cluster_id()) == 22
