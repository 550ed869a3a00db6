"""The tiling step's Kubeflow faces."""

from kfp import dsl

from eartheye.images import DATA_IMAGE


@dsl.component(base_image=DATA_IMAGE, install_kfp_package=False)
def tiling_plan(data: str, catalogue: str, sites: str, config: dict, pods: int) -> list:
    """Share the cutting out among pods; returns what each is given, the sites and the configuration with it."""
    from components.tiler.config import TilerConfig
    from components.tiler.run import share_out
    from eartheye.contracts import read_catalogue
    from eartheye.store import Folder

    given = Folder(sites) if sites else None
    shares = share_out(data, read_catalogue(catalogue), given, TilerConfig.model_validate(config), pods)
    return [{"sites": sites, "config": config, "share": share.model_dump()} for share in shares]


@dsl.component(base_image=DATA_IMAGE, install_kfp_package=False)
def tile_share(data: str, catalogue: str, sites: str, config: dict, share: dict, tiles: str) -> str:
    """Cut a pod's share of the tiles; returns the folder of the tiles, which the tiler finishes."""
    from components.tiler.config import Share, TilerConfig
    from components.tiler.run import cut_share
    from eartheye.contracts import read_catalogue
    from eartheye.store import Folder

    given = Folder(sites) if sites else None
    settings = TilerConfig.model_validate(config)
    cut_share(data, read_catalogue(catalogue), given, settings, Folder(tiles), Share.model_validate(share))
    return tiles


@dsl.component(base_image=DATA_IMAGE, install_kfp_package=False)
def tiler(data: str, catalogue: str, sites: str, config: dict, tiles: str) -> str:
    """Cut the tiles and masks that no pod has cut yet, and join them all; returns the folder of the tiles."""
    from components.tiler.config import TilerConfig
    from components.tiler.run import cut_tiles
    from eartheye.contracts import read_catalogue
    from eartheye.store import Folder

    given = Folder(sites) if sites else None
    cut_tiles(data, read_catalogue(catalogue), given, TilerConfig.model_validate(config), Folder(tiles))
    return tiles
