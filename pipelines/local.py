"""The pipeline on this machine: Kubeflow's own local runner, each step in a process of its own."""

import warnings
from pathlib import Path

from kfp import local

from pipelines.config import ChainConfig
from pipelines.imagery_to_map import imagery_to_map
from pipelines.roots import check_root


def run_here(chain: ChainConfig, data: Path, catalogue: Path, root: str) -> None:
    """Run the pipeline to its end; steps that are done already return at once.

    Args:
        chain: configuration of every step.
        data: data folder.
        catalogue: its catalogue.
        root: folder that takes the steps' folders.

    Raises:
        InvalidSettings: the servers of the settings cannot use the root.
        RuntimeError: a step failed; its output has been printed.
    """
    check_root(root)
    warnings.filterwarnings("ignore", message="You may be attemping to run a task that uses custom", category=RuntimeWarning)
    where = Path(root).resolve() / "kfp" if "://" not in root else Path("runs/kfp").resolve()
    local.init(runner=local.SubprocessRunner(use_venv=False), pipeline_root=str(where), raise_on_error=True)
    absolute = root if "://" in root else str(Path(root).resolve())
    given = chain.model_dump(mode="json", exclude_defaults=True)
    imagery_to_map(data=str(data.resolve()), catalogue=str(catalogue.resolve()), chain=given, root=absolute)
