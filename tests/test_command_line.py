"""The console command: every command teaches, and a user error is one line and exit code 2."""

import re
import socket
import subprocess
import sys

import pytest

from eartheye.contracts.messages import JobResult
from services.cli.main import command_line
from services.cli.services import MapRequest
from services.cli.services import map as ask_for_map

COMMANDS = (
    "demo", "world create", "cells", "sample", "tile", "curate", "pretrain", "finetune", "evaluate", "export", "register", "deploy",
    "predict", "pipeline compile", "pipeline run", "pipeline submit", "promote", "rollback", "map", "serve", "stack logs",
    "admin key create", "admin key revoke",
)  # fmt: skip
"""Commands that take an argument or an option."""
BARE = ("champions", "topics", "buckets", "database upgrade", "database status", "stack up", "stack status", "stack down", "admin key list")
"""Commands that need none."""
EXAMPLE = r"Examples?: .*?\beartheye {} {}"


def eartheye(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "services.cli.main", *arguments], capture_output=True, text=True, check=False)


def help_of(capsys, command: str, listing: bool = False) -> str:
    """Return the page of a command on one line."""
    command_line(listing)([*command.split(), "--help"], result_action="return_value")
    return " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_an_example(command, capsys):
    page = help_of(capsys, command)
    assert re.search(EXAMPLE.format(command, r"\S"), page.partition("╭")[0]), page
    assert not re.search(r"--([\w-]+\.)?(no|empty)-", page)


@pytest.mark.parametrize("command", BARE)
def test_help_of_a_command_without_arguments_shows_it_whole(command, capsys):
    assert re.search(EXAMPLE.format(command, "").rstrip(), help_of(capsys, command))


@pytest.mark.parametrize("command", [*COMMANDS, *BARE])
def test_every_option_has_words(command):
    _, apps, _ = command_line(listing=False).parse_commands(command.split())
    shown = [argument for argument in apps[-1].assemble_argument_collection(parse_docstring=True) if argument.show]
    assert [argument.name for argument in shown if not argument.parameter.help] == []


def test_the_list_of_commands_tells_of_each(capsys):
    page = help_of(capsys, "", listing=True)
    assert "tile Cut tiles and masks" in page
    assert page.count("Try eartheye demo") == 1
    assert "Try eartheye demo" not in help_of(capsys, "tile")


def test_help_is_found_on_the_console():
    told = eartheye("tile", "--help")
    assert told.returncode == 0, told.stderr
    assert "Example: eartheye tile" in told.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("sample", "nowhere", "out", "--target-sites", "5"), "is not finished"),
        (("cells", "nowhere", "out"), "catalogue.yaml is missing"),
        (("demo", "--data", "nowhere", "--run", "out"), "is not a folder"),
        (("predict", "nowhere", "scene.tif", "map.tif"), "is not finished"),
        (("predict", "nowhere", "scene.tif", "."), "a folder has this name"),
        (("predict", "nowhere", "there.tif", "./there.tif"), "is the scene, the map would overwrite it"),
        (("predict", "nowhere", "scene.tif", "there.tif/map.tif"), "a file that of its folder"),
        (("predict", "nowhere", "scene.tif", "/proc/map.tif"), "give this user the right to write there, or choose another folder"),
        (("pipeline", "run", "nowhere.yaml", ".", "out"), "is missing"),
    ],
)
def test_a_user_error_is_one_line_and_exit_code_2(arguments, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.tif").touch()
    monkeypatch.setenv("PYTHONPATH", str(__import__("pathlib").Path(__file__).parents[1]))
    told = eartheye(*arguments)
    assert told.returncode == 2, told.stderr
    assert words in told.stderr
    assert "Traceback" not in told.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("sample", "cells", "sites", "--target-sites", "0"), "--target-sites 0: it should be greater than 0"),
        (("map", "--job", "a/b", "--scene", "s", "--model", "m", "--output", "o"), "--job a/b: it should match pattern"),
        (
            ("pretrain", "t", "c", "b", "--checkpoint", "k", "--views.local-views", "x"),
            "--views.local-views x: it should be a valid integer",
        ),
        (("deploy", "serving", "landcover", "0"), "Must be >= 1; see eartheye deploy --help"),
        (("promote", "landcover", "0"), "Must be >= 1; see eartheye promote --help"),
        (("rollback", "landcover", "--expected-champion", "-1"), "Must be >= 0; see eartheye rollback --help"),
        (("map", "--job", "a", "--scene", "s", "--model", "m", "--output", "o", "--timeout-s", "nan"), "Must be <= 2592000"),
        (("tile", "data", "tiles", "--chip-px", "99999"), "--chip-px 99999: it should be less than or equal to 8192"),
        (("curate", "tiles", "curated", "--seed", "-1"), "--seed -1: it should be greater than or equal to 0"),
        (("world", "create", "s3://data/world"), "for DIRECTORY. give a path of this machine, without s3://"),
        (("demo", "--data", "s3://data/world"), "for --data. give a path of this machine, without s3://"),
        (("demo", "--run", "s3://runs/mine"), "for --run. give a path of this machine, without s3://"),
        (("predict", "m", "s3://data/a.tif", "s3://maps/a.tif"), "for OUTPUT. give a path of this machine, without s3://"),
        (("pipeline", "compile", "s3://a/b.yaml"), "for OUTPUT. give a path of this machine, without s3://"),
        (("stack", "status", "--folder", "s3://a/b"), "for --folder. give a path of this machine, without s3://"),
        (("world", "create", "w", "--size-km", "wide"), 'unable to convert "wide" into float; see eartheye world create --help'),
    ],
)
def test_a_malformed_option_is_one_line_and_exit_code_2(arguments, words):
    told = eartheye(*arguments)
    assert told.returncode == 2
    assert words in told.stderr
    assert len(told.stderr.splitlines()) == 1
    assert "pydantic" not in told.stderr


