"""The tiler among pods: run by Kubeflow's local runner, the tiles are those of one process."""

import builtins

from kfp import dsl, local

from components.tiler.run import cut_tiles
from eartheye.contracts import Tiles
from eartheye.store import Folder
from pipelines.imagery_to_map import cut_among_pods
from tests.components.tiler_data import CONFIG, files_below, write_data, write_sites


@dsl.pipeline
def tiling(data: str, catalogue: str, config: dict, root: str) -> None:
    cut_among_pods(data, catalogue, f"{root}/sites", config, 3, f"{root}/tiles")


def test_tiles_cut_by_three_pods_are_those_of_one_process(tmp_path, monkeypatch):
    monkeypatch.setattr(builtins, "print", print)  # the runner of parallel steps leaves one that indents
    catalogue = write_data(tmp_path / "data")
    sites = write_sites(Folder(tmp_path / "sites"))
    local.init(runner=local.SubprocessRunner(use_venv=False), pipeline_root=str(tmp_path / "kfp"), raise_on_error=True)
    config = CONFIG.model_dump(mode="json")
    tiling(data=str(tmp_path / "data"), catalogue=str(tmp_path / "data" / "catalogue.yaml"), config=config, root=str(tmp_path))

    alone = cut_tiles(str(tmp_path / "data"), catalogue, sites, CONFIG, Folder(tmp_path / "alone"))
    assert Tiles.read(Folder(tmp_path / "tiles")) == alone
    assert files_below(tmp_path / "tiles") == files_below(tmp_path / "alone")
    assert len(list((tmp_path / "kfp").rglob("tile-share*"))) == 3
