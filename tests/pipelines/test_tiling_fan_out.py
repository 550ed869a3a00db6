"""The tiler among pods: run by Kubeflow's local runner, the tiles are those of one process."""

from kfp import dsl, local

from components.tiler.run import cut_tiles
from eartheye.contracts import Tiles
from eartheye.store import Folder
from pipelines.config import ChainConfig
from pipelines.imagery_to_map import cut_among_pods, step
from pipelines.steps import configuration
from tests.components.tiler_data import CONFIG, files_below, write_data, write_sites

CHAIN = {"name": "small", "samplings": [{"title": "tiles", "sampler": {"target_sites": 6}}], "heads": []}


@dsl.pipeline
def tiling(data: str, catalogue: str, chain: dict, root: str) -> None:
    of = step(configuration(chain=chain, root=root)).outputs
    cut_among_pods(data, catalogue, of["sites"], of["tiler"], of["tiling_pods"], f"{root}/tiles")


def test_tiles_cut_by_three_pods_are_those_of_one_process(tmp_path):
    catalogue = write_data(tmp_path / "data")
    sites = write_sites(Folder(tmp_path / "sampling" / "tiles" / "sites"))
    chain = ChainConfig.model_validate(CHAIN | {"tiler": CONFIG.model_dump(), "tiling_pods": 3})
    local.init(runner=local.SubprocessRunner(use_venv=False), pipeline_root=str(tmp_path / "kfp"), raise_on_error=True)
    given = chain.model_dump(mode="json", exclude_defaults=True)
    tiling(data=str(tmp_path / "data"), catalogue=str(tmp_path / "data" / "catalogue.yaml"), chain=given, root=str(tmp_path))

    alone = cut_tiles(str(tmp_path / "data"), catalogue, sites, CONFIG, Folder(tmp_path / "alone"))
    assert Tiles.read(Folder(tmp_path / "tiles")) == alone
    assert files_below(tmp_path / "tiles") == files_below(tmp_path / "alone")
    assert len(list((tmp_path / "kfp").rglob("tile-share*"))) == 3
