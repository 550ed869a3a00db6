"""The process that runs the pipeline for a demonstration, and ends with it: `python -m services.demo.pipeline_process`.

A demonstration that is killed takes nothing down in order, so this process watches its parent: once that is gone, it ends its whole process
group, the step in work included. What the step had not finished is made again by the next run.
"""

import os
import signal
import sys
import threading
import time
from pathlib import Path

from eartheye.telemetry import configure_logs
from pipelines.config import read_chain
from pipelines.local import run_here

LOOK_EVERY_S = 0.5


def end_with(parent: int) -> None:
    """Kill this process group once the parent is gone."""
    while os.getppid() == parent:
        time.sleep(LOOK_EVERY_S)
    os.killpg(0, signal.SIGKILL)


def main() -> None:
    """Run the pipeline named on the command line: chain, data, catalogue, root, parent."""
    chain, data, catalogue, root, parent = sys.argv[1:]
    threading.Thread(target=end_with, args=(int(parent),), daemon=True).start()
    configure_logs()
    run_here(read_chain(Path(chain)), data, catalogue, root)


if __name__ == "__main__":
    main()
