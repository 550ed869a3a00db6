"""The pipeline as files: IR YAML for the Kubeflow API, and Kubernetes-native manifests."""

from pathlib import Path

from kfp import compiler
from kfp.compiler.compiler_utils import KubernetesManifestOptions

from pipelines.imagery_to_map import imagery_to_map


def compile_pipeline(output: Path) -> tuple[Path, Path]:
    """Compile the pipeline.

    Args:
        output: the IR YAML to write.

    Returns:
        The IR YAML, and beside it the `Pipeline` and `PipelineVersion` resources.
    """
    native = output.with_name(f"{output.stem}-kubernetes{output.suffix}")
    output.parent.mkdir(parents=True, exist_ok=True)
    compiler.Compiler().compile(imagery_to_map, str(output))
    options = KubernetesManifestOptions(
        pipeline_name="imagery-to-map", pipeline_version_name="imagery-to-map", include_pipeline_manifest=True
    )
    compiler.Compiler().compile(imagery_to_map, str(native), kubernetes_manifest_format=True, kubernetes_manifest_options=options)
    return output, native
