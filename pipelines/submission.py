"""The pipeline on a cluster: a run of Kubeflow Pipelines."""

import logging
import warnings

from kfp import Client
from kfp_server_api import ApiException
from urllib3.exceptions import HTTPError, MaxRetryError

from eartheye.errors import PipelinesUnavailable
from pipelines.config import ChainConfig
from pipelines.imagery_to_map import imagery_to_map
from pipelines.roots import check_root


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

    Raises:
        InvalidSettings: the servers of the settings cannot use the root.
        PipelinesUnavailable: Kubeflow Pipelines does not answer, or refuses the run.
    """
    check_root(root)
    given = chain.model_dump(mode="json", exclude_defaults=True)
    arguments = {"data": data, "catalogue": catalogue, "chain": given, "root": root}
    try:
        return connect(endpoint).create_run_from_pipeline_func(imagery_to_map, arguments=arguments, run_name=chain.name).run_id
    except (HTTPError, ApiException, TimeoutError) as error:
        reason = error.reason if isinstance(error, MaxRetryError | ApiException) else error
        raise PipelinesUnavailable(
            f"Kubeflow Pipelines at {endpoint} does not take the run ({reason}): give the address of its API as --endpoint"
        ) from error


def connect(endpoint: str) -> Client:
    """Return a client of the Kubeflow Pipelines API; what it tells of each of its attempts, with tracebacks, is left out."""
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return Client(host=endpoint)
    finally:
        logging.disable(logging.NOTSET)
