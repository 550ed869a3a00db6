"""The curating step's Kubeflow face."""

from kfp import dsl

from eartheye.images import DATA_IMAGE


@dsl.component(base_image=DATA_IMAGE, install_kfp_package=False)
def curator(tiles: str, config: dict, curated: str) -> str:
    """Drop poor tiles, near duplicates and redundant scene types; returns the folder of the decisions."""
    from components.curator.config import CuratorConfig
    from components.curator.run import curate
    from eartheye.store import Folder

    curate(Folder(tiles), CuratorConfig.model_validate(config), Folder(curated))
    return curated
