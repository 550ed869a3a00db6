"""How a pipeline that runs here ends when a step does not: with the user's error in a line, or as a fault with its traceback."""

import os
import subprocess
import sys

import pytest
import yaml

from eartheye.errors import StepFailed
from pipelines.course import Course
from pipelines.last_words import LINES, LastWords
from services.world.create import create_world
from tests.hanging_step import is_gone, lay_stand_in, step_at_work
from tests.waiting import wait_until

COMMAND = [sys.executable, "-m", "services.cli.main", "pipeline", "run", "chain.yaml", "world", "run"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A world, and a chain that wants more sites than it has."""
    folder = tmp_path_factory.mktemp("here")
    create_world(folder / "world", size_km=1.0)
    sampling = {"title": "tiles", "sampler": {"target_sites": 5000}}
    chain = {"name": "one", "samplings": [sampling], "evaluator": {"samples": {"label_set": "landcover"}}, "heads": []}
    (folder / "chain.yaml").write_text(yaml.safe_dump(chain))
    return folder


def test_a_step_that_the_user_can_mend_ends_the_command_with_a_line_and_exit_code_2(folder):
    done = subprocess.run(COMMAND, cwd=folder, capture_output=True, text=True, check=False)
    said = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 2, done.stderr
    assert said.startswith("eartheye: step sampler: 5,000 sites wanted, 1 cell given: ")
    assert said.endswith("; its output stands above")
    assert "Traceback" not in done.stderr
    assert "NotEnoughCells" in done.stdout
    assert done.stdout.count("Traceback") == 1


def test_a_command_that_is_killed_leaves_no_step_at_work(folder, tmp_path):
    lay_stand_in(tmp_path / "library")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "library")}
    command = [*COMMAND[:-1], str(tmp_path / "run")]
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        step = step_at_work(tmp_path / "library")
        process.kill()
    wait_until(lambda: is_gone(step))


def test_of_two_steps_that_fail_the_first_counts():
    course = Course("its output stands above")
    for step, reason in (("sampler", "no cells"), ("curator", "no tiles")):
        course.hear(f"12:00:00.000 - INFO - Executing task \x1b[96m'{step}'\x1b[0m\n")
        course.hear("    Traceback (most recent call last):\n")
        course.hear(f"    eartheye.errors.NotFinished: {reason}\n")
        assert course.hear(f"12:00:01.000 - ERROR - Task \x1b[96m'{step}'\x1b[0m finished with status \x1b[91mFAILURE\x1b[0m\n") == "failed"
    assert str(course.failure) == "step sampler: no cells; its output stands above"


@pytest.mark.parametrize(
    "line",
    [
        "12:00:01.000 - ERROR - Task for-loop-1-iteration-0 failed with exception: [Errno 12] Cannot allocate memory",
        "12:00:01.000 - ERROR - Pipeline 'imagery-to-map' finished with status FAILURE",
    ],
)
def test_a_failure_of_the_runner_itself_is_that_of_the_step_at_work(line):
    course = Course("its output stands above")
    course.hear("12:00:00.000 - INFO - Executing task 'sampler'")
    assert course.hear(line) == "failed"
    assert "step sampler ended by a fault" in str(course.failure)
    assert line in str(course.failure)


def heard(text):
    words = LastWords()
    for line in text.splitlines():
        words.hear(line)
    return words.failure("tiler", "its output stands above")


MENDED = """    Traceback (most recent call last):
      File "store.py", line 3, in read
    eartheye.errors.StoreUnavailable: it does not answer
"""
CAUSE = """
    During handling of the above exception, another exception occurred:

    Traceback (most recent call last):
      File "run.py", line 9, in tile
        raise error
"""


def test_the_error_that_counts_is_the_last_one():
    assert str(heard(MENDED)) == "step tiler: it does not answer; its output stands above"
    fault = heard(f"{MENDED}{CAUSE}    KeyError: 'shard'\n")
    assert isinstance(fault, RuntimeError)
    assert "StoreUnavailable" in str(fault)
    user_error = heard(
        f"    Traceback (most recent call last):\n    KeyError: 'shard'\n{CAUSE}    eartheye.errors.MissingBulk: no shard 3\n    \n"
    )
    assert isinstance(user_error, StepFailed)


def test_a_step_that_was_killed_without_a_word_is_a_fault_that_shows_what_it_printed():
    fault = heard("\n".join(f"    cutting tiles: {number} of 200" for number in range(100)))
    assert isinstance(fault, RuntimeError)
    assert str(fault).endswith("cutting tiles: 99 of 200")
    assert str(fault).count("cutting tiles") == LINES
