"""The pipeline on this machine, in a process group of its own, of which nothing is left running however it ends."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from pipelines.config import ChainConfig
from pipelines.course import Course
from pipelines.roots import check_root


def run_here(chain: ChainConfig, data: str, catalogue: str, root: str) -> None:
    """Run the pipeline to its end, and print its output; steps that are done already return at once.

    Args:
        chain: configuration of every step.
        data: path or URI of the data folder.
        catalogue: that of its catalogue.
        root: that of the folder that takes the steps' folders.

    Raises:
        InvalidSettings: the servers of the settings cannot use the root.
        StepFailed: a step ended with an error that the user can act on.
        RuntimeError: a step ended by a fault. Its output has been printed, as that of every step.
    """
    check_root(root)
    course = Course("its output stands above")
    with pipeline_process(chain, data, catalogue, root) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            course.hear(line)
        code = process.wait()
    if course.failure or code:
        raise course.failure or course.ended_here()


@contextmanager
def pipeline_process(chain: ChainConfig, data: str, catalogue: str, root: str) -> Iterator[subprocess.Popen[str]]:
    """Run the pipeline beside a block, which reads its output to the end.

    The process leads a group that ends with it, with the block and with this process. A step that outlived its runner would hold the output
    open, and write where the next run does.

    Args:
        chain: configuration of every step.
        data: path or URI of the data folder.
        catalogue: that of its catalogue.
        root: that of the folder that takes the steps' folders.
    """
    arguments = [chain.model_dump_json(exclude_defaults=True), data, catalogue, root, str(os.getpid())]
    with subprocess.Popen(
        [sys.executable, "-m", "pipelines.runner", *arguments],
        env={**os.environ, "PYTHONUNBUFFERED": "1"},  # progress is told when it is made
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        group = threading.Thread(target=end_group, args=(process,), daemon=True)
        group.start()
        try:
            yield process
        finally:
            process.kill()
            group.join()


def end_group(process: subprocess.Popen[str]) -> None:
    """Kill what is left of a group once its leader has ended."""
    process.wait()
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
