"""The stack's folder: its modes, its memory lost or damaged, its data half-written, its disk full."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from eartheye.errors import InvalidSettings, ServerNotStarted
from services.cli import stack as commands
from services.stack import local_stack
from services.stack.data_folder import make_whole
from services.stack.place import Place
from services.stack.process import noted
from services.stack.supervisor import look, start_all, stop_all
from tests.services.stack.small_server import small_server

ROOT = Path(__file__).parents[3]
ON_A_SMALL_DISK = """
import sys
from dataclasses import replace
from pathlib import Path
from eartheye.errors import ServerNotStarted
from services.stack.place import Place
from services.stack.server import Launch
from services.stack.supervisor import start_all, stop_all
from tests.services.stack.small_server import small_server

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
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
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


def test_a_folder_of_the_user_keeps_its_mode(tmp_path):
    own = tmp_path / "own"
    own.mkdir(mode=0o755)
    with Place(own, tmp_path / "cache").alone():
        pass
    assert stat.S_IMODE(own.stat().st_mode) == 0o755


@pytest.mark.parametrize("rest", [b"", b'{"ports": ', b"\0\xff", b"[]", b'{"ports": {}}'])
def test_a_stack_whose_memory_is_damaged_is_refused_and_ended_all_the_same(up, place, monkeypatch, capsys, rest):
    server = small_server()
    monkeypatch.setattr(local_stack, "servers", lambda: (server,))
    (found,) = up(server)
    (place.root / "stack.json").write_bytes(rest)
    told = r"stack\.json is damaged: restore it, or run `eartheye stack down` and move .*/stack away"
    for command in (commands.up, commands.status):
        with pytest.raises(ServerNotStarted, match=told):
            command(place.root)
    assert noted(place.folder("small")).pid == found.pid
    commands.logs("small", folder=place.root)
    commands.down(place.root)
    said = capsys.readouterr().out.splitlines()
    assert said[-2].startswith("listening")
    assert said[-1].split()[:2] == ["small", "ended"]
    with pytest.raises(ServerNotStarted, match=told):
        Place(place.root, place.cache).secret("another")
    assert (place.root / "stack.json").read_bytes() == rest


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


def test_a_tool_that_outlives_a_killed_start_writes_nowhere_that_the_next_one_looks(tmp_path):
    drafts = []

    def be_cut_off(draft: Path) -> None:
        drafts.append(draft)
        raise ZeroDivisionError

    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            make_whole(tmp_path / "data", "whole", be_cut_off)
    assert drafts[0] != drafts[1]
    assert list(tmp_path.iterdir()) == drafts[1:]


def test_where_no_stack_is_nothing_is_ended_and_no_folder_made(tmp_path):
    with pytest.raises(InvalidSettings, match=r"there is no stack in .*/nowhere: name the folder of one with --folder"):
        commands.down(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()
