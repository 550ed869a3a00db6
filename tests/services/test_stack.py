"""The supervisor of the local stack, on small servers that start in a moment."""

import dataclasses
import json
import os
import platform
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from eartheye.errors import InvalidSettings, ServerNotStarted
from services.cli import stack as commands
from services.stack import kafka, local_stack
from services.stack.data_folder import make_whole
from services.stack.local_stack import read_environment, write_environment
from services.stack.log_reading import read_on
from services.stack.mlflow_server import mlflow_server
from services.stack.place import LOOPBACK, Place, free_port, is_free
from services.stack.process import PID_FILE, noted, start, start_mark
from services.stack.server import Launch, Server
from services.stack.supervisor import look, start_all, stop_all

ROOT = Path(__file__).parents[2]
LISTEN = """
import os, socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("listening", os.environ.get("SECRET"), flush=True)
while True:
    listener.accept()[0].close()
"""
SAY_AND_END = "import sys; print('the disk is on fire'); sys.exit(3)"
SAY_AND_SLEEP = "import time; print('still thinking', flush=True); time.sleep(600)"


def answers(port: int) -> bool:
    try:
        socket.create_connection((LOOPBACK, port), timeout=1).close()
    except OSError:
        return False
    return True


def small_server(name: str = "small", script: str = LISTEN, needs: tuple[str, ...] = (), limit_s: float = 20.0) -> Server:
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


def unavailable(place: Place) -> Launch:
    raise ServerNotStarted("it runs on Java: install Java 17")


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path / "stack", tmp_path / "cache")


@pytest.fixture
def up(place):
    """Start servers of a test, and end them after it."""
    started: list[Server] = []

    def start(*servers: Server):
        started[:] = servers
        return start_all(servers, place, lambda finding: None)

    yield start
    stop_all(started, place, lambda finding: None)


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


def test_a_tool_that_does_not_end_fails_its_server_alone(up, place):
    def hang(place: Place) -> Launch:
        subprocess.run(["sleep", "60"], timeout=0.1, check=False)
        raise AssertionError("it ended")

    slow = dataclasses.replace(small_server("slow"), prepare=hang)
    first, second = up(small_server(), slow)
    assert (first.state, second.state) == ("started", "failed")
    assert second.words == "`sleep 60` did not end within 0.1 s"


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


ON_A_SMALL_DISK = """
import sys
from dataclasses import replace
from pathlib import Path
from eartheye.errors import ServerNotStarted
from services.stack.place import Place
from services.stack.server import Launch
from services.stack.supervisor import start_all, stop_all
from tests.services.test_stack import small_server

def write_much(place: Place) -> Launch:
    (place.folder("large") / "data").write_bytes(bytes(3_000_000))

disk = Path(sys.argv[1])
place = Place(disk / "stack", disk / "cache")
chosen = [small_server(), replace(small_server("large", needs=("small",)), prepare=write_much)]
for finding in start_all(chosen, place, lambda finding: None):
    print(finding.server, finding.state, finding.words)
try:
    start_all([small_server("another")], place, lambda finding: None)
except ServerNotStarted as reason:
    print(reason)
for finding in stop_all(chosen, place, lambda finding: None):
    print(finding.server, finding.state)
"""


