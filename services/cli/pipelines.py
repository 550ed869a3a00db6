"""Commands around the pipeline: compile it, run it here, submit it to Kubeflow."""

from cyclopts import App

from services.cli.inputs import LocalPath, catalogue_of

pipeline = App(name="pipeline", help="Compile, run here or submit the chain.")


@pipeline.command(name="compile")
def compile_(output: LocalPath) -> None:
    """Compile the pipeline to IR YAML, and to Kubernetes-native manifests beside it.

    Example: `eartheye pipeline compile manifests/pipelines/imagery-to-map.yaml`

    Parameters
    ----------
    output
        The IR YAML to write; `-kubernetes` is added to the name of the other file.
    """
    from pipelines.compiled import compile_pipeline

    for path in compile_pipeline(output):
        print(path)


@pipeline.command
def run(chain: LocalPath, data: str, root: str, *, catalogue: str | None = None) -> None:
    """Run the pipeline here, a step at a time, each in a process of its own.

    Example: `eartheye pipeline run chain.yaml runs/world runs/mine`

    Parameters
    ----------
    chain
        YAML file with the configuration of every step.
    data
        Path or URI of the data folder.
    root
        Folder that takes the steps' folders.
    catalogue
        Path or URI, where the data folder holds no `catalogue.yaml` of its own.
    """
    from pipelines.config import read_chain
    from pipelines.local import run_here

    run_here(read_chain(chain), data, catalogue_of(data, catalogue), root)


@pipeline.command
def submit(chain: LocalPath, data: str, root: str, *, catalogue: str, endpoint: str) -> None:
    """Submit the pipeline to Kubeflow Pipelines.

    Example: `eartheye pipeline submit chain.yaml s3://data/world s3://runs/mine --catalogue s3://data/world/catalogue.yaml
    --endpoint http://127.0.0.1:8888`

    Parameters
    ----------
    chain
        YAML file with the configuration of every step.
    data
        Folder of the data, as the cluster's pods see it.
    root
        Folder that takes the steps' folders.
    catalogue
        The data's catalogue.
    endpoint
        Address of the Kubeflow Pipelines API.
    """
    from pipelines.config import read_chain
    from pipelines.submission import submit as submit_pipeline

    print(submit_pipeline(read_chain(chain), data, catalogue, root, endpoint))
