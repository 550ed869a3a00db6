"""What tests of the steps share: an MLflow of their own, and a few labelled tiles."""

import pytest

from tests.components.tiny_tiles import write_tiles
from tests.components.tracked import own_mlflow


@pytest.fixture(scope="module")
def mlflow(tmp_path_factory):
    """Runs of a module go to an MLflow of its own; the directory that it and the cache lie in."""
    directory = tmp_path_factory.mktemp("mlflow")
    with own_mlflow(directory):
        yield directory


@pytest.fixture(scope="module")
def tiles(tmp_path_factory):
    """Tiles of 16 sites in two quarters, with masks and labels."""
    return write_tiles(tmp_path_factory.mktemp("tiles"), sites=16, quarters=2)
