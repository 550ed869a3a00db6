"""Kubeflow faces of the requests to the services: the last steps of a pipeline."""

from typing import NamedTuple

from kfp import dsl

from eartheye.images import SERVICES_IMAGE


@dsl.component(base_image=SERVICES_IMAGE, install_kfp_package=False)
def layout(chain: dict, root: str) -> NamedTuple(  # type: ignore[valid-type]
    "Layout",
    [("samplings", list), ("tiler", dict), ("curator", dict), ("pretrainer", dict), ("evaluator", dict), ("heads", list), ("maps", list)],
):
    """Check the chain's configuration before anything runs; returns each step's own, and the folders of those that run several times."""
    from collections import namedtuple

    from pipelines.config import ChainConfig

    laid_out = ChainConfig.model_validate(chain).laid_out(root)
    return namedtuple("Layout", laid_out)(**laid_out)  # type: ignore[no-any-return]


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
def mapping(data: str, root: str, wanted: dict) -> str:
    """Send a scene to the inference service and wait for its map; returns the map's folder."""
    from pipelines.config import MapConfig
    from pipelines.requests import make_map

    return make_map(data, root, MapConfig.model_validate(wanted))
