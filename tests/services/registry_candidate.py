"""A candidate as the pipeline leaves it: a serving package that runs, and its report."""

from pathlib import Path

import numpy as np

from eartheye.contracts import Report, Score, ServingPackage
from eartheye.predictor import open_predictor
from eartheye.store import Folder
from eartheye.tracking import RegisteredModel, register
from tests.services.inference.place import write_package

IMAGE = np.random.default_rng(3).normal(size=(1, 3, 32, 32)).astype(np.float32)


def write_serving(folder: Folder, wrong_by: int = 0, **changes: object) -> ServingPackage:
    """Write a package whose golden answer is the model's own, or off by some steps of 1/255."""
    package = write_package(folder, **changes)
    predictor = open_predictor(folder, package, "any", 1)
    answer = np.clip(predictor(IMAGE).astype(int) + wrong_by, 0, 255).astype(np.uint8)
    predictor.close()
    with folder.create("golden.npz") as file:
        np.savez(file, images=IMAGE, probabilities=answer)
    golden = Folder(folder.root).bulk("golden.npz")
    return package.model_copy(update={"golden": golden}).finish(folder)


def write_report(
    folder: Folder, miou: float, model_digest: str = "d" * 64, split: str = "blocks", confusion: tuple[tuple[int, ...], ...] = ()
) -> None:
    score = Score(model="pretrained", protocol="frozen-head", metric="miou", value=miou, count=100)
    fields = {"task": "segmentation", "scores": (score,), "per_class": {}, "split": split, "pictures": {}, "confusion": confusion}
    Report(made_from="", model_digest=model_digest, **fields).finish(folder)


def make_candidate(root: Path, name: str, miou: float, wrong_by: int = 0, seed: str = "") -> RegisteredModel:
    """Write and register a candidate."""
    serving, report = Folder(root / "serving"), Folder(root / "report")
    package = write_serving(serving, wrong_by, title=f"{name}{seed}", made_from=seed)
    write_report(report, miou)
    return register(name, f"{root}/model", serving.root, package.digest, report.root, None)