@pytest.mark.parametrize("bands", [["--bands", "red", "green", "blue"], ["--bands", "red", "--bands", "green", "--bands", "blue"]])
def test_several_bands_are_given_as_a_shell_has_them(bands):
    def given(*words):
        _, bound, _ = command_line(listing=False).parse_args([*words, *bands])
        return bound.arguments

    assert given("predict", "serving", "scene.tif", "map.tif")["bands"] == ("red", "green", "blue")
    assert given("map", "--job", "a", "--scene", "s", "--model", "m", "--output", "o")["request"].bands == ("red", "green", "blue")


def test_an_unknown_option_is_refused_with_a_suggestion():
    told = eartheye("sample", "cells", "sites", "--target-site", "5")
    assert told.returncode == 2
    assert "--target-sites" in told.stdout + told.stderr


def test_a_package_that_this_installation_lacks_is_named():
    without = "import sys; sys.modules['torch'] = None; sys.argv[0] = 'eartheye'; from services.cli.main import main; main()"
    asked = ["pretrain", "tiles", "curated", "backbone", "--checkpoint", "checkpoint"]
    result = subprocess.run([sys.executable, "-c", without, *asked], capture_output=True, text=True)
    assert result.returncode == 2
    assert result.stderr == "eartheye: torch is not installed here: install eartheye[all], or take the image of this role\n"


def test_malformed_settings_are_named(monkeypatch):
    monkeypatch.setenv("EARTHEYE_CACHE_LIMIT_GB", "-1")
    told = eartheye("sample", "cells", "sites", "--target-sites", "5")
    assert told.returncode == 2
    assert "CACHE_LIMIT_GB" in told.stderr


def test_a_map_is_asked_for_by_paths_that_the_service_understands_in_its_own_folder(tmp_path, monkeypatch):
    asked = []

    def answered(request, timeout_s):
        asked.append((request.scene, request.output))
        return JobResult(job=request.job, state="done")

    monkeypatch.setattr("pipelines.requests.request_map", answered)
    monkeypatch.setattr("eartheye.bus.check_broker", lambda *_: None)
    monkeypatch.chdir(tmp_path)
    for scene, output in (("data/a.tif", "../maps"), ("s3://imagery/a.tif", "file:///maps")):
        ask_for_map(request=MapRequest(job="a", scene=scene, model="m", output=output))
    assert asked == [(f"{tmp_path}/data/a.tif", f"{tmp_path.parent}/maps"), ("s3://imagery/a.tif", "file:///maps")]


@pytest.mark.parametrize(
    ("arguments", "limit_s"),
    [
        (("map", "--job", "a", "--scene", "s", "--model", "m", "--output", "o", "--timeout-s", "0.3"), "0.3"),
        (("promote", "landcover", "3"), "0.6"),
        (("rollback", "landcover"), "0.6"),
        (("topics",), "0.6"),
    ],
)
def test_a_broker_that_is_away_is_told_in_one_line_within_the_time_limit(arguments, limit_s, monkeypatch):
    monkeypatch.setenv("EARTHEYE_KAFKA_TIMEOUT_S", "0.6")
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # taken, and not listened on
        monkeypatch.setenv("EARTHEYE_KAFKA_BOOTSTRAP", address := f"127.0.0.1:{nobody.getsockname()[1]}")
        told = eartheye(*arguments)
    assert told.returncode == 2
    assert told.stderr.startswith(f"eartheye: Kafka at {address} did not answer within {limit_s} s ")
    assert len(told.stderr.splitlines()) == 1
