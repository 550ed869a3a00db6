"""The pipeline of a demonstration, in a process of its own: its output goes to a log, its progress to the reader."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console

from eartheye.errors import StepFailed

STARTED = re.compile(r"Executing task '([\w-]+)'")
ENDED = re.compile(r"Task '([\w-]+)' finished with status (\w+)")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
PROGRESS = re.compile(r"^ {4}([a-z][\w -]*: \d+( of \d+)?.*)$")
USER_ERROR = re.compile(r"^\s*eartheye\.errors\.\w+: (.*)$")


def run_pipeline(chain: Path, data: Path, catalogue: Path, root: str, run: Path, console: Console) -> dict[str, float]:
    """Run the pipeline and tell of each step.

    Args:
        chain: configuration of every step.
        data: data folder.
        catalogue: its catalogue.
        root: folder that takes the steps' folders.
        run: local folder of the run; `pipeline.log` there takes the whole output.
        console: where progress goes.

    Returns:
        Wall time of each step, s; a step that ran several times is summed.

    Raises:
        StepFailed: a step ended with an error.
    """
    arguments = [str(chain), str(data), str(catalogue), root, str(os.getpid())]
    command = [sys.executable, "-m", "services.demo.pipeline_process", *arguments]
    seconds: dict[str, float] = {}
    step, began, reason = "pipeline", time.monotonic(), ""
    with (run / "pipeline.log").open("a") as log:
        process = subprocess.Popen(
            command,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},  # progress is told when it is made
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        assert process.stdout is not None
        try:
            for line in process.stdout:
                log.write(line)
                log.flush()
                plain = COLOUR.sub("", line.rstrip("\n"))
                if found := STARTED.search(plain):
                    step, began = found[1], time.monotonic()
                elif found := ENDED.search(plain):
                    took = time.monotonic() - began
                    if found[1] == step and found[2] == "SUCCESS":
                        seconds[step] = seconds.get(step, 0.0) + took
                        console.print(f"  {step:<22} {took:6.1f} s")
                elif found := PROGRESS.match(plain):
                    console.print(f"    {found[1]}", style="dim")
                elif found := USER_ERROR.match(plain):
                    reason = found[1]
            code = process.wait()
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
                process.wait()
    if code:
        raise StepFailed(f"step {step}: {reason or 'a fault'}; the whole output is in {run / 'pipeline.log'}")
    return seconds
