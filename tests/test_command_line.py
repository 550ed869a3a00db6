"""The console command: every command teaches, and a user error is one line and exit code 2."""

import subprocess
import sys

import pytest

COMMANDS = (
    "demo", "world create", "cells", "sample", "tile", "curate", "pretrain", "finetune", "evaluate", "export", "register", "deploy",
    "predict", "pipeline compile", "pipeline run", "pipeline submit", "promote", "map", "serve",
)  # fmt: skip


def eartheye(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "services.cli.main", *arguments], capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_an_example(command):
    told = eartheye(*command.split(), "--help")
    assert told.returncode == 0, told.stderr
    assert f"eartheye {command}" in told.stdout.replace("\n", " ")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("sample", "nowhere", "out", "--target-sites", "5"), "is not finished"),
        (("cells", "nowhere", "out"), "catalogue.yaml is missing"),
        (("demo", "--data", "nowhere", "--run", "out"), "is not a folder"),
        (("predict", "nowhere", "scene.tif", "map.tif"), "is not finished"),
        (("pipeline", "run", "nowhere.yaml", ".", "out"), "is missing"),
    ],
)
def test_a_user_error_is_one_line_and_exit_code_2(arguments, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(__import__("pathlib").Path(__file__).parents[1]))
    told = eartheye(*arguments)
    assert told.returncode == 2, told.stderr
    assert words in told.stderr
    assert "Traceback" not in told.stderr


def test_an_unknown_option_is_refused_with_a_suggestion():
    told = eartheye("sample", "cells", "sites", "--target-site", "5")
    assert told.returncode != 0
    assert "--target-sites" in told.stdout + told.stderr


def test_malformed_settings_are_named(monkeypatch):
    monkeypatch.setenv("EARTHEYE_CACHE_LIMIT_GB", "-1")
    told = eartheye("sample", "cells", "sites", "--target-sites", "5")
    assert told.returncode == 2
    assert "CACHE_LIMIT_GB" in told.stderr
