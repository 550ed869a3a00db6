"""The fine-tuning step's Kubeflow face."""

from kfp import dsl

from eartheye.images import TRAIN_IMAGE


@dsl.component(base_image=TRAIN_IMAGE, install_kfp_package=False)
def finetuner(tiles: str, backbone: str, config: dict, model: str) -> str:
    """Train a head on a frozen backbone; returns the folder of the task model."""
    from components.finetuner.config import FinetuneConfig
    from components.finetuner.run import finetune
    from eartheye.store import Folder

    finetune(Folder(tiles), Folder(backbone), FinetuneConfig.model_validate(config), Folder(model))
    return model
