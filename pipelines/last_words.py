"""What a step printed last, and the error to raise when it failed: the user's to mend, or a fault."""

import re
import textwrap
from collections import deque
from dataclasses import dataclass, field

from eartheye.errors import StepFailed

TRACEBACK = "Traceback (most recent call last):"
USER_ERROR = re.compile(r"eartheye\.errors\.\w+: (.*)")
LINES = 40
"""Enough for a traceback through Kubeflow's executor."""


@dataclass
class LastWords:
    """The last lines that a step printed, and the error that its last traceback ends in."""

    lines: deque[str] = field(default_factory=lambda: deque(maxlen=LINES))
    error: str = ""
    """Class and message; empty where there was no traceback, as of a step that was killed."""
    indent: int | None = None
    """Of the traceback that is being printed; its error is the next line that stands no deeper."""

    def hear(self, line: str) -> None:
        """Take in a line of output, without colours."""
        words, indent = line.strip(), len(line) - len(line.lstrip())
        if words == TRACEBACK:
            self.indent = indent
            if not self.error:  # what a first error was printed after tells nothing
                self.lines.clear()
        elif words and self.indent is not None and indent <= self.indent:
            self.error, self.indent = words, None
        self.lines.append(line)

    def failure(self, step: str, where: str) -> Exception:
        """Return the error to raise for a step that failed: `StepFailed` for a user error in it, `RuntimeError` for a fault.

        Args:
            step: its name.
            where: says where the whole output is.
        """
        if mine := USER_ERROR.match(self.error):
            return StepFailed(f"step {step}: {mine[1]}; {where}")
        told = textwrap.indent(textwrap.dedent("\n".join(self.lines)).strip(), "  ")
        return RuntimeError(f"step {step} ended by a fault; {where}, its last lines are:\n{told}")
