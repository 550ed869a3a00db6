"""The sampler's Kubeflow faces."""

from kfp import dsl

from eartheye.images import DATA_IMAGE


@dsl.component(base_image=DATA_IMAGE, install_kfp_package=False)
def aggregator(data: str, catalogue: str, config: dict, cells: str) -> str:
    """Describe the cells of the equal-area grid by land cover, elevation and region; returns the folder of the cells."""
    from components.sampler.config import CellsConfig
    from components.sampler.run import aggregate_cells
    from eartheye.contracts import read_catalogue
    from eartheye.store import Folder

    aggregate_cells(data, read_catalogue(catalogue), CellsConfig.model_validate(config), Folder(cells))
    return cells


@dsl.component(base_image=DATA_IMAGE, install_kfp_package=False)
def sampler(cells: str, config: dict, sites: str) -> str:
    """Draw stratified sites from the cells; returns the folder of the sites."""
    from components.sampler.config import SamplerConfig
    from components.sampler.run import sample_sites
    from eartheye.store import Folder

    sample_sites(Folder(cells), SamplerConfig.model_validate(config), Folder(sites))
    return sites
