"""Kubeflow faces of the requests to the services: the last steps of a pipeline."""

from typing import NamedTuple

from kfp import dsl

from eartheye.images import SERVICES_IMAGE


@dsl.component(base_image=SERVICES_IMAGE, install_kfp_package=False)
def configuration(chain: dict, data: str, catalogue: str, root: str) -> NamedTuple(  # type: ignore[valid-type]
    "Steps", [("sites", str), ("tiler", dict), ("tiling_pods", int), ("curator", dict), ("pretrainer", dict), ("evaluator", dict)]
):
    """Check the whole chain's configuration before anything runs; returns that of each step that runs once, and the folder of the sites."""
    from typing import NamedTuple

    from eartheye.contracts import read_catalogue
    from pipelines.config import ChainConfig
    from pipelines.fit import check_fit
    from pipelines.roots import check_root

    class Steps(NamedTuple):
        sites: str
        tiler: dict
        tiling_pods: int
        curator: dict
        pretrainer: dict
        evaluator: dict

    check_root(root)
    checked = ChainConfig.model_validate(chain)
    check_fit(checked, read_catalogue(catalogue), data)
    return Steps(checked.sites(root), **checked.of_steps(), tiling_pods=checked.tiling_pods)


@dsl.component(base_image=SERVICES_IMAGE, install_kfp_package=False)
def repetitions(chain: dict, root: str, of: str) -> list:
    """Return what a part of the chain runs for, one after the other: `samplings`, `heads` or `maps`, with the folders of each.

    A task of its own for each part, since a loop runs over a task's only output.
    """
    from pipelines.config import ChainConfig

    return ChainConfig.model_validate(chain).repetitions(root)[of]


@dsl.component(base_image=SERVICES_IMAGE, install_kfp_package=False)
def registration(name: str, model: str, serving: str, report: str) -> int:
    """Register a task model as a candidate; returns its version."""
    from eartheye.store import Folder
    from pipelines.requests import register_candidate

    return register_candidate(name, Folder(model), Folder(serving), Folder(report)).version


@dsl.component(base_image=SERVICES_IMAGE, install_kfp_package=False)
def promotion(name: str, version: int) -> NamedTuple("Decision", [("granted", bool), ("reasons", list)]):  # type: ignore[valid-type]
    """Ask that a version become the champion; returns the decision and each check of the gate."""
    from typing import NamedTuple

    from pipelines.requests import request_promotion

    class Decision(NamedTuple):
        granted: bool
        reasons: list

    result = request_promotion(name, version, asked_by="pipeline")
    return Decision(result.granted, list(result.reasons))


@dsl.component(base_image=SERVICES_IMAGE, install_kfp_package=False)
def mapping(data: str, catalogue: str, root: str, wanted: dict) -> str:
    """Send a scene to the inference service and wait for its map; returns the map's folder."""
    from eartheye.contracts import read_catalogue
    from pipelines.config import MapConfig
    from pipelines.requests import make_map

    return make_map(data, root, MapConfig.model_validate(wanted).completed(read_catalogue(catalogue)))
