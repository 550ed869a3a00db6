"""The export step's Kubeflow face."""

from kfp import dsl

from eartheye.images import TRAIN_IMAGE


@dsl.component(base_image=TRAIN_IMAGE, install_kfp_package=False)
def exporter(model: str, tiles: str, config: dict, serving: str) -> str:
    """Export a task model to ONNX with a parity check; returns the folder of the serving package."""
    from components.exporter.config import ExporterConfig
    from components.exporter.run import export_model
    from eartheye.store import Folder

    export_model(Folder(model), Folder(tiles), ExporterConfig.model_validate(config), Folder(serving))
    return serving
