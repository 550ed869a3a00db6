"""Where a run may put its folders."""

import pytest

from eartheye.errors import InvalidSettings
from eartheye.settings import load
from pipelines.config import ChainConfig
from pipelines.roots import check_root
from pipelines.steps import configuration
from pipelines.submission import submit


@pytest.fixture
def tracking(monkeypatch):
    def at(uri: str) -> None:
        monkeypatch.setenv("EARTHEYE_MLFLOW_TRACKING_URI", uri)
        load.cache_clear()

    yield at
    load.cache_clear()


def test_a_directory_behind_an_mlflow_server_is_refused_at_the_start(tracking):
    tracking("http://127.0.0.1:5000")
    check_root("s3://eartheye/run")
    with pytest.raises(InvalidSettings, match=r"runs/mine is a directory and MLflow at http://127\.0\.0\.1:5000 is a server: name"):
        check_root("runs/mine")


def test_a_directory_beside_an_mlflow_file_is_taken(tracking):
    tracking("sqlite:///runs/mlflow.db")
    check_root("runs/mine")


def test_neither_a_submission_nor_its_first_step_takes_such_a_directory(tracking):
    tracking("http://127.0.0.1:5000")
    chain = {"name": "small", "heads": []}
    with pytest.raises(InvalidSettings, match="/runs/mine is a directory"):
        submit(ChainConfig.model_validate(chain), "s3://data/world", "s3://data/world/catalogue.yaml", "/runs/mine", "http://127.0.0.1:9")
    with pytest.raises(InvalidSettings, match="/runs/mine is a directory"):
        configuration.python_func(chain, "s3://data/world", "s3://data/world/catalogue.yaml", "/runs/mine")
