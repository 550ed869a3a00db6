"""The deployment step's Kubeflow face."""

from kfp import dsl

from eartheye.images import SERVICES_IMAGE


@dsl.component(base_image=SERVICES_IMAGE, install_kfp_package=False)
def deployer(serving: str, name: str, version: int) -> float:
    """Put a version on the inference server; returns the largest difference on its golden tile."""
    from components.deployer.run import deploy
    from eartheye.store import Folder

    return deploy(Folder(serving), name, version).difference
