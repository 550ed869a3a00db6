"""The pipeline of a demonstration, in a process of its own: its output goes to a log, its progress to the reader."""

import re
import subprocess
import threading
import time
from pathlib import Path

from rich.console import Console

from eartheye.errors import StepFailed
from pipelines.config import ChainConfig
from pipelines.course import Course
from pipelines.local import pipeline_process
from services.demo.step_times import add_time

PROGRESS = re.compile(r"^ {4}([a-z][\w -]*: \d+( of \d+)?.*)$")


def run_pipeline(chain: ChainConfig, data: Path, catalogue: Path, root: str, run: Path, console: Console, ended: threading.Event) -> None:
    """Run the pipeline and tell of each step; the first that fails ends it.

    Args:
        chain: configuration of every step.
        data: data folder.
        catalogue: its catalogue.
        root: folder that takes the steps' folders.
        run: local folder of the run; `pipeline.log` there takes the whole output, `step_times.json` the wall time of each step.
        console: where progress goes.
        ended: set when a service has ended, which a step may wait for: the pipeline is ended then.

    Raises:
        StepFailed: a step ended with an error that the user can act on, or was ended with the services.
        RuntimeError: a step ended by a fault; its last lines are in the message.
    """
    where = f"the whole output is in {run / 'pipeline.log'}"
    course, at_work, began = Course(where), False, time.monotonic()
    with (
        (run / "pipeline.log").open("a") as log,
        pipeline_process(chain, str(data.resolve()), str(catalogue.resolve()), root) as process,
    ):
        assert process.stdout is not None
        threading.Thread(target=end_after, args=(ended, process), daemon=True).start()
        for line in process.stdout:
            log.write(line)
            log.flush()
            told = course.hear(line)
            if told == "started":
                at_work, began = True, time.monotonic()
            elif told == "done":
                at_work, took = False, time.monotonic() - began
                add_time(run, course.step, took)
                console.print(f"  {course.step:<22} {took:6.1f} s")
            elif course.failure:  # without the step there is no report: those that do not hang on it would run for nothing
                console.print(f"  {course.step:<22} failed", style="red")
                raise course.failure
            elif at_work and (found := PROGRESS.match(line)):  # Kubeflow lists a step's outputs alike, after it
                console.print(f"    {found[1]}", style="dim")
        code = process.wait()
    if code and ended.is_set():
        raise StepFailed(f"step {course.step} was ended, for a service that it may wait for has ended; {where}")
    if code:
        raise course.ended_here()


def end_after(ended: threading.Event, process: subprocess.Popen[str]) -> None:
    """End a process once the event is set, unless it has ended by itself."""
    ended.wait()
    process.kill()
