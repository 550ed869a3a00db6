"""The tiling step's Kubeflow face."""

from kfp import dsl

from eartheye.images import DATA_IMAGE


@dsl.component(base_image=DATA_IMAGE, install_kfp_package=False)
def tiler(data: str, catalogue: str, sites: str, config: dict, tiles: str) -> str:
    """Cut tiles and masks at the sites, over covered scenes and from image folders; returns the folder of the tiles."""
    from pathlib import Path

    from components.tiler.config import TilerConfig
    from components.tiler.run import cut_tiles
    from eartheye.contracts import read_catalogue
    from eartheye.store import Folder

    given = Folder(sites) if sites else None
    cut_tiles(data, read_catalogue(Path(catalogue)), given, TilerConfig.model_validate(config), Folder(tiles))
    return tiles
