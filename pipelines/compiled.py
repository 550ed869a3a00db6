"""The pipeline as files: IR YAML for the Kubeflow API, and Kubernetes-native manifests."""

from pathlib import Path

from kfp import compiler
from kfp.compiler.compiler_utils import KubernetesManifestOptions

from eartheye.errors import FolderRefused, InvalidName
from pipelines.imagery_to_map import imagery_to_map

SUFFIXES = (".yaml", ".yml")
"""Of the names that Kubeflow's compiler takes."""


def compile_pipeline(output: Path) -> tuple[Path, Path]:
    """Compile the pipeline.

    Args:
        output: the IR YAML to write.

    Returns:
        The IR YAML, and beside it the `Pipeline` and `PipelineVersion` resources.

    Raises:
        InvalidName: its name does not end in `.yaml`.
        FolderRefused: it cannot be written where it is to lie.
    """
    if output.suffix not in SUFFIXES:
        raise InvalidName(f"{output} is no name for a pipeline: let it end in .yaml")
    native = output.with_name(f"{output.stem}-kubernetes{output.suffix}")
    options = KubernetesManifestOptions(
        pipeline_name="imagery-to-map", pipeline_version_name="imagery-to-map", include_pipeline_manifest=True
    )
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        compiler.Compiler().compile(imagery_to_map, str(output))
        compiler.Compiler().compile(imagery_to_map, str(native), kubernetes_manifest_format=True, kubernetes_manifest_options=options)
    except OSError as error:
        raise FolderRefused(f"{output} cannot be written ({error.strerror}): choose another folder or name") from error
    return output, native
