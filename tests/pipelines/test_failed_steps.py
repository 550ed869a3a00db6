"""How a pipeline that runs here ends when a step does not: with the user's error in a line, or as a fault with its traceback."""

import subprocess
import sys

import yaml

from eartheye.errors import StepFailed
from pipelines.course import Course
from pipelines.last_words import LINES, LastWords
from services.world.create import create_world


def test_a_step_that_the_user_can_mend_ends_the_command_with_a_line_and_exit_code_2(tmp_path):
    create_world(tmp_path / "world", size_km=1.0)
    sampling = {"title": "tiles", "sampler": {"target_sites": 5000}}
    chain = {"name": "one", "samplings": [sampling], "evaluator": {"samples": {"label_set": "landcover"}}, "heads": []}
    (tmp_path / "chain.yaml").write_text(yaml.safe_dump(chain))
    command = [sys.executable, "-m", "services.cli.main", "pipeline", "run", "chain.yaml", "world", "run"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    said = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 2, done.stderr
    assert said.startswith("eartheye: step sampler: 5,000 sites wanted, 1 cell given: ")
    assert said.endswith("; its output stands above")
    assert "Traceback" not in done.stderr
    assert "NotEnoughCells" in done.stdout


def test_of_two_steps_that_fail_the_first_counts():
    course = Course("its output stands above")
    for step, reason in (("sampler", "no cells"), ("curator", "no tiles")):
        course.hear(f"12:00:00.000 - INFO - Executing task \x1b[96m'{step}'\x1b[0m\n")
        course.hear("    Traceback (most recent call last):\n")
        course.hear(f"    eartheye.errors.NotFinished: {reason}\n")
        assert course.hear(f"12:00:01.000 - ERROR - Task \x1b[96m'{step}'\x1b[0m finished with status \x1b[91mFAILURE\x1b[0m\n") == "failed"
    assert str(course.failure) == "step sampler: no cells; its output stands above"


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
