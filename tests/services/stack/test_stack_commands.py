"""The commands of the stack, the logs they show and the environment they leave to others."""

import os
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
from services.stack import local_stack
from services.stack.local_stack import read_environment, write_environment
from services.stack.log_reading import read_on
from services.stack.mlflow_server import mlflow_server
from services.stack.place import LOOPBACK, Place, free_port
from services.stack.process import PID_FILE
from services.stack.server import Launch, Server
from services.stack.supervisor import look, stop_all
from tests.services.stack.small_server import small_server
from tests.waiting import LIMIT_S

ROOT = Path(__file__).parents[3]


def unavailable(place: Place) -> Launch:
    raise ServerNotStarted("it runs on Java: install Java 17")


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


def test_a_narrow_table_keeps_the_whole_path_of_a_log(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        commands.status(tmp_path)
    listed = capsys.readouterr().out
    assert f"{tmp_path}/minio/log" in "".join(line.split("│")[-2].strip() for line in listed.splitlines() if "│" in line)
    assert "…" not in listed


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
        done.result(LIMIT_S)
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


def test_a_reader_who_has_read_enough_ends_the_log_and_not_the_work(up, place, tmp_path, monkeypatch):
    long = tmp_path / "kafka" / "log"
    long.parent.mkdir()
    long.write_text("a line\n" * 100_000)
    command = f"{sys.executable} -m services.cli.main stack logs kafka --lines 100000 --folder {tmp_path} | head -n 1"
    read = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, cwd=ROOT, check=False)
    assert (read.returncode, read.stdout, read.stderr) == (0, "a line\n", "")
    servers = small_server(), small_server("another")
    monkeypatch.setattr(local_stack, "servers", lambda: servers)
    up(*servers)
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as nobody, monkeypatch.context() as unread:
        unread.setattr(sys, "stdout", nobody)
        commands.down(place.root)
    assert {look(server, place).state for server in servers} == {"stopped"}


def test_without_a_stack_the_way_to_one_is_told(tmp_path):
    with pytest.raises(InvalidSettings, match="start the servers with `eartheye stack up`"):
        read_environment(tmp_path)


def test_the_environment_leads_clients_past_a_proxy_and_keeps_what_else_is_reached_directly(up, place, monkeypatch):
    monkeypatch.setenv("no_proxy", "intranet,localhost")
    monkeypatch.delenv("NO_PROXY", raising=False)
    server = small_server()
    write_environment(place, [server], up(server))
    named = read_environment(place.root)
    assert named["no_proxy"] == named["NO_PROXY"] == "intranet,localhost,127.0.0.1"


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
