"""The process that runs the pipeline on this machine, by Kubeflow's own local runner: `python -m pipelines.runner`.

Who started it may be killed, and takes nothing down in order then; so this process watches its parent: once that is gone, it ends its whole
process group, the step in work included. What the step had not finished is made again by the next run.
"""

import os
import signal
import sys
import threading
import time
import warnings
from pathlib import Path

from kfp import local

from eartheye.store import open_store
from eartheye.telemetry import configure_logs
from pipelines.config import ChainConfig
from pipelines.imagery_to_map import imagery_to_map

LOOK_EVERY_S = 0.5


def end_with(parent: int) -> None:
    """Kill this process group once the parent is gone."""
    while os.getppid() == parent:
        time.sleep(LOOK_EVERY_S)
    os.killpg(0, signal.SIGKILL)


def run_steps(chain: ChainConfig, data: str, catalogue: str, root: str) -> None:
    """Run the pipeline to its end, each step in a process of its own; steps that are done already return at once.

    What becomes of each step is printed, of one that fails as well: the steps that do not hang on it run.

    Args:
        chain: configuration of every step.
        data: path or URI of the data folder.
        catalogue: that of its catalogue.
        root: that of the folder that takes the steps' folders.
    """
    warnings.filterwarnings("ignore", message="You may be attemping to run a task that uses custom", category=RuntimeWarning)
    data, catalogue, root = (open_store(uri).root for uri in (data, catalogue, root))  # a step may work in another folder
    where = Path("runs" if root.startswith("s3://") else root).resolve() / "kfp"
    local.init(runner=local.SubprocessRunner(use_venv=False), pipeline_root=str(where), raise_on_error=False)
    alone = chain.model_copy(update={"tiling_pods": 1})  # one process keeps the cores of this machine busy
    imagery_to_map(data=data, catalogue=catalogue, chain=alone.model_dump(mode="json", exclude_defaults=True), root=root)


def main() -> None:
    """Run the pipeline named on the command line: chain, data, catalogue, root, parent."""
    chain, data, catalogue, root, parent = sys.argv[1:]
    threading.Thread(target=end_with, args=(int(parent),), daemon=True).start()
    configure_logs()
    run_steps(ChainConfig.model_validate_json(chain), data, catalogue, root)


if __name__ == "__main__":
    main()
