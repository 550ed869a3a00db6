"""The pipeline on a cluster: a run of Kubeflow Pipelines."""

from kfp import Client

from pipelines.config import ChainConfig
from pipelines.imagery_to_map import imagery_to_map


def submit(chain: ChainConfig, data: str, catalogue: str, root: str, endpoint: str) -> str:
    """Start a run.

    Args:
        chain: configuration of every step.
        data: folder of the data, as the pods see it.
        catalogue: its catalogue.
        root: folder that takes the steps' folders.
        endpoint: address of the Kubeflow Pipelines API.

    Returns:
        The run's identifier.
    """
    given = chain.model_dump(mode="json", exclude_defaults=True)
    arguments = {"data": data, "catalogue": catalogue, "chain": given, "root": root}
    return Client(host=endpoint).create_run_from_pipeline_func(imagery_to_map, arguments=arguments, run_name=chain.name).run_id
