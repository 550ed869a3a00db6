"""The pretraining step's Kubeflow face."""

from kfp import dsl

from eartheye.images import TRAIN_IMAGE


@dsl.component(base_image=TRAIN_IMAGE, install_kfp_package=False)
def pretrainer(tiles: str, curated: str, config: dict, checkpoint: str, backbone: str) -> str:
    """Pretrain a backbone on unlabelled tiles; returns the folder of its model package."""
    from components.pretrainer.config import PretrainConfig
    from components.pretrainer.run import pretrain
    from eartheye.store import Folder

    pretrain(Folder(tiles), Folder(curated), PretrainConfig.model_validate(config), Folder(checkpoint), Folder(backbone))
    return backbone