def test_on_a_full_disk_what_does_not_fit_is_named_and_the_others_start_and_end(tmp_path):
    namespace = ["unshare", "--map-root-user", "--mount"]
    if shutil.which("unshare") is None or subprocess.run([*namespace, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this system lets nobody make a mount namespace")
    script = 'mount -t tmpfs -o size=1m none "$4" && exec "$@"'
    command = [*namespace, "sh", "-c", script, "sh", sys.executable, "-c", ON_A_SMALL_DISK, str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": "."}
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert [line for line in done.stdout.splitlines() if "[debug" not in line] == [
        "small started ",
        "large failed [Errno 28] No space left on device",
        f"{tmp_path}/stack/stack.json cannot be written (No space left on device): make room or give the right, or choose another --folder",
        "large stopped",
        "small ended",
    ], done.stderr


def test_a_folder_that_is_a_file_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ServerNotStarted, match=r"file cannot be written \(File exists\)"):
        start_all([small_server()], Place(tmp_path / "file", tmp_path), lambda finding: None)


def test_what_has_died_is_started_again_where_it_was(up, place):
    server = small_server()
    (first,) = up(server)
    noted(place.folder("small")).end(signal.SIGKILL, 10)
    assert look(server, place).state == "died"
    (second,) = up(server)
    assert (second.state, second.address) == ("started", first.address)
    assert second.pid != first.pid


def test_children_that_outlive_a_killed_server_are_ended_before_it_starts_again(up, place):
    server = small_server(script=f"import os\nif os.fork(): os.wait()\n{LISTEN}")
    (first,) = up(server)
    os.kill(first.pid, signal.SIGKILL)
    while look(server, place).state != "died":
        time.sleep(0.01)
    assert answers(place.ports["small"])
    (second,) = up(server)
    assert (second.state, second.address, second.words) == ("started", first.address, "")
    os.kill(second.pid, signal.SIGKILL)
    while look(server, place).state != "died":
        time.sleep(0.01)
    (ended,) = stop_all([server], place, lambda finding: None)
    assert ended.state == "stopped"
    assert not answers(place.ports["small"])


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


THREADS_THAT_END_LATER = """
import ctypes, socket, sys, threading, time
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
threading.Thread(target=time.sleep, args=(2.0,)).start()
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


def test_after_a_crash_a_start_that_fails_is_tried_again(up, place, monkeypatch):
    monkeypatch.setattr("services.stack.supervisor.PAUSE_S", 0.1)
    (first,) = up(small_server())
    noted(place.folder("small")).end(signal.SIGKILL, 10)
    (second,) = up(small_server(script=END_AT_THE_FIRST_START))
    assert (second.state, second.address) == ("started", first.address)
    assert "something of the one before is still there" in (place.folder("small") / "log").read_text()


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the number of a system call is that of x86-64")
def test_a_remnant_holds_its_port_until_its_last_thread_has_ended(up, place):
    threads = THREADS_THAT_END_LATER.replace("2.0", "60")
    server = small_server(script=f"import os\nif os.fork(): os.wait()\n{threads}")
    (first,) = up(server)
    os.kill(first.pid, signal.SIGKILL)
    while look(server, place).state != "died":
        time.sleep(0.01)
    (second,) = up(small_server())
    assert (second.state, second.address) == ("started", first.address)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the number of a system call is that of x86-64")
def test_a_process_is_alive_until_its_last_thread_has_ended(place):
    port = free_port()
    place.folder("small").mkdir(parents=True)
    command = [sys.executable, "-S", "-c", THREADS_THAT_END_LATER, str(port)]
    running = start(command, {}, place.folder("small"), place.root / "log")
    while Path(f"/proc/{running.pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
        assert running.is_alive()
    assert running.is_alive()
    assert not is_free(port)
    while running.is_alive():
        time.sleep(0.01)
    assert is_free(port)


def test_a_damaged_pid_file_is_none(up, place):
    place.save()
    place.folder("small").mkdir(parents=True)
    (place.folder("small") / PID_FILE).write_text("{")
    assert up(small_server())[0].state == "started"


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


def test_a_server_that_dies_at_its_start_is_told_with_its_last_words(up, place):
    good, bad = small_server(), small_server("bad", SAY_AND_END)
    dependent = small_server("dependent", needs=("bad",))
    found = {finding.server: finding for finding in up(good, bad, dependent)}
    assert found["small"].state == "started"
    assert (found["bad"].state, found["dependent"].state) == ("failed", "failed")
    assert "ended at its start" in found["bad"].words
    assert "the disk is on fire" in found["bad"].words
    assert found["dependent"].words == "it needs bad"


def test_a_server_that_runs_and_falls_silent_is_left_to_its_owner(up, place):
    server = small_server()
    (first,) = up(server)
    deaf = dataclasses.replace(server, ready=lambda place: False, start_limit_s=0.5)
    (found,) = start_all([deaf], place, lambda finding: None)
    assert (found.state, found.pid) == ("failed", first.pid)
    assert f"it runs (process {first.pid}) and does not answer" in found.words
    assert look(deaf, place).state == "not answering"


def test_a_server_that_dies_while_it_is_looked_at_is_started_again(up, place):
    server = small_server()
    (first,) = up(server)
    os.kill(first.pid, signal.SIGSTOP)  # it neither answers nor is gone
    looked = threading.Timer(0.5, lambda: os.kill(first.pid, signal.SIGKILL))
    looked.start()
    ready = lambda place: noted(place.folder("small")).pid != first.pid and answers(place.ports["small"])  # noqa: E731
    (second,) = start_all([dataclasses.replace(server, ready=ready)], place, lambda finding: None)
    assert (second.state, second.address) == ("started", first.address)


def test_a_server_that_never_answers_is_ended(up, place):
    (found,) = up(small_server(script=SAY_AND_SLEEP, limit_s=1.0))
    assert "did not answer within 1 s and was ended" in found.words
    assert "still thinking" in found.words
    assert noted(place.folder("small")) is None


def test_secrets_and_environment_are_for_their_owner_alone(up, place):
    server = small_server()
    findings = up(server)
    path = write_environment(place, [server], findings)
    for private in (path, place.root / "stack.json", place.folder("small") / PID_FILE):
        assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert stat.S_IMODE(place.root.stat().st_mode) == 0o700
    said = subprocess.run(["sh", "-c", f'. {path}; printf %s "$EARTHEYE_S3_SECRET_KEY"'], capture_output=True, text=True, check=True)
    assert said.stdout == read_environment(place.root)["EARTHEYE_S3_SECRET_KEY"] == f"it's {place.secret('small')}"
    assert Place(place.root, place.cache).secret("small") == place.secret("small")
    assert place.secret("small") not in Path(f"/proc/{findings[0].pid}/cmdline").read_text()


def test_servers_of_this_machine_are_asked_past_a_proxy(place, monkeypatch):
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    (place.root / "mlflow").mkdir(parents=True)
    (place.root / "mlflow" / "health").write_text("OK")
    place.ports["mlflow"] = free_port()
    with ThreadingHTTPServer(
        (LOOPBACK, place.ports["mlflow"]), partial(SimpleHTTPRequestHandler, directory=place.root / "mlflow")
    ) as served:
        threading.Thread(target=served.serve_forever, daemon=True).start()
        assert mlflow_server().ready(place)
        served.shutdown()
    assert not mlflow_server().ready(place)


def test_the_environment_leads_clients_past_a_proxy_and_keeps_what_else_is_reached_directly(up, place, monkeypatch):
    monkeypatch.setenv("no_proxy", "intranet,localhost")
    monkeypatch.delenv("NO_PROXY", raising=False)
    server = small_server()
    write_environment(place, [server], up(server))
    named = read_environment(place.root)
    assert named["no_proxy"] == named["NO_PROXY"] == "intranet,localhost,127.0.0.1"


def test_a_folder_of_the_user_keeps_its_mode(tmp_path):
    own = tmp_path / "own"
    own.mkdir(mode=0o755)
    with Place(own, tmp_path / "cache").alone():
        pass
    assert stat.S_IMODE(own.stat().st_mode) == 0o755


def test_a_stack_whose_memory_is_damaged_is_left_alone(place):
    place.secret("small")
    (place.root / "stack.json").write_text('{"ports": ')
    with pytest.raises(ServerNotStarted, match=r"stack\.json is damaged: restore it, or remove it, run `eartheye stack down`"):
        Place(place.root, place.cache)


def test_a_stack_whose_memory_is_lost_is_refused_and_ended_all_the_same(up, place):
    server = small_server()
    (found,) = up(server)
    (place.root / "stack.json").unlink()
    lost = Place(place.root, place.cache)
    told = r"there is no .*/stack\.json, and .*/small was made with the ports and passwords in it: restore it, or run `eartheye stack down`"
    with pytest.raises(ServerNotStarted, match=told):
        look(server, lost)
    with pytest.raises(ServerNotStarted, match=told):
        start_all([server], lost, lambda finding: None)
    assert noted(place.folder("small")).pid == found.pid
    assert not (place.root / "stack.json").exists()
    assert stop_all([server], lost, lambda finding: None)[0].state == "ended"
    (place.folder("small") / "data").mkdir()
    with pytest.raises(ServerNotStarted, match=told):
        start_all([server], lost, lambda finding: None)


def test_a_half_written_data_folder_is_refused(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    (data / "base").write_text("")
    with pytest.raises(ServerNotStarted, match="holds files but no PG_VERSION, so it is half-written: move it away"):
        make_whole(data, "PG_VERSION", lambda folder: None)
    assert (data / "base").exists()


def test_data_that_a_killed_start_left_in_the_making_are_made_anew(tmp_path):
    (tmp_path / "data.part").mkdir()
    (tmp_path / "data.part" / "half").write_text("")
    data = make_whole(tmp_path / "data", "whole", lambda folder: (folder / "whole").write_text("1"))
    assert [path.name for path in data.iterdir()] == ["whole"]
    with pytest.raises(ZeroDivisionError):
        make_whole(tmp_path / "other", "whole", lambda folder: 1 / 0)
    assert not (tmp_path / "other").exists()


def test_the_command_names_what_is_missing_starts_the_others_and_fails(up, place, monkeypatch, capsys):
    good = small_server()
    java = Server("kafka", {"kafka": free_port()}, unavailable, lambda place: False, lambda place: {})
    monkeypatch.setattr(local_stack, "servers", lambda: (good, java))
    with pytest.raises(ServerNotStarted, match="not started: kafka"):
        commands.up(place.root)
    with pytest.raises(SystemExit) as ended:
        commands.status(place.root)
    assert ended.value.code == 3
    said = capsys.readouterr().out
    assert "it runs on Java: install Java 17" in said
    assert f"set -a; . {place.root / 'env'}; set +a" in said
    assert "running" in said
    assert "stopped" in said
    commands.logs("small", folder=place.root)
    assert f"listening {Place(place.root, place.cache).secret('small')}" in capsys.readouterr().out
    commands.down(place.root)
    assert "ended" in capsys.readouterr().out
    with pytest.raises(InvalidSettings, match="there is no server 'redis': name one of small, kafka"):
        commands.logs("redis", folder=place.root)


def test_the_exit_code_of_status_says_whether_all_run(up, place, monkeypatch):
    server = small_server()
    monkeypatch.setattr(local_stack, "servers", lambda: (server,))
    up(server)
    commands.status(place.root)
    stop_all([server], place, lambda finding: None)
    with pytest.raises(SystemExit) as ended:
        commands.status(place.root)
    assert ended.value.code == 3


def test_no_mark_of_a_new_broker_is_taken_for_an_option(monkeypatch):
    drawn = iter(["-3tGfZTiyTn1xnUSYVyAAA", "bNnpGmfZTiyTn1xnUSYVyA"])
    monkeypatch.setattr(kafka.secrets, "token_urlsafe", lambda size: next(drawn))
    assert kafka.cluster_id() == "bNnpGmfZTiyTn1xnUSYVyA"
    monkeypatch.undo()
    assert len(kafka.cluster_id()) == 22


def test_where_no_stack_is_nothing_is_ended_and_no_folder_made(tmp_path):
    with pytest.raises(InvalidSettings, match=r"there is no stack in .*/nowhere: name the folder of one with --folder"):
        commands.down(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


def test_a_command_that_waits_for_another_says_so(place):
    with capture_logs() as said, ThreadPoolExecutor(1) as pool:

        def second() -> None:
            with Place(place.root, place.cache).alone():
                pass

        with place.alone():
            done = pool.submit(second)
            while not said:
                assert not done.done()
                time.sleep(0.01)
        done.result(20)
        with place.alone():
            pass
    assert [line["event"] for line in said] == ["another command is at work on this stack, waiting for its end"]


def test_a_log_is_followed(tmp_path):
    log_file = tmp_path / "log"
    log_file.write_text("one\ntwo\n")
    lines = read_on(log_file, 1, follow=True)
    assert next(lines) == "two"
    threading.Timer(0.2, lambda: log_file.open("a").write("three\n")).start()
    assert next(lines) == "three"


def test_of_a_log_as_many_lines_are_shown_as_are_asked_for(tmp_path):
    log_file = tmp_path / "log"
    log_file.write_text("one\ntwo\nthree")
    shown = {lines: list(read_on(log_file, lines, follow=False)) for lines in (0, 2, 50)}
    assert shown == {0: [], 2: ["two", "three"], 50: ["one", "two", "three"]}
    with pytest.raises(InvalidSettings, match="a log has no -1 lines: ask for 0 or more"):
        next(read_on(log_file, -1, follow=False))


def test_without_a_stack_the_way_to_one_is_told(tmp_path):
    with pytest.raises(InvalidSettings, match="start the servers with `eartheye stack up`"):
        read_environment(tmp_path)


def test_a_narrow_table_keeps_the_whole_path_of_a_log(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        commands.status(tmp_path)
    listed = capsys.readouterr().out
    assert f"{tmp_path}/minio/log" in "".join(line.split("│")[-2].strip() for line in listed.splitlines() if "│" in line)
    assert "…" not in listed
