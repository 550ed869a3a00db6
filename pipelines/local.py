"""The pipeline on this machine: Kubeflow's own local runner, each step in a process of its own."""

import io
import sys
import warnings
from contextlib import redirect_stdout
from pathlib import Path
from typing import TextIO

from kfp import local

from eartheye.store import open_store
from pipelines.config import ChainConfig
from pipelines.course import Course
from pipelines.imagery_to_map import imagery_to_map
from pipelines.roots import check_root


def run_here(chain: ChainConfig, data: str, catalogue: str, root: str) -> None:
    """Run the pipeline to its end; steps that are done already return at once.

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
    warnings.filterwarnings("ignore", message="You may be attemping to run a task that uses custom", category=RuntimeWarning)
    data, catalogue, root = (open_store(uri).root for uri in (data, catalogue, root))  # a step may work in another folder
    where = Path("runs" if root.startswith("s3://") else root).resolve() / "kfp"
    local.init(runner=local.SubprocessRunner(use_venv=False), pipeline_root=str(where), raise_on_error=True)
    alone = chain.model_copy(update={"tiling_pods": 1})  # one process keeps the cores of this machine busy
    given = alone.model_dump(mode="json", exclude_defaults=True)
    course = Course("its output stands above")
    try:
        with redirect_stdout(Overheard(sys.stdout, course)):
            imagery_to_map(data=data, catalogue=catalogue, chain=given, root=root)
    except RuntimeError:
        if course.failure is None:
            raise
        raise course.failure from None


class Overheard(io.TextIOBase):
    """Standard output, whose lines a course hears as well.

    Args:
        output: where it goes.
        course: what hears it.
    """

    def __init__(self, output: TextIO, course: Course) -> None:
        self._output, self._course, self._begun = output, course, ""

    def write(self, text: str) -> int:
        """Pass text on."""
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            self._course.hear(line)
        return self._output.write(text)

    def flush(self) -> None:
        """Write what is still held back."""
        self._output.flush()
