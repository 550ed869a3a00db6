"""The evaluation step's Kubeflow faces, one for a backbone and one for a task model."""

from kfp import dsl

from eartheye.images import TRAIN_IMAGE


@dsl.component(base_image=TRAIN_IMAGE, install_kfp_package=False)
def backbone_evaluator(tiles: str, backbone: str, config: dict, report: str) -> str:
    """Judge a backbone's frozen features beside baselines; returns the folder of the report."""
    from components.evaluator.config import EvaluatorConfig
    from components.evaluator.run import evaluate_backbone
    from eartheye.store import Folder

    evaluate_backbone(Folder(tiles), Folder(backbone), EvaluatorConfig.model_validate(config), Folder(report))
    return report


@dsl.component(base_image=TRAIN_IMAGE, install_kfp_package=False)
def task_evaluator(tiles: str, model: str, config: dict, report: str) -> str:
    """Judge a task model beside baselines; returns the folder of the report."""
    from components.evaluator.config import EvaluatorConfig
    from components.evaluator.run import evaluate_task
    from eartheye.store import Folder

    evaluate_task(Folder(tiles), Folder(model), EvaluatorConfig.model_validate(config), Folder(report))
    return report
