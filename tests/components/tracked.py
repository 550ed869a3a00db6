"""Runs of a test module go to an MLflow of its own."""

from contextlib import contextmanager

import pytest

from eartheye import settings


@contextmanager
def own_mlflow(directory):
    """Point tracking and cache at a directory."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EARTHEYE_MLFLOW_TRACKING_URI", f"sqlite:///{directory}/mlflow.db")
        patch.setenv("EARTHEYE_CACHE_DIR", f"{directory}/cache")
        patch.delenv("MLFLOW_RUN_ID", raising=False)
        settings.load.cache_clear()
        yield
    settings.load.cache_clear()
