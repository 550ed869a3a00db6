"""MLflow and a database that belong together, on SQLite and on PostgreSQL, and candidates to decide about."""

import shutil

import pytest
from mlflow import MlflowClient

from eartheye import settings
from eartheye.database import connect
from services.registry.outbox import work_through
from services.schema.migrate import upgrade
from tests.services.registry_candidate import make_candidate


@pytest.fixture(scope="session")
def empty_mlflow(tmp_path_factory):
    """Made once, for that takes MLflow seconds."""
    path = tmp_path_factory.mktemp("mlflow") / "empty.db"
    MlflowClient(tracking_uri=f"sqlite:///{path}", registry_uri=f"sqlite:///{path}").search_registered_models()
    return path


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def servers(request, empty_mlflow, tmp_path_factory):
    """URLs of MLflow and of a database of each kind; they belong together, for reconciling looks at all models of MLflow."""
    folder = tmp_path_factory.mktemp(request.param)
    shutil.copyfile(empty_mlflow, folder / "mlflow.db")
    database = f"sqlite:///{folder}/eartheye.db" if request.param == "sqlite" else request.getfixturevalue("new_postgres")()
    return f"sqlite:///{folder}/mlflow.db", database


@pytest.fixture
def engine(servers, monkeypatch):
    monkeypatch.setenv("EARTHEYE_MLFLOW_TRACKING_URI", servers[0])
    monkeypatch.setenv("EARTHEYE_DATABASE_URL", servers[1])
    settings.load.cache_clear()
    engine = connect()
    upgrade(engine)
    yield engine
    monkeypatch.undo()
    monkeypatch.setenv("EARTHEYE_MLFLOW_TRACKING_URI", servers[0])
    settings.load.cache_clear()
    work_through(engine)  # nothing is left over for the next test
    engine.dispose()
    settings.load.cache_clear()


@pytest.fixture
def model(request):
    """A name of the test's own; MLflow is shared."""
    return "".join(sign if sign.isalnum() else "-" for sign in request.node.name.removeprefix("test_"))


@pytest.fixture
def versions(model, tmp_path):
    """Three candidates: good, good, and one whose golden tile is wrong."""
    good = [make_candidate(tmp_path / seed, model, 0.7, seed=seed).version for seed in ("a", "b")]
    return [*good, make_candidate(tmp_path / "wrong", model, 0.9, wrong_by=40, seed="wrong").version]
