"""Which step is at work and which one failed, read from what Kubeflow's local runner prints."""

import re
from typing import Literal

from pipelines.last_words import LastWords

STARTED = re.compile(r"Executing task '([\w-]+)'")
ENDED = re.compile(r"Task '([\w-]+)' finished with status (\w+)")
BROKEN = re.compile(r"Task [\w-]+ failed with exception: |Pipeline '[\w-]+' finished with status FAILURE")
"""A failure of Kubeflow's own, as for want of memory; inside of a loop it is not told as that of a step."""
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class Course:
    """The steps of a run, one after the other.

    Args:
        where: says where the whole output is, for the error of a step.
    """

    def __init__(self, where: str) -> None:
        self.step = "pipeline"
        self.failure: Exception | None = None
        """Of the first step that failed: Kubeflow goes on with steps that do not hang on it."""
        self._where, self._words = where, LastWords()

    def hear(self, line: str) -> Literal["started", "done", "failed", "said"]:
        """Take in a line of the output, and return what it tells: of a step's start or end, or what was said in between."""
        plain = COLOUR.sub("", line.rstrip("\n"))
        if found := STARTED.search(plain):
            self.step, self._words = found[1], LastWords()
            return "started"
        if found := ENDED.search(plain):
            if found[2] == "SUCCESS":
                return "done"
        else:
            self._words.hear(plain)
            if not BROKEN.search(plain):
                return "said"
        self.failure = self.failure or self.ended_here()
        return "failed"

    def ended_here(self) -> Exception:
        """Return the error of a run that ended where it is now."""
        return self._words.failure(self.step, self._where)
